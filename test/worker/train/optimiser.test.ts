import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/worker/onnx/graph.ts';
import { multiply, reduceSum, subtract } from '../../../src/worker/onnx/operators.ts';
import type { OptimiserOptions } from '../../../src/worker/train/optimiser.ts';
import { TrainingParameters } from '../../../src/worker/train/parameters.ts';
import { Stepper, stepGraph } from '../../../src/worker/train/step.ts';
import { weightsInMemory } from '../../../src/worker/weights/named-weights.ts';

const start = [0.5, -1.5, 2, 0.1, -0.3, 0.7];
const target = [1, 1, -1, 0, 2, 0.7];
const curvature = [3, 0.1, 1, 10, 0.5, 1];
const steps = 12;
const rate = (step: number) => 0.05 / (1 + step / 5);
const limit = (step: number) => (step < 4 ? 0.5 : 1e9);

const optionsOf = (kind: 'adamw' | 'nadam'): OptimiserOptions => ({
  kind,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.1,
  averageDecay: null,
});

/** The textbook forms, in float64: AdamW as in its paper's algorithm 2, NAdam as PyTorch documents it. */
function reference(kind: 'adamw' | 'nadam'): number[] {
  const { beta1, beta2, epsilon, weightDecay } = optionsOf(kind);
  const p = [...start];
  const m = p.map(() => 0);
  const v = p.map(() => 0);
  const momentum = (t: number) => beta1 * (1 - 0.5 * 0.96 ** (t * 0.004));
  let product = 1;
  for (let t = 1; t <= steps; t++) {
    const g = p.map((value, i) => 2 * curvature[i]! * (value - target[i]!));
    const norm = Math.hypot(...g);
    const scale = Math.min(1, limit(t - 1) / (norm + 1e-6));
    const lr = rate(t - 1);
    product *= momentum(t);
    for (let i = 0; i < p.length; i++) {
      const gradient = g[i]! * scale;
      p[i]! *= 1 - lr * weightDecay;
      m[i] = beta1 * m[i]! + (1 - beta1) * gradient;
      v[i] = beta2 * v[i]! + (1 - beta2) * gradient ** 2;
      const deviation = Math.sqrt(v[i]! / (1 - beta2 ** t)) + epsilon;
      if (kind === 'adamw') p[i]! -= (lr * m[i]!) / (1 - beta1 ** t) / deviation;
      else
        p[i]! -=
          ((lr * (1 - momentum(t))) / (1 - product)) * (gradient / deviation) +
          ((lr * momentum(t + 1)) / (1 - product * momentum(t + 1))) * (m[i]! / deviation);
    }
  }
  return p;
}

describe('an optimiser inside the step', () => {
  it.each(['adamw', 'nadam'] as const)('%s as in its textbook form', async (kind) => {
    const graph = new Graph('quadratic');
    const parameters = new TrainingParameters(graph, () => [2, 3]);
    const difference = subtract(
      graph,
      parameters.tensor('p'),
      graph.constant(Float32Array.from(target), [2, 3]),
    );
    const weighted = multiply(graph, difference, graph.constant(Float32Array.from(curvature), [2, 3]));
    const loss = reduceSum(graph, multiply(graph, weighted, difference), [0, 1], false);
    const values = Float32Array.from(start);
    const weights = weightsInMemory('start', new Map([['p', { shape: [2, 3], values }]]));
    const stepper = await Stepper.create(stepGraph(graph, parameters, loss, {}, optionsOf(kind)), weights, 1);
    for (let step = 0; step < steps; step++) await stepper.run({}, rate(step), limit(step));
    const trained = await stepper.weights('trained').read('p');
    const expected = reference(kind);
    for (const [i, value] of expected.entries())
      expect(Math.abs(trained[i]! - value), `p[${i}]: ${trained[i]}, expected ${value}`).toBeLessThan(1e-5);
    await stepper.release();
  });

  it('decays matrices, not vectors', async () => {
    const graph = new Graph('decay');
    const shapes = new Map([
      ['matrix', [1, 1]],
      ['vector', [1]],
    ]);
    const parameters = new TrainingParameters(graph, (name) => shapes.get(name)!);
    const product = multiply(graph, parameters.tensor('matrix'), parameters.tensor('vector'));
    const loss = multiply(graph, reduceSum(graph, product, [0, 1], false), graph.scalar(0));
    const one = (shape: number[]) => ({ shape, values: new Float32Array([1]) });
    const weights = weightsInMemory('ones', new Map([...shapes].map(([name, shape]) => [name, one(shape)])));
    const stepper = await Stepper.create(
      stepGraph(graph, parameters, loss, {}, optionsOf('adamw')),
      weights,
      1,
    );
    await stepper.run({}, 0.5, 1);
    const trained = stepper.weights('trained');
    expect((await trained.read('matrix'))[0]).toBeCloseTo(0.95, 6);
    expect((await trained.read('vector'))[0]).toBe(1);
    await stepper.release();
  });
});
