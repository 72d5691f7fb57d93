import type { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  add,
  divide,
  matmul,
  multiply,
  reduceMean,
  reduceSumSquare,
  softmax,
  squareRoot,
  transpose,
  unsqueeze,
} from '../onnx/operators.ts';
import { attention, type Heads } from './transformer.ts';

/**
 * How the last blocks attend in the dense output. `clip` is the ordinary forward pass (residual and MLP kept); the
 * others drop both: the output is the sum of the last blocks' attentions alone.
 */
export const attentionNames = [
  'clip',
  'vanilla',
  'maskclip',
  'sclip',
  'gem',
  'clearclip',
  'segearth',
] as const;
export type AttentionName = (typeof attentionNames)[number];

/** Attention weights `[B, heads, N, N]` of each dense variant; null is the identity (SegEarth-OV, §3.4 and its table 6). */
export const denseAttention: Record<
  Exclude<AttentionName, 'clip'>,
  (graph: Graph, heads: Heads) => Value | null
> = {
  vanilla: (graph, { query, key }) => attention(graph, query, key),
  maskclip: () => null,
  sclip: (graph, { query, key }) => add(graph, attention(graph, query, query), attention(graph, key, key)),
  gem: gemAttention,
  clearclip: (graph, { query }) => attention(graph, query, query),
  segearth: (graph, { query, key, value }) =>
    add(
      graph,
      add(graph, attention(graph, query, query), attention(graph, key, key)),
      attention(graph, value, value),
    ),
};

/**
 * GEM (Bousselham et al., arXiv 2312.00878): values, keys and queries each normalised, mixed once by their own
 * similarities, and normalised again; the mean of the three similarities then attends. Its temperature is the mean
 * norm of the block's input over √size.
 */
function gemAttention(graph: Graph, { input, query, key, value }: Heads): Value {
  const size = value.shape[3] as number;
  const norms = squareRoot(graph, reduceSumSquare(graph, input, [2]));
  const temperature = unsqueeze(
    graph,
    multiply(graph, reduceMean(graph, norms, [1, 2]), graph.scalar(size ** -0.5)),
    [1],
  );
  const direction = (x: Value) => divide(graph, x, squareRoot(graph, reduceSumSquare(graph, x, [3])));
  const selfSimilarity = (x: Value) =>
    softmax(graph, multiply(graph, matmul(graph, x, transpose(graph, x, [0, 1, 3, 2])), temperature));
  const weights = [value, key, query].map((one) => {
    const unit = direction(one);
    return selfSimilarity(direction(matmul(graph, selfSimilarity(unit), unit)));
  });
  const sum = weights.reduce((all, one) => add(graph, all, one));
  return divide(graph, sum, graph.scalar(weights.length));
}

/** Whether a variant has a choice of last blocks: `clip` opens none, and of GEM's only the last reaches the output. */
const isFixed = (attention: AttentionName): boolean => attention === 'clip' || attention === 'gem';

/** Numbers of last blocks that a variant may open. */
export function lastLayerChoices(attention: AttentionName): readonly number[] {
  return isFixed(attention) ? [1] : [1, 2];
}

/** Name of a variant among a pack's graphs: `segearth-1`. */
export function variantName(attention: AttentionName, lastLayers: number): string {
  return isFixed(attention) ? attention : `${attention}-${lastLayers}`;
}
