import type { ByteSource } from '../tiff-file.ts';

/** A JPEG 2000 codestream (ITU-T T.800 annex A), indexed so that each tile can be decoded by itself. */
export interface Codestream {
  width: number;
  height: number;
  tileWidth: number;
  tileHeight: number;
  components: number;
  /** Bits of a sample, the same in all components. */
  bits: number;
  signed: boolean;
  /** Wavelet decompositions: the image can be had at 1/2, … 1/2^levels of its size. */
  levels: number;
  /** SIZ and the other marker segments that every tile needs. */
  size: Uint8Array;
  segments: Uint8Array[];
  /** Of each tile: where its parts lie. */
  parts: { offset: number; length: number }[][];
}

const marker = {
  start: 0xff4f,
  size: 0xff51,
  codingStyle: 0xff52,
  packedHeaders: 0xff60,
  tilePart: 0xff90,
  end: 0xffd9,
} as const;
/** Coding style, quantisation, regions, progression: what a tile's decoding depends on. */
const kept = new Set([0xff52, 0xff53, 0xff5c, 0xff5d, 0xff5e, 0xff5f]);
const largestHeader = 2 ** 20;
const mostTiles = 65_535;
const mostParts = 2 ** 20;

/** Why a sound codestream cannot be read tile by tile. */
export class UnsupportedCodestream extends Error {}

/** Reads the headers of a codestream between `from` and `to`. Throws `RangeError` where it is damaged. */
export async function readCodestream(source: ByteSource, from: number, to: number): Promise<Codestream> {
  let position = from + 2;
  let header: Omit<Codestream, 'segments' | 'parts'> | null = null;
  const segments: Uint8Array[] = [];
  for (;;) {
    const start = viewOf(await exactly(source, position, 4));
    const kind = start.getUint16(0);
    if (kind === marker.tilePart) break;
    const length = start.getUint16(2) + 2;
    if (kind < 0xff00 || length < 4 || position - from > largestHeader)
      throw new RangeError('no sound header');
    if (kind === marker.packedHeaders) throw new UnsupportedCodestream('packed packet headers');
    const segment = await exactly(source, position, length);
    if (kind === marker.size) header = sizeOf(segment);
    else if (header === null) throw new RangeError('the size is missing');
    else if (kept.has(kind)) segments.push(segment);
    if (kind === marker.codingStyle && header !== null) header.levels = Math.min(32, segment[9] ?? 0);
    position += length;
  }
  if (header === null || segments.length === 0) throw new RangeError('the size is missing');
  const across = Math.ceil(header.width / header.tileWidth);
  const tiles = across * Math.ceil(header.height / header.tileHeight);
  if (tiles > mostTiles) throw new RangeError(`${tiles} tiles`);
  const parts: Codestream['parts'] = Array.from({ length: tiles }, () => []);
  for (let count = 0; position + 12 <= to; count++) {
    const part = viewOf(await exactly(source, position, 12));
    if (part.getUint16(0) !== marker.tilePart) break;
    const tile = part.getUint16(4);
    // Length 0: the last part goes on to the end.
    const length = part.getUint32(6) || to - 2 - position;
    if (tile >= tiles || length < 14 || count >= mostParts) throw new RangeError('a tile part is damaged');
    parts[tile]!.push({ offset: position, length });
    position += length;
  }
  return { ...header, segments, parts };
}

/** A codestream of one tile alone, at its place on the image's reference grid: its pixels come out the same. */
export async function tileStream(source: ByteSource, stream: Codestream, tile: number): Promise<Uint8Array> {
  const { left, top, right, bottom } = tileBox(stream, tile);
  const size = stream.size.slice();
  const view = viewOf(size);
  for (const [offset, value] of [
    [6, right],
    [10, bottom],
    [14, left],
    [18, top],
    [30, left],
    [34, top],
  ] as const)
    view.setUint32(offset, value);
  const pieces = [Uint8Array.of(0xff, 0x4f), size, ...stream.segments];
  for (const { offset, length } of stream.parts[tile]!) {
    const part = await source.read(offset, length);
    if (part.length >= 12) viewOf(part).setUint16(4, 0);
    pieces.push(part);
  }
  pieces.push(Uint8Array.of(0xff, 0xd9));
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Pixels of the image that a tile covers. */
export function tileBox(
  { width, height, tileWidth, tileHeight }: Codestream,
  tile: number,
): { left: number; top: number; right: number; bottom: number } {
  const across = Math.ceil(width / tileWidth);
  const left = (tile % across) * tileWidth;
  const top = Math.floor(tile / across) * tileHeight;
  return {
    left,
    top,
    right: Math.min(width, left + tileWidth),
    bottom: Math.min(height, top + tileHeight),
  };
}

function sizeOf(segment: Uint8Array): Omit<Codestream, 'segments' | 'parts'> {
  if (segment.length < 41) throw new RangeError('the size is cut short');
  const view = viewOf(segment);
  const [width, height, left, top] = [6, 10, 14, 18].map((offset) => view.getUint32(offset)) as number[];
  const [tileWidth, tileHeight, tileLeft, tileTop] = [22, 26, 30, 34].map((offset) =>
    view.getUint32(offset),
  ) as number[];
  const components = view.getUint16(38);
  const sides = [width!, height!, tileWidth!, tileHeight!];
  if (sides.some((side) => side < 1 || side > 2 ** 31 - 1)) throw new RangeError(`sizes ${sides.join(', ')}`);
  if (left! + top! + tileLeft! + tileTop! > 0) throw new UnsupportedCodestream('an image beside its origin');
  if (components < 1 || segment.length < 40 + 3 * components)
    throw new RangeError('the components are missing');
  const first = segment[40]!;
  for (let component = 0; component < components; component++) {
    const at = 40 + 3 * component;
    if (segment[at] !== first) throw new UnsupportedCodestream('bands of different depth');
    if (segment[at + 1] !== 1 || segment[at + 2] !== 1)
      throw new UnsupportedCodestream('bands of different size');
  }
  const bits = (first & 0x7f) + 1;
  if (bits > 16) throw new UnsupportedCodestream(`samples of ${bits} bits`);
  return {
    width: width!,
    height: height!,
    tileWidth: Math.min(tileWidth!, width!),
    tileHeight: Math.min(tileHeight!, height!),
    components,
    bits,
    signed: (first & 0x80) !== 0,
    levels: 0,
    size: segment,
  };
}

async function exactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await source.read(offset, length);
  if (bytes.length < length) throw new RangeError('the file is cut short');
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
