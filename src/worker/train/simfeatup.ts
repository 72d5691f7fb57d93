import type { Parameters } from '../net/parameters.ts';
import { mapTokens, upsample, upsamplerShapes } from '../net/upsampler.ts';
import { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  add,
  clip,
  divide,
  exponential,
  gelu,
  layerNorm,
  logarithm,
  matmul,
  meanOfAll,
  multiply,
  reduceSum,
  slice,
  softmax,
  subtract,
  tanh,
  transpose,
} from '../onnx/operators.ts';
import { elementCount } from '../onnx/tensor.ts';
import { type NamedWeights, weightsInMemory } from '../weights/named-weights.ts';
import { blurMatrix } from './jitter.ts';
import type { OptimiserOptions } from './optimiser.ts';
import { TrainingParameters } from './parameters.ts';
import { normalNumbers, uniformNumbers } from './random.ts';
import { type StepGraph, stepGraph } from './step.ts';

export interface SimFeatUpGeometry {
  /** Side of the image, pixels. */
  side: number;
  patch: number;
  /** D: channels of the encoder's tokens. */
  embedding: number;
  /** V: jittered views of an image: 5 in the paper. */
  views: number;
  /** Views whose image is reconstructed too: all in the paper; fewer cost less and estimate the same. */
  pictures: number;
  /** P: dimensions of the random projection: 30 in the paper. */
  projected: number;
}

/** Weight of the image's reconstruction beside the features'. */
const imageWeight = 0.1;

/** Shapes of the upsampler and of the three nets that only training has, by name. */
export function simFeatUpShapes({ patch, embedding }: SimFeatUpGeometry): Map<string, readonly number[]> {
  return new Map<string, readonly number[]>([
    ...upsamplerShapes('jbu_one', embedding),
    ['down.attention.weight', [1, embedding]],
    ['down.attention.bias', [1]],
    ['down.w', [patch, patch]],
    ['down.b', [patch, patch]],
    ['scale.weight', [1, embedding, 1, 1]],
    ['scale.bias', [1]],
    ['crn.conv1.weight', [embedding, embedding, 1, 1]],
    ['crn.conv1.bias', [embedding]],
    ['crn.norm.weight', [embedding]],
    ['crn.norm.bias', [embedding]],
    ['crn.conv2.weight', [3, embedding, 1, 1]],
    ['crn.conv2.bias', [3]],
  ]);
}

/** The inputs of the losses for one image. */
export interface SimFeatUpInputs {
  /** `[1, 3, S, S]`, normalised. */
  image: Value;
  /** `[N, D]`: tokens of the image. */
  tokens: Value;
  /** `[V, N, D]`: tokens of its jittered views. */
  jittered: Value;
  /** `[V, P, D]`: random projections, rows of length 1. */
  projection: Value;
  /** `[V, 1, S, S]`: the jitters, `rows · x · columns`. */
  rows: Value;
  columns: Value;
}

/**
 * SimFeatUp's losses (arXiv 2410.01768 §3.3; FeatUp, arXiv 2403.10516) without dropout: the upsampled features,
 * jittered and down-sampled again, are compared with the encoder's tokens of the jittered image, under a predicted
 * uncertainty; and the jittered image is reconstructed from them.
 *
 * Jitter, blur and the down-sampler's average are linear and the same for every channel, so they act on the P + 1
 * channels that the features' loss looks at (projection and attention) instead of on D.
 */
