import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, inflateRaw } from 'node:zlib';
import type { Coordinates } from './coordinates.ts';
import type { PixelBasis } from './pixel-basis.ts';
import { damagedStore } from './record-log.ts';

/**
 * Blocks of coordinates as records: uint32 CRC of the rest, then a deflated body. The body: one byte, whether a mask
 * follows; the mask, one byte a pixel; one byte a direction, the bits of its levels (0: all are zero), 128 more where
 * they are predicted; the levels, a direction after the other. A predicted level is stored as what a prediction from its
 * neighbours above and to the left leaves (the median predictor of LOCO-I, Weinberger, Seroussi and Sapiro 2000); levels
 * of directions that hardly vary are better off, and sooner read, as they are. Numbers are folded to be ≥ 0: 16 bits as
 * low bytes and high bytes apart; 8 bits; or 4 or 2 bits, several a byte from the lowest bits up, where the largest
 * number stands for itself and more, and the bytes that follow say how much more for each in turn. Codes of less than a
 * byte let deflate spend less than a bit on a level, which most levels are worth.
 */

const deflate = promisify<Buffer, { level: number; strategy: number }, Buffer>(deflateRaw);
const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflateRaw);

/** Null for a block without measurements. */
export async function encodeBlock({
  basis,
  width,
  height,
  levels,
  valid,
}: Coordinates): Promise<Buffer | null> {
  if (!valid.includes(1)) return null;
  const pixels = width * height;
  const { rank } = basis;
  const masked = valid.includes(0);
  const body = Buffer.alloc(1 + (masked ? pixels : 0) + rank + 2 * rank * pixels);
  body[0] = masked ? 1 : 0;
  let at = 1;
  if (masked) {
    body.set(valid, at);
    at += pixels;
  }
  const bits = at;
  at += rank;
  const plain = new Uint16Array(pixels);
  const rest = new Uint16Array(pixels);
  for (let k = 0; k < rank; k++) {
    foldPlain(levels, k, rank, width, height, plain);
    takeApart(levels, k, rank, width, height, rest);
    const predicted = bitsOfAll(rest) < 0.98 * bitsOfAll(plain);
    const numbers = predicted ? rest : plain;
    const largest = numbers.reduce((most, value) => (value > most ? value : most), 0);
    if (largest === 0) continue;
    const size = bitsFor(numbers, largest);
    body[bits + k] = size | (predicted ? predictedFlag : 0);
    at = pack(numbers, size, body, at);
  }
  const packed = await deflate(body.subarray(0, at), { level: 6, strategy: constants.Z_FILTERED });
  const record = Buffer.alloc(4 + packed.length);
  record.set(packed, 4);
  record.writeUInt32LE(crc32(packed), 0);
  return record;
}

/** The block of a record. Throws `features/damaged`, naming `store`. */
export async function decodeBlock(
  record: Uint8Array,
  basis: PixelBasis,
  width: number,
  height: number,
  store: string,
): Promise<Coordinates> {
  const pixels = width * height;
  const { rank } = basis;
  const view = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  if (view.length < 4 || view.readUInt32LE(0) !== crc32(view.subarray(4))) throw damagedStore(store);
  let body: Buffer;
  try {
    body = await inflate(view.subarray(4), { maxOutputLength: 1 + pixels + rank + 2 * rank * pixels });
  } catch {
    throw damagedStore(store);
  }
  const masked = body[0] === 1;
  const bits = 1 + (masked ? pixels : 0);
  let at = bits + rank;
  if (body.length < at) throw damagedStore(store);
  const valid = new Uint8Array(pixels).fill(1);
  if (masked) for (let i = 0; i < pixels; i++) valid[i] = body[1 + i] === 0 ? 0 : 1;
  const levels = new Int16Array(pixels * rank);
  const rest = new Uint16Array(pixels);
  for (let k = 0; k < rank; k++) {
    const kind = body[bits + k]!;
    if (kind === 0) continue;
    at = unpack(body, at, kind & ~predictedFlag, rest);
    if (at < 0) throw damagedStore(store);
    if (kind & predictedFlag) putTogether(rest, levels, k, rank, width, height);
    else unfoldPlain(rest, levels, k, rank, width, height);
  }
  if (at !== body.length) throw damagedStore(store);
  return { basis, width, height, levels, valid };
}

const predictedFlag = 128;

/** About as many bits as the numbers are worth, whatever codes them. */
function bitsOfAll(numbers: Uint16Array): number {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += Math.log2(1 + numbers[i]!);
  return sum;
}

/** Bits a level: fewer than eight where few levels need more. */
function bitsFor(rest: Uint16Array, largest: number): number {
  let beyondTwo = 0;
  let beyondFour = 0;
  for (let i = 0; i < rest.length; i++) {
    if (rest[i]! >= 3) beyondTwo++;
    if (rest[i]! >= 15) beyondFour++;
  }
  if (largest - 3 <= 255 && beyondTwo <= 0.1 * rest.length) return 2;
  if (largest - 15 <= 255 && beyondFour <= 0.03 * rest.length) return 4;
  return largest <= 255 ? 8 : 16;
}

