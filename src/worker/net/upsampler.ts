import { dimensionOf, Graph, type Size } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  add,
  clip,
  divide,
  matmul,
  multiply,
  reduceSum,
  reduceSumSquare,
  slice,
  squareRoot,
  subtract,
  transpose,
} from '../onnx/operators.ts';
import {
  allRows,
  applyKernels,
  type BilateralGeometry,
  type BlockKernels,
  type BlockRows,
  bilateralStep,
  blockKernels,
  blockSide,
  eachRow,
  type Margin,
  type SourceLayout,
  stepGuidance,
  unblock,
} from './joint-bilateral.ts';
import type { Parameters } from './parameters.ts';

/** SimFeatUp shares one step; FeatUp's stack has four of its own. */
export type UpsamplerKind = 'jbu_one' | 'jbu_stack';

export interface UpsamplerGeometry {
  kind: UpsamplerKind;
  /** Side of an encoder's patch, pixels. */
  patch: number;
  /** Whether every step's spatial sigma allows the short form (see `BilateralGeometry`). */
  spatialInSoftmax: boolean;
}

/** Parameter prefix of each doubling, first to last: SimFeatUp doubles until a patch is covered, FeatUp four times. */
export function upsamplerSteps(kind: UpsamplerKind, patch: number): string[] {
  if (kind === 'jbu_stack') return ['up1', 'up2', 'up3', 'up4'];
  return Array.from({ length: Math.ceil(Math.log2(patch)) }, () => 'up');
}

export function kernelRadius(kind: UpsamplerKind): number {
  return kind === 'jbu_one' ? 5 : 3;
}

/** Channels of the range projection. */
const keyChannels = 32;

/** Name and shape of every tensor of an upsampler for features of `channels`, as checkpoints hold them. */
export function upsamplerShapes(kind: UpsamplerKind, channels: number): Map<string, readonly number[]> {
  const taps = (2 * kernelRadius(kind) + 1) ** 2;
  const shapes = new Map<string, readonly number[]>();
  // Shared steps are listed once; the patch matters to their number only.
  for (const step of new Set(upsamplerSteps(kind, 16))) {
    shapes.set(`${step}.range_temp`, []);
    shapes.set(`${step}.sigma_spatial`, []);
    shapes.set(`${step}.range_proj.0.weight`, [keyChannels, 3, 1, 1]);
    shapes.set(`${step}.range_proj.0.bias`, [keyChannels]);
    shapes.set(`${step}.range_proj.1.weight`, [keyChannels, keyChannels, 1, 1]);
    shapes.set(`${step}.range_proj.1.bias`, [keyChannels]);
    shapes.set(`${step}.fixup_proj.0.weight`, [taps, taps + 3, 1, 1]);
    shapes.set(`${step}.fixup_proj.0.bias`, [taps]);
    shapes.set(`${step}.fixup_proj.1.weight`, [taps, taps, 1, 1]);
    shapes.set(`${step}.fixup_proj.1.bias`, [taps]);
  }
  shapes.set('fixup_proj.weight', [channels, channels, 1, 1]);
  shapes.set('fixup_proj.bias', [channels]);
  return shapes;
}

/** Upsampled pixels per token along each side. */
export function upsamplerFactor(kind: UpsamplerKind, patch: number): number {
  return 2 ** upsamplerSteps(kind, patch).length;
}

/**
 * Prepares a window's tokens for upsampling. The last map of both upsamplers, y + 0.1·(W·y + b), is linear in the
 * channels and so is applied to the tokens here, all but its constant 0.1·b, which follows the kernels.
 *
 * `tokens` `[N, D]` and `words` `[Q, D]` (normalised embeddings) to
 * - `features` `[N, D]`: the mapped tokens, and `shift` `[1, D]`: 0.1·b;
 * - `gram` `[N + 1, N + 1]`: inner products of the mapped tokens and the shift;
 * - `scores` `[N, Q + 1]`: inner products of the mapped tokens with every word and with the shift;
 * - `shift_scores` `[1, Q]`: inner products of the shift with every word.
 */
export function projectionGraph(embedding: number, parametersOf: (graph: Graph) => Parameters): Graph {
  const graph = new Graph('upsampler-projection');
  const parameters = parametersOf(graph);
  const tokens = graph.input('tokens', 'float32', ['tokens', embedding]);
  const words = graph.input('words', 'float32', ['words', embedding]);
  const { mapped, shift } = mapTokens(graph, parameters, tokens);
  const rows = graph.apply('Concat', [mapped, shift], { axis: 0 }, ['tokens+1', embedding]);
  const targets = graph.apply('Concat', [words, shift], { axis: 0 }, ['words+1', embedding]);
  graph.output('features', mapped);
  graph.output('shift', shift);
  graph.output('gram', matmul(graph, rows, transpose(graph, rows, [1, 0])));
  graph.output('scores', matmul(graph, mapped, transpose(graph, targets, [1, 0])));
  graph.output('shift_scores', matmul(graph, shift, transpose(graph, words, [1, 0])));
  return graph;
}

