import { Graph } from '../onnx/graph.ts';
import type { Node, Value } from '../onnx/node.ts';
import { elementTypeCode } from '../onnx/shape.ts';
import { halfBits } from '../weights/half.ts';

/**
 * The same graph computing in float16: its weights are used as they are stored, and whatever was float32 between is
 * float16. Inputs and outputs stay float32 and are cast inside, as are the inputs and outputs of the nodes that `single`
 * names, which keep computing in float32. Weights must be stored as float16.
 */
export function halfGraph(source: Graph, single: (node: Node) => boolean): Graph {
  const target = new Graph(source.name);
  /** Names of the original graph → values here, by the type asked for. */
  const found = { float32: new Map<string, Value>(), float16: new Map<string, Value>() };
  const others = new Map<string, Value>();

  const castTo = (value: Value, type: 'float32' | 'float16'): Value => {
    const name = `${value.name}.as_${type}`;
    const node = {
      name,
      operator: 'Cast',
      inputs: [value.name],
      outputs: [`${name}:0`],
      attributes: { to: elementTypeCode[type] },
    };
    return target.append(node, [{ type, shape: value.shape }])[0]!;
  };
  const take = (name: string, type: 'float32' | 'float16'): string => {
    if (name === '') return '';
    const other = others.get(name);
    if (other) return other.name;
    const known = found[type].get(name);
    if (known) return known.name;
    const from = found[type === 'float16' ? 'float32' : 'float16'].get(name);
    if (!from) throw new Error(`graph ${source.name}: ${name} is used before it is made`);
    const value = castTo(from, type);
    found[type].set(name, value);
    return value.name;
  };
  const keep = (name: string, value: Value): void => {
    if (value.type === 'float32' || value.type === 'float16') found[value.type].set(name, value);
    else others.set(name, value);
  };

  for (const { name, type, shape } of source.inputs) keep(name, target.input(name, type, shape));
  for (const { value, contents } of source.initializers) {
    const { name, type, shape } = value;
    if (contents === null) {
      if (type !== 'float16') throw new Error(`graph ${source.name}: ${name} is stored as ${type}`);
      keep(name, target.stored(name, type, shape as number[]));
    } else {
      const lengths = shape as number[];
      keep(name, target.constant(contents, lengths, name));
      if (contents instanceof Float32Array)
        keep(name, target.constant(Uint16Array.from(contents, halfBits), lengths, `${name}.float16`));
    }
  }
  const outputs = new Set(source.outputs.map(({ name }) => name));
  for (const node of source.nodes) {
    const results = node.outputs.map((name) => source.values.get(name)!);
    const [first] = results;
    // A weight's cast to float32: it is used as stored, wherever that will do.
    if (node.operator === 'Cast' && found.float16.has(node.inputs[0]!) && first!.type === 'float32') {
      found.float16.set(first!.name, found.float16.get(node.inputs[0]!)!);
      continue;
    }
    const inFull = single(node) || outputs.has(first!.name);
    const type = inFull ? 'float32' : 'float16';
    const own = {
      ...node,
      inputs: node.inputs.map((name) => take(name, type)),
      attributes:
        node.operator === 'Cast' && !inFull && first!.type === 'float32'
          ? { to: elementTypeCode.float16 }
          : node.attributes,
    };
    const made = target.append(
      own,
      results.map((result) => ({
        type: result.type === 'float32' ? type : result.type,
        shape: result.shape,
      })),
    );
    for (const [index, value] of made.entries()) keep(results[index]!.name, value);
  }
  for (const { name } of source.outputs) target.result(target.values.get(name)!);
  return target;
}
