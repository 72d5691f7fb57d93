import { halfValues } from './half.ts';

/** Element types a checkpoint may hold. */
export type ElementType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

export const bytesPerElement: Record<ElementType, number> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** Elements in a row-major array of this shape; `Infinity` when the product is not an exact integer. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const extent of shape) count *= extent;
  return Number.isSafeInteger(count) ? count : Number.POSITIVE_INFINITY;
}

const pieceBytes = 1 << 20;

/**
 * Collects little-endian bytes that arrive in pieces of any length and stores them as float32 from `out[0]` on.
 * Memory beside `out`: one piece of 1 MiB.
 */
export class ElementSink {
  readonly type: ElementType;
  readonly out: Float32Array;
  /** Elements stored so far. */
  stored = 0;
  #piece: Uint8Array;
  #filled = 0;

  constructor(type: ElementType, out: Float32Array) {
    this.type = type;
    this.out = out;
    this.#piece = new Uint8Array(Math.max(8, Math.min(pieceBytes, out.length * bytesPerElement[type])));
  }

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const taken = Math.min(bytes.length - at, this.#piece.length - this.#filled);
      this.#piece.set(bytes.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#piece.length) this.#decode();
    }
  }

  /** Stores what is left; returns the number of elements stored in all. */
  end(): number {
    this.#decode();
    return this.stored;
  }

  #decode(): void {
    const count = Math.floor(this.#filled / bytesPerElement[this.type]);
    decode(this.type, this.#piece.buffer as ArrayBuffer, count, this.out, this.stored);
    this.stored += count;
    this.#filled = 0;
  }
}

/** Decodes `count` little-endian elements from the start of `source` to float32 values at `out[at]`. */
function decode(type: ElementType, source: ArrayBuffer, count: number, out: Float32Array, at: number): void {
  switch (type) {
    case 'float32':
      out.set(new Float32Array(source, 0, count), at);
      return;
    case 'float64':
      out.set(new Float64Array(source, 0, count), at);
      return;
    case 'float16': {
      const values = halfValues();
      const bits = new Uint16Array(source, 0, count);
      for (let i = 0; i < count; i++) out[at + i] = values[bits[i]!]!;
      return;
    }
    case 'bfloat16': {
      // bfloat16 is the upper half of a float32.
      const bits = new Uint16Array(source, 0, count);
      const target = new Uint32Array(out.buffer, out.byteOffset + at * 4, count);
      for (let i = 0; i < count; i++) target[i] = bits[i]! << 16;
      return;
    }
    case 'int64': {
      const values = new BigInt64Array(source, 0, count);
      for (let i = 0; i < count; i++) out[at + i] = Number(values[i]!);
      return;
    }
    case 'int32':
      out.set(new Int32Array(source, 0, count), at);
      return;
    case 'int16':
      out.set(new Int16Array(source, 0, count), at);
      return;
    case 'int8':
      out.set(new Int8Array(source, 0, count), at);
      return;
    case 'uint8':
    case 'bool':
      out.set(new Uint8Array(source, 0, count), at);
      return;
  }
}
