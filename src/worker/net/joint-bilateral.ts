import { dimensionOf, type Graph, type Size } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  absolute,
  add,
  averagePool,
  cast,
  clip,
  concat,
  divide,
  expand,
  exponential,
  floor,
  gather,
  gelu,
  less,
  lessOrEqual,
  matmul,
  maximum,
  minimum,
  multiply,
  range,
  reduceSum,
  remainder,
  softmax,
  squareRoot,
  subtract,
  transpose,
  unsqueeze,
} from '../onnx/operators.ts';
import { cubicWeight } from './cubic.ts';
import type { Parameters } from './parameters.ts';

/**
 * One learned joint bilateral step (SimFeatUp, arXiv 2410.01768 §3.3; FeatUp, arXiv 2403.10516): features double their
 * resolution under kernels made from the image alone.
 *
 * The work is arranged in square blocks of target pixels. A block's range products are one matrix product of its
 * pixels against their common neighbourhood. The bicubic doubling and the reflection at the border are folded into the
 * kernels, which then weigh the *source* pixels around the block directly, so that applying them to any number of
 * channels is one matrix product per block and nothing is ever held at 121 times the image.
 */
export interface BilateralGeometry {
  /** Kernel radius in target pixels: 5 for JBU_One, 3 for JBU_Stack. */
  radius: number;
  /**
   * Whether the spatial kernel may be added inside the softmax. Equal to multiplying and renormalising unless the sum
   * meets its lower clamp of 1e-7, which a spatial sigma ≥ 0.32 excludes.
   */
  spatialInSoftmax: boolean;
}

/** Pixels of a block's side, by step: each divides the target's size, which is a multiple of 2^step. */
export function blockSide(step: number): number {
  return Math.min(2 ** step, 8);
}

/**
 * A step's kernels over source pixels, block by block, and where the blocks lie. Block order: blocks row by row, a
 * block's pixels column by column.
 */
export interface BlockKernels {
  /** `[blocks, block², support²]`. */
  weights: Value;
  /** Flat indices of the source pixels under each block, int64 `[blocks, support²]`. */
  support: Value;
  blockRows: Size;
  blockColumns: Size;
  block: number;
}

/** How the pixels of a step's source lie in memory: in rows, or in the blocks that the step before left them in. */
export interface SourceLayout {
  rows: Size;
  columns: Size;
  /** Side of the blocks; 1 for pixels in rows. */
  block: number;
}

/** Rows (or columns) of blocks, with everything that hangs on one axis only. */
interface Axis {
  /** Length of the whole target axis, pixels. */
  target: Size;
  blocks: Size;
  /** Target pixels around each block, reflected into the image: int64 `[blocks, block + 2·radius]`. */
  neighbours: Value;
  /** Source pixels under each block, clamped into the source: int64 `[blocks, support]`. */
  support: Value;
  /** Bicubic weight of each source pixel for each kernel position: float `[blocks, block, 2·radius + 1, support]`. */
  fold: Value;
}

/** Offset of the first and number of the source pixels that a block's kernels reach through bicubic doubling. */
function supportRange(block: number, radius: number): { first: number; length: number } {
  const first = Math.floor(-radius / 2 - 0.25) - 1;
  const last = Math.floor((block - 1 + radius) / 2 - 0.25) + 2;
  return { first, length: last - first + 1 };
}

