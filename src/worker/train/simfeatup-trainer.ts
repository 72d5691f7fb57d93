import { Tensor } from 'onnxruntime-node';
import type { NamedWeights } from '../weights/named-weights.ts';
import type { ClipGeometry } from './clip.ts';
import { FrozenEncoder, type FrozenTokens } from './frozen-encoder.ts';
import { drawJitter, jitterMatrices, jitterPlanes } from './jitter.ts';
import { type LoopOptions, trainingLoop } from './loop.ts';
import type { OptimiserOptions } from './optimiser.ts';
import { normalNumbers, uniformNumbers } from './random.ts';
import {
  initialSimFeatUp,
  type KernelStart,
  type SimFeatUpGeometry,
  simFeatUpStepGraph,
  upsamplerWeights,
} from './simfeatup.ts';
import { Stepper } from './step.ts';

export interface SimFeatUpRun {
  /** The encoder whose tokens are to be upsampled. */
  clip: ClipGeometry;
  weights: NamedWeights;
  tokens: FrozenTokens;
  /** Images a step, views of each, views whose picture is reconstructed, dimensions of the projection. */
  images: number;
  views: number;
  pictures: number;
  projected: number;
  seed: number;
  kernel?: KernelStart;
  threads: number;
  /** A normalised image `[3, S, S]` by its number from 0, the same whenever it is asked for. */
  imageAt: (index: number) => Promise<Float32Array>;
  loop: Omit<LoopOptions, 'gradientLimit' | 'shown'>;
}

/** NAdam as in the paper. */
const simFeatUpOptimiser: OptimiserOptions = {
  kind: 'nadam',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  averageDecay: null,
};

/** The paper clips the gradient hard while the second moments settle, and not at all afterwards. */
const gradientLimit = (step: number): number => (step < 10 ? 1e-4 : 1e9);

/** Trains SimFeatUp's upsampler for an encoder; returns its weights under the names `up.…` and `fixup_proj.…`. */
export async function trainSimFeatUp(run: SimFeatUpRun): Promise<NamedWeights> {
  const { clip, images, views, pictures, projected, seed } = run;
  const side = clip.vision.grid * clip.vision.patch;
  const geometry: SimFeatUpGeometry = {
    side,
    patch: clip.vision.patch,
    embedding: clip.embedding,
    views,
    pictures,
    projected,
  };
  const encoder = await FrozenEncoder.open(clip, run.weights, run.tokens, 1, run.threads);
  const stepper = await Stepper.create(
    simFeatUpStepGraph(geometry, images, simFeatUpOptimiser),
    initialSimFeatUp(geometry, seed, run.kernel),
    run.threads,
  );
  try {
    const batchOf = async (step: number) => {
      const feeds: Record<string, Tensor> = {};
      for (let at = 0; at < images; at++) {
        const image = await run.imageAt(step * images + at);
        Object.assign(feeds, await imageFeeds(encoder, geometry, image, `${seed}/${step}/${at}`, `_${at}`));
      }
      return feeds;
    };
    await trainingLoop(stepper, batchOf, { ...run.loop, gradientLimit, shown: ['reconstruction', 'image'] });
    return upsamplerWeights(stepper.weights('trained upsampler'));
  } finally {
    await stepper.release();
    await encoder.release();
  }
}

/** One image's inputs of the step. */
async function imageFeeds(
  encoder: FrozenEncoder,
  { side, embedding, views, projected }: SimFeatUpGeometry,
  image: Float32Array,
  seed: string,
  ending: string,
): Promise<Record<string, Tensor>> {
  const random = uniformNumbers(`${seed}/jitter`);
  const area = side * side;
  const all = new Float32Array((1 + views) * image.length);
  all.set(image);
  const rows = new Float32Array(views * area);
  const columns = new Float32Array(views * area);
  for (let view = 0; view < views; view++) {
    const matrices = jitterMatrices(drawJitter(random, side), side);
    rows.set(matrices.rows, view * area);
    columns.set(matrices.columns, view * area);
    all.set(jitterPlanes(image, matrices, side), (1 + view) * image.length);
  }
  const { tokens } = await encoder.encode(all);
  const own = tokens.length / (1 + views);
  const count = own / embedding;
  return {
    [`image${ending}`]: new Tensor('float32', image, [1, 3, side, side]),
    [`tokens${ending}`]: new Tensor('float32', tokens.slice(0, own), [count, embedding]),
    [`jittered${ending}`]: new Tensor('float32', tokens.slice(own), [views, count, embedding]),
    [`projection${ending}`]: new Tensor('float32', drawDirections(views * projected, embedding, seed), [
      views,
      projected,
      embedding,
    ]),
    [`rows${ending}`]: new Tensor('float32', rows, [views, 1, side, side]),
    [`columns${ending}`]: new Tensor('float32', columns, [views, 1, side, side]),
  };
}

/** `[rows, length]`, rows of length 1. */
function drawDirections(rows: number, length: number, seed: string): Float32Array {
  const values = normalNumbers(rows * length, 1, `${seed}/projection`);
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * length, (row + 1) * length);
    const norm = Math.hypot(...own);
    for (let i = 0; i < length; i++) own[i]! /= norm;
  }
  return values;
}
