import { dimensionOf, type Graph, type Size } from './graph.ts';
import type { Value } from './node.ts';
import { elementTypeCode } from './shape.ts';
import type { Dimension, ElementType } from './tensor.ts';

/** Thin, typed wrappers around `Graph.apply` for the operators that the nets use. Elementwise ones broadcast. */

export const add = (graph: Graph, a: Value, b: Value): Value => graph.apply('Add', [a, b]);
export const subtract = (graph: Graph, a: Value, b: Value): Value => graph.apply('Sub', [a, b]);
export const multiply = (graph: Graph, a: Value, b: Value): Value => graph.apply('Mul', [a, b]);
export const divide = (graph: Graph, a: Value, b: Value): Value => graph.apply('Div', [a, b]);
export const maximum = (graph: Graph, a: Value, b: Value): Value => graph.apply('Max', [a, b]);
export const minimum = (graph: Graph, a: Value, b: Value): Value => graph.apply('Min', [a, b]);
/** Remainder of whole numbers ≥ 0. */
export const remainder = (graph: Graph, a: Value, b: Value): Value => graph.apply('Mod', [a, b]);
export const matmul = (graph: Graph, a: Value, b: Value): Value => graph.apply('MatMul', [a, b]);
export const negate = (graph: Graph, x: Value): Value => graph.apply('Neg', [x]);
export const exponential = (graph: Graph, x: Value): Value => graph.apply('Exp', [x]);
export const logarithm = (graph: Graph, x: Value): Value => graph.apply('Log', [x]);
export const squareRoot = (graph: Graph, x: Value): Value => graph.apply('Sqrt', [x]);
export const absolute = (graph: Graph, x: Value): Value => graph.apply('Abs', [x]);
export const floor = (graph: Graph, x: Value): Value => graph.apply('Floor', [x]);
export const sigmoid = (graph: Graph, x: Value): Value => graph.apply('Sigmoid', [x]);
export const tanh = (graph: Graph, x: Value): Value => graph.apply('Tanh', [x]);
export const less = (graph: Graph, a: Value, b: Value): Value => graph.apply('Less', [a, b]);
export const lessOrEqual = (graph: Graph, a: Value, b: Value): Value => graph.apply('LessOrEqual', [a, b]);
export const equal = (graph: Graph, a: Value, b: Value): Value => graph.apply('Equal', [a, b]);
export const where = (graph: Graph, condition: Value, a: Value, b: Value): Value =>
  graph.apply('Where', [condition, a, b]);

export function softmax(graph: Graph, x: Value, axis = -1): Value {
  return graph.apply('Softmax', [x], { axis });
}

/** Limits `x` to [low, high]; either end may be null. */
export function clip(graph: Graph, x: Value, low: number | null, high: number | null): Value {
  return graph.apply('Clip', [
    x,
    low === null ? null : graph.scalar(low),
    high === null ? null : graph.scalar(high),
  ]);
}

/** Exact GELU, x·(1 + erf(x / √2)) / 2, in the form that runtimes recognise and fuse. */
export function gelu(graph: Graph, x: Value): Value {
  const error = graph.apply('Erf', [divide(graph, x, graph.scalar(Math.SQRT2))]);
  return multiply(graph, multiply(graph, x, add(graph, error, graph.scalar(1))), graph.scalar(0.5));
}

/** x·sigmoid(1.702 x), the activation of OpenAI's CLIP. */
export function quickGelu(graph: Graph, x: Value): Value {
  return multiply(graph, x, sigmoid(graph, multiply(graph, x, graph.scalar(1.702))));
}

/** Normalises over the last axis, then scales and shifts. */
export function layerNorm(graph: Graph, x: Value, scale: Value, shift: Value, epsilon = 1e-5): Value {
  return graph.apply('LayerNormalization', [x, scale, shift], { axis: -1, epsilon: { float: epsilon } });
}

export function transpose(graph: Graph, x: Value, perm: readonly number[]): Value {
  return graph.apply('Transpose', [x], { perm });
}

export function concat(graph: Graph, values: readonly Value[], axis: number): Value {
  return graph.apply('Concat', values, { axis });
}

export function gather(graph: Graph, x: Value, indices: Value, axis = 0): Value {
  return graph.apply('Gather', [x, indices], { axis });
}

export function cast(graph: Graph, x: Value, type: ElementType): Value {
  return x.type === type ? x : graph.apply('Cast', [x], { to: elementTypeCode[type] });
}