function blockAxis(graph: Graph, source: Size, block: number, radius: number): Axis {
  const target = graph.scaleSize(source, 2);
  const blocks = graph.scaleSize(target, 1 / block);
  const { first, length } = supportRange(block, radius);
  const starts = cast(graph, range(graph, blocks), 'float32');
  const limit = (size: Size) => {
    const value = cast(graph, graph.sizeValue(size), 'float32');
    return subtract(graph, value, graph.scalar(1));
  };
  const steps = (count: number, offset: number) =>
    graph.constant(
      Float32Array.from({ length: count }, (_, i) => i + offset),
      [1, count],
      'offsets',
    );

  const targetStarts = unsqueeze(graph, multiply(graph, starts, graph.scalar(block)), [1]);
  const unreflected = add(graph, targetStarts, steps(block + 2 * radius, -radius));
  const last = limit(target);
  const neighbours = subtract(
    graph,
    last,
    absolute(graph, subtract(graph, last, absolute(graph, unreflected))),
  );

  const sourceStarts = unsqueeze(graph, multiply(graph, starts, graph.scalar(block / 2)), [1]);
  const unclamped = add(graph, sourceStarts, steps(length, first));
  const support = minimum(graph, maximum(graph, unclamped, graph.scalar(0)), limit(source));

  // Kernel position u of pixel i in a block is the block's neighbour i + u.
  const diameter = 2 * radius + 1;
  const positions = graph.constant(
    BigInt64Array.from({ length: block * diameter }, (_, k) =>
      BigInt(Math.floor(k / diameter) + (k % diameter)),
    ),
    [block, diameter],
    'kernel_positions',
  );
  const kernelTargets = gather(graph, neighbours, positions, 1);
  const sampled = subtract(graph, multiply(graph, kernelTargets, graph.scalar(0.5)), graph.scalar(0.25));
  const distance = absolute(
    graph,
    subtract(graph, unsqueeze(graph, sampled, [3]), unsqueeze(graph, unclamped, [1, 2])),
  );
  return {
    target,
    blocks,
    neighbours: cast(graph, neighbours, 'int64'),
    support: cast(graph, support, 'int64'),
    fold: cubicWeight(graph, distance, -0.75),
  };
}

/** An axis without `before` blocks at its beginning and `after` at its end. */
function partOfAxis(graph: Graph, axis: Axis, before: Size, after: Size): Axis {
  const blocks = graph.subtractSizes(graph.subtractSizes(axis.blocks, before), after);
  const start = graph.sizeValue(before);
  const end = add(graph, start, graph.sizeValue(blocks));
  const part = (value: Value) =>
    graph.apply('Slice', [value, start, end, graph.integers([0], 'axes')], {}, [
      dimensionOf(blocks),
      ...value.shape.slice(1),
    ]);
  const { target, neighbours, support, fold } = axis;
  return { target, blocks, neighbours: part(neighbours), support: part(support), fold: part(fold) };
}

/**
 * Flat indices `[rows · columns, a · b]` of every pair of a row in `rows` `[rows, a]` and a column in `columns`
 * `[columns, b]`, for pixels that lie as `layout` says.
 */
function pairIndices(graph: Graph, layout: SourceLayout, rows: Value, columns: Value, count: Size): Value {
  const { block } = layout;
  let rowTerm = rows;
  let columnTerm = columns;
  if (block === 1) rowTerm = multiply(graph, rows, graph.sizeValue(layout.columns));
  else {
    // Blocks row by row, a block's pixels column by column.
    const side = graph.integers([block]);
    const rowOfBlocks = graph.scaleSize(layout.columns, block);
    rowTerm = add(
      graph,
      multiply(graph, divide(graph, rows, side), graph.sizeValue(rowOfBlocks)),
      remainder(graph, rows, side),
    );
    columnTerm = add(
      graph,
      multiply(graph, divide(graph, columns, side), graph.integers([block * block])),
      multiply(graph, remainder(graph, columns, side), side),
    );
  }
  const all = add(graph, unsqueeze(graph, rowTerm, [1, 3]), unsqueeze(graph, columnTerm, [0, 2]));
  const [, , a, b] = all.shape;
  return graph.reshape(all, [count, (a as number) * (b as number)]);
}

/** What a step makes of the image before any kernel: pixels in rows, channels last. */
export interface Guidance {
  /** The image pooled to the target's size: `[pixels, 3]`. */
  colours: Value;
  /** Its range projection times the root of the temperature, so that products of keys are range scores: `[pixels, keys]`. */
  keys: Value;
}

/**
 * Guidance of one step for a target of `rows × columns` pixels, each of `factor` pixels of the image along both sides.
 * `prefix` names the step's parameters (`up`, `up1`, …).
 */
export function stepGuidance(
  graph: Graph,
  parameters: Parameters,
  prefix: string,
  image: Value,
  factor: number,
  rows: Size,
  columns: Size,
): Guidance {
  return graph.scope('guidance', () => {
    const colours = pooledGuidance(graph, image, factor, rows, columns);
    const hidden = gelu(
      graph,
      add(
        graph,
        matmul(graph, colours, parameters.matrix(`${prefix}.range_proj.0.weight`)),
        parameters.tensor(`${prefix}.range_proj.0.bias`),
      ),
    );
    const temperature = clip(graph, exponential(graph, parameters.tensor(`${prefix}.range_temp`)), 1e-4, 1e4);
    const root = squareRoot(graph, temperature);
    const weight = multiply(graph, parameters.matrix(`${prefix}.range_proj.1.weight`), root);
    const bias = multiply(graph, parameters.tensor(`${prefix}.range_proj.1.bias`), root);
    const keys = add(graph, matmul(graph, hidden, weight), bias);
    return { colours, keys };
  });
}

