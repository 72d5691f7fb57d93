import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, inflateRawSync } from 'node:zlib';
import type { Coordinates } from './coordinates.ts';
import { levelUnit, type PixelBasis } from './pixel-basis.ts';
import { damagedStore } from './record-log.ts';
import { bandScan, planesAtOnce, Wavelets } from './wavelet.ts';

/**
 * Blocks of coordinates as records: uint32 CRC of the rest, begun with the block's size; then a deflated body. Each
 * direction's plane is split into bands of wavelets, whose numbers are rounded so that a step of each costs the pixels the
 * same; most become 0. They are told stretch by stretch of the bands' order, a direction after the other: what is summed up
 * meanwhile stays in the processor's nearest cache. The body: one byte, whether a mask follows; uint32, bytes of all runs;
 * the mask, one byte a pixel; uint16 a stretch and direction, how many numbers are not 0; for each of these a run, how many
 * zeros lie before it (255: so many, and more follows); for each its code (255: an int32 follows instead): 2 · (size - 1),
 * 1 more where it is negative.
 */

const deflate = promisify<Buffer, { level: number; strategy: number }, Buffer>(deflateRaw);

/** One for the whole thread: no two blocks are split at once, and its memory stays. */
const wavelets = new Wavelets();

/** Pixels of a block, at most. */
const mostPixels = 65_535;
/** What rounds up: as small numbers are frequent, 0 is worth more than its half. */
const roundingUp = 0.4;
/** What does not fit a byte is told by more of them. */
export const more = 255;
const longestCode = 5;
/** Before the mask. */
const headBytes = 5;
/** Numbers of a direction that are told at a time. */
export const stretch = 1024;
const inflatedAtOnce = 131_072;

/** Null for a block without measurements. */
export async function encodeBlock(coordinates: Coordinates): Promise<Buffer | null> {
  const { width, height, valid } = coordinates;
  if (!valid.includes(1)) return null;
  if (width * height > mostPixels) throw new RangeError('a block has too many pixels');
  const packed = await deflate(bodyOf(coordinates), { level: 6, strategy: constants.Z_RLE });
  const record = Buffer.alloc(4 + packed.length);
  record.set(packed, 4);
  record.writeUInt32LE(checksum(packed, width, height), 0);
  return record;
}

/** Apart from what waits to be deflated: its room is several times as large as what comes of it. */
function bodyOf({ basis, width, height, levels, valid }: Coordinates): Buffer {
  const pixels = width * height;
  const { rank } = basis;
  const masked = valid.includes(0);
  const stretches = Math.ceil(pixels / stretch);
  const head = Buffer.alloc(headBytes + (masked ? pixels : 0) + 2 * rank * stretches);
  head[0] = masked ? 1 : 0;
  if (masked) head.set(valid, headBytes);
  const planes = splitPlanes({ basis, width, height, levels });
  const { places, shares } = bandScan(width, height);
  const runs = Buffer.allocUnsafe(runBytes(rank, pixels));
  const codes = Buffer.allocUnsafe(longestCode * rank * pixels);
  let run = 0;
  let code = 0;
  let counted = head.length - 2 * rank * stretches;
  for (let first = 0; first < pixels; first += stretch) {
    const end = Math.min(pixels, first + stretch);
    for (let k = 0; k < rank; k++) {
      const plane = k * pixels;
      let count = 0;
      let next = first;
      for (let i = first; i < end; i++) {
        const number = planes[plane + places[i]!]! / shares[i]!;
        const size = Math.floor(Math.abs(number) + roundingUp);
        if (size === 0) continue;
        let zeros = i - next;
        next = i + 1;
        for (; zeros >= more; zeros -= more) runs[run++] = more;
        runs[run++] = zeros;
        count++;
        const coded = 2 * (size - 1) + (number < 0 ? 1 : 0);
        codes[code++] = coded < more ? coded : more;
        if (coded >= more) code = codes.writeInt32LE(number < 0 ? -size : size, code);
      }
      counted = head.writeUInt16LE(count, counted);
    }
  }
  head.writeUInt32LE(run, 1);
  return Buffer.concat([head, runs.subarray(0, run), codes.subarray(0, code)]);
}

/** Bands of all directions in steps, `[rank, height, width]`. */
function splitPlanes({ basis, width, height, levels }: Omit<Coordinates, 'valid'>): Float32Array {
  const { rank, step } = basis;
  const pixels = width * height;
  const bands = new Float32Array(rank * pixels);
  const planes = wavelets.planes(width, height);
  const scale = levelUnit / step;
  for (let first = 0; first < rank; first += planesAtOnce) {
    const count = Math.min(planesAtOnce, rank - first);
    for (let row = 0; row < height; row++) {
      for (let i = 0; i < count; i++) {
        const from = (row * rank + first + i) * width;
        const to = row * width * planesAtOnce + i;
        for (let x = 0; x < width; x++) planes[to + x * planesAtOnce] = scale * levels[from + x]!;
      }
    }
    wavelets.split(width, height);
    for (let i = 0; i < count; i++)
      for (let at = 0; at < pixels; at++) bands[(first + i) * pixels + at] = planes[at * planesAtOnce + i]!;
  }
  return bands;
}

/** Another size's is another one: bodies do not tell it. */
function checksum(packed: Uint8Array, width: number, height: number): number {
  return crc32(packed, width * 65_536 + height);
}

/** Bytes of all runs, at most. */
function runBytes(rank: number, pixels: number): number {
  return rank * (pixels + Math.ceil(pixels / more));
}

/** A block as it is stored: its numbers are read where they are weighed. */
export interface StoredBlock {
  basis: PixelBasis;
  width: number;
  height: number;
  /** 1 where there are measurements, `[height, width]`. */
  valid: Uint8Array<ArrayBuffer>;
  /** Counts of numbers, then runs, then codes. */
  bytes: Uint8Array;
  /** Where runs and codes begin among them. */
  runs: number;
  codes: number;
  /** Names the store in problems. */
  store: string;
}

/** The block of a record. Throws `features/damaged`, naming `store`. */
export function decodeBlock(
  record: Uint8Array,
  basis: PixelBasis,
  width: number,
  height: number,
  store: string,
): StoredBlock {
  const pixels = width * height;
  const { rank } = basis;
  const view = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  if (view.length < 4 || view.readUInt32LE(0) !== checksum(view.subarray(4), width, height))
    throw damagedStore(store);
  const counts = 2 * rank * Math.ceil(pixels / stretch);
  const most = headBytes + pixels + counts + runBytes(rank, pixels) + longestCode * rank * pixels;
  let body: Buffer;
  try {
    body = inflateRawSync(view.subarray(4), { maxOutputLength: most, chunkSize: inflatedAtOnce });
  } catch {
    throw damagedStore(store);
  }
  if (body.length < headBytes) throw damagedStore(store);
  const masked = body[0] === 1;
  const begin = headBytes + (masked ? pixels : 0);
  const codes = counts + body.readUInt32LE(1);
  if (body.length < begin + codes) throw damagedStore(store);
  const valid = new Uint8Array(pixels).fill(1);
  if (masked) for (let i = 0; i < pixels; i++) valid[i] = body[headBytes + i] === 0 ? 0 : 1;
  return { basis, width, height, valid, bytes: body.subarray(begin), runs: counts, codes, store };
}