/** Elements [start, end) along `axis`; `end` null means to the end, whose length must then be known or is `length`. */
export function slice(
  graph: Graph,
  x: Value,
  axis: number,
  start: number,
  end: number | null,
  length?: Dimension,
): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const whole = x.shape[at]!;
  const stop = end ?? Number.MAX_SAFE_INTEGER;
  let result: Dimension;
  if (typeof whole === 'number') {
    const from = start < 0 ? whole + start : start;
    const to = Math.min(stop < 0 ? whole + stop : stop, whole);
    result = to - from;
  } else result = length ?? (end === null ? `${whole}-${start}` : end - start);
  const shape = x.shape.map((dimension, i) => (i === at ? result : dimension));
  return graph.apply(
    'Slice',
    [
      x,
      graph.integers([start], 'from'),
      graph.integers([end ?? 2 ** 31 - 1], 'to'),
      graph.integers([at], 'axes'),
    ],
    {},
    shape,
  );
}

export function unsqueeze(graph: Graph, x: Value, axes: readonly number[]): Value {
  const rank = x.shape.length + axes.length;
  const inserted = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const shape: Dimension[] = [];
  let next = 0;
  for (let axis = 0; axis < rank; axis++) shape.push(inserted.has(axis) ? 1 : x.shape[next++]!);
  return graph.apply('Unsqueeze', [x, graph.integers([...inserted], 'axes')], {}, shape);
}

export function expand(graph: Graph, x: Value, sizes: readonly Size[]): Value {
  const target = sizes.every((size) => typeof size === 'number')
    ? graph.integers(sizes as number[])
    : concat(
        graph,
        sizes.map((size) => graph.sizeValue(size)),
        0,
      );
  return graph.apply('Expand', [x, target], {}, sizes.map(dimensionOf));
}

function reducedShape(x: Value, axes: readonly number[], keep: boolean): Dimension[] {
  const dropped = new Set(axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)));
  return x.shape
    .map((dimension, axis) => (dropped.has(axis) ? 1 : dimension))
    .filter((_, axis) => keep || !dropped.has(axis));
}

export function reduceSum(graph: Graph, x: Value, axes: readonly number[], keep = true): Value {
  return graph.apply(
    'ReduceSum',
    [x, graph.integers(axes, 'axes')],
    { keepdims: keep ? 1 : 0 },
    reducedShape(x, axes, keep),
  );
}

export function reduceMean(graph: Graph, x: Value, axes: readonly number[], keep = true): Value {
  return graph.apply('ReduceMean', [x], { axes, keepdims: keep ? 1 : 0 });
}

export function reduceSumSquare(graph: Graph, x: Value, axes: readonly number[], keep = true): Value {
  return graph.apply('ReduceSumSquare', [x], { axes, keepdims: keep ? 1 : 0 });
}

/** 0, 1, … size - 1 as int64 `[size]`. */
export function range(graph: Graph, size: Size): Value {
  if (typeof size === 'number') {
    return graph.constant(
      BigInt64Array.from({ length: size }, (_, i) => BigInt(i)),
      [size],
      'range',
    );
  }
  const limit = graph.apply('Squeeze', [size.value], {}, []);
  const zero = graph.constant(BigInt64Array.of(0n), [], 'zero');
  const one = graph.constant(BigInt64Array.of(1n), [], 'one');
  return graph.apply('Range', [zero, limit, one], {}, [size.symbol]);
}

/** Convolution of `[N, C, H, W]` with `[out, C, kernel, kernel]`, no padding. */
export function convolution(
  graph: Graph,
  x: Value,
  weight: Value,
  stride: number,
  sizes: readonly [Dimension, Dimension],
): Value {
  const kernel = [weight.shape[2] as number, weight.shape[3] as number];
  return graph.apply('Conv', [x, weight], { kernel_shape: kernel, strides: [stride, stride] }, [
    x.shape[0]!,
    weight.shape[0]!,
    ...sizes,
  ]);
}

export function reduceMinimum(graph: Graph, x: Value, axes: readonly number[], keep = true): Value {
  return graph.apply('ReduceMin', [x], { axes, keepdims: keep ? 1 : 0 });
}

/** Parts of the given lengths along `axis`. */
export function split(graph: Graph, x: Value, axis: number, lengths: readonly number[]): Value[] {
  return graph.split(x, axis, lengths);
}

/** Vectors along the last axis, scaled to length 1. */
export function normaliseRows(graph: Graph, x: Value): Value {
  const squared = reduceSumSquare(graph, x, [x.shape.length - 1]);
  return divide(graph, x, squareRoot(graph, add(graph, squared, graph.scalar(1e-12))));
}

/** The mean of all elements, `[]`. */
export function meanOfAll(graph: Graph, x: Value): Value {
  return reduceMean(
    graph,
    x,
    x.shape.map((_, axis) => axis),
    false,
  );
}

/** Mean over non-overlapping `factor × factor` squares of `[N, C, H, W]`, whose sides are multiples of it. */
export function averagePool(
  graph: Graph,
  x: Value,
  factor: number,
  sizes: readonly [Dimension, Dimension],
): Value {
  const shape = [x.shape[0]!, x.shape[1]!, ...sizes];
  if (factor === 1) return x;
  return graph.apply(
    'AveragePool',
    [x],
    { kernel_shape: [factor, factor], strides: [factor, factor] },
    shape,
  );
}
