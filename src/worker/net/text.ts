import { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import { add, expand, gather, layerNorm, matmul, range, unsqueeze, where } from '../onnx/operators.ts';
import type { Parameters } from './parameters.ts';
import { type Activation, Block } from './transformer.ts';

export interface TextGeometry {
  width: number;
  layers: number;
  heads: number;
  /** Longest prompt, tokens. */
  context: number;
}

/**
 * CLIP's text encoder: `ids` int64 `[B, length]`, length ≤ context, and `end` int64 `[B]`, the position of each
 * prompt's end token, to `embedding` `[B, embedding]` (not normalised). The mask is causal, so padding after the end
 * token never matters and prompts may be cut to the longest of the batch.
 */
export function textGraph(
  geometry: TextGeometry,
  activation: Activation,
  parametersOf: (graph: Graph) => Parameters,
): Graph {
  const graph = new Graph('text');
  const parameters = parametersOf(graph);
  const ids = graph.input('ids', 'int64', ['batch', 'length']);
  const end = graph.input('end', 'int64', ['batch']);
  graph.output('embedding', textTower(graph, parameters, geometry, activation, ids, end));
  return graph;
}

/** The encoder inside a graph, which inference and training share. */
export function textTower(
  graph: Graph,
  parameters: Parameters,
  geometry: TextGeometry,
  activation: Activation,
  ids: Value,
  end: Value,
): Value {
  const positions = graph.scope('positions', () => range(graph, graph.sizeOf(ids, 1)));
  let x = graph.scope('embedding', () =>
    add(
      graph,
      gather(graph, parameters.tensor('token_embedding.weight'), ids),
      gather(graph, parameters.tensor('positional_embedding'), positions),
    ),
  );
  const mask = graph.scope('mask', () => {
    const future = graph.apply('Greater', [
      unsqueeze(graph, positions, [0]),
      unsqueeze(graph, positions, [1]),
    ]);
    return where(graph, future, graph.scalar(-1e9), graph.scalar(0));
  });
  for (let layer = 0; layer < geometry.layers; layer++) {
    const block = new Block(graph, parameters, `transformer.resblocks.${layer}`, geometry.heads, activation);
    x = block.step(x, block.heads(x), mask);
  }
  return graph.scope('projection', () => {
    const normed = layerNorm(
      graph,
      x,
      parameters.tensor('ln_final.weight'),
      parameters.tensor('ln_final.bias'),
    );
    const at = unsqueeze(graph, end, [1, 2]);
    const index = expand(graph, at, [graph.sizeOf(ids, 0), 1, geometry.width]);
    const last = graph.apply('GatherElements', [normed, index], { axis: 1 });
    const flat = graph.reshape(last, [graph.sizeOf(ids, 0), geometry.width]);
    return matmul(graph, flat, parameters.tensor('text_projection'));
  });
}
