import { Tensor } from 'onnxruntime-node';
import type { AttentionName } from '../net/attention.ts';
import { visionTower } from '../net/vision.ts';
import { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  add,
  divide,
  exponential,
  logarithm,
  matmul,
  meanOfAll,
  multiply,
  negate,
  normaliseRows,
  reduceMean,
  reduceSum,
  softmax,
  subtract,
  transpose,
} from '../onnx/operators.ts';
import { clipShapes } from '../weights/geometry.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import { weightsInMemory } from '../weights/named-weights.ts';
import { type ClipGeometry, ordinaryCls } from './clip.ts';
import type { OptimiserOptions } from './optimiser.ts';
import { TrainingParameters } from './parameters.ts';
import { type StepGraph, stepGraph } from './step.ts';

/** Name of the parameter log τ. */
export const temperatureName = 'log_temperature';

/** Weights of AlignEarth's three losses in their sum; all 1 in the paper. */
export interface AlignmentWeights {
  contrastive: number;
  global: number;
  /**
   * An encoder whose tokens differ little in direction has small regional losses, and needs more weight here, or the
   * contrastive loss alone decides where the student goes.
   */
  regional: number;
}

/** AlignEarth's losses (arXiv 2508.18067 §3.3). */
export interface AlignmentLosses {
  /** Symmetric InfoNCE on CLS: the sum of both directions. */
  contrastive: Value;
  /** Mean of 1 - cos on CLS. */
  global: Value;
  /** Mean of 1 - cos on means over regions of tokens. */
  regional: Value;
  /** Their weighted sum. */
  total: Value;
}

/**
 * Losses that pull the student towards the teacher. CLS are `[B, D]`, tokens `[B, N, D]` of a square grid,
 * `logTemperature` is log τ; the grid is cut into `regions × regions`.
 */
export function alignmentLosses(
  graph: Graph,
  teacher: { cls: Value; tokens: Value },
  student: { cls: Value; tokens: Value },
  logTemperature: Value,
  regions: number,
  weights: AlignmentWeights = { contrastive: 1, global: 1, regional: 1 },
): AlignmentLosses {
  const teacherCls = normaliseRows(graph, teacher.cls);
  const studentCls = normaliseRows(graph, student.cls);
  const contrastive = graph.scope('contrastive', () => {
    const cosines = matmul(graph, studentCls, transpose(graph, teacherCls, [1, 0]));
    const logits = divide(graph, cosines, exponential(graph, logTemperature));
    return add(graph, pairing(graph, logits), pairing(graph, transpose(graph, logits, [1, 0])));
  });
  const global = graph.scope('global', () => unlikeness(graph, studentCls, teacherCls));
  const regional = graph.scope('regional', () =>
    unlikeness(
      graph,
      normaliseRows(graph, regionMeans(graph, student.tokens, regions)),
      normaliseRows(graph, regionMeans(graph, teacher.tokens, regions)),
    ),
  );
  const weighted = (loss: Value, weight: number) =>
    weight === 1 ? loss : multiply(graph, loss, graph.scalar(weight));
  const total = add(
    graph,
    add(graph, weighted(contrastive, weights.contrastive), weighted(global, weights.global)),
    weighted(regional, weights.regional),
  );
  return { contrastive, global, regional, total };
}

/** Cross-entropy of each row of `logits` `[B, B]` with its own column, mean over rows. */
function pairing(graph: Graph, logits: Value): Value {
  const count = logits.shape[0] as number;
  const identity = Float32Array.from({ length: count * count }, (_, at) => (at % (count + 1) === 0 ? 1 : 0));
  const shares = multiply(graph, softmax(graph, logits), graph.constant(identity, [count, count], 'pairs'));
  return negate(graph, meanOfAll(graph, logarithm(graph, reduceSum(graph, shares, [1], false))));
}

