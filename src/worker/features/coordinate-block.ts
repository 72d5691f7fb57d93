import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, inflateRaw } from 'node:zlib';
import type { Coordinates } from './coordinates.ts';
import type { PixelBasis } from './pixel-basis.ts';
import { damagedStore } from './record-log.ts';

/**
 * Blocks of coordinates as records: uint32 CRC of the rest, then a deflated body. The body: one byte, whether a mask
 * follows; the mask, one byte a pixel; one byte a direction (0: all levels are zero; 1: one byte a pixel; 2: two, low
 * bytes and high bytes apart); the levels. A level is stored as what a prediction from its neighbours above and to the
 * left leaves (the median predictor of LOCO-I, Weinberger, Seroussi and Sapiro 2000), folded to a number ≥ 0.
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
  const kinds = at;
  at += rank;
  const rest = new Uint16Array(pixels);
  for (let k = 0; k < rank; k++) {
    const largest = takeApart(levels, k, rank, width, height, rest);
    if (largest === 0) continue;
    body[kinds + k] = largest > 255 ? 2 : 1;
    for (let i = 0; i < pixels; i++) body[at + i] = rest[i]! & 255;
    at += pixels;
    if (largest <= 255) continue;
    for (let i = 0; i < pixels; i++) body[at + i] = rest[i]! >> 8;
    at += pixels;
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
  const kinds = 1 + (masked ? pixels : 0);
  let at = kinds + rank;
  if (body.length < at) throw damagedStore(store);
  let length = at;
  for (let k = 0; k < rank; k++) {
    if (body[kinds + k]! > 2) throw damagedStore(store);
    length += body[kinds + k]! * pixels;
  }
  if (body.length !== length) throw damagedStore(store);
  const valid = new Uint8Array(pixels).fill(1);
  if (masked) for (let i = 0; i < pixels; i++) valid[i] = body[1 + i] === 0 ? 0 : 1;
  const levels = new Int16Array(pixels * rank);
  for (let k = 0; k < rank; k++) {
    const kind = body[kinds + k]!;
    if (kind === 0) continue;
    putTogether(body, at, kind === 2 ? at + pixels : -1, levels, k, rank, width, height);
    at += kind * pixels;
  }
  return { basis, width, height, levels, valid };
}

/** What prediction leaves of a direction's levels, folded, into `rest`; returns the largest. */
function takeApart(
  levels: Int16Array,
  k: number,
  rank: number,
  width: number,
  height: number,
  rest: Uint16Array,
): number {
  let largest = 0;
  for (let row = 0; row < height; row++) {
    const start = (row * rank + k) * width;
    const above = start - rank * width;
    for (let x = 0; x < width; x++) {
      const left = x > 0 ? levels[start + x - 1]! : row > 0 ? levels[above]! : 0;
      const up = row > 0 ? levels[above + x]! : left;
      const corner = row > 0 && x > 0 ? levels[above + x - 1]! : up;
      // Differences are taken modulo 2¹⁶, as they are put together again.
      const difference = ((levels[start + x]! - predict(left, up, corner)) << 16) >> 16;
      const folded = (difference << 1) ^ (difference >> 31);
      rest[row * width + x] = folded;
      if (folded > largest) largest = folded;
    }
  }
  return largest;
}

function putTogether(
  body: Uint8Array,
  low: number,
  high: number,
  levels: Int16Array,
  k: number,
  rank: number,
  width: number,
  height: number,
): void {
  for (let row = 0; row < height; row++) {
    const start = (row * rank + k) * width;
    const above = start - rank * width;
    let left = row > 0 ? levels[above]! : 0;
    let corner = left;
    for (let x = 0; x < width; x++) {
      const up = row > 0 ? levels[above + x]! : left;
      if (x === 0 || row === 0) corner = up;
      const i = row * width + x;
      const folded = high < 0 ? body[low + i]! : body[low + i]! | (body[high + i]! << 8);
      const difference = (folded >>> 1) ^ -(folded & 1);
      left = ((predict(left, up, corner) + difference) << 16) >> 16;
      levels[start + x] = left;
      corner = up;
    }
  }
}

function predict(left: number, up: number, corner: number): number {
  const least = left < up ? left : up;
  const most = left < up ? up : left;
  const plane = left + up - corner;
  return plane < least ? least : plane > most ? most : plane;
}
