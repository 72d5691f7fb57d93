import { Tensor } from 'onnxruntime-node';
import { textTower } from '../net/text.ts';
import { Graph } from '../onnx/graph.ts';
import {
  add,
  logarithm,
  matmul,
  meanOfAll,
  multiply,
  normaliseRows,
  reduceSum,
  softmax,
  transpose,
} from '../onnx/operators.ts';
import { clipShapes } from '../weights/geometry.ts';
import { type NamedWeights, weightsInMemory } from '../weights/named-weights.ts';
import type { ClipGeometry } from './clip.ts';
import type { OptimiserOptions } from './optimiser.ts';
import { TrainingParameters } from './parameters.ts';
import { Stepper, stepGraph } from './step.ts';

/** Prompts of one step and the meaning of each. */
export interface WordBatch {
  /** `[P, L]`, padded with 0, and the position of each end token `[P]`. */
  ids: BigInt64Array;
  ends: BigInt64Array;
  /** `[P]`: equal numbers mean the same. */
  meanings: readonly number[];
}

/** Words come to lie apart by cosines of about 0.2: near enough that an untrained image tower is not sure of nonsense. */
const scale = 30;
const self = -1e4;

/**
 * Trains a CLIP's text tower alone until prompts of one meaning point the same way and those of others apart (supervised
 * contrastive loss, arXiv 2004.11362). A few hundred cheap steps; the image tower then starts with words that hold
 * still, instead of both chasing each other.
 */
export async function trainWords(
  geometry: ClipGeometry,
  weights: NamedWeights,
  size: { prompts: number; length: number; steps: number; learningRate: number; threads: number },
  batchOf: (step: number) => WordBatch,
  onStep?: (step: number, loss: number) => void,
): Promise<NamedWeights> {
  const { prompts, length, steps, learningRate } = size;
  const graph = new Graph('words-step');
  const shapes = clipShapes(geometry);
  const parameters = new TrainingParameters(graph, (name) => shapes.get(name)!);
  const ids = graph.input('ids', 'int64', [prompts, length]);
  const ends = graph.input('ends', 'int64', [prompts]);
  const matches = graph.input('matches', 'float32', [prompts, prompts]);
  const others = graph.input('others', 'float32', [prompts, prompts]);
  const texts = normaliseRows(
    graph,
    textTower(graph, parameters, geometry.text, geometry.activation, ids, ends),
  );
  const cosines = matmul(graph, texts, transpose(graph, texts, [1, 0]));
  const shares = softmax(graph, add(graph, multiply(graph, cosines, graph.scalar(scale)), others));
  const terms = multiply(graph, matches, logarithm(graph, add(graph, shares, graph.scalar(1e-6))));
  const loss = multiply(graph, meanOfAll(graph, reduceSum(graph, terms, [1], false)), graph.scalar(-1));
  const optimiser: OptimiserOptions = {
    kind: 'adamw',
    beta1: 0.9,
    beta2: 0.98,
    epsilon: 1e-6,
    weightDecay: 0,
    averageDecay: null,
  };
  const stepper = await Stepper.create(
    stepGraph(graph, parameters, loss, {}, optimiser),
    weights,
    size.threads,
  );
  try {
    for (let step = 0; step < steps; step++) {
      const batch = batchOf(step);
      const rate = learningRate * Math.min(1, (step + 1) / 20) * (1 - (0.8 * step) / steps);
      const reports = await stepper.run(
        {
          ids: new Tensor('int64', batch.ids, [prompts, length]),
          ends: new Tensor('int64', batch.ends, [prompts]),
          matches: new Tensor('float32', matchesOf(batch.meanings), [prompts, prompts]),
          others: new Tensor('float32', diagonal(prompts), [prompts, prompts]),
        },
        rate,
        1,
      );
      onStep?.(step + 1, reports.loss!);
    }
    const trained = stepper.weights('words');
    const known = new Set(trained.names());
    const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
    for (const name of weights.names()) {
      const from = known.has(name) ? trained : weights;
      tensors.set(name, { shape: from.shape(name), values: await from.read(name) });
    }
    return weightsInMemory(weights.source, tensors);
  } finally {
    await stepper.release();
  }
}

/** Row i: 1 / n at each of the n other prompts of the same meaning. */
function matchesOf(meanings: readonly number[]): Float32Array {
  const count = meanings.length;
  const out = new Float32Array(count * count);
  for (let row = 0; row < count; row++) {
    const same = meanings.filter((meaning) => meaning === meanings[row]).length - 1;
    for (let column = 0; column < count; column++)
      if (column !== row && meanings[column] === meanings[row]) out[row * count + column] = 1 / same;
  }
  return out;
}

function diagonal(count: number): Float32Array {
  const out = new Float32Array(count * count);
  for (let i = 0; i < count; i++) out[i * count + i] = self;
  return out;
}
