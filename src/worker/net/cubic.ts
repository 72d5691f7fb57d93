import type { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import { add, less, lessOrEqual, multiply, where } from '../onnx/operators.ts';

/** Keys' cubic convolution kernel with parameter `a`, of distances ≥ 0 in samples; 0 from two samples on. */
export function cubicWeight(graph: Graph, distance: Value, a: number): Value {
  const polynomial = (c3: number, c2: number, c1: number, c0: number) => {
    const scalar = (number: number) => graph.scalar(number);
    let value = add(graph, multiply(graph, distance, scalar(c3)), scalar(c2));
    value = add(graph, multiply(graph, value, distance), scalar(c1));
    return add(graph, multiply(graph, value, distance), scalar(c0));
  };
  const near = polynomial(a + 2, -(a + 3), 0, 1);
  const far = polynomial(a, -5 * a, 8 * a, -4 * a);
  const outer = where(graph, less(graph, distance, graph.scalar(2)), far, graph.scalar(0));
  return where(graph, lessOrEqual(graph, distance, graph.scalar(1)), near, outer);
}
