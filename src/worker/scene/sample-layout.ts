import { endianness } from 'node:os';
import type { Samples } from '../raster/bands.ts';
import type { BandHeader } from './scene.ts';

/** How a TIFF stores its samples; one layout for all samples of an image. */
export interface SampleLayout {
  /** Bits of one sample; of both parts together for complex samples. */
  bits: number;
  format: 'unsigned' | 'signed' | 'float' | 'complex-integer' | 'complex-float';
  littleEndian: boolean;
}

const hostIsLittleEndian = endianness() === 'LE';

/** The element type that `decodeSamples` gives for a layout, or null for one it cannot read. */
export function sampleType(layout: SampleLayout): BandHeader['type'] | null {
  const { bits, format } = layout;
  if (format === 'unsigned') {
    if (bits >= 1 && bits <= 8) return 'uint8';
    if (bits <= 16) return 'uint16';
    return bits <= 32 ? 'uint32' : null;
  }
  if (format === 'signed') return bits === 8 ? 'int8' : bits === 16 ? 'int16' : bits === 32 ? 'int32' : null;
  if (format === 'float') {
    return bits === 16 || bits === 24 || bits === 32 ? 'float32' : bits === 64 ? 'float64' : null;
  }
  if (format === 'complex-integer') return bits === 32 || bits === 64 ? 'complex' : null;
  return bits === 64 || bits === 128 ? 'complex' : null;
}

/** Bytes of one row of `count` samples: rows of odd bit widths end on a byte. */
export function rowBytes(layout: SampleLayout, count: number): number {
  return Math.ceil((count * layout.bits) / 8);
}

/** Bytes per element of an array of this type; complex samples are kept as their magnitude, a float32. */
export function bytesPerElement(type: BandHeader['type']): number {
  if (type === 'uint8' || type === 'int8') return 1;
  if (type === 'uint16' || type === 'int16') return 2;
  return type === 'float64' ? 8 : 4;
}

/** A zeroed array of this type. */
export function samplesOf(type: BandHeader['type'], length: number): Samples {
  switch (type) {
    case 'uint8':
      return new Uint8Array(length);
    case 'int8':
      return new Int8Array(length);
    case 'uint16':
      return new Uint16Array(length);
    case 'int16':
      return new Int16Array(length);
    case 'uint32':
      return new Uint32Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'float32':
    case 'complex':
      return new Float32Array(length);
    case 'float64':
      return new Float64Array(length);
  }
}

/**
 * Undoes TIFF's predictors in place, row by row: 2, horizontal differences (TIFF 6.0 §14), and 3, floating point
 * (Adobe Photoshop TIFF Technical Note 3). `bytes` holds rows of `width` pixels with `stride` interleaved samples.
 * After predictor 3 samples are little-endian whatever the file is. Returns false for combinations that do not exist.
 */
export function undoPredictor(
  bytes: Uint8Array,
  predictor: number,
  layout: SampleLayout,
  width: number,
  stride: number,
): boolean {
  const size = layout.bits / 8;
  const row = width * stride * size;
  const rows = Math.floor(bytes.length / row);
  if (predictor === 2) {
    if (size === 1) {
      for (let y = 0; y < rows; y++) {
        const end = (y + 1) * row;
        for (let at = y * row + stride; at < end; at++) bytes[at] = bytes[at]! + bytes[at - stride]!;
      }
      return true;
    }
    if (size !== 2 && size !== 4 && size !== 8) return false;
    const step = stride * size;
    for (let y = 0; y < rows; y++) {
      const end = (y + 1) * row;
      for (let at = y * row + step; at < end; at += size) {
        let carry = 0;
        for (let index = 0; index < size; index++) {
          const place = layout.littleEndian ? at + index : at + size - 1 - index;
          const sum = bytes[place]! + bytes[place - step]! + carry;
          bytes[place] = sum;
          carry = sum >>> 8;
        }
      }
    }
    return true;
  }
  if (predictor !== 3 || layout.format !== 'float') return false;
  const count = width * stride;
  const scratch = new Uint8Array(row);
  for (let y = 0; y < rows; y++) {
    const line = bytes.subarray(y * row, (y + 1) * row);
    for (let at = stride; at < row; at++) line[at] = line[at]! + line[at - stride]!;
    scratch.set(line);
    // Byte planes, the most significant first.
    for (let plane = 0; plane < size; plane++) {
      const from = (size - 1 - plane) * count;
      for (let index = 0; index < count; index++) line[index * size + plane] = scratch[from + index]!;
    }
  }
  return true;
}

/**
 * Samples of decoded bytes as an array of `sampleType(layout)`; complex ones as their magnitude. `width` is samples per
 * row (pixels times interleaved samples), `rows` rows. Throws RangeError when `bytes` is too short.
 */
