import type { Graph } from './graph.ts';
import type { Node, Value } from './node.ts';
import {
  cast,
  concat,
  divide,
  expand,
  exponential,
  matmul,
  multiply,
  negate,
  reduceSum,
  slice,
  subtract,
  transpose,
  unsqueeze,
  where,
} from './operators.ts';
import { elementCount, type TensorArray } from './tensor.ts';

/** A node of the forward graph, seen by its gradient rule. */
export interface NodeInGraph {
  readonly graph: Graph;
  readonly node: Node;
  /** An input that was left out is undefined. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Whether the gradient of each input is needed. */
  readonly wanted: readonly boolean[];
  /** Contents of a constant; null for anything else. */
  contents(value: Value): TensorArray | null;
}

/**
 * Vector-Jacobian product of an operator: from the gradients that arrive at the outputs (null: none) to those of the
 * inputs (null or missing: none).
 */
type GradientRule = (node: NodeInGraph, arriving: readonly (Value | null)[]) => (Value | null)[];

const lengths = (value: Value): number[] =>
  value.shape.map((length) => {
    if (typeof length !== 'number')
      throw new Error(`${value.name}: gradients need known lengths, not ${length}`);
    return length;
  });

/** Sums `gradient` over the axes along which `value` was broadcast. */
function unbroadcast(graph: Graph, gradient: Value, value: Value): Value {
  const from = lengths(gradient);
  const to = lengths(value);
  if (from.length === to.length && from.every((length, axis) => length === to[axis])) return gradient;
  const leading = from.length - to.length;
  const axes: number[] = [];
  for (let axis = 0; axis < from.length; axis++)
    if (axis < leading || (to[axis - leading] === 1 && from[axis] !== 1)) axes.push(axis);
  // Contiguous leading axes are summed as one: the runtime has a fast kernel for that.
  const inner = from.slice(axes.length);
  let sum: Value;
  if (axes.length === 0) sum = gradient;
  else if (axes.every((axis, at) => axis === at)) {
    const rows = elementCount(from.slice(0, axes.length));
    sum = reduceSum(graph, graph.reshape(gradient, [rows, elementCount(inner)]), [0], false);
  } else sum = reduceSum(graph, gradient, axes, true);
  return graph.reshape(sum, to);
}

/** Swaps the last two axes; undoes such a swap instead of adding a second one. */
function swapLast(graph: Graph, value: Value): Value {
  const rank = value.shape.length;
  const source = producer(graph, value);
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  if (source?.operator === 'Transpose' && String(source.attributes.perm) === String(perm))
    return graph.values.get(source.inputs[0]!)!;
  return transpose(graph, value, perm);
}

function producer(graph: Graph, value: Value): Node | undefined {
  return graph.nodes.findLast((node) => node.outputs[0] === value.name);
}

function matmulGradient({ graph, inputs, wanted }: NodeInGraph, gradient: Value): (Value | null)[] {
  const [a, b] = inputs as [Value, Value];
  if (a.shape.length < 2 || b.shape.length < 2) throw new Error('MatMul of a vector has no gradient rule');
  let forA: Value | null = null;
  let forB: Value | null = null;
  if (wanted[0]) forA = unbroadcast(graph, matmul(graph, gradient, swapLast(graph, b)), a);
  if (wanted[1]) {
    if (b.shape.length === 2 && a.shape.length > 2) {
      const rows = elementCount(a.shape.slice(0, -1));
      const flat = (value: Value) => graph.reshape(value, [rows, value.shape.at(-1) as number]);
      forB = matmul(graph, swapLast(graph, flat(a)), flat(gradient));
    } else forB = unbroadcast(graph, matmul(graph, swapLast(graph, a), gradient), b);
  }
  return [forA, forB];
}

/** dx = y·(g - Σ g·y). */
function softmaxGradient({ graph, node, outputs }: NodeInGraph, gradient: Value): Value[] {
  const [y] = outputs as [Value];
  const axis = node.attributes.axis as number;
  const weighted = multiply(graph, gradient, y);
  const sum = reduceSum(graph, weighted, [axis < 0 ? axis + y.shape.length : axis]);
  return [subtract(graph, weighted, multiply(graph, y, sum))];
}

/**
 * With x̂ the normalised input and h = g·scale: dx = (h - mean h - x̂·mean(h·x̂)) / deviation. The means are matrix
 * products with scale / width, which spares two passes over the activations.
 */
