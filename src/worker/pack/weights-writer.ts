import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { transposedSuffix } from '../net/parameters.ts';
import type { ExternalTensor } from '../onnx/model-file.ts';
import type { Value } from '../onnx/node.ts';
import { halfBits } from '../weights/half.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import { int8Columns, int8Suffix, scalesSuffix } from './int8-graph.ts';
import { transpose } from './transpose.ts';

/** Tensors start at multiples of this many bytes, a memory page. */
const alignment = 4096;

/** Appends parameters to one file beside the graphs, one tensor in memory at a time. */
export class WeightsWriter {
  readonly places = new Map<string, ExternalTensor>();
  readonly #file: FileHandle;
  readonly #location: string;
  readonly #hash: Hash = createHash('sha256');
  #offset = 0;

  private constructor(file: FileHandle, location: string) {
    this.#file = file;
    this.#location = location;
  }

  static async create(folder: string, name: string): Promise<WeightsWriter> {
    return new WeightsWriter(await open(path.join(folder, name), 'w'), name);
  }

  /** Writes the parameter in its type, in the form that its name's ending says; once only. */
  async add({ name, type }: Value, weights: NamedWeights, signal?: AbortSignal): Promise<void> {
    if (this.places.has(name)) return;
    const ending = [int8Suffix, scalesSuffix, transposedSuffix].find((each) => name.endsWith(each));
    const source = ending === undefined ? name : name.slice(0, -ending.length);
    const read = await weights.read(source, signal);
    if (ending === undefined) await this.#write(name, stored(read, type));
    else {
      const outputs = weights.shape(source)[0]!;
      const matrix = transpose(read, outputs);
      if (ending === transposedSuffix) await this.#write(name, stored(matrix, type));
      else {
        const { numbers, scales } = int8Columns(matrix, outputs);
        await this.#write(source + int8Suffix, numbers);
        await this.#write(source + scalesSuffix, scales);
      }
    }
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

  async #write(name: string, array: Float32Array | Uint16Array | Int8Array): Promise<void> {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const padding = (alignment - (this.#offset % alignment)) % alignment;
    await this.#append(new Uint8Array(padding));
    this.places.set(name, { location: this.#location, offset: this.#offset, length: bytes.byteLength });
    await this.#append(bytes);
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

function stored(values: Float32Array, type: Value['type']): Float32Array | Uint16Array {
  if (type === 'float32') return values;
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = halfBits(values[i]!);
  return out;
}
