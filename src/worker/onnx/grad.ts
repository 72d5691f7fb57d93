import { gradientRules, type NodeInGraph } from './grad-rules.ts';
import type { Graph } from './graph.ts';
import type { Node, Value } from './node.ts';
import { add } from './operators.ts';
import type { TensorArray } from './tensor.ts';

/**
 * Appends to `graph` the gradients of the scalar `loss` with respect to `sources` (reverse mode) and returns them in
 * the order of `sources`, each with its source's shape; null where the loss does not hang on the source. Shapes must
 * be known. Throws for an operator between source and loss that has no rule.
 */
export function gradients(graph: Graph, loss: Value, sources: readonly Value[]): (Value | null)[] {
  if (loss.shape.some((length) => length !== 1)) throw new Error(`${loss.name} is no scalar`);
  const forward = [...graph.nodes];
  const active = dependents(graph, forward, sources);
  const collected = new Map<string, Value>();
  if (active.has(loss.name))
    collected.set(
      loss.name,
      graph.constant(
        new Float32Array([1]),
        loss.shape.map(() => 1),
        'one',
      ),
    );

  const contents = constantContents(graph);
  graph.scope('gradient', () => {
    for (const node of forward.toReversed()) {
      const arriving = node.outputs.map((name) => collected.get(name) ?? null);
      if (arriving.every((gradient) => gradient === null)) continue;
      if (!node.inputs.some((name) => active.has(name))) continue;
      const rule = gradientRules[node.operator];
      if (!rule) throw new Error(`${node.name}: operator ${node.operator} has no gradient rule`);
      const context: NodeInGraph = {
        graph,
        node,
        inputs: node.inputs.map((name) => graph.values.get(name)!),
        outputs: node.outputs.map((name) => graph.values.get(name)!),
        wanted: node.inputs.map((name) => active.has(name)),
        contents: (value) => contents.get(value.name) ?? null,
      };
      const passed = graph.scope(node.name, () => rule(context, arriving));
      passed.forEach((gradient, at) => {
        const name = node.inputs[at]!;
        if (!gradient || !active.has(name)) return;
        const known = collected.get(name);
        collected.set(name, known ? add(graph, known, gradient) : gradient);
      });
    }
  });
  return sources.map((source) => collected.get(source.name) ?? null);
}

/** Names of float values that hang on a source. */
function dependents(graph: Graph, nodes: readonly Node[], sources: readonly Value[]): Set<string> {
  const active = new Set(sources.map((source) => source.name));
  for (const node of nodes) {
    if (!node.inputs.some((name) => active.has(name))) continue;
    for (const name of node.outputs) if (graph.values.get(name)!.type === 'float32') active.add(name);
  }
  return active;
}

function constantContents(graph: Graph): Map<string, TensorArray> {
  const contents = new Map<string, TensorArray>();
  for (const initializer of graph.initializers)
    if (initializer.contents) contents.set(initializer.value.name, initializer.contents);
  return contents;
}

/** Drops the nodes that no output of the graph needs, and the initializers that then nobody reads. */
export function pruneGraph(graph: Graph): void {
  const needed = new Set(graph.outputs.map((output) => output.name));
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) needed.add(name);
  }
  graph.nodes.splice(0, graph.nodes.length, ...kept.reverse());
  const initializers = graph.initializers.filter(({ value }) => needed.has(value.name));
  graph.initializers.splice(0, graph.initializers.length, ...initializers);
}