export function mapTokens(
  graph: Graph,
  parameters: Parameters,
  tokens: Value,
): { mapped: Value; shift: Value } {
  const tenth = graph.scalar(0.1);
  const weight = multiply(graph, parameters.matrix('fixup_proj.weight'), tenth);
  const bias = parameters.tensor('fixup_proj.bias');
  return {
    mapped: add(graph, tokens, matmul(graph, tokens, weight)),
    shift: graph.reshape(multiply(graph, bias, tenth), [1, bias.shape[0] as number]),
  };
}

/** How a graph goes through the blocks of a doubling: row by row takes less memory, gradients want all at once. */
export type BlockOrder = 'by-row' | 'at-once';

/** What becomes of the last doubling's blocks. */
export interface Finish {
  channels: Size;
  /** Values in blocks to pixels in rows: `[block², C]` of every block to `[pixels, channels]`. */
  toRows: (kernels: BlockKernels, values: Value) => Value;
  /** Blocks of the last doubling that nobody asks for. */
  margin?: Margin;
}

/**
 * Upsamples `source` `[N, channels]` through all steps under the kernels of `image` `[1, 3, H, W]`:
 * `[pixels, finish.channels]`.
 */
export function upsample(
  graph: Graph,
  parameters: Parameters,
  geometry: UpsamplerGeometry,
  order: BlockOrder,
  image: Value,
  source: Value,
  channels: Size,
  finish: Finish = { channels, toRows: (kernels, values) => unblock(graph, kernels, values, channels) },
): Value {
  const bilateral: BilateralGeometry = {
    radius: kernelRadius(geometry.kind),
    spatialInSoftmax: geometry.spatialInSoftmax,
  };
  const prefixes = upsamplerSteps(geometry.kind, geometry.patch);
  let layout: SourceLayout = {
    rows: graph.scaleSize(graph.sizeOf(image, 2), 1 / geometry.patch),
    columns: graph.scaleSize(graph.sizeOf(image, 3), 1 / geometry.patch),
    block: 1,
  };
  let values = source;
  prefixes.forEach((prefix, index) => {
    const last = index === prefixes.length - 1;
    const block = blockSide(index + 1);
    const from = { layout, values };
    const rows = graph.scaleSize(layout.rows, 2);
    const columns = graph.scaleSize(layout.columns, 2);
    layout = { rows, columns, block };
    const margin = last ? (finish.margin ?? null) : null;
    values = graph.scope(`step${index + 1}`, () => {
      const factor = geometry.patch / 2 ** (index + 1);
      const guidance = stepGuidance(graph, parameters, prefix, image, factor, rows, columns);
      const step = bilateralStep(graph, parameters, prefix, bilateral, guidance, from.layout, block, margin);
      const doubled = (part: BlockRows): Value => {
        const kernels = blockKernels(graph, step, part);
        const inBlocks = graph.scope('apply', () => applyKernels(graph, kernels, from.values));
        return last ? finish.toRows(kernels, inBlocks) : inBlocks;
      };
      // The first two doublings are small, and their blocks too.
      const all = order === 'by-row' && index >= 2 ? eachRow(graph, step, doubled) : doubled(allRows(step));
      const blocks = graph.multiplySizes(step.rows.blocks, step.columns.blocks);
      const pixels = margin ? graph.scaleSize(blocks, block ** 2) : graph.multiplySizes(rows, columns);
      return graph.reshape(all, [pixels, last ? finish.channels : channels]);
    });
  });
  return values;
}

/**
 * The whole upsampler: `image` `[1, 3, H, W]` and `tokens` `[N, D]` to `features` `[pixels, D]`, pixels in rows of
 * W / patch · factor.
 */
export function upsampledFeaturesGraph(
  geometry: UpsamplerGeometry,
  embedding: number,
  parametersOf: (graph: Graph) => Parameters,
): Graph {
  const graph = new Graph('upsampler-features');
  const parameters = parametersOf(graph);
  const image = graph.input('image', 'float32', [1, 3, 'height', 'width']);
  const tokens = graph.input('tokens', 'float32', ['tokens', embedding]);
  const { mapped, shift } = mapTokens(graph, parameters, tokens);
  const upsampled = upsample(graph, parameters, geometry, 'by-row', image, mapped, embedding);
  graph.output('features', add(graph, upsampled, shift));
  return graph;
}

/**
 * Upsampling straight to scores: only the words' channels and as many coordinates as the tokens span are upsampled.
 *
 * `image` `[1, 3, H, W]`, `basis` `[N, R]` (coordinates of the mapped tokens in an orthonormal basis, so that the norm
 * of any combination is that of its coordinates), `scores` `[N, Q + 1]` and `shift_scores` `[1, Q]` of the projection
 * graph, `shift_norm` `[1]` (squared norm of the shift), `global` `[1, Q]` (λ·cls·words, added after normalisation) to
 * `logits` `[Q, pixels]`.
 */