/** Blocks at the border of a step's target that are only there for others' kernels to reach into. */
export interface Margin {
  top: Size;
  left: Size;
  bottom: Size;
  right: Size;
}

/** What all rows of a step's blocks share. */
export interface Step {
  geometry: BilateralGeometry;
  guidance: Guidance;
  /** The guidance of the pixels inside the margin. */
  own: Guidance;
  source: SourceLayout;
  block: number;
  rows: Axis;
  columns: Axis;
  /** Logarithm of the spatial kernel, `[taps]`. */
  spatial: Value;
  /** Where each pixel's window lies in its block's range products (`windowPositions`). */
  positions: Value;
  /** Weights and biases of the fixup's two layers, the second a tenth of the checkpoint's. */
  fixup: readonly [Value, Value, Value, Value];
}

/** The target has twice the source's pixels along each side. `margin`: blocks that are left out of it, null for none. */
export function bilateralStep(
  graph: Graph,
  parameters: Parameters,
  prefix: string,
  geometry: BilateralGeometry,
  guidance: Guidance,
  source: SourceLayout,
  block: number,
  margin: Margin | null,
): Step {
  const tenth = graph.scalar(0.1);
  const allRows = graph.scope('rows', () => blockAxis(graph, source.rows, block, geometry.radius));
  const allColumns = graph.scope('columns', () => blockAxis(graph, source.columns, block, geometry.radius));
  const within = margin
    ? graph.scope('margin', () => {
        const rows = partOfAxis(graph, allRows, margin.top, margin.bottom);
        const columns = partOfAxis(graph, allColumns, margin.left, margin.right);
        const inside = (flat: Value): Value => {
          const planes = graph.reshape(flat, [allRows.target, allColumns.target, flat.shape[1] as number]);
          const offset = (blocks: Size) => graph.sizeValue(graph.multiplySizes(blocks, block));
          const start = concat(graph, [offset(margin.top), offset(margin.left)], 0);
          const own = [
            graph.multiplySizes(rows.blocks, block),
            graph.multiplySizes(columns.blocks, block),
          ] as const;
          const length = concat(
            graph,
            own.map((size) => graph.sizeValue(size)),
            0,
          );
          const end = add(graph, start, length);
          const cut = graph.apply('Slice', [planes, start, end, graph.integers([0, 1], 'axes')], {}, [
            ...own.map(dimensionOf),
            flat.shape[1]!,
          ]);
          return graph.reshape(cut, [graph.multiplySizes(...own), flat.shape[1] as number]);
        };
        return {
          rows,
          columns,
          own: { colours: inside(guidance.colours), keys: inside(guidance.keys) },
        };
      })
    : { rows: allRows, columns: allColumns, own: guidance };
  return {
    geometry,
    guidance,
    source,
    block,
    ...within,
    spatial: graph.scope('kernel', () => logarithmOfSpatial(graph, parameters, prefix, geometry)),
    positions: windowPositions(graph, block, geometry.radius),
    fixup: graph.scope('fixup', () => [
      parameters.matrix(`${prefix}.fixup_proj.0.weight`),
      parameters.tensor(`${prefix}.fixup_proj.0.bias`),
      multiply(graph, parameters.matrix(`${prefix}.fixup_proj.1.weight`), tenth),
      multiply(graph, parameters.tensor(`${prefix}.fixup_proj.1.bias`), tenth),
    ]),
  };
}

/** Rows of blocks that are worked on together. */
export interface BlockRows {
  count: Size;
  neighbours: Value;
  support: Value;
  fold: Value;
  /** The guidance of their own pixels, in rows: `[count · block · columns, …]`. */
  guidance: Guidance;
}

export function allRows({ rows, own }: Step): BlockRows {
  const { blocks, neighbours, support, fold } = rows;
  return { count: blocks, neighbours, support, fold, guidance: own };
}

/**
 * Does `work` for one row of blocks after the other and stacks the results: `[rows of blocks, …]`. What is held at once
 * is bounded by a row, and mostly stays in the processor's cache.
 */
