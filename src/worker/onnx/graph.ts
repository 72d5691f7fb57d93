import type { AttributeValue, Body, Initializer, Node, Value } from './node.ts';
import { inferShape } from './shape.ts';
import type { Dimension, ElementType, Shape, TensorArray } from './tensor.ts';

/** A length in a graph: known now, or an int64 tensor of one element that holds it at run time. */
export type Size = number | { readonly symbol: string; readonly value: Value };

/**
 * A forward graph under construction: nodes in order of evaluation, names that a person can read in Netron, and the
 * type and shape of every value. Operators are those of ONNX operator set 17 (onnx.ai/onnx/operators).
 */
export class Graph {
  readonly name: string;
  nodes: Node[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly initializers: Initializer[] = [];
  readonly values = new Map<string, Value>();
  readonly #scope: string[] = [];
  readonly #uses = new Map<string, number>();
  readonly #constants = new Map<string, Value>();

  constructor(name: string) {
    this.name = name;
  }

  /** Runs `build` with `name/` in front of every name made inside. */
  scope<T>(name: string, build: () => T): T {
    this.#scope.push(name);
    try {
      return build();
    } finally {
      this.#scope.pop();
    }
  }

  input(name: string, type: ElementType, shape: Shape): Value {
    const value = this.#register({ name, type, shape });
    this.inputs.push(value);
    return value;
  }

  /** Gives `value` its public name and makes it a result of the graph. */
  output(name: string, value: Value): Value {
    const [named] = this.#append('Identity', [value], {}, [{ type: value.type, shape: value.shape }], [name]);
    this.outputs.push(named!);
    return named!;
  }

  /**
   * A weight by its full name, contents kept outside the graph. Stored as float16 it is cast on use, so that the
   * runtime computes in float32.
   */
  parameter(name: string, shape: readonly number[], storage: 'float32' | 'float16' = 'float32'): Value {
    const known = this.values.get(name);
    if (known) return this.values.get(`${name}.float32`) ?? known;
    const value = this.#register({ name, type: storage, shape });
    this.initializers.push({ value, contents: null });
    if (storage === 'float32') return value;
    return this.#append('Cast', [value], { to: 1 }, [{ type: 'float32', shape }], [`${name}.float32`])[0]!;
  }

  /** A constant tensor; equal small constants share one initializer. */
  constant(contents: TensorArray, shape: readonly number[], hint = 'constant'): Value {
    const type = constantType(contents);
    const key = contents.length <= 16 ? `${type}|${shape.join(',')}|${contents.join(',')}` : null;
    const known = key === null ? undefined : this.#constants.get(key);
    if (known) return known;
    const value = this.#register({ name: this.#unique(hint), type, shape });
    this.initializers.push({ value, contents });
    if (key !== null) this.#constants.set(key, value);
    return value;
  }

  /** Weights of any type by their full name, contents kept outside the graph and used as they are stored. */
  stored(name: string, type: ElementType, shape: readonly number[]): Value {
    const known = this.values.get(name);
    if (known) return known;
    const value = this.#register({ name, type, shape });
    this.initializers.push({ value, contents: null });
    return value;
  }

  scalar(number: number): Value {
    return this.constant(new Float32Array([number]), [], `value_${String(number).replace('.', '_')}`);
  }

  integers(numbers: readonly number[], hint = 'sizes'): Value {
    return this.constant(BigInt64Array.from(numbers, BigInt), [numbers.length], hint);
  }

  /** Appends a node with one result whose type and shape follow from the operator's rule. */
  apply(
    operator: string,
    inputs: readonly (Value | null)[],
    attributes: Record<string, AttributeValue> = {},
    shape?: Shape,
  ): Value {
    const result = inferShape(operator, inputs, attributes, shape);
    return this.#append(operator, inputs, attributes, [result])[0]!;
  }

  /** Appends a node with several results, whose types and shapes are given. */
  applyAll(
    operator: string,
    inputs: readonly (Value | null)[],
    attributes: Record<string, AttributeValue>,
    results: readonly { type: ElementType; shape: Shape }[],
  ): Value[] {
    return this.#append(operator, inputs, attributes, results);
  }

  /** Appends a node under its own names: for passes that rewrite a finished graph. */
  append(node: Node, results: readonly { type: ElementType; shape: Shape }[]): Value[] {
    const outputs = results.map((result, index) => this.#register({ name: node.outputs[index]!, ...result }));
    this.nodes.push(node);
    return outputs;
  }

  /** Makes a value of the graph a result under the name it has. */
  result(value: Value): void {
    this.outputs.push(value);
  }

  /**
   * Does `build` for every slice of `sliced` along their first axis, one slice after the other, and stacks the results.
   * Bounds what is held at once by one slice, and asks the runtime to prepare `build`'s nodes once.
   */
  scan(sliced: readonly Value[], build: (slices: Value[]) => Value[]): Value[] {
    const around = this.nodes;
    this.nodes = [];
    const inputs = sliced.map(({ type, shape }) =>
      this.#register({ name: this.#unique('slice'), type, shape: shape.slice(1) }),
    );
    const outputs = build(inputs);
    const body: Body = { nodes: this.nodes, inputs, outputs };
    this.nodes = around;
    return this.#append(
      'Scan',
      sliced,
      { num_scan_inputs: sliced.length, body: { body } },
      outputs.map(({ type, shape }) => ({ type, shape: [sliced[0]!.shape[0]!, ...shape] })),
    );
  }

  /** Appends a Split along `axis` into parts of the given lengths. */
  split(value: Value, axis: number, lengths: readonly number[]): Value[] {
    const at = axis < 0 ? axis + value.shape.length : axis;
    const results = lengths.map((length) => ({
      type: value.type,
      shape: value.shape.map((dimension, index) => (index === at ? length : dimension)),
    }));
    return this.#append('Split', [value, this.integers(lengths)], { axis: at }, results);
  }

  /** The length of `value` along `axis`: a number where the shape knows it. */
  sizeOf(value: Value, axis: number): Size {
    const at = axis < 0 ? axis + value.shape.length : axis;
    const dimension = value.shape[at]!;
    if (typeof dimension === 'number') return dimension;
    const shape = this.apply('Shape', [value], { start: at, end: at + 1 }, [1]);
    return { symbol: dimension, value: shape };
  }

  /** A size as an int64 tensor `[1]`. */
  sizeValue(size: Size): Value {
    return typeof size === 'number' ? this.integers([size]) : size.value;
  }

  /** `size · factor + offset`, or the quotient where `factor` is `1 / n` and `size` a multiple of n. */
  scaleSize(size: Size, factor: number, offset = 0): Size {
    if (typeof size === 'number') return Math.round(size * factor) + offset;
    if (factor === 1 && offset === 0) return size;
    let value = size.value;
    let symbol = size.symbol;
    if (factor > 1) {
      value = this.apply('Mul', [value, this.integers([factor])]);
      symbol = `${symbol}*${factor}`;
    } else if (factor < 1) {
      const divisor = Math.round(1 / factor);
      value = this.apply('Div', [value, this.integers([divisor])]);
      symbol = symbol.endsWith(`*${divisor}`)
        ? symbol.slice(0, -`*${divisor}`.length)
        : `${symbol}/${divisor}`;
    }
    if (offset !== 0) {
      value = this.apply('Add', [value, this.integers([offset])]);
      symbol = `${symbol}+${offset}`;
    }
    return { symbol, value };
  }

  /** Product of sizes. */
  multiplySizes(a: Size, b: Size): Size {
    if (typeof a === 'number' && typeof b === 'number') return a * b;
    const value = this.apply('Mul', [this.sizeValue(a), this.sizeValue(b)]);
    return { symbol: `${dimensionOf(a)}*${dimensionOf(b)}`, value };
  }

  /** Difference of sizes. */
  subtractSizes(a: Size, b: Size): Size {
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    const value = this.apply('Sub', [this.sizeValue(a), this.sizeValue(b)]);
    return { symbol: `${dimensionOf(a)}-${dimensionOf(b)}`, value };
  }

  reshape(value: Value, sizes: readonly Size[]): Value {
    const shape = sizes.map(dimensionOf);
    const target = sizes.every((size) => typeof size === 'number')
      ? this.integers(sizes as number[])
      : this.apply(
          'Concat',
          sizes.map((size) => this.sizeValue(size)),
          { axis: 0 },
        );
    return this.apply('Reshape', [value, target], {}, shape);
  }

  #append(
    operator: string,
    inputs: readonly (Value | null)[],
    attributes: Record<string, AttributeValue>,
    results: readonly { type: ElementType; shape: Shape }[],
    names?: readonly string[],
  ): Value[] {
    const name = this.#unique(operator);
    const outputs = results.map((result, index) =>
      this.#register({
        name: names?.[index] ?? (results.length === 1 ? `${name}:0` : `${name}:${index}`),
        ...result,
      }),
    );
    this.nodes.push({
      name,
      operator,
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs: outputs.map((output) => output.name),
      attributes,
    });
    return outputs;
  }

  #unique(base: string): string {
    const path = [...this.#scope, base].join('/');
    const count = this.#uses.get(path) ?? 0;
    this.#uses.set(path, count + 1);
    return count === 0 ? path : `${path}_${count}`;
  }

  #register(value: Value): Value {
    if (this.values.has(value.name)) throw new Error(`graph ${this.name}: two values named ${value.name}`);
    this.values.set(value.name, value);
    return value;
  }
}

export function dimensionOf(size: Size): Dimension {
  return typeof size === 'number' ? size : size.symbol;
}

function constantType(contents: TensorArray): ElementType {
  if (contents instanceof Float32Array) return 'float32';
  if (contents instanceof BigInt64Array) return 'int64';
  if (contents instanceof Int32Array) return 'int32';
  if (contents instanceof Uint16Array) return 'float16';
  if (contents instanceof Int8Array) return 'int8';
  return 'uint8';
}
