import { Tensor } from 'onnxruntime-node';
import type { Parameters } from '../net/parameters.ts';
import { textTower } from '../net/text.ts';
import type { Activation } from '../net/transformer.ts';
import { projectTokens, visionTower } from '../net/vision.ts';
import { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  add,
  clip,
  divide,
  exponential,
  logarithm,
  matmul,
  multiply,
  negate,
  normaliseRows,
  reduceSum,
  slice,
  softmax,
  transpose,
} from '../onnx/operators.ts';
import { type ClipGeometry as CheckpointGeometry, clipShapes } from '../weights/geometry.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import type { OptimiserOptions } from './optimiser.ts';
import { TrainingParameters } from './parameters.ts';
import { type StepGraph, Stepper, stepGraph } from './step.ts';

/** What a CLIP is made of. Its towers' hidden layers must be four times their width, heads width / 64. */
export interface ClipGeometry extends CheckpointGeometry {
  activation: Activation;
}

/** Lengths of one training step's arrays; a step is compiled for them. */
export interface ClipBatchShape {
  /** B: images. */
  images: number;
  /** S: side of an image, pixels; a multiple of the patch. N = (S / patch)². */
  side: number;
  /** C: words drawn for this step, one for each concept. */
  words: number;
  /** G: most labels that one image's legend has. */
  labels: number;
  /** L: tokens that prompts and captions are cut to. */
  length: number;
}

/**
 * One step's batch. A patch's target is a mixture of *labels*, and a label is a set of words: "building" is the word
 * drawn for buildings, "vegetation" may be {tree, grass, cropland}, and the background of a set that knows buildings only is
 * every word but that one. So sets with different legends, and with legends of different depth, train together.
 */
export interface ClipBatch {
  /** `[B, 3, S, S]`, normalised with CLIP's mean and deviation. */
  images: Float32Array;
  /** `[B, N, G]`: share of each patch's pixels under each label, times the label's weight; pixels to ignore
   * are under none. Patches in rows. */
  targets: Float32Array;
  /** `[B, G, C]`, 0 or 1: the words that each label of the image's legend stands for. Words in none are left out of the image's softmax. */
  membership: Float32Array;
  /** `[B]`: λ of global bias alleviation that the dense logits are trained under (0: none). */
  alleviation: Float32Array;
  /** `[C, L]`: the drawn word of each concept in its drawn template, start and end tokens included, padded with 0. */
  promptIds: BigInt64Array;
  /** `[C]`: position of each prompt's end token. */
  promptEnds: BigInt64Array;
  /** `[B, L]`: a caption of each image. Images with equal captions count as matches of each other. */
  captionIds: BigInt64Array;
  /** `[B]`. */
  captionEnds: BigInt64Array;
}

export interface ClipLossOptions {
  /** Factor of the dense logits before their softmax; inference uses 50. */
  denseScale: number;
  denseWeight: number;
  captionWeight: number;
  /**
   * Weight of keeping the drawn words apart (default 0). Where an image tower cannot tell two words yet, both towers
   * find it easiest to make them one, and part them again only slowly.
   */
  separationWeight?: number;
}

/** Words count as apart where their cosine is below about 0.6. */
const separationScale = 15;

export interface ClipStepResult {
  /** Weighted sum of the two below. */
  loss: number;
  dense: number;
  caption: number;
  /** Global norm of the gradients before clipping. */
  gradientNorm: number;
}

/** Dense logits of words that an image's legend leaves out. */
const excluded = -1e4;

/**
 * The step's graph. Two losses:
 * - dense: the very tokens that segmentation uses (attention `segearth`, last block opened) against the drawn words,
 *   as cosines times `denseScale`, softmax over the words. The probability of a label is the sum over its words, and a
 *   patch's target is the mixture of labels under it, so boundaries teach proportions instead of a hard class.
 * - caption: CLS of the ordinary forward pass against captions, symmetric InfoNCE over the batch (arXiv 2103.00020).
 *   It alone trains the last block's MLP, which the dense output leaves out, and keeps the model a CLIP.
 */
