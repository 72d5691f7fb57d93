import { dimensionOf, Graph, type Size } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  absolute,
  add,
  cast,
  concat,
  convolution,
  divide,
  equal,
  expand,
  layerNorm,
  matmul,
  maximum,
  multiply,
  range,
  reduceMinimum,
  reduceSum,
  slice,
  subtract,
  transpose,
  unsqueeze,
  where,
} from '../onnx/operators.ts';
import { type AttentionName, denseAttention } from './attention.ts';
import { cubicWeight } from './cubic.ts';
import type { Parameters } from './parameters.ts';
import { type Activation, Block, type Heads } from './transformer.ts';

export interface VisionGeometry {
  width: number;
  layers: number;
  heads: number;
  /** Side of a patch, pixels. */
  patch: number;
  /** Patches along each side of the image that the positional embedding was trained for. */
  grid: number;
}

/**
 * CLIP's image encoder: `image` `[B, 3, H, W]`, normalised, H and W multiples of the patch, to `tokens`
 * `[B, H/patch · W/patch, embedding]` and `cls` `[B, embedding]`, both after `ln_post` and the projection.
 *
 * The last `lastLayers` blocks are opened as SegEarth-OV does: their attentions' outputs are summed, without residual
 * and MLP, while `x` steps through the ordinary blocks beside (arXiv 2410.01768 §3.4; for `clip` nothing is opened).
 * `cls` is position 0 of that same output.
 */
export function visionGraph(
  geometry: VisionGeometry,
  activation: Activation,
  attention: AttentionName,
  lastLayers: number,
  parametersOf: (graph: Graph) => Parameters,
  name = 'vision',
): Graph {
  const graph = new Graph(name);
  const parameters = parametersOf(graph);
  const image = graph.input('image', 'float32', ['batch', 3, 'height', 'width']);
  const { tokens, cls } = visionTower(graph, parameters, geometry, activation, attention, lastLayers, image);
  graph.output('tokens', tokens);
  graph.output('cls', cls);
  return graph;
}

/** The encoder inside a graph, which inference and training share; `last` is what the final block works on. */
export function visionTower(
  graph: Graph,
  parameters: Parameters,
  geometry: VisionGeometry,
  activation: Activation,
  attention: AttentionName,
  lastLayers: number,
  image: Value,
): { tokens: Value; cls: Value; last: { block: Block; x: Value; heads: Heads } } {
  const blocks = Array.from(
    { length: geometry.layers },
    (_, layer) =>
      new Block(graph, parameters, `visual.transformer.resblocks.${layer}`, geometry.heads, activation),
  );
  const opened = attention === 'clip' ? 0 : lastLayers;
  let x = embedPatches(graph, parameters, geometry, image, attention === 'gem');
  let sum: Value | null = null;
  for (const [layer, block] of blocks.entries()) {
    const heads = block.heads(x);
    if (layer >= geometry.layers - opened && attention !== 'clip') {
      const dense = block.attend(denseAttention[attention](graph, heads), heads.value);
      sum = sum === null ? dense : add(graph, sum, dense);
      if (layer === geometry.layers - 1)
        return { ...projectTokens(graph, parameters, sum), last: { block, x, heads } };
    }
    const next = block.step(x, heads);
    if (layer === geometry.layers - 1)
      return { ...projectTokens(graph, parameters, next), last: { block, x, heads } };
    x = next;
  }
  throw new Error('a vision tower has at least one layer');
}

/** Class token and patches with their positions, after `ln_pre`: `[B, 1 + N, width]`. */
function embedPatches(
  graph: Graph,
  parameters: Parameters,
  geometry: VisionGeometry,
  image: Value,
  antialiasPositions = false,
): Value {
  return graph.scope('visual.embedding', () => {
    const { patch, width } = geometry;
    const batch = graph.sizeOf(image, 0);
    const rows = graph.scaleSize(graph.sizeOf(image, 2), 1 / patch);
    const columns = graph.scaleSize(graph.sizeOf(image, 3), 1 / patch);
    const patches = convolution(graph, image, parameters.tensor('visual.conv1.weight'), patch, [
      dimensionOf(rows),
      dimensionOf(columns),
    ]);
    const count = graph.multiplySizes(rows, columns);
    const tokens = transpose(graph, graph.reshape(patches, [batch, width, count]), [0, 2, 1]);
    const cls = expand(graph, parameters.tensor('visual.class_embedding'), [batch, 1, width]);
    const positions = positionalEmbedding(graph, parameters, geometry, rows, columns, antialiasPositions);
    const x = add(graph, concatTokens(graph, cls, tokens), positions);
    return layerNorm(
      graph,
      x,
      parameters.tensor('visual.ln_pre.weight'),
      parameters.tensor('visual.ln_pre.bias'),
    );
  });
}

