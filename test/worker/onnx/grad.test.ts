import { describe, expect, it } from 'vitest';
import { gradients, pruneGraph } from '../../../src/worker/onnx/grad.ts';
import { Graph } from '../../../src/worker/onnx/graph.ts';
import type { Value } from '../../../src/worker/onnx/node.ts';
import {
  absolute,
  add,
  cast,
  clip,
  concat,
  convolution,
  divide,
  expand,
  exponential,
  gather,
  gelu,
  layerNorm,
  less,
  logarithm,
  matmul,
  maximum,
  minimum,
  multiply,
  negate,
  quickGelu,
  reduceMean,
  reduceMinimum,
  reduceSum,
  reduceSumSquare,
  sigmoid,
  slice,
  softmax,
  split,
  squareRoot,
  subtract,
  tanh,
  transpose,
  unsqueeze,
  where,
} from '../../../src/worker/onnx/operators.ts';
import { elementCount } from '../../../src/worker/onnx/tensor.ts';
import { evaluator, type Numbers } from './double.ts';

/** Seeded uniform numbers of [0, 1). */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Case {
  name: string;
  shapes: number[][];
  build: (graph: Graph, inputs: Value[]) => Value;
  /** Range of the inputs, away from kinks and poles; [-1, 1] unless told. */
  range?: [number, number];
  /** Integer inputs beside the float ones. */
  indices?: { values: number[]; shape: number[] };
  /** float32 where the runtime has no float64 kernel. */
  precision?: 'float64' | 'float32';
}