export function clipStepGraph(
  geometry: ClipGeometry,
  batch: ClipBatchShape,
  loss: ClipLossOptions,
  optimiser: OptimiserOptions,
): StepGraph {
  const { images, side, words, labels, length } = batch;
  const { vision, text, activation } = geometry;
  if (side !== vision.grid * vision.patch)
    throw new Error(`images of ${side} pixels for a grid of ${vision.grid} patches of ${vision.patch}`);
  const patches = vision.grid ** 2;
  const graph = new Graph('clip-step');
  const shapes = clipShapes(geometry);
  const parameters = new TrainingParameters(graph, (name) => shapes.get(name)!);
  const image = graph.input('images', 'float32', [images, 3, side, side]);
  const targets = graph.input('targets', 'float32', [images, patches, labels]);
  const membership = graph.input('membership', 'float32', [images, labels, words]);
  const exclusion = graph.input('exclusion', 'float32', [images, 1, words]);
  const alleviation = graph.input('alleviation', 'float32', [images, 1, 1]);
  const ids = graph.input('ids', 'int64', [words + images, length]);
  const ends = graph.input('ends', 'int64', [words + images]);
  const matches = graph.input('matches', 'float32', [images, images]);

  const texts = normaliseRows(graph, textTower(graph, parameters, text, activation, ids, ends));
  const wordColumns = transpose(graph, slice(graph, texts, 0, 0, words), [1, 0]);
  const captionColumns = transpose(graph, slice(graph, texts, 0, words, null), [1, 0]);
  const { tokens, cls, last } = visionTower(graph, parameters, vision, activation, 'segearth', 1, image);

  const dense = graph.scope('dense', () => {
    const local = matmul(graph, normaliseRows(graph, tokens), wordColumns);
    const global = graph.reshape(matmul(graph, normaliseRows(graph, cls), wordColumns), [images, 1, words]);
    const logits = add(graph, local, multiply(graph, global, alleviation));
    const scaled = add(graph, multiply(graph, logits, graph.scalar(loss.denseScale)), exclusion);
    const shares = matmul(graph, softmax(graph, scaled), transpose(graph, membership, [0, 2, 1]));
    return crossEntropy(graph, targets, shares);
  });

  const caption = graph.scope('caption', () => {
    const ordinary = normaliseRows(graph, ordinaryCls(graph, parameters, last));
    const scale = exponential(graph, clip(graph, parameters.tensor('logit_scale'), null, Math.log(100)));
    const logits = multiply(graph, matmul(graph, ordinary, captionColumns), scale);
    const sides = add(
      graph,
      crossEntropy(graph, matches, softmax(graph, logits)),
      crossEntropy(graph, matches, softmax(graph, transpose(graph, logits, [1, 0]))),
    );
    return multiply(graph, sides, graph.scalar(0.5));
  });

  const both = add(
    graph,
    multiply(graph, dense, graph.scalar(loss.denseWeight)),
    multiply(graph, caption, graph.scalar(loss.captionWeight)),
  );
  const { separationWeight = 0 } = loss;
  if (separationWeight === 0) return stepGraph(graph, parameters, both, { dense, caption }, optimiser);
  const separation = graph.scope('separation', () => {
    const cosines = matmul(graph, slice(graph, texts, 0, 0, words), wordColumns);
    const shares = softmax(graph, multiply(graph, cosines, graph.scalar(separationScale)));
    const same = Float32Array.from({ length: words * words }, (_, at) => (at % (words + 1) === 0 ? 1 : 0));
    return crossEntropy(graph, graph.constant(same, [words, words], 'same'), shares);
  });
  const total = add(graph, both, multiply(graph, separation, graph.scalar(separationWeight)));
  return stepGraph(graph, parameters, total, { dense, caption, separation }, optimiser);
}

