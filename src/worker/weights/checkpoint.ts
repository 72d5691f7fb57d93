import type { ElementType } from './elements.ts';

export interface TensorHeader {
  dtype: ElementType;
  /** Row-major; a scalar is `[]`. */
  shape: number[];
}

/** An open checkpoint file: its tensors under the file's own names. Nothing but the tensor asked for is in memory. */
export interface Checkpoint {
  readonly path: string;
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy' | 'torchscript';
  /** What the file says about itself beside the tensors: `epoch`, `pytorch-lightning_version`, … */
  readonly metadata: Record<string, string>;
  names(): string[];
  header(name: string): TensorHeader;
  /** Row-major float32 values, whatever the stored type. */
  read(name: string, signal?: AbortSignal): Promise<Float32Array>;
  close(): Promise<void>;
}
