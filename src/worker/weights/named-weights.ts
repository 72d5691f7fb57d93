import { missingTensor } from './read-tensor.ts';

/** Tensors under this program's names (OpenCLIP's for CLIP), read one at a time so that only one need be in memory. */
export interface NamedWeights {
  /** Where they come from, for messages: a file path or a description. */
  readonly source: string;
  names(): string[];
  /** Row-major shape; a scalar is `[]`. Throws `checkpoint/missing-tensor` for an unknown name. */
  shape(name: string): number[];
  /** Row-major float32 values of the shape. */
  read(name: string, signal?: AbortSignal): Promise<Float32Array>;
}

/** Arrays that are in memory already, as weights. */
export function weightsInMemory(
  source: string,
  tensors: ReadonlyMap<string, { shape: readonly number[]; values: Float32Array }>,
): NamedWeights {
  const find = (name: string) => tensors.get(name) ?? missingTensor(source, name);
  return {
    source,
    names: () => [...tensors.keys()],
    shape: (name) => [...find(name).shape],
    read: async (name) => find(name).values,
  };
}
