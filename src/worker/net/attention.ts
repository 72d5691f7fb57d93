import type { Graph, Value } from '../onnx/graph.ts';
import { add } from '../onnx/operators.ts';
import { attention, type Heads } from './transformer.ts';

/**
 * How the last blocks attend in the dense output. `clip` is the ordinary forward pass (residual and MLP kept); the
 * others drop both: the output is the sum of the last blocks' attentions alone.
 */
export const attentionNames = ['clip', 'vanilla', 'maskclip', 'sclip', 'clearclip', 'segearth'] as const;
export type AttentionName = (typeof attentionNames)[number];

/** Attention weights `[B, heads, N, N]` of each dense variant; null is the identity (SegEarth-OV, §3.4 and its table 6). */
export const denseAttention: Record<
  Exclude<AttentionName, 'clip'>,
  (graph: Graph, heads: Heads) => Value | null
> = {
  vanilla: (graph, { query, key }) => attention(graph, query, key),
  maskclip: () => null,
  sclip: (graph, { query, key }) => add(graph, attention(graph, query, query), attention(graph, key, key)),
  clearclip: (graph, { query }) => attention(graph, query, query),
  segearth: (graph, { query, key, value }) =>
    add(
      graph,
      add(graph, attention(graph, query, query), attention(graph, key, key)),
      attention(graph, value, value),
    ),
};

/** Numbers of last blocks that a variant may open; `clip` opens none, so one graph serves both. */
export function lastLayerChoices(attention: AttentionName): readonly number[] {
  return attention === 'clip' ? [1] : [1, 2];
}

/** Name of a variant among a pack's graphs: `segearth-1`. */
export function variantName(attention: AttentionName, lastLayers: number): string {
  return attention === 'clip' ? 'clip' : `${attention}-${lastLayers}`;
}