const positive: [number, number] = [0.3, 2];
const cases: Case[] = [
  { name: 'Add, one row to all', shapes: [[2, 3, 4], [4]], build: (g, [a, b]) => add(g, a!, b!) },
  {
    name: 'Sub, inner broadcast',
    shapes: [
      [2, 1, 4],
      [3, 1],
    ],
    build: (g, [a, b]) => subtract(g, a!, b!),
  },
  { name: 'Mul, a scalar', shapes: [[2, 3], []], build: (g, [a, b]) => multiply(g, a!, b!) },
  {
    name: 'Mul, both broadcast',
    shapes: [
      [2, 1, 3],
      [4, 1],
    ],
    build: (g, [a, b]) => multiply(g, a!, b!),
  },
  { name: 'Mul by itself', shapes: [[5]], build: (g, [a]) => multiply(g, a!, a!) },
  { name: 'Div', shapes: [[2, 3], [3]], range: positive, build: (g, [a, b]) => divide(g, a!, b!) },
  { name: 'Max', shapes: [[2, 5], [5]], build: (g, [a, b]) => maximum(g, a!, b!) },
  {
    name: 'Min',
    shapes: [
      [2, 5],
      [2, 1],
    ],
    build: (g, [a, b]) => minimum(g, a!, b!),
  },
  { name: 'Neg', shapes: [[4]], build: (g, [a]) => negate(g, a!) },
  { name: 'Exp', shapes: [[4]], build: (g, [a]) => exponential(g, a!) },
  { name: 'Log', shapes: [[4]], range: positive, build: (g, [a]) => logarithm(g, a!) },
  { name: 'Sqrt', shapes: [[4]], range: positive, build: (g, [a]) => squareRoot(g, a!) },
  { name: 'Reciprocal', shapes: [[4]], range: positive, build: (g, [a]) => g.apply('Reciprocal', [a!]) },
  { name: 'Abs', shapes: [[9]], build: (g, [a]) => absolute(g, a!) },
  { name: 'Tanh', shapes: [[4]], build: (g, [a]) => tanh(g, a!) },
  { name: 'Sigmoid', shapes: [[4]], build: (g, [a]) => sigmoid(g, a!) },
  { name: 'Erf', shapes: [[4]], precision: 'float32', build: (g, [a]) => g.apply('Erf', [a!]) },
  { name: 'GELU', shapes: [[2, 8]], precision: 'float32', build: (g, [a]) => gelu(g, a!) },
  { name: 'QuickGELU', shapes: [[2, 8]], build: (g, [a]) => quickGelu(g, a!) },
  { name: 'Pow', shapes: [[6]], range: positive, build: (g, [a]) => g.apply('Pow', [a!, g.scalar(3)]) },
  { name: 'Clip', shapes: [[12]], build: (g, [a]) => clip(g, a!, -0.4, 0.5) },
  { name: 'Clip, one end', shapes: [[12]], build: (g, [a]) => clip(g, a!, -0.2, null) },
  {
    name: 'Where',
    shapes: [[2, 6], [6]],
    build: (g, [a, b]) => where(g, less(g, a!, g.scalar(0.1)), b!, a!),
  },
  { name: 'Softmax', shapes: [[2, 3, 5]], range: [-3, 3], build: (g, [a]) => softmax(g, a!) },
  { name: 'Softmax, first axis', shapes: [[4, 3]], build: (g, [a]) => softmax(g, a!, 0) },
  {
    name: 'LayerNormalization',
    precision: 'float32',
    shapes: [[2, 3, 6], [6], [6]],
    build: (g, [x, scale, shift]) => layerNorm(g, x!, scale!, shift!),
  },
  {
    name: 'MatMul',
    shapes: [
      [3, 4],
      [4, 2],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!),
  },
  {
    name: 'MatMul, stacked by one',
    shapes: [
      [2, 3, 4],
      [4, 2],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!),
  },
  {
    name: 'MatMul, one by stacked',
    shapes: [
      [3, 4],
      [2, 4, 2],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!),
  },
  {
    name: 'MatMul, stacks that broadcast',
    shapes: [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!),
  },
  {
    name: 'MatMul with a transposed factor, and its product transposed',
    shapes: [
      [2, 3, 4],
      [2, 5, 4],
    ],
    build: (g, [a, b]) => transpose(g, matmul(g, a!, transpose(g, b!, [0, 2, 1])), [0, 2, 1]),
  },
  { name: 'Transpose', shapes: [[2, 3, 4]], build: (g, [a]) => transpose(g, a!, [2, 0, 1]) },
  { name: 'Reshape', shapes: [[2, 6]], build: (g, [a]) => g.reshape(a!, [3, 4]) },
  { name: 'Unsqueeze', shapes: [[2, 3]], build: (g, [a]) => unsqueeze(g, a!, [0, 2]) },
  { name: 'Expand', shapes: [[3, 1]], build: (g, [a]) => expand(g, a!, [2, 3, 4]) },
  {
    name: 'Concat',
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: (g, [a, b]) => concat(g, [a!, b!, a!], 1),
  },
  {
    name: 'Split, one part unused',
    shapes: [[2, 6]],
    build: (g, [a]) => {
      const [first, , last] = split(g, a!, 1, [1, 3, 2]);
      return multiply(g, first!, last!);
    },
  },
  { name: 'Slice', shapes: [[3, 5]], build: (g, [a]) => slice(g, a!, 1, 1, -1) },
  { name: 'Slice from the end', shapes: [[3, 5]], build: (g, [a]) => slice(g, a!, 1, -2, null) },
  {
    name: 'Pad',
    shapes: [[2, 3]],
    build: (g, [a]) => g.apply('Pad', [a!, g.integers([1, 0, 0, 2])], { mode: 'constant' }, [3, 5]),
  },
  {
    name: 'Gather of rows, some often',
    shapes: [[4, 3]],
    indices: { values: [2, 0, 2, 2, 3, 0], shape: [2, 3] },
    build: (g, [a, i]) => gather(g, a!, i!),
  },
  {
    name: 'Gather along the second axis',
    shapes: [[2, 4, 3]],
    indices: { values: [1, 1, 3], shape: [3] },
    build: (g, [a, i]) => gather(g, a!, i!, 1),
  },
  {
    name: 'Gather of pairs of rows and columns',
    shapes: [[6, 2]],
    build: (g, [a]) => {
      const integers = (numbers: number[], shape: number[]) =>
        g.constant(BigInt64Array.from(numbers, BigInt), shape);
      const rows = multiply(g, integers([0, 1, 1, 1], [2, 2]), g.integers([3]));
      const columns = integers([0, 1, 2, 2, 1, 0, 0, 0, 1], [3, 3]);
      const pairs = add(g, unsqueeze(g, rows, [1, 3]), unsqueeze(g, columns, [0, 2]));
      return gather(g, a!, g.reshape(pairs, [6, 6]));
    },
  },
  {
    name: 'GatherElements',
    shapes: [[2, 4]],
    indices: { values: [1, 1, 3, 0, 2, 2], shape: [2, 3] },
    build: (g, [a, i]) => g.apply('GatherElements', [a!, i!], { axis: 1 }),
  },
  { name: 'ReduceSum', shapes: [[2, 3, 4]], build: (g, [a]) => reduceSum(g, a!, [0, 2]) },
  { name: 'ReduceSum, axes dropped', shapes: [[2, 3, 4]], build: (g, [a]) => reduceSum(g, a!, [1], false) },
  { name: 'ReduceMean', shapes: [[2, 3, 4]], build: (g, [a]) => reduceMean(g, a!, [-1], false) },
  { name: 'ReduceSumSquare', shapes: [[2, 3]], build: (g, [a]) => reduceSumSquare(g, a!, [1], false) },
  {
    name: 'ReduceMax',
    shapes: [[3, 4]],
    build: (g, [a]) => g.apply('ReduceMax', [a!], { axes: [1], keepdims: 0 }),
  },
  { name: 'ReduceMin', shapes: [[3, 4]], build: (g, [a]) => reduceMinimum(g, a!, [0]) },
  { name: 'Cast', shapes: [[3]], build: (g, [a]) => cast(g, a!, 'float32') },
  {
    name: 'Conv, kernel as large as its stride',
    shapes: [
      [2, 3, 4, 6],
      [5, 3, 2, 2],
    ],
    precision: 'float32',
    build: (g, [x, w]) => convolution(g, x!, w!, 2, [2, 3]),
  },
];