function layerNormGradient({ graph, node, inputs, wanted }: NodeInGraph, gradient: Value): (Value | null)[] {
  const [x, scale] = inputs as [Value, Value];
  const width = x.shape.at(-1) as number;
  const statistics = [...x.shape.slice(0, -1), 1];
  const ones = graph.constant(new Float32Array(width).fill(1), [width], 'ones');
  const none = graph.constant(new Float32Array(width), [width], 'zeros');
  const [normalised, , inverse] = graph.applyAll('LayerNormalization', [x, ones, none], node.attributes, [
    { type: 'float32', shape: x.shape },
    { type: 'float32', shape: statistics },
    { type: 'float32', shape: statistics },
  ]) as [Value, Value, Value];
  const product = multiply(graph, gradient, normalised);
  const forScale = wanted[1] ? unbroadcast(graph, product, scale) : null;
  const forShift = wanted[2] ? unbroadcast(graph, gradient, scale) : null;
  if (!wanted[0]) return [null, forScale, forShift];
  const column = multiply(graph, graph.reshape(scale, [width, 1]), graph.scalar(1 / width));
  const mean = matmul(graph, gradient, column);
  const correlation = matmul(graph, product, column);
  const centred = subtract(graph, multiply(graph, gradient, scale), mean);
  const forX = multiply(graph, subtract(graph, centred, multiply(graph, normalised, correlation)), inverse);
  return [forX, forScale, forShift];
}

/** Gradients of a sum or mean over axes: every summed element receives the sum's gradient, times `weight`. */
function spread({ graph, node, inputs }: NodeInGraph, gradient: Value, axes: readonly number[]): Value {
  const [x] = inputs as [Value];
  const kept = node.attributes.keepdims !== 0 ? gradient : unsqueeze(graph, gradient, axes);
  return expand(graph, kept, lengths(x));
}

function reducedAxes({ node, inputs, contents }: NodeInGraph): number[] {
  const rank = inputs[0]!.shape.length;
  const given = inputs[1] ? Array.from(contents(inputs[1]) ?? [], Number) : node.attributes.axes;
  const axes = (given as readonly number[] | undefined) ?? Array.from({ length: rank }, (_, axis) => axis);
  return axes.map((axis) => (axis < 0 ? axis + rank : axis));
}

function integers({ contents, node }: NodeInGraph, value: Value | undefined): number[] {
  const found = value && contents(value);
  if (!found) throw new Error(`${node.name}: the gradient needs constant bounds`);
  return Array.from(found, Number);
}

/** Pads the gradient of a slice with zeros to the whole. Steps other than 1 have no rule. */
function sliceGradient(context: NodeInGraph, gradient: Value): Value {
  const { graph, inputs } = context;
  const whole = lengths(inputs[0]!);
  const starts = integers(context, inputs[1]);
  const axes = integers(context, inputs[3]);
  if (inputs[4] && integers(context, inputs[4]).some((step) => step !== 1))
    throw new Error('Slice with steps has no gradient rule');
  const before = whole.map(() => 0);
  axes.forEach((axis, at) => {
    const start = starts[at]!;
    before[axis] = start < 0 ? start + whole[axis]! : Math.min(start, whole[axis]!);
  });
  const part = lengths(gradient);
  const after = whole.map((length, axis) => length - part[axis]! - before[axis]!);
  return graph.apply(
    'Pad',
    [gradient, graph.integers([...before, ...after], 'pads')],
    { mode: 'constant' },
    whole,
  );
}

/**
 * Adds the gradients of gathered rows back where they came from. ScatterND would suit better, but the runtime's adds
 * equal indices from several threads without a lock, and loses some.
 */
function gatherGradient({ graph, node, inputs }: NodeInGraph, gradient: Value): Value {
  const [x, indices] = inputs as [Value, Value];
  const axis = (node.attributes.axis as number | undefined) ?? 0;
  const shape = lengths(x);
  const at = axis < 0 ? axis + shape.length : axis;
  const pairs = at === 0 ? indexPairs(graph, indices, shape[0]!) : null;
  if (pairs) return graph.reshape(pairGradient(graph, gradient, pairs, shape), shape);
  const count = elementCount(indices.shape);
  const before = elementCount(shape.slice(0, at));
  const after = elementCount(shape.slice(at + 1));
  const rows = graph.reshape(gradient, [before, count, after]);
  const everywhere = expand(graph, graph.reshape(indices, [1, count, 1]), [before, count, after]);
  const sum = graph.apply('ScatterElements', [zeros(graph, [before, shape[at]!, after]), everywhere, rows], {
    axis: 1,
    reduction: 'add',
  });
  return graph.reshape(sum, shape);
}