export function simFeatUpLosses(
  graph: Graph,
  parameters: Parameters,
  geometry: SimFeatUpGeometry,
  { image, tokens, jittered, projection, rows, columns }: SimFeatUpInputs,
): { reconstruction: Value; image: Value; total: Value } {
  const { side, patch, embedding, views, pictures, projected } = geometry;
  const grid = side / patch;
  const { mapped, shift } = mapTokens(graph, parameters, tokens);
  const upsampler = { kind: 'jbu_one', patch, spatialInSoftmax: false } as const;
  const upsampled = add(
    graph,
    upsample(graph, parameters, upsampler, 'at-once', image, mapped, embedding),
    shift,
  );
  const features = transpose(graph, upsampled, [1, 0]);
  const blur = graph.constant(blurMatrix(side), [side, side], 'blur');
  const jitter = (planes: Value, left: Value, right: Value) =>
    matmul(graph, matmul(graph, left, planes), right);

  const reconstruction = graph.scope('reconstruction', () => {
    const blurredRows = matmul(graph, blur, rows);
    const blurredColumns = matmul(graph, columns, transpose(graph, blur, [1, 0]));
    /** Channels `[of, S²]` jittered, blurred and cut into patches: `[V, channels, N, patch²]`. */
    const patches = (seen: Value, of: number, channels: number) => {
      const planes = graph.reshape(seen, [of / channels, channels, side, side]);
      const moved = jitter(planes, blurredRows, blurredColumns);
      const apart = graph.reshape(moved, [views, channels, grid, patch, grid, patch]);
      return graph.reshape(transpose(graph, apart, [0, 1, 2, 4, 3, 5]), [
        views,
        channels,
        grid * grid,
        patch * patch,
      ]);
    };
    const weights = graph.scope('attention', () => {
      const seen = matmul(graph, parameters.tensor('down.attention.weight'), features);
      const logits = add(graph, patches(seen, 1, 1), parameters.tensor('down.attention.bias'));
      const scale = graph.reshape(parameters.tensor('down.w'), [patch * patch]);
      const offset = graph.reshape(parameters.tensor('down.b'), [patch * patch]);
      return softmax(graph, add(graph, multiply(graph, logits, scale), offset));
    });
    const all = views * projected;
    const seen = matmul(graph, graph.reshape(projection, [all, embedding]), features);
    const down = reduceSum(graph, multiply(graph, patches(seen, all, projected), weights), [3], false);
    const target = matmul(graph, projection, transpose(graph, jittered, [0, 2, 1]));
    const difference = subtract(graph, down, target);
    const score = add(
      graph,
      matmul(graph, jittered, parameters.matrix('scale.weight')),
      parameters.tensor('scale.bias'),
    );
    const uncertainty = clip(graph, exponential(graph, add(graph, score, graph.scalar(0.1))), 1e-4, null);
    const scale = transpose(graph, uncertainty, [0, 2, 1]);
    const ratio = divide(graph, difference, scale);
    const squares = multiply(graph, multiply(graph, ratio, ratio), graph.scalar(0.5));
    return meanOfAll(graph, add(graph, squares, logarithm(graph, scale)));
  });

  const pictured = graph.scope('image', () => {
    const first = (value: Value) => (pictures === views ? value : slice(graph, value, 0, 0, pictures));
    const pixels = (planes: Value, channels: number) =>
      transpose(graph, graph.reshape(planes, [pictures, channels, side * side]), [0, 2, 1]);
    // The first layer comes before the jitter, whose weights add up to 1: the jitter acts on its result all the same.
    const weight = graph.reshape(parameters.tensor('crn.conv1.weight'), [embedding, embedding]);
    const hidden = graph.reshape(matmul(graph, weight, features), [1, embedding, side, side]);
    const moved = pixels(jitter(hidden, first(rows), first(columns)), embedding);
    const normed = layerNorm(
      graph,
      add(graph, moved, parameters.tensor('crn.conv1.bias')),
      parameters.tensor('crn.norm.weight'),
      parameters.tensor('crn.norm.bias'),
      1e-6,
    );
    const painted = add(
      graph,
      matmul(graph, gelu(graph, normed), parameters.matrix('crn.conv2.weight')),
      parameters.tensor('crn.conv2.bias'),
    );
    const target = pixels(jitter(image, first(rows), first(columns)), 3);
    const difference = subtract(graph, tanh(graph, painted), target);
    return meanOfAll(graph, multiply(graph, difference, difference));
  });
  const total = add(graph, reconstruction, multiply(graph, pictured, graph.scalar(imageWeight)));
  return { reconstruction, image: pictured, total };
}

/** One step on `images` images; the inputs of image i are named `image_i`, `tokens_i` and so on. */
export function simFeatUpStepGraph(
  geometry: SimFeatUpGeometry,
  images: number,
  optimiser: OptimiserOptions,
): StepGraph {
  const graph = new Graph('simfeatup-step');
  const shapes = simFeatUpShapes(geometry);
  const parameters = new TrainingParameters(graph, (name) => shapes.get(name)!);
  const share = graph.scalar(1 / images);
  const sums = { reconstruction: graph.scalar(0), image: graph.scalar(0), total: graph.scalar(0) };
  for (let at = 0; at < images; at++) {
    const losses = graph.scope(`image${at}`, () =>
      simFeatUpLosses(graph, parameters, geometry, simFeatUpInputs(graph, geometry, `_${at}`)),
    );
    for (const name of ['reconstruction', 'image', 'total'] as const)
      sums[name] = add(graph, sums[name], multiply(graph, losses[name], share));
  }
  const { reconstruction, image, total } = sums;
  return stepGraph(graph, parameters, total, { reconstruction, image }, optimiser);
}