/** Mean of 1 - cos over rows of length 1. */
function unlikeness(graph: Graph, a: Value, b: Value): Value {
  const cosines = reduceSum(graph, multiply(graph, a, b), [a.shape.length - 1], false);
  return subtract(graph, graph.scalar(1), meanOfAll(graph, cosines));
}

/** Means over `regions × regions` squares of the token grid: `[B, regions², D]`. */
function regionMeans(graph: Graph, tokens: Value, regions: number): Value {
  const [batch, count, width] = tokens.shape as [number, number, number];
  const side = Math.sqrt(count);
  const length = side / regions;
  if (!Number.isInteger(length)) throw new Error(`a grid of ${side} tokens has no ${regions} regions a side`);
  const apart = graph.reshape(tokens, [batch, regions, length, regions, length, width]);
  return graph.reshape(reduceMean(graph, apart, [2, 4], false), [batch, regions * regions, width]);
}

/** What the encoders of AlignEarth are asked for. */
export interface AlignmentOptions {
  /** B. */
  images: number;
  /** The student's dense output, as inference will take it: `sclip` and 2 in the paper's settings. */
  attention: AttentionName;
  lastLayers: number;
  /** Regions a side: 7 in the paper. */
  regions: number;
  weights?: AlignmentWeights;
}

/**
 * One step of AlignEarth: `images` `[B, 3, S, S]` of the other sensor through the student, against `teacher_cls`
 * `[B, D]` (ordinary CLS) and `teacher_tokens` `[B, N, D]` (dense output) of the optical encoder on the paired images.
 * The student's tokens are those that segmentation uses.
 */
export function alignmentStepGraph(
  geometry: ClipGeometry,
  { images, attention, lastLayers, regions, weights }: AlignmentOptions,
  optimiser: OptimiserOptions,
): StepGraph {
  const { vision, embedding, activation } = geometry;
  const graph = new Graph('alignment-step');
  const shapes = clipShapes(geometry);
  const parameters = new TrainingParameters(graph, (name) =>
    name === temperatureName ? [] : shapes.get(name)!,
  );
  const side = vision.grid * vision.patch;
  const image = graph.input('images', 'float32', [images, 3, side, side]);
  const teacher = {
    cls: graph.input('teacher_cls', 'float32', [images, embedding]),
    tokens: graph.input('teacher_tokens', 'float32', [images, vision.grid ** 2, embedding]),
  };
  const { tokens, last } = visionTower(graph, parameters, vision, activation, attention, lastLayers, image);
  const student = { tokens, cls: ordinaryCls(graph, parameters, last) };
  const { contrastive, global, regional, total } = alignmentLosses(
    graph,
    teacher,
    student,
    parameters.tensor(temperatureName),
    regions,
    weights,
  );
  return stepGraph(graph, parameters, total, { contrastive, global, regional }, optimiser);
}

/** The optical encoder's weights as the student's start, and τ = 0.07. */
export async function initialStudent(optical: NamedWeights): Promise<NamedWeights> {
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const name of optical.names())
    if (name.startsWith('visual.'))
      tensors.set(name, { shape: optical.shape(name), values: await optical.read(name) });
  tensors.set(temperatureName, { shape: [], values: new Float32Array([Math.log(0.07)]) });
  return weightsInMemory(`student of ${optical.source}`, tensors);
}

/** A batch as the graph's inputs. */
export function alignmentFeeds(
  geometry: ClipGeometry,
  batch: { images: Float32Array; teacherCls: Float32Array; teacherTokens: Float32Array },
): Record<string, Tensor> {
  const { vision, embedding } = geometry;
  const side = vision.grid * vision.patch;
  const count = batch.images.length / (3 * side * side);
  return {
    images: new Tensor('float32', batch.images, [count, 3, side, side]),
    teacher_cls: new Tensor('float32', batch.teacherCls, [count, embedding]),
    teacher_tokens: new Tensor('float32', batch.teacherTokens, [count, vision.grid ** 2, embedding]),
  };
}