/** Flat indices of a plane, built as row · width + column from `rows` `[i, a]` and `columns` `[j, b]`: `[i·j, a·b]`. */
interface IndexPairs {
  rows: Value;
  columns: Value;
  height: number;
  width: number;
}

/** Recognises indices built as such pairs: Reshape(Unsqueeze(rows · width, [1, 3]) + Unsqueeze(columns, [0, 2])). */
function indexPairs(graph: Graph, indices: Value, count: number): IndexPairs | null {
  const input = (node: Node | undefined, operator: string, at: number): Value | undefined =>
    node?.operator === operator ? graph.values.get(node.inputs[at]!) : undefined;
  const made = (value: Value | undefined) => value && producer(graph, value);
  const constant = (value: Value | undefined) =>
    graph.initializers.find((initializer) => initializer.value.name === value?.name)?.contents ?? null;
  const sum = made(input(made(indices), 'Reshape', 0));
  const left = made(input(sum, 'Add', 0));
  const right = made(input(sum, 'Add', 1));
  const scaled = made(input(left, 'Unsqueeze', 0));
  const rows = input(scaled, 'Mul', 0);
  const width = Number(constant(input(scaled, 'Mul', 1))?.[0]);
  const columns = input(right, 'Unsqueeze', 0);
  const apart =
    String(constant(input(left, 'Unsqueeze', 1))) === '1,3' &&
    String(constant(input(right, 'Unsqueeze', 1))) === '0,2';
  if (!rows || !columns || !apart || !(count % width === 0)) return null;
  return { rows, columns, height: count / width, width };
}

/** Adds up along rows, then along columns, each as a product with a matrix of zeros and ones, which threads share. */
function pairGradient(
  graph: Graph,
  gradient: Value,
  { rows, columns, height, width }: IndexPairs,
  shape: readonly number[],
): Value {
  const [i, a] = lengths(rows) as [number, number];
  const [j, b] = lengths(columns) as [number, number];
  const after = elementCount(shape.slice(1));
  const apart = graph.reshape(gradient, [i, j, a, b, after]);
  const inRows = graph.reshape(transpose(graph, apart, [0, 2, 1, 3, 4]), [i * a, j * b * after]);
  const hits = (indices: Value, length: number) => {
    const all = graph.reshape(indices, [1, elementCount(indices.shape)]);
    const places = graph.constant(
      BigInt64Array.from({ length }, (_, at) => BigInt(at)),
      [length, 1],
      'places',
    );
    return cast(graph, graph.apply('Equal', [places, all]), 'float32');
  };
  const byRow = graph.reshape(matmul(graph, hits(rows, height), inRows), [height, j * b, after]);
  return matmul(graph, hits(columns, width), byRow);
}

function zeros(graph: Graph, shape: readonly number[]): Value {
  return expand(graph, graph.scalar(0), shape);
}

/** Gradient of an elementwise function of one input: `g · derivative`. */
const unary =
  (derivative: (graph: Graph, x: Value, y: Value) => Value): GradientRule =>
  ({ graph, inputs, outputs }, [gradient]) => [
    multiply(graph, gradient!, derivative(graph, inputs[0]!, outputs[0]!)),
  ];

/** Gradients of an elementwise function of two inputs that broadcast. */
const binary =
  (
    forFirst: (context: NodeInGraph, gradient: Value) => Value,
    forSecond: (context: NodeInGraph, gradient: Value) => Value,
  ): GradientRule =>
  (context, [gradient]) => {
    const { graph, inputs, wanted } = context;
    return [
      wanted[0] ? unbroadcast(graph, forFirst(context, gradient!), inputs[0]!) : null,
      wanted[1] ? unbroadcast(graph, forSecond(context, gradient!), inputs[1]!) : null,
    ];
  };

/** The larger (or smaller) input takes the gradient; of equal ones the first. */
const chosen = (comparison: 'GreaterOrEqual' | 'LessOrEqual'): GradientRule => {
  const first = ({ graph, inputs }: NodeInGraph) =>
    cast(graph, graph.apply(comparison, [inputs[0]!, inputs[1]!]), 'float32');
  return binary(
    (context, gradient) => multiply(context.graph, gradient, first(context)),
    (context, gradient) =>
      multiply(context.graph, gradient, subtract(context.graph, context.graph.scalar(1), first(context))),
  );
};

/** The gradient goes where the extreme was; equal extremes share it. */
const extreme: GradientRule = (context, [gradient]) => {
  const { graph, node, inputs, outputs } = context;
  const axes = reducedAxes(context);
  const kept = (value: Value) => (node.attributes.keepdims !== 0 ? value : unsqueeze(graph, value, axes));
  const there = cast(graph, graph.apply('Equal', [inputs[0]!, kept(outputs[0]!)]), 'float32');
  const share = divide(graph, kept(gradient!), reduceSum(graph, there, axes));
  return [multiply(graph, there, share)];
};

