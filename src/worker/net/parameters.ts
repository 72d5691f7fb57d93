import type { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';

/**
 * Hands a net its weights as values of the graph under construction: initializers of a pack's graph, or inputs of a
 * training step. Names are OpenCLIP's.
 */
export interface Parameters {
  /** The tensor as the checkpoint holds it. */
  tensor(name: string): Value;
  /** The weight `[out, in, …1]` of a linear layer or 1×1 convolution as the matrix `[in, out]` that `x · W` needs. */
  matrix(name: string): Value;
}

/** Ending of a parameter that is stored as `[in, out]`. */
export const transposedSuffix = '.transposed';

/** Parameters as initializers whose contents the pack keeps in a file beside the graph. */
export function graphParameters(
  graph: Graph,
  shapeOf: (name: string) => readonly number[],
  storage: 'float32' | 'float16' = 'float32',
): Parameters {
  return {
    tensor: (name) => graph.parameter(name, shapeOf(name), storage),
    matrix: (name) => {
      const [outputs, inputs] = shapeOf(name);
      return graph.parameter(`${name}${transposedSuffix}`, [inputs!, outputs!], storage);
    },
  };
}
