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