const reshaped: GradientRule = ({ graph, inputs }, [gradient]) => [
  graph.reshape(gradient!, lengths(inputs[0]!)),
];

export const gradientRules: Readonly<Record<string, GradientRule>> = {
  Identity: (_node, [gradient]) => [gradient!],
  Neg: ({ graph }, [gradient]) => [negate(graph, gradient!)],
  Exp: unary((_graph, _x, y) => y),
  Log: ({ graph, inputs }, [gradient]) => [divide(graph, gradient!, inputs[0]!)],
  Sqrt: ({ graph, outputs }, [gradient]) => [
    divide(graph, multiply(graph, gradient!, graph.scalar(0.5)), outputs[0]!),
  ],
  Reciprocal: unary((graph, _x, y) => negate(graph, multiply(graph, y, y))),
  Erf: unary((graph, x) =>
    multiply(
      graph,
      exponential(graph, negate(graph, multiply(graph, x, x))),
      graph.scalar(2 / Math.sqrt(Math.PI)),
    ),
  ),
  Tanh: unary((graph, _x, y) => subtract(graph, graph.scalar(1), multiply(graph, y, y))),
  Sigmoid: unary((graph, _x, y) => subtract(graph, y, multiply(graph, y, y))),
  Abs: unary((graph, x) => graph.apply('Sign', [x])),
  Cast: ({ inputs }, [gradient]) => [inputs[0]!.type === 'float32' ? gradient! : null],
  Clip: ({ graph, inputs }, [gradient]) => {
    const [x, low, high] = inputs;
    let passed = gradient!;
    if (low) passed = where(graph, graph.apply('Less', [x!, low]), graph.scalar(0), passed);
    if (high) passed = where(graph, graph.apply('Greater', [x!, high]), graph.scalar(0), passed);
    return [passed];
  },
  Softmax: (context, [gradient]) => softmaxGradient(context, gradient!),
  LayerNormalization: (context, [gradient]) => layerNormGradient(context, gradient!),
  Add: binary(
    (_context, gradient) => gradient,
    (_context, gradient) => gradient,
  ),
  Sub: binary(
    (_context, gradient) => gradient,
    ({ graph }, gradient) => negate(graph, gradient),
  ),
  Mul: binary(
    ({ graph, inputs }, gradient) => multiply(graph, gradient, inputs[1]!),
    ({ graph, inputs }, gradient) => multiply(graph, gradient, inputs[0]!),
  ),
  Div: binary(
    ({ graph, inputs }, gradient) => divide(graph, gradient, inputs[1]!),
    ({ graph, inputs, outputs }, gradient) =>
      negate(graph, divide(graph, multiply(graph, gradient, outputs[0]!), inputs[1]!)),
  ),
  /** Exponents take no gradient. */
  Pow: ({ graph, inputs, wanted }, [gradient]) => {
    if (wanted[1]) throw new Error('Pow has no gradient rule for its exponent');
    const [x, exponent] = inputs as [Value, Value];
    const lower = graph.apply('Pow', [x, subtract(graph, exponent, graph.scalar(1))]);
    return [unbroadcast(graph, multiply(graph, gradient!, multiply(graph, exponent, lower)), x)];
  },
  Max: chosen('GreaterOrEqual'),
  Min: chosen('LessOrEqual'),
  Where: ({ graph, inputs, wanted }, [gradient]) => {
    const [condition, a, b] = inputs as [Value, Value, Value];
    const zero = graph.scalar(0);
    return [
      null,
      wanted[1] ? unbroadcast(graph, where(graph, condition, gradient!, zero), a) : null,
      wanted[2] ? unbroadcast(graph, where(graph, condition, zero, gradient!), b) : null,
    ];
  },
  MatMul: (context, [gradient]) => matmulGradient(context, gradient!),
  Transpose: ({ graph, node }, [gradient]) => {
    const perm = node.attributes.perm as readonly number[];
    const inverse = perm.map((_, axis) => perm.indexOf(axis));
    const rank = perm.length;
    // Of a product: swap the factors, which the runtime takes transposed, instead of the result.
    const swaps = perm.every((axis, at) => axis === (at < rank - 2 ? at : 2 * rank - 3 - at));
    const source = producer(graph, gradient!);
    if (rank >= 2 && swaps && source?.operator === 'MatMul') {
      const [a, b] = source.inputs.map((name) => graph.values.get(name)!) as [Value, Value];
      if (a.shape.length === rank && b.shape.length === rank)
        return [matmul(graph, swapLast(graph, b), swapLast(graph, a))];
    }
    return [transpose(graph, gradient!, inverse)];
  },
  Reshape: reshaped,
  Unsqueeze: reshaped,
  Squeeze: reshaped,
  Expand: ({ graph, inputs }, [gradient]) => [unbroadcast(graph, gradient!, inputs[0]!)],
  Concat: ({ graph, node, inputs }, [gradient]) => {
    const rank = gradient!.shape.length;
    const axis = node.attributes.axis as number;
    const at = axis < 0 ? axis + rank : axis;
    const parts = inputs.map((input) => lengths(input)[at]!);
    return parts.length === 1 ? [gradient!] : graph.split(gradient!, at, parts);
  },
  Split: ({ graph, node, outputs }, arriving) => {
    const parts = arriving.map((gradient, at) => gradient ?? zeros(graph, lengths(outputs[at]!)));
    return [concat(graph, parts, node.attributes.axis as number)];
  },
  Slice: (context, [gradient]) => [sliceGradient(context, gradient!)],
  /** Only padding with a constant has a rule. */
  Pad: (context, [gradient]) => {
    const { graph, node, inputs } = context;
    if ((node.attributes.mode ?? 'constant') !== 'constant')
      throw new Error(`Pad with mode ${node.attributes.mode} has no gradient rule`);
    const pads = integers(context, inputs[1]);
    let passed = gradient!;
    lengths(inputs[0]!).forEach((length, axis) => {
      if (length !== passed.shape[axis])
        passed = slice(graph, passed, axis, pads[axis]!, pads[axis]! + length);
    });
    return [passed];
  },
  Gather: (context, [gradient]) => [gatherGradient(context, gradient!)],
  GatherElements: ({ graph, node, inputs }, [gradient]) => [
    graph.apply('ScatterElements', [zeros(graph, lengths(inputs[0]!)), inputs[1]!, gradient!], {
      axis: (node.attributes.axis as number | undefined) ?? 0,
      reduction: 'add',
    }),
  ],
  ReduceSum: (context, [gradient]) => [spread(context, gradient!, reducedAxes(context))],
  ReduceMean: (context, [gradient]) => {
    const { graph, inputs } = context;
    const axes = reducedAxes(context);
    const shape = lengths(inputs[0]!);
    const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
    return [spread(context, multiply(graph, gradient!, graph.scalar(1 / count)), axes)];
  },
  ReduceSumSquare: (context, [gradient]) => {
    const { graph, node, inputs } = context;
    const twice = multiply(graph, gradient!, graph.scalar(2));
    const kept = node.attributes.keepdims !== 0 ? twice : unsqueeze(graph, twice, reducedAxes(context));
    return [multiply(graph, inputs[0]!, kept)];
  },
  ReduceMax: extreme,
  ReduceMin: extreme,
  /** Where the kernel is as large as its stride: patches apart, then a matrix product. */
  Conv: ({ graph, node, inputs, wanted }, [gradient]) => {
    const [x, weight] = inputs as [Value, Value];
    const [side, other] = node.attributes.kernel_shape as readonly [number, number];
    if (String(node.attributes.strides) !== `${side},${other}` || inputs.length > 2)
      throw new Error('Conv has a gradient rule only where kernel and stride are equal, without bias');
    const [batch, channels] = lengths(x) as [number, number, number, number];
    const [, outputs, rows, columns] = lengths(gradient!) as [number, number, number, number];
    const patches = batch * rows * columns;
    const size = channels * side * other;
    const flat = graph.reshape(transpose(graph, gradient!, [1, 0, 2, 3]), [outputs, patches]);
    let forWeight: Value | null = null;
    if (wanted[1]) {
      const apart = graph.reshape(x, [batch, channels, rows, side, columns, other]);
      const ordered = graph.reshape(transpose(graph, apart, [0, 2, 4, 1, 3, 5]), [patches, size]);
      forWeight = graph.reshape(matmul(graph, flat, ordered), lengths(weight));
    }
    let forX: Value | null = null;
    if (wanted[0]) {
      const product = matmul(graph, transpose(graph, flat, [1, 0]), graph.reshape(weight, [outputs, size]));
      const apart = graph.reshape(product, [batch, rows, columns, channels, side, other]);
      forX = graph.reshape(transpose(graph, apart, [0, 3, 1, 4, 2, 5]), lengths(x));
    }
    return [forX, forWeight];
  },
};
