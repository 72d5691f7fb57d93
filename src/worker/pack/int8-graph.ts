import { transposedSuffix } from '../net/parameters.ts';
import { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';

/** Endings of a matrix's two parts: whole numbers `[in, out]`, and float32 `[out]` that each column is multiplied by. */
export const int8Suffix = '.int8';
export const scalesSuffix = '.scales';

/**
 * The same graph with the products of linear layers, `x · W + b`, in whole numbers: `x` is brought to 8 bits by its own
 * smallest and largest value at run time, `W` is stored as int8, and ONNX Runtime's DynamicQuantizeMatMul gives float32
 * again. Everything else, the products inside attention and those with a weight that `exact` names, is as it was.
 */
export function int8Graph(source: Graph, exact: (weight: string) => boolean): Graph {
  const target = new Graph(source.name);
  const stored = new Map(source.initializers.map((initializer) => [initializer.value.name, initializer]));
  const makers = new Map(source.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const uses = new Map<string, number>();
  for (const name of [...source.nodes.flatMap(({ inputs }) => inputs), ...source.outputs.map((o) => o.name)])
    uses.set(name, (uses.get(name) ?? 0) + 1);

  /** The stored matrix behind a value, whether or not it is cast on use. */
  const matrixOf = (name: string): Value | null => {
    const maker = makers.get(name);
    const found = stored.get(maker?.operator === 'Cast' ? maker.inputs[0]! : name);
    return found && found.contents === null && found.value.name.endsWith(transposedSuffix)
      ? found.value
      : null;
  };
  /** Products by the name of what they end in: the sum with the bias, or the product itself. */
  const products = new Map<string, { x: string; matrix: Value; bias: string | null; product: string }>();
  const absorbed = new Set<string>();
  for (const node of source.nodes) {
    if (node.operator !== 'MatMul') continue;
    const matrix = matrixOf(node.inputs[1]!);
    if (!matrix || exact(matrix.name)) continue;
    const product = node.outputs[0]!;
    const sum = source.nodes.find(({ operator, inputs }) => operator === 'Add' && inputs[0] === product);
    const bias = sum && uses.get(product) === 1 && source.values.get(sum.inputs[1]!)!.shape.length === 1;
    products.set(bias ? sum.outputs[0]! : product, {
      x: node.inputs[0]!,
      matrix,
      bias: bias ? sum.inputs[1]! : null,
      product,
    });
    absorbed.add(product).add(node.inputs[1]!);
  }

  for (const { name, type, shape } of source.inputs) target.input(name, type, shape);
  const matrices = new Set([...products.values()].map(({ matrix }) => matrix.name));
  for (const { value, contents } of source.initializers) {
    if (contents !== null) target.constant(contents, value.shape as number[], value.name);
    else if (!matrices.has(value.name)) target.stored(value.name, value.type, value.shape as number[]);
  }
  for (const node of source.nodes) {
    const results = node.outputs.map((name) => source.values.get(name)!);
    const whole = products.get(results[0]!.name);
    if (whole) {
      const { matrix, x, bias } = whole;
      const base = matrix.name.slice(0, -transposedSuffix.length);
      const [inputs, outputs] = matrix.shape as [number, number];
      const numbers = target.stored(base + int8Suffix, 'int8', [inputs, outputs]);
      const scales = target.stored(base + scalesSuffix, 'float32', [outputs]);
      target.append(
        {
          name: `${node.name}.int8`,
          operator: 'DynamicQuantizeMatMul',
          inputs: [x, numbers.name, scales.name, ...(bias === null ? [] : ['', bias])],
          outputs: node.outputs,
          attributes: {},
        },
        results,
      );
    } else if (!results.some(({ name }) => absorbed.has(name))) target.append(node, results);
  }
  for (const { name } of source.outputs) target.result(target.values.get(name)!);
  return target;
}

/** Largest whole number of a weight; see `int8Columns`. */
const largestWhole = 64;

/**
 * A matrix `[in, out]` as whole numbers and one scale for each column. They take 7 bits: processors with AVX2 but no
 * VNNI add pairs of 8 × 8 bit products in 16 bits that saturate, which 255 · 64 · 2 does not reach.
 */
export function int8Columns(
  matrix: Float32Array,
  columns: number,
): { numbers: Int8Array; scales: Float32Array } {
  const scales = new Float32Array(columns);
  for (let i = 0; i < matrix.length; i += columns) {
    for (let column = 0; column < columns; column++)
      scales[column] = Math.max(scales[column]!, Math.abs(matrix[i + column]!));
  }
  // A column of zeros stays one under any scale.
  for (let column = 0; column < columns; column++) scales[column] = scales[column]! / largestWhole || 1;
  const numbers = new Int8Array(matrix.length);
  for (let i = 0; i < matrix.length; i += columns) {
    for (let column = 0; column < columns; column++)
      numbers[i + column] = Math.round(matrix[i + column]! / scales[column]!);
  }
  return { numbers, scales };
}
