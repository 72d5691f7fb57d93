import { constants, crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { Problem } from '../report/problem.ts';
import type { Basis } from './basis.ts';
import type { EncodedWindow } from './encoded-window.ts';

/**
 * How windows lie on the disk. `exact`: the floats themselves. `compact`: coordinates in an orthonormal basis, rounded
 * to multiples of one step. Rounding all coordinates alike is what loses least for the bytes (reverse water-filling),
 * and no prompt can be turned so that it loses more than another; coordinates that round to zero cost nothing once
 * deflated.
 */
export type Precision = { kind: 'exact' } | { kind: 'compact'; basis: Basis; step: number };

/** Turns encoded windows into records and back. A record: uint32 CRC of the rest, then the rest. */
export class WindowCodec {
  readonly embedding: number;
  readonly precision: Precision;

  constructor(embedding: number, precision: Precision) {
    this.embedding = embedding;
    this.precision = precision;
  }

  encode(window: EncodedWindow): Uint8Array {
    const { rows, columns, tokens, cls } = window;
    const size = this.embedding;
    const count = rows * columns;
    if (tokens.length !== count * size || cls.length !== size)
      throw new RangeError(`a window of ${rows} × ${columns} tokens has ${tokens.length} values`);
    const body =
      this.precision.kind === 'exact'
        ? bytesOf(tokens)
        : deflateRawSync(quantise(tokens, count, this.precision.basis, this.precision.step), {
            level: 6,
            strategy: constants.Z_DEFAULT_STRATEGY,
          });
    const record = Buffer.alloc(8 + size * 4 + body.length);
    record.writeUInt16LE(rows, 4);
    record.writeUInt16LE(columns, 6);
    for (let i = 0; i < size; i++) record.writeFloatLE(cls[i]!, 8 + i * 4);
    record.set(body, 8 + size * 4);
    record.writeUInt32LE(crc32(record.subarray(4)), 0);
    return record;
  }

  /** The class token of a record, `[embedding]`, without taking the rest apart. Throws as `decode`. */
  classToken(record: Uint8Array, path: string): Float32Array {
    const view = this.#checked(record, path);
    return Float32Array.from({ length: this.embedding }, (_, i) => view.readFloatLE(8 + i * 4));
  }

  /**
   * The window of a record; `path` names the file in problems.
   * Throws `features/damaged` for a record whose checksum or size is wrong.
   */
  decode(record: Uint8Array, path: string): EncodedWindow {
    const size = this.embedding;
    const view = this.#checked(record, path);
    const rows = view.readUInt16LE(4);
    const columns = view.readUInt16LE(6);
    const count = rows * columns;
    const cls = new Float32Array(size);
    for (let i = 0; i < size; i++) cls[i] = view.readFloatLE(8 + i * 4);
    const body = view.subarray(8 + size * 4);
    if (this.precision.kind === 'exact') {
      if (body.length !== count * size * 4) throw damaged(path);
      const tokens = new Float32Array(count * size);
      for (let i = 0; i < tokens.length; i++) tokens[i] = body.readFloatLE(i * 4);
      return { rows, columns, tokens, cls };
    }
    // Two bytes a coordinate are the most there can be.
    const limit = 4 + count * size * 2;
    let packed: Buffer;
    try {
      packed = inflateRawSync(body, { maxOutputLength: limit });
    } catch {
      throw damaged(path);
    }
    const tokens = restore(packed, count, this.precision.basis, this.precision.step);
    if (tokens === null) throw damaged(path);
    return { rows, columns, tokens, cls };
  }

  #checked(record: Uint8Array, path: string): Buffer {
    const view = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
    if (view.length < 8 + this.embedding * 4 || view.readUInt32LE(0) !== crc32(view.subarray(4)))
      throw damaged(path);
    return view;
  }
}

/**
 * Rounded coordinates: uint16 number of leading coordinates kept, uint16 how many of those need two bytes; then those,
 * low bytes and high bytes apart, then the rest in one byte, a coordinate's values of all tokens together.
 */
function quantise(
  tokens: Float32Array,
  count: number,
  { size, mean, directions }: Basis,
  step: number,
): Uint8Array {
  const levels = new Int16Array(count * size);
  const largest = new Uint16Array(size);
  const centred = new Float32Array(size);
  for (let token = 0; token < count; token++) {
    for (let i = 0; i < size; i++) centred[i] = tokens[token * size + i]! - mean[i]!;
    for (let direction = 0; direction < size; direction++) {
      let sum = 0;
      const row = direction * size;
      for (let i = 0; i < size; i++) sum += centred[i]! * directions[row + i]!;
      const level = Math.max(-32767, Math.min(32767, Math.round(sum / step)));
      levels[direction * count + token] = level;
      largest[direction] = Math.max(largest[direction]!, Math.abs(level));
    }
  }
  let kept = size;
  while (kept > 0 && largest[kept - 1] === 0) kept--;
  let wide = kept;
  while (wide > 0 && largest[wide - 1]! <= 127) wide--;
  const out = new Uint8Array(4 + wide * count * 2 + (kept - wide) * count);
  const view = new DataView(out.buffer);
  view.setUint16(0, kept, true);
  view.setUint16(2, wide, true);
  let at = 4;
  for (let i = 0; i < wide * count; i++) {
    const level = levels[i]!;
    out[at + i] = level & 255;
    out[at + wide * count + i] = (level >> 8) & 255;
  }
  at += wide * count * 2;
  for (let i = wide * count; i < kept * count; i++) out[at++] = levels[i]! & 255;
  return out;
}

/** Tokens `[count, size]`, or null where the sizes do not agree. */
function restore(
  packed: Buffer,
  count: number,
  { size, mean, directions }: Basis,
  step: number,
): Float32Array | null {
  if (packed.length < 4) return null;
  const kept = packed.readUInt16LE(0);
  const wide = packed.readUInt16LE(2);
  if (kept > size || wide > kept || packed.length !== 4 + (wide + kept) * count) return null;
  const tokens = new Float32Array(count * size);
  for (let token = 0; token < count; token++) tokens.set(mean, token * size);
  for (let direction = 0; direction < kept; direction++) {
    const row = direction * size;
    for (let token = 0; token < count; token++) {
      const i = direction * count + token;
      const level =
        direction < wide
          ? packed[4 + i]! | (packed.readInt8(4 + wide * count + i) << 8)
          : packed.readInt8(4 + wide * count + i);
      if (level === 0) continue;
      const value = level * step;
      const start = token * size;
      for (let j = 0; j < size; j++) tokens[start + j]! += value * directions[row + j]!;
    }
  }
  return tokens;
}

function bytesOf(values: Float32Array): Uint8Array {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    out.writeFloatLE(value, i * 4);
  });
  return out;
}

function damaged(path: string): Problem {
  return new Problem(
    'features/damaged',
    `${path}: a stored window is damaged.`,
    'Remove the stored features and encode the scene again.',
  );
}