export function simFeatUpInputs(
  graph: Graph,
  { side, patch, embedding, views, projected }: SimFeatUpGeometry,
  ending: string,
): SimFeatUpInputs {
  const count = (side / patch) ** 2;
  const input = (name: string, shape: readonly number[]) => graph.input(`${name}${ending}`, 'float32', shape);
  return {
    image: input('image', [1, 3, side, side]),
    tokens: input('tokens', [count, embedding]),
    jittered: input('jittered', [views, count, embedding]),
    projection: input('projection', [views, projected, embedding]),
    rows: input('rows', [views, 1, side, side]),
    columns: input('columns', [views, 1, side, side]),
  };
}

/** Where the upsampler's kernels start. */
export interface KernelStart {
  /** Deviation of the spatial kernel, in kernel radii: 1 in the paper's program, which blurs at first. */
  sigma: number;
  /** Natural logarithm of the range kernel's sharpness: 0 in the paper's program. */
  rangeTemperature: number;
  /**
   * Whether the kernels start as a bilateral filter (Tomasi and Manduchi, 1998), their range by the distance of normalised
   * colours and without the learnt correction, where the paper's program starts at random. Short runs need it: from a
   * random start they end at kernels that blur.
   */
  bilateral?: boolean;
}

/** Starting values as the paper's program: convolutions uniform in ±1/√inputs, the kernels plain Gaussians. */
export function initialSimFeatUp(
  geometry: SimFeatUpGeometry,
  seed: number,
  kernel: KernelStart = { sigma: 1, rangeTemperature: 0 },
): NamedWeights {
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  const shapes = simFeatUpShapes(geometry);
  for (const [name, shape] of shapes) {
    const count = elementCount(shape);
    let values: Float32Array = new Float32Array(count);
    if (name === 'up.sigma_spatial') values.fill(kernel.sigma);
    else if (name === 'up.range_temp') values.fill(kernel.rangeTemperature);
    else if (name === 'crn.norm.weight') values.fill(1);
    else if (name === 'down.w')
      values = normalNumbers(count, 0.01, `${seed}/${name}`).map((value) => value + 1);
    else if (name === 'down.b') values = normalNumbers(count, 0.01, `${seed}/${name}`);
    else if (name !== 'crn.norm.bias') {
      const random = uniformNumbers(`${seed}/${name}`);
      const inputs = shapes.get(name.replace(/bias$/, 'weight'))![1]!;
      const limit = (name.startsWith('scale.') ? 0.1 : 1) / Math.sqrt(inputs);
      values = values.map(() => limit * (2 * random() - 1));
    }
    tensors.set(name, { shape, values });
  }
  if (kernel.bilateral) startBilateral(tensors);
  return weightsInMemory('initial upsampler', tensors);
}

/** Factor of colours before the GELU; small, so that x·erf(x / √2) = gelu(x) + gelu(-x) is close to √(2/π)·x². */
const colourFactor = 0.3;
/** Larger than most colours' squared length, so that what is left over (see below) stays small beside the distance. */
const distanceOffset = 30;

/**
 * A projection P of colours with P(a)·P(b) = -|a - b|² + c + |a|²|b|²/c: three channels √2·a, as x = gelu(x) - gelu(-x),
 * and one of (c - |a|²)/√c. The other channels stay small, so that training can use them.
 */
function startBilateral(tensors: Map<string, { values: Float32Array }>): void {
  const values = (name: string) => tensors.get(name)!.values;
  const hidden = values('up.range_proj.0.weight');
  const hiddenBias = values('up.range_proj.0.bias');
  const output = values('up.range_proj.1.weight');
  const outputBias = values('up.range_proj.1.bias');
  const width = outputBias.length;
  for (let at = 0; at < output.length; at++) output[at] = at < 4 * width ? 0 : 0.1 * output[at]!;
  outputBias.fill(0);
  outputBias[3] = Math.sqrt(distanceOffset);
  for (let band = 0; band < 3; band++) {
    for (const [unit, sign] of [
      [2 * band, 1],
      [2 * band + 1, -1],
    ] as const) {
      hidden.fill(0, 3 * unit, 3 * unit + 3);
      hidden[3 * unit + band] = sign * colourFactor;
      hiddenBias[unit] = 0;
      output[band * width + unit] = (sign * Math.SQRT2) / colourFactor;
      output[3 * width + unit] = -Math.sqrt(Math.PI / 2 / distanceOffset) / colourFactor ** 2;
    }
  }
  values('up.fixup_proj.1.weight').fill(0);
  values('up.fixup_proj.1.bias').fill(0);
}

/** Only what an upsampler has at inference. */
export function upsamplerWeights(trained: NamedWeights): NamedWeights {
  return { ...trained, names: () => trained.names().filter((name) => /^(up|fixup_proj)\./.test(name)) };
}
