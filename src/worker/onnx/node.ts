import type { ElementType, Shape, TensorArray } from './tensor.ts';

/** A tensor flowing through a graph. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
}

export type AttributeValue =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly body: Body };

/** A graph inside a node. Values of the graph around it are seen by name. */
export interface Body {
  readonly nodes: readonly Node[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export interface Node {
  readonly name: string;
  readonly operator: string;
  /** Empty string: optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** A tensor whose contents the graph carries, or, for a parameter, whose contents its owner keeps elsewhere. */
export interface Initializer {
  readonly value: Value;
  /** Null for a parameter: the writer, or the trainer, knows where it is. */
  readonly contents: TensorArray | null;
}