export function decodeSamples(bytes: Uint8Array, layout: SampleLayout, width: number, rows: number): Samples {
  const type = sampleType(layout);
  if (type === null) throw new RangeError(`samples of ${layout.bits} bits (${layout.format})`);
  const needed = rowBytes(layout, width) * rows;
  if (bytes.length < needed) throw new RangeError(`${bytes.length} of ${needed} bytes`);
  const length = width * rows;
  const { bits, format, littleEndian } = layout;
  if (format === 'unsigned' && bits !== 8 && bits !== 16 && bits !== 32) {
    return unpackBits(bytes, layout, type, width, rows);
  }
  if (format === 'float' && (bits === 16 || bits === 24)) return smallFloats(bytes, layout, length);
  const native = littleEndian === hostIsLittleEndian;
  const part = format.startsWith('complex') ? bits / 16 : bits / 8;
  const flat = part === 1 || native ? bytes.subarray(0, needed) : swapped(bytes.subarray(0, needed), part);
  const size = format.startsWith('complex') ? part : bytesPerElement(type);
  const aligned = flat.byteOffset % size === 0 ? flat : new Uint8Array(flat);
  const { buffer, byteOffset } = aligned;
  if (format === 'complex-integer') {
    return bits === 32
      ? magnitudes(new Int16Array(buffer, byteOffset, length * 2))
      : magnitudes(new Int32Array(buffer, byteOffset, length * 2));
  }
  if (format === 'complex-float') {
    return bits === 64
      ? magnitudes(new Float32Array(buffer, byteOffset, length * 2))
      : magnitudes(new Float64Array(buffer, byteOffset, length * 2));
  }
  switch (type) {
    case 'uint8':
      return new Uint8Array(buffer, byteOffset, length);
    case 'int8':
      return new Int8Array(buffer, byteOffset, length);
    case 'uint16':
      return new Uint16Array(buffer, byteOffset, length);
    case 'int16':
      return new Int16Array(buffer, byteOffset, length);
    case 'uint32':
      return new Uint32Array(buffer, byteOffset, length);
    case 'int32':
      return new Int32Array(buffer, byteOffset, length);
    case 'float64':
      return new Float64Array(buffer, byteOffset, length);
    default:
      return new Float32Array(buffer, byteOffset, length);
  }
}

function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const copy = Buffer.from(bytes);
  if (size === 2) copy.swap16();
  else if (size === 4) copy.swap32();
  else copy.swap64();
  return copy;
}

function magnitudes(parts: Int16Array | Int32Array | Float32Array | Float64Array): Float32Array {
  const result = new Float32Array(parts.length / 2);
  for (let index = 0; index < result.length; index++) {
    const real = parts[2 * index]!;
    const imaginary = parts[2 * index + 1]!;
    result[index] = Math.sqrt(real * real + imaginary * imaginary);
  }
  return result;
}

function unpackBits(
  bytes: Uint8Array,
  layout: SampleLayout,
  type: BandHeader['type'],
  width: number,
  rows: number,
): Samples {
  const { bits, littleEndian } = layout;
  const result = samplesOf(type, width * rows);
  const row = rowBytes(layout, width);
  // Whole-byte samples follow the file's byte order; packed ones run from the most significant bit.
  if (bits === 24) {
    for (let index = 0; index < result.length; index++) {
      const at = 3 * index;
      result[index] = littleEndian
        ? bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
        : (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    }
    return result;
  }
  for (let y = 0; y < rows; y++) {
    let at = y * row;
    let accumulator = 0;
    let held = 0;
    for (let x = 0; x < width; x++) {
      let value = 0;
      let wanted = bits;
      while (wanted > 0) {
        if (held === 0) {
          accumulator = bytes[at++]!;
          held = 8;
        }
        const take = Math.min(wanted, held);
        held -= take;
        value = value * 2 ** take + ((accumulator >>> held) & ((1 << take) - 1));
        wanted -= take;
      }
      result[y * width + x] = value;
    }
  }
  return result;
}

function smallFloats(bytes: Uint8Array, layout: SampleLayout, length: number): Float32Array {
  const result = new Float32Array(length);
  const half = layout.bits === 16;
  const size = half ? 2 : 3;
  // IEEE 754 binary16, and TIFF's 24-bit float: 1 sign, 7 exponent (bias 63), 16 mantissa bits.
  const mantissaBits = half ? 10 : 16;
  const exponentMask = half ? 31 : 127;
  const bias = half ? 15 : 63;
  const mantissaMask = (1 << mantissaBits) - 1;
  const unit = 2 ** -mantissaBits;
  for (let index = 0; index < length; index++) {
    let word = 0;
    for (let byte = 0; byte < size; byte++) {
      word |= bytes[index * size + byte]! << (8 * (layout.littleEndian ? byte : size - 1 - byte));
    }
    const sign = (word >>> (8 * size - 1)) & 1 ? -1 : 1;
    const exponent = (word >>> mantissaBits) & exponentMask;
    const mantissa = word & mantissaMask;
    let value: number;
    if (exponent === exponentMask) value = mantissa === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) value = mantissa * unit * 2 ** (1 - bias);
    else value = (1 + mantissa * unit) * 2 ** (exponent - bias);
    result[index] = sign * value;
  }
  return result;
}