/**
 * Law: g·v equals the central difference of the loss along v, for every input element. In float64 a step of 1e-5
 * leaves an error of about 1e-10; in float32 a step of 1e-2 leaves about 1e-4.
 */
const tolerances = {
  float64: { step: 1e-5, atol: 1e-8, rtol: 1e-7 },
  float32: { step: 1e-2, atol: 2e-3, rtol: 2e-3 },
};

describe('gradient rules agree with central differences', () => {
  it.each(cases)('$name', async ({ shapes, build, range = [-1, 1], indices, precision = 'float64' }) => {
    const { step, atol, rtol } = tolerances[precision];
    const random = uniform(7);
    const graph = new Graph('rule');
    const sources = shapes.map((shape, at) => graph.input(`x${at}`, 'float32', shape));
    const inputs: Numbers = {};
    shapes.forEach((shape, at) => {
      const values = Float64Array.from(
        { length: elementCount(shape) },
        () => range[0] + random() * (range[1] - range[0]),
      );
      inputs[`x${at}`] = { values, shape };
    });
    const all = [...sources];
    if (indices) {
      all.push(graph.input('indices', 'int64', indices.shape));
      inputs.indices = { values: BigInt64Array.from(indices.values, BigInt), shape: indices.shape };
    }
    const result = build(graph, all);
    const shape = result.shape as number[];
    const weights = Float32Array.from({ length: elementCount(shape) }, () => random() * 2 - 1);
    const weighted = multiply(graph, result, graph.constant(weights, shape));
    const loss = reduceSum(
      graph,
      weighted,
      shape.map((_, axis) => axis),
      false,
    );
    graph.output('loss', loss);
    gradients(graph, loss, sources).forEach((gradient, at) => {
      expect(gradient?.shape).toEqual(shapes[at]);
      graph.output(`g${at}`, gradient!);
    });
    pruneGraph(graph);

    const evaluate = await evaluator(graph, precision);
    const analytic = await evaluate(inputs);
    const wrong: string[] = [];
    for (let at = 0; at < shapes.length; at++) {
      const { values } = inputs[`x${at}`] as { values: Float64Array };
      for (let i = 0; i < values.length; i++) {
        const known = values[i]!;
        values[i] = known + step;
        const above = (await evaluate(inputs)).loss![0]!;
        values[i] = known - step;
        const below = (await evaluate(inputs)).loss![0]!;
        values[i] = known;
        const numeric = (above - below) / (2 * step);
        const own = analytic[`g${at}`]![i]!;
        if (!(Math.abs(own - numeric) <= atol + rtol * Math.abs(numeric)))
          wrong.push(`x${at}[${i}]: ${own}, difference ${numeric}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('loses no gathered row when threads add to the same one', async () => {
    const graph = new Graph('gather');
    const count = 50_000;
    const x = graph.input('x', 'float32', [4, 8]);
    const indices = BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 4));
    const rows = gather(graph, x, graph.constant(indices, [count]));
    const [gradient] = gradients(graph, reduceSum(graph, rows, [0, 1], false), [x]);
    graph.output('gradient', gradient!);
    pruneGraph(graph);
    const evaluate = await evaluator(graph, 'float32', 4);
    const result = await evaluate({ x: { values: new Float64Array(32), shape: [4, 8] } });
    expect(new Set(result.gradient)).toEqual(new Set([count / 4]));
  });

  it('adds up what arrives over several paths, and knows what the loss does not hang on', () => {
    const graph = new Graph('paths');
    const x = graph.input('x', 'float32', [2]);
    const apart = graph.input('apart', 'float32', [2]);
    const loss = reduceSum(graph, add(graph, x, multiply(graph, x, x)), [0], false);
    const [forX, forApart] = gradients(graph, loss, [x, apart]);
    expect(forX?.shape).toEqual([2]);
    expect(forApart).toBeNull();
  });

  it('names the operator that has no rule', () => {
    const graph = new Graph('none');
    const x = graph.input('x', 'float32', [1]);
    expect(() => gradients(graph, graph.apply('Floor', [x]), [x])).toThrow(/Floor has no gradient rule/);
  });
});
