import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { transposedSuffix } from '../net/parameters.ts';
import type { ExternalTensor } from '../onnx/model-file.ts';
import { halfBits } from '../weights/half.ts';
import type { NamedWeights } from '../weights/named-weights.ts';

/** Tensors start at multiples of this many bytes, a memory page. */
const alignment = 4096;

/** Appends parameters to one file beside the graphs, one tensor in memory at a time. */
export class WeightsWriter {
  readonly places = new Map<string, ExternalTensor>();
  readonly #file: FileHandle;
  readonly #location: string;
  readonly #storage: 'float32' | 'float16';
  readonly #hash: Hash = createHash('sha256');
  #offset = 0;

  private constructor(file: FileHandle, location: string, storage: 'float32' | 'float16') {
    this.#file = file;
    this.#location = location;
    this.#storage = storage;
  }

  static async create(folder: string, name: string, storage: 'float32' | 'float16'): Promise<WeightsWriter> {
    return new WeightsWriter(await open(path.join(folder, name), 'w'), name, storage);
  }

  /** Writes the parameter, transposed where its name says so; once only. */
  async add(name: string, weights: NamedWeights, signal?: AbortSignal): Promise<void> {
    if (this.places.has(name)) return;
    const transposed = name.endsWith(transposedSuffix);
    const source = transposed ? name.slice(0, -transposedSuffix.length) : name;
    const read = await weights.read(source, signal);
    const values = transposed ? transpose(read, weights.shape(source)[0]!) : read;
    const stored = this.#storage === 'float16' ? toHalf(values) : values;
    const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
    const padding = (alignment - (this.#offset % alignment)) % alignment;
    await this.#append(new Uint8Array(padding));
    this.places.set(name, { location: this.#location, offset: this.#offset, length: bytes.byteLength });
    await this.#append(bytes);
  }

  /** Flushes to disk; returns the file's size and digest. */
  async finish(): Promise<{ bytes: number; sha256: string }> {
    await this.#file.sync();
    await this.#file.close();
    return { bytes: this.#offset, sha256: this.#hash.digest('hex') };
  }

  /** Closes the file without further ado; harmless after `finish`. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  async #append(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    let written = 0;
    while (written < bytes.byteLength) {
      written += (await this.#file.write(bytes, written, bytes.byteLength - written)).bytesWritten;
    }
    this.#offset += bytes.byteLength;
  }
}

/** `[rows, columns]` to `[columns, rows]`, in squares that stay in the cache. */
function transpose(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  const out = new Float32Array(values.length);
  const side = 32;
  for (let row0 = 0; row0 < rows; row0 += side) {
    const rowEnd = Math.min(row0 + side, rows);
    for (let column0 = 0; column0 < columns; column0 += side) {
      const columnEnd = Math.min(column0 + side, columns);
      for (let row = row0; row < rowEnd; row++) {
        for (let column = column0; column < columnEnd; column++) {
          out[column * rows + row] = values[row * columns + column]!;
        }
      }
    }
  }
  return out;
}

function toHalf(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = halfBits(values[i]!);
  return out;
}