export function eachRow(graph: Graph, step: Step, work: (row: BlockRows) => Value): Value {
  const { rows, columns, own, block } = step;
  const perRow = graph.scaleSize(columns.blocks, block * block);
  const byRow = (flat: Value) => graph.reshape(flat, [rows.blocks, perRow, flat.shape[1] as number]);
  const sliced = [rows.neighbours, rows.support, rows.fold, byRow(own.colours), byRow(own.keys)];
  const [stacked] = graph.scan(sliced, ([neighbours, support, fold, colours, keys]) => {
    const one = (slice: Value) => unsqueeze(graph, slice, [0]);
    return [
      work({
        count: 1,
        neighbours: one(neighbours!),
        support: one(support!),
        fold: one(fold!),
        guidance: { colours: colours!, keys: keys! },
      }),
    ];
  });
  return stacked!;
}

/** A step's kernels over some of its rows of blocks. */
export function blockKernels(graph: Graph, step: Step, y: BlockRows): BlockKernels {
  const { geometry, guidance, source, block, columns: x } = step;
  const { radius } = geometry;
  const diameter = 2 * radius + 1;
  const taps = diameter * diameter;
  const pixels = block * block;
  const blocks = graph.multiplySizes(y.count, x.blocks);

  const inBlocks = (flat: Value): Value => {
    const channels = flat.shape[1] as number;
    const apart = graph.reshape(flat, [y.count, block, x.blocks, block, channels]);
    return graph.reshape(transpose(graph, apart, [0, 2, 3, 1, 4]), [blocks, pixels, channels]);
  };
  const range = graph.scope('range', () => {
    const around = gather(
      graph,
      guidance.keys,
      pairIndices(
        graph,
        { rows: step.rows.target, columns: x.target, block: 1 },
        y.neighbours,
        x.neighbours,
        blocks,
      ),
    );
    const products = matmul(graph, around, transpose(graph, inBlocks(y.guidance.keys), [0, 2, 1]));
    const flat = graph.reshape(products, [blocks, pixels * (block + 2 * radius) ** 2]);
    const own = expand(graph, step.positions, [blocks, pixels * taps]);
    return graph.reshape(graph.apply('GatherElements', [flat, own], { axis: 1 }), [blocks, pixels, taps]);
  });
  const kernel = graph.scope('kernel', () => combineKernels(graph, step, range));
  const corrected = graph.scope('fixup', () => {
    const all = graph.scaleSize(blocks, pixels);
    const flat = graph.reshape(kernel, [all, taps]);
    const joined = concat(graph, [flat, graph.reshape(inBlocks(y.guidance.colours), [all, 3])], 1);
    const [hiddenWeight, hiddenBias, weight, bias] = step.fixup;
    const hidden = gelu(graph, add(graph, matmul(graph, joined, hiddenWeight), hiddenBias));
    return add(graph, flat, add(graph, matmul(graph, hidden, weight), bias));
  });

  return graph.scope('fold', () => {
    const length = x.support.shape[1] as number;
    // Columns first, a block column's rows together, so that this product is not tiny; then rows.
    const kernels = graph.reshape(corrected, [y.count, x.blocks, block, block * diameter, diameter]);
    const byColumn = matmul(graph, kernels, unsqueeze(graph, x.fold, [0]));
    const apart = graph.reshape(byColumn, [y.count, x.blocks, block, block, diameter, length]);
    const rowFold = unsqueeze(graph, transpose(graph, y.fold, [0, 1, 3, 2]), [1, 2]);
    const folded = matmul(graph, rowFold, apart);
    return {
      weights: graph.reshape(folded, [blocks, pixels, length * length]),
      support: pairIndices(graph, source, y.support, x.support, blocks),
      blockRows: y.count,
      blockColumns: x.blocks,
      block,
    };
  });
}

/** Positions of each pixel's own window in the flat products `[neighbours · pixels]` of its block: int32 `[1, …]`. */
function windowPositions(graph: Graph, block: number, radius: number): Value {
  const side = block + 2 * radius;
  const diameter = 2 * radius + 1;
  const pixels = block * block;
  const positions = new Int32Array(pixels * diameter * diameter);
  let at = 0;
  for (let column = 0; column < block; column++) {
    for (let row = 0; row < block; row++) {
      const pixel = column * block + row;
      for (let u = 0; u < diameter; u++) {
        for (let v = 0; v < diameter; v++) {
          positions[at++] = ((row + u) * side + column + v) * pixels + pixel;
        }
      }
    }
  }
  return graph.constant(positions, [1, positions.length], 'window_positions');
}