export function upsampledLogitsGraph(
  geometry: UpsamplerGeometry,
  parametersOf: (graph: Graph) => Parameters,
): Graph {
  const graph = new Graph('upsampler-logits');
  const parameters = parametersOf(graph);
  const image = graph.input('image', 'float32', [1, 3, 'height', 'width']);
  const basis = graph.input('basis', 'float32', ['tokens', 'rank']);
  const scores = graph.input('scores', 'float32', ['tokens', 'words+1']);
  const shiftScores = graph.input('shift_scores', 'float32', [1, 'words']);
  const shiftNorm = graph.input('shift_norm', 'float32', [1]);
  const global = graph.input('global', 'float32', [1, 'words']);

  const scored = upsampledScores(graph, parameters, geometry, image, basis, scores, {
    shiftScores,
    shiftNorm,
  });
  graph.output('logits', transpose(graph, add(graph, scored, global), [1, 0]));
  return graph;
}

/**
 * Upsampling of a tile of merged tokens, wide enough that its border does not matter inside the margin.
 *
 * `image` `[1, 3, H, W]`, `tokens` `[N, D]`, `words` `[Q, D]`, `directions` `[R, D]` (orthonormal, in which the mapped
 * tokens lie but for a small rest: their coordinates give the norm) and `margin` int64 `[4]` (tokens left out at the top,
 * left, bottom and right) to `scores` `[Q, pixels inside the margin]`, without the global bias.
 */
export function tileScoresGraph(
  geometry: UpsamplerGeometry,
  embedding: number,
  parametersOf: (graph: Graph) => Parameters,
): Graph {
  const graph = new Graph('upsampler-tile');
  const parameters = parametersOf(graph);
  const image = graph.input('image', 'float32', [1, 3, 'height', 'width']);
  const tokens = graph.input('tokens', 'float32', ['tokens', embedding]);
  const words = graph.input('words', 'float32', ['words', embedding]);
  const directions = graph.input('directions', 'float32', ['rank', embedding]);
  const left = graph.input('margin', 'int64', [4]);
  const { mapped, shift } = mapTokens(graph, parameters, tokens);
  const targets = graph.apply('Concat', [words, shift], { axis: 0 }, ['words+1', embedding]);
  const factor = upsamplerFactor(geometry.kind, geometry.patch);
  const blocks = factor / blockSide(upsamplerSteps(geometry.kind, geometry.patch).length);
  const side = (index: number): Size => ({
    symbol: `margin${index}`,
    value: multiply(graph, slice(graph, left, 0, index, index + 1, 1), graph.integers([blocks])),
  });
  const scored = upsampledScores(
    graph,
    parameters,
    geometry,
    image,
    matmul(graph, mapped, transpose(graph, directions, [1, 0])),
    matmul(graph, mapped, transpose(graph, targets, [1, 0])),
    {
      shiftScores: matmul(graph, shift, transpose(graph, words, [1, 0])),
      shiftNorm: graph.reshape(reduceSumSquare(graph, shift, [1]), [1]),
    },
    { top: side(0), left: side(1), bottom: side(2), right: side(3) },
  );
  graph.output('scores', transpose(graph, scored, [1, 0]));
  return graph;
}

/** Upsampled and normalised tokens' products with the words: `[pixels, Q]`. See `upsampledLogitsGraph` for the arrays. */
function upsampledScores(
  graph: Graph,
  parameters: Parameters,
  geometry: UpsamplerGeometry,
  image: Value,
  basis: Value,
  scores: Value,
  { shiftScores, shiftNorm }: { shiftScores: Value; shiftNorm: Value },
  margin?: Margin,
): Value {
  const source = graph.apply('Concat', [basis, scores], { axis: 1 }, ['tokens', 'channels']);
  const channels = graph.sizeOf(source, 1);
  const wordCount = graph.sizeOf(shiftScores, 1);
  const scoreCount = graph.sizeOf(scores, 1);
  const head = (kernels: BlockKernels, upsampled: Value) =>
    graph.scope('head', () => {
      const products = lastChannels(graph, upsampled, scoreCount);
      const shiftProduct = slice(graph, products, 2, -1, null, 1);
      const words = slice(graph, products, 2, 0, -1, 'words');
      // The basis' share of the squares is all but the words'.
      const coordinates = subtract(
        graph,
        reduceSum(graph, multiply(graph, upsampled, upsampled), [2]),
        reduceSumSquare(graph, products, [2]),
      );
      const squared = add(
        graph,
        add(graph, coordinates, multiply(graph, shiftProduct, graph.scalar(2))),
        shiftNorm,
      );
      const norm = squareRoot(graph, clip(graph, squared, 1e-20, null));
      return unblock(graph, kernels, divide(graph, add(graph, words, shiftScores), norm), wordCount);
    });
  return upsample(graph, parameters, geometry, 'by-row', image, source, channels, {
    channels: wordCount,
    toRows: head,
    ...(margin && { margin }),
  });
}

/** The last `count` channels of `[…, C]`. */
function lastChannels(graph: Graph, x: Value, count: Size): Value {
  const start = graph.apply('Neg', [graph.sizeValue(count)]);
  const shape = [...x.shape.slice(0, -1), dimensionOf(count)];
  return graph.apply(
    'Slice',
    [x, start, graph.integers([2 ** 31 - 1], 'to'), graph.integers([x.shape.length - 1], 'axes')],
    {},
    shape,
  );
}