function concatTokens(graph: Graph, cls: Value, tokens: Value): Value {
  const count = tokens.shape[1]!;
  const total = typeof count === 'number' ? count + 1 : `${count}+1`;
  return graph.apply('Concat', [cls, tokens], { axis: 1 }, [tokens.shape[0]!, total, tokens.shape[2]!]);
}

/**
 * The positional embedding for any token grid, `[1 + N, width]`; untouched for the trained grid. As the authors'
 * program: bicubic (a = -0.75) with the scale (target + 0.1) / source in the sample coordinates; with `antialias`, as
 * GEM alone does it, the antialiased kernel (a = -0.5) and the exact scale.
 */
function positionalEmbedding(
  graph: Graph,
  parameters: Parameters,
  geometry: VisionGeometry,
  rows: Size,
  columns: Size,
  antialias: boolean,
): Value {
  return graph.scope('positions', () => {
    const { grid, width } = geometry;
    const all = parameters.tensor('visual.positional_embedding');
    if (rows === grid && columns === grid) return all;
    const cls = slice(graph, all, 0, 0, 1);
    const patches = slice(graph, all, 0, 1, null);
    const plane = transpose(graph, graph.reshape(patches, [1, grid, grid, width]), [0, 3, 1, 2]);
    const count = graph.multiplySizes(rows, columns);
    const resized = antialias
      ? matmul(
          graph,
          matmul(graph, resamplingMatrix(graph, grid, rows), plane),
          transpose(graph, resamplingMatrix(graph, grid, columns), [1, 0]),
        )
      : resizeWithOffset(graph, plane, grid, rows, columns);
    const flat = transpose(graph, graph.reshape(resized, [width, count]), [1, 0]);
    const total = flat.shape[0]!;
    return graph.apply('Concat', [cls, flat], { axis: 0 }, [
      typeof total === 'number' ? total + 1 : `${total}+1`,
      width,
    ]);
  });
}

/** Bicubic resize of a `grid × grid` plane by the scales (target + 0.1) / grid, by 1 where nothing changes. */
function resizeWithOffset(graph: Graph, plane: Value, grid: number, rows: Size, columns: Size): Value {
  const target = cast(graph, concat(graph, [graph.sizeValue(rows), graph.sizeValue(columns)], 0), 'float32');
  const trained = graph.constant(new Float32Array([grid, grid]), [2], 'trained_grid');
  const unchanged = reduceMinimum(graph, cast(graph, equal(graph, target, trained), 'float32'), [0]);
  const offset = where(
    graph,
    equal(graph, unchanged, graph.scalar(1)),
    graph.scalar(0),
    graph.constant(new Float32Array([0.1]), [1], 'scale_offset'),
  );
  const scales = concat(
    graph,
    [
      graph.constant(new Float32Array([1, 1]), [2], 'unscaled'),
      divide(graph, add(graph, target, offset), trained),
    ],
    0,
  );
  return graph.apply(
    'Resize',
    [plane, null, scales],
    { mode: 'cubic', coordinate_transformation_mode: 'half_pixel', cubic_coeff_a: { float: -0.75 } },
    [1, plane.shape[1]!, dimensionOf(rows), dimensionOf(columns)],
  );
}

/** Weights `[to, from]` of antialiased bicubic resampling: the kernel widens with the scale and its rows sum to 1. */
function resamplingMatrix(graph: Graph, from: number, to: Size): Value {
  const target = cast(graph, graph.sizeValue(to), 'float32');
  const scale = divide(graph, graph.scalar(from), target);
  const half = graph.scalar(0.5);
  const centres = multiply(graph, add(graph, cast(graph, range(graph, to), 'float32'), half), scale);
  const samples = add(graph, cast(graph, range(graph, from), 'float32'), half);
  const distance = absolute(
    graph,
    subtract(graph, unsqueeze(graph, samples, [0]), unsqueeze(graph, centres, [1])),
  );
  const widened = divide(graph, distance, maximum(graph, scale, graph.scalar(1)));
  const weights = cubicWeight(graph, widened, -0.5);
  return divide(graph, weights, reduceSum(graph, weights, [1]));
}

/** `ln_post` and the projection: class token and patch tokens apart. */
export function projectTokens(graph: Graph, parameters: Parameters, x: Value): { tokens: Value; cls: Value } {
  return graph.scope('visual.projection', () => {
    const normed = layerNorm(
      graph,
      x,
      parameters.tensor('visual.ln_post.weight'),
      parameters.tensor('visual.ln_post.bias'),
    );
    const projected = matmul(graph, normed, parameters.tensor('visual.proj'));
    const embedding = projected.shape[2]!;
    const first = slice(graph, projected, 1, 0, 1);
    const total = projected.shape[1]!;
    const tokens = slice(
      graph,
      projected,
      1,
      1,
      null,
      typeof total === 'string' && total.endsWith('+1') ? total.slice(0, -2) : undefined,
    );
    return { tokens, cls: graph.reshape(first, [graph.sizeOf(projected, 0), embedding as number]) };
  });
}