/** -(x² + y²) / (2 σ²) of every kernel position: `[taps]`. */
function logarithmOfSpatial(
  graph: Graph,
  parameters: Parameters,
  prefix: string,
  geometry: BilateralGeometry,
): Value {
  const diameter = 2 * geometry.radius + 1;
  const squared = Float32Array.from({ length: diameter * diameter }, (_, tap) => {
    const u = Math.floor(tap / diameter) / geometry.radius - 1;
    const v = (tap % diameter) / geometry.radius - 1;
    return u * u + v * v;
  });
  const sigma = parameters.tensor(`${prefix}.sigma_spatial`);
  return divide(
    graph,
    graph.constant(
      squared.map((value) => -value / 2),
      [squared.length],
      'negative_half_squared_distance',
    ),
    multiply(graph, sigma, sigma),
  );
}

/** Softmax over the range products times the Gaussian of the distance, renormalised: `[blocks, pixels, taps]`. */
function combineKernels(graph: Graph, { geometry, spatial }: Step, range: Value): Value {
  if (geometry.spatialInSoftmax) return softmax(graph, add(graph, range, spatial));
  const product = multiply(graph, softmax(graph, range), exponential(graph, spatial));
  return divide(graph, product, clip(graph, reduceSum(graph, product, [2]), 1e-7, null));
}

/** The image pooled to the target's size, pixels in rows, channels last: `[target rows · target columns, 3]`. */
function pooledGuidance(graph: Graph, image: Value, factor: number, rows: Size, columns: Size): Value {
  const pooled = Number.isInteger(factor)
    ? averagePool(graph, image, factor, [dimensionOf(rows), dimensionOf(columns)])
    : adaptivePool(graph, image, rows, columns);
  const count = graph.multiplySizes(rows, columns);
  return transpose(graph, graph.reshape(pooled, [3, count]), [1, 0]);
}

/** Adaptive average pool of `[1, 3, H, W]`: output i is the mean of inputs ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ - 1. */
function adaptivePool(graph: Graph, image: Value, rows: Size, columns: Size): Value {
  const heights = poolingMatrix(graph, graph.sizeOf(image, 2), rows);
  const widths = poolingMatrix(graph, graph.sizeOf(image, 3), columns);
  return matmul(graph, matmul(graph, heights, image), transpose(graph, widths, [1, 0]));
}

function poolingMatrix(graph: Graph, from: Size, to: Size): Value {
  const float = (size: Size) => cast(graph, graph.sizeValue(size), 'float32');
  const outputs = unsqueeze(graph, cast(graph, range(graph, to), 'float32'), [1]);
  const inputs = unsqueeze(graph, cast(graph, range(graph, from), 'float32'), [0]);
  const product = multiply(graph, outputs, float(from));
  const start = floor(graph, divide(graph, product, float(to)));
  const next = divide(graph, add(graph, product, float(from)), float(to));
  const end = graph.apply('Neg', [floor(graph, graph.apply('Neg', [next]))]);
  const inside = graph.apply('And', [lessOrEqual(graph, start, inputs), less(graph, inputs, end)]);
  const weight = cast(graph, inside, 'float32');
  return divide(graph, weight, subtract(graph, end, start));
}

/** Applies a step's kernels to `source` `[source pixels, C]`, lying as said: `[blocks, block², C]`, pixels in block order. */
export function applyKernels(graph: Graph, kernels: BlockKernels, source: Value): Value {
  return matmul(graph, kernels.weights, gather(graph, source, kernels.support));
}

/** Pixels in block order to rows: `[blocks, block², C]` to `[pixels, C]`. */
export function unblock(graph: Graph, kernels: BlockKernels, values: Value, channels: Size): Value {
  const { block, blockRows, blockColumns } = kernels;
  const apart = graph.reshape(values, [blockRows, blockColumns, block, block, channels]);
  const count = graph.scaleSize(graph.multiplySizes(blockRows, blockColumns), block * block);
  return graph.reshape(transpose(graph, apart, [0, 3, 1, 2, 4]), [count, channels]);
}
