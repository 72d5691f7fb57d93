import { type Parameters, transposedSuffix } from '../net/parameters.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';

/** A parameter under training. */
export interface TrainedParameter {
  /** Name in the checkpoint. */
  readonly name: string;
  /** Shape in the checkpoint. */
  readonly shape: readonly number[];
  /** The graph's input. */
  readonly value: Value;
  /** Whether the input holds the checkpoint's `[out, in, …1]` as `[in, out]`. */
  readonly transposed: boolean;
}

/** Parameters as inputs of a training graph, each added when a net first asks for it. */
export class TrainingParameters implements Parameters {
  readonly trained: TrainedParameter[] = [];
  readonly #graph: Graph;
  readonly #shapeOf: (name: string) => readonly number[];
  readonly #known = new Map<string, Value>();

  constructor(graph: Graph, shapeOf: (name: string) => readonly number[]) {
    this.#graph = graph;
    this.#shapeOf = shapeOf;
  }

  tensor(name: string): Value {
    return this.#take(name, false);
  }

  matrix(name: string): Value {
    return this.#take(name, true);
  }

  #take(name: string, transposed: boolean): Value {
    const input = transposed ? `${name}${transposedSuffix}` : name;
    const known = this.#known.get(input);
    if (known) return known;
    const shape = this.#shapeOf(name);
    const value = this.#graph.input(input, 'float32', transposed ? [shape[1]!, shape[0]!] : shape);
    this.trained.push({ name, shape, value, transposed });
    this.#known.set(input, value);
    return value;
  }
}

/** Rows and columns swapped: `[rows, columns]` to `[columns, rows]`. */
export function transposeMatrix(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0, at = row; column < columns; column++, at += rows)
      out[at] = values[row * columns + column]!;
  return out;
}