/** CLS of the ordinary forward pass: the last block's step for the class token alone. */
export function ordinaryCls(
  graph: Graph,
  parameters: Parameters,
  { block, x, heads }: ReturnType<typeof visionTower>['last'],
): Value {
  const first = (value: Value, axis: number) => slice(graph, value, axis, 0, 1);
  const stepped = block.step(first(x, 1), { ...heads, query: first(heads.query, 2) });
  return projectTokens(graph, parameters, stepped).cls;
}

/** -Σ target·log share / Σ target. */
function crossEntropy(graph: Graph, target: Value, share: Value): Value {
  const axes = target.shape.map((_, axis) => axis);
  const terms = multiply(graph, target, logarithm(graph, add(graph, share, graph.scalar(1e-6))));
  const weight = clip(graph, reduceSum(graph, target, axes, false), 1e-6, null);
  return negate(graph, divide(graph, reduceSum(graph, terms, axes, false), weight));
}

/** Trains a CLIP from batches. */
export class ClipTrainer {
  readonly shape: ClipBatchShape;
  readonly stepper: Stepper;

  private constructor(shape: ClipBatchShape, stepper: Stepper) {
    this.shape = shape;
    this.stepper = stepper;
  }

  static async create(
    geometry: ClipGeometry,
    shape: ClipBatchShape,
    loss: ClipLossOptions,
    optimiser: OptimiserOptions,
    weights: NamedWeights,
    threads: number,
  ): Promise<ClipTrainer> {
    const step = clipStepGraph(geometry, shape, loss, optimiser);
    return new ClipTrainer(shape, await Stepper.create(step, weights, threads));
  }

  async step(batch: ClipBatch, learningRate: number, gradientLimit: number): Promise<ClipStepResult> {
    const { loss, dense, caption, gradient_norm } = await this.stepper.run(
      clipFeeds(this.shape, batch),
      learningRate,
      gradientLimit,
    );
    return { loss: loss!, dense: dense!, caption: caption!, gradientNorm: gradient_norm! };
  }
}

/** A batch as the graph's inputs. */
export function clipFeeds(shape: ClipBatchShape, batch: ClipBatch): Record<string, Tensor> {
  const { images, side, words, labels, length } = shape;
  const patches = batch.targets.length / images / labels;
  const exclusion = new Float32Array(images * words).fill(excluded);
  batch.membership.forEach((member, at) => {
    const image = Math.floor(at / (labels * words));
    if (member > 0) exclusion[image * words + (at % words)] = 0;
  });
  const ids = new BigInt64Array((words + images) * length);
  ids.set(batch.promptIds);
  ids.set(batch.captionIds, words * length);
  const ends = new BigInt64Array(words + images);
  ends.set(batch.promptEnds);
  ends.set(batch.captionEnds, words);
  return {
    images: new Tensor('float32', batch.images, [images, 3, side, side]),
    targets: new Tensor('float32', batch.targets, [images, patches, labels]),
    membership: new Tensor('float32', batch.membership, [images, labels, words]),
    exclusion: new Tensor('float32', exclusion, [images, 1, words]),
    alleviation: new Tensor('float32', batch.alleviation, [images, 1, 1]),
    ids: new Tensor('int64', ids, [words + images, length]),
    ends: new Tensor('int64', ends, [words + images]),
    matches: new Tensor('float32', captionMatches(shape, batch), [images, images]),
  };
}

/** Row i: 1 / n at each of the n images whose caption is that of image i. */
function captionMatches({ images, length }: ClipBatchShape, { captionIds }: ClipBatch): Float32Array {
  const texts = Array.from({ length: images }, (_, i) =>
    captionIds.subarray(i * length, (i + 1) * length).join(),
  );
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return Float32Array.from({ length: images * images }, (_, at) => {
    const text = texts[Math.floor(at / images)]!;
    return texts[at % images] === text ? 1 / counts.get(text)! : 0;
  });
}