/** Writes numbers of so many bits from `at` on; returns where they end. */
function pack(rest: Uint16Array, bits: number, body: Uint8Array, at: number): number {
  const count = rest.length;
  if (bits >= 8) {
    for (let i = 0; i < count; i++) body[at + i] = rest[i]! & 255;
    if (bits === 16) for (let i = 0; i < count; i++) body[at + count + i] = rest[i]! >> 8;
    return at + (bits / 8) * count;
  }
  const most = (1 << bits) - 1;
  const inByte = 8 / bits;
  let beyond = at + Math.ceil(count / inByte);
  for (let i = 0; i < count; i++) {
    const value = rest[i]!;
    const code = value < most ? value : most;
    body[at + Math.floor(i / inByte)]! |= code << ((i % inByte) * bits);
    if (code === most) body[beyond++] = value - most;
  }
  return beyond;
}

/** Reads numbers of so many bits from `at` on; returns where they end, -1 where there are not so many. */
function unpack(body: Buffer, at: number, bits: number, rest: Uint16Array): number {
  const count = rest.length;
  if (bits === 8 || bits === 16) {
    const end = at + (bits / 8) * count;
    if (end > body.length) return -1;
    if (bits === 8) rest.set(body.subarray(at, end));
    else for (let i = 0; i < count; i++) rest[i] = body[at + i]! | (body[at + count + i]! << 8);
    return end;
  }
  if (bits !== 2 && bits !== 4) return -1;
  const most = (1 << bits) - 1;
  const inByte = 8 / bits;
  const codes = Math.ceil(count / inByte);
  let beyond = at + codes;
  if (beyond > body.length) return -1;
  rest.fill(0);
  for (let j = 0; j < codes; j++) {
    let byte = body[at + j]!;
    // As most are.
    if (byte === 0) continue;
    const end = Math.min(count, (j + 1) * inByte);
    for (let i = j * inByte; i < end; i++, byte >>= bits) {
      const code = byte & most;
      rest[i] = code === most ? most + body[beyond++]! : code;
    }
  }
  return beyond <= body.length ? beyond : -1;
}

/** What prediction leaves of a direction's levels, folded, into `rest`. */
function takeApart(
  levels: Int16Array,
  k: number,
  rank: number,
  width: number,
  height: number,
  rest: Uint16Array,
): void {
  for (let row = 0; row < height; row++) {
    const start = (row * rank + k) * width;
    const above = start - rank * width;
    for (let x = 0; x < width; x++) {
      const left = x > 0 ? levels[start + x - 1]! : row > 0 ? levels[above]! : 0;
      const up = row > 0 ? levels[above + x]! : left;
      const corner = row > 0 && x > 0 ? levels[above + x - 1]! : up;
      // Differences are taken modulo 2¹⁶, as they are put together again.
      const difference = ((levels[start + x]! - predict(left, up, corner)) << 16) >> 16;
      rest[row * width + x] = (difference << 1) ^ (difference >> 31);
    }
  }
}

/** A direction's levels themselves, folded. */
function foldPlain(
  levels: Int16Array,
  k: number,
  rank: number,
  width: number,
  height: number,
  plain: Uint16Array,
): void {
  for (let row = 0; row < height; row++) {
    const start = (row * rank + k) * width;
    for (let x = 0; x < width; x++) {
      const level = levels[start + x]!;
      plain[row * width + x] = (level << 1) ^ (level >> 31);
    }
  }
}

function unfoldPlain(
  plain: Uint16Array,
  levels: Int16Array,
  k: number,
  rank: number,
  width: number,
  height: number,
): void {
  for (let row = 0; row < height; row++) {
    const start = (row * rank + k) * width;
    const from = row * width;
    for (let x = 0; x < width; x++) {
      const folded = plain[from + x]!;
      if (folded !== 0) levels[start + x] = unfolded(folded);
    }
  }
}

function putTogether(
  rest: Uint16Array,
  levels: Int16Array,
  k: number,
  rank: number,
  width: number,
  height: number,
): void {
  for (let row = 0; row < height; row++) {
    const start = (row * rank + k) * width;
    const above = start - rank * width;
    const from = row * width;
    if (row === 0) {
      let left = 0;
      for (let x = 0; x < width; x++) {
        left += unfolded(rest[x]!);
        levels[start + x] = left;
      }
      continue;
    }
    let left = levels[above]!;
    let corner = left;
    for (let x = 0; x < width; x++) {
      const up = levels[above + x]!;
      // The middle one of left, up and their plane, without branches: which one it is cannot be foreseen.
      const apart = left - up;
      const below = apart & (apart >> 31);
      const least = up + below;
      const beyond = least - (left + up - corner);
      const plane = least - (beyond & (beyond >> 31));
      const over = left - below - plane;
      left = ((plane + (over & (over >> 31)) + unfolded(rest[from + x]!)) << 16) >> 16;
      levels[start + x] = left;
      corner = up;
    }
  }
}

function unfolded(folded: number): number {
  return (folded >>> 1) ^ -(folded & 1);
}

function predict(left: number, up: number, corner: number): number {
  const least = left < up ? left : up;
  const most = left < up ? up : left;
  const plane = left + up - corner;
  return plane < least ? least : plane > most ? most : plane;
}
