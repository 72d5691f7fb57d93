import { type FileHandle, open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import type { ClassStrip } from './class-strip.ts';

const decompress = promisify(inflate);

const tilesInFlight = 8;
/** Bounds on what a directory may claim, before anything is allocated. */
const mostTiles = 1 << 26;
const mostEntries = 64;
const largestTile = 4096;

interface Entry {
  type: number;
  count: number;
  /** Where the values stand in the file. */
  offset: number;
}

/** Reads the rows of a GeoTIFF that `GeoTiffWriter` wrote: one band, tiled, deflate, little-endian. */
export class GeoTiffReader {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly sampleType: 'uint8' | 'uint16';
  readonly tileSize: number;
  readonly #handle: FileHandle;
  readonly #offsets: Float64Array;
  readonly #byteCounts: Float64Array;

  private constructor(
    path: string,
    handle: FileHandle,
    shape: { width: number; height: number; bits: number; tileSize: number },
    offsets: Float64Array,
    byteCounts: Float64Array,
  ) {
    this.path = path;
    this.#handle = handle;
    this.width = shape.width;
    this.height = shape.height;
    this.sampleType = shape.bits === 16 ? 'uint16' : 'uint8';
    this.tileSize = shape.tileSize;
    this.#offsets = offsets;
    this.#byteCounts = byteCounts;
  }

  /** Opens a class map or confidence raster of this program. Throws `Problem` for anything else. */
  static async open(path: string): Promise<GeoTiffReader> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      throw asProblem(error);
    }
    try {
      const { size } = await handle.stat();
      const { entries, big } = await readDirectory(handle, size, path);
      const single = async (tag: number): Promise<number> =>
        (await readValues(handle, entries, tag, 1, size, path))[0]!;
      const shape = {
        width: await single(256),
        height: await single(257),
        bits: await single(258),
        tileSize: await single(322),
      };
      const tileHeight = await single(323);
      const compression = await single(259);
      const samples = await single(277);
      const predictor = entries.has(317) ? await single(317) : 1;
      if (
        (shape.bits !== 8 && shape.bits !== 16) ||
        compression !== 8 ||
        samples !== 1 ||
        predictor !== 1 ||
        tileHeight !== shape.tileSize ||
        shape.tileSize < 16 ||
        shape.tileSize > largestTile ||
        shape.width < 1 ||
        shape.height < 1
      ) {
        throw foreign(path, 'its layout is another');
      }
      const tiles = Math.ceil(shape.width / shape.tileSize) * Math.ceil(shape.height / shape.tileSize);
      if (tiles > mostTiles || tiles * (big ? 12 : 8) > size) throw foreign(path, 'its directory is damaged');
      const offsets = await readValues(handle, entries, 324, tiles, size, path);
      const byteCounts = await readValues(handle, entries, 325, tiles, size, path);
      return new GeoTiffReader(path, handle, shape, offsets, byteCounts);
    } catch (error) {
      await handle.close();
      throw asProblem(error);
    }
  }

  /**
   * Fills `samples` `[rows, width]` with rows [firstRow, firstRow + rows) and returns it; decodes each tile in the rows
   * once, so take whole tile rows.
   */
  async readRows<Samples extends Uint8Array | Uint16Array>(
    firstRow: number,
    rows: number,
    samples: Samples,
    signal?: AbortSignal,
  ): Promise<Samples> {
    const size = this.tileSize;
    const across = Math.ceil(this.width / size);
    for (let tileRow = Math.floor(firstRow / size); tileRow * size < firstRow + rows; tileRow++) {
      for (let first = 0; first < across; first += tilesInFlight) {
        throwIfCancelled(signal);
        const columns = Array.from(
          { length: Math.min(tilesInFlight, across - first) },
          (_, index) => first + index,
        );
        await Promise.all(
          columns.map(async (tileColumn) => {
            const tile = await this.#readTile(tileRow * across + tileColumn);
            const left = tileColumn * size;
            const span = Math.min(size, this.width - left);
            const top = Math.max(firstRow, tileRow * size);
            const bottom = Math.min(firstRow + rows, (tileRow + 1) * size);
            for (let row = top; row < bottom; row++) {
              const to = (row - firstRow) * this.width + left;
              if (tile === null) samples.fill(0, to, to + span);
              else {
                const from = (row - tileRow * size) * size;
                samples.set(tile.subarray(from, from + span), to);
              }
            }
          }),
        );
      }
    }
    return samples;
  }

  async #readTile(tile: number): Promise<Uint8Array | Uint16Array | null> {
    const byteCount = this.#byteCounts[tile]!;
    if (byteCount === 0) return null;
    const expected = this.tileSize * this.tileSize * (this.sampleType === 'uint16' ? 2 : 1);
    // Deflate never grows a tile by more than this; a larger count is damage, not pixels.
    if (byteCount > expected * 1.01 + 1024) throw foreign(this.path, `tile ${tile} is damaged`);
    const stored = Buffer.alloc(byteCount);
    const { bytesRead } = await this.#handle.read(stored, 0, byteCount, this.#offsets[tile]!);
    let bytes: Buffer;
    try {
      bytes = await decompress(stored.subarray(0, bytesRead), { maxOutputLength: expected });
    } catch (error) {
      throw foreign(this.path, `tile ${tile} is damaged`, error);
    }
    if (bytes.length !== expected) throw foreign(this.path, `tile ${tile} is damaged`);
    if (this.sampleType === 'uint8') return bytes;
    if (endianness() === 'BE') bytes.swap16();
    // Node's decompressed buffers may begin at an odd byte of a pool.
    return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function foreign(path: string, what: string, cause?: unknown): Problem {
  return new Problem(
    'classmap/unreadable',
    `${path} is not a class map of this program: ${what}.`,
    'Run segment again.',
    cause,
  );
}

async function readExactly(
  handle: FileHandle,
  offset: number,
  length: number,
  size: number,
  path: string,
): Promise<Buffer> {
  if (offset + length > size) throw foreign(path, 'it is truncated');
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  if (bytesRead < length) throw foreign(path, 'it is truncated');
  return bytes;
}

async function readDirectory(
  handle: FileHandle,
  size: number,
  path: string,
): Promise<{ entries: Map<number, Entry>; big: boolean }> {
  const header = await readExactly(handle, 0, 16, size, path);
  const version = header.readUInt16LE(2);
  if (header.toString('latin1', 0, 2) !== 'II' || (version !== 42 && version !== 43)) {
    throw foreign(path, 'it is not a little-endian TIFF');
  }
  const big = version === 43;
  const start = big ? Number(header.readBigUInt64LE(8)) : header.readUInt32LE(4);
  const countSize = big ? 8 : 2;
  const entrySize = big ? 20 : 12;
  const countBytes = await readExactly(handle, start, countSize, size, path);
  const count = big ? Number(countBytes.readBigUInt64LE(0)) : countBytes.readUInt16LE(0);
  if (count > mostEntries) throw foreign(path, 'its directory is damaged');
  const bytes = await readExactly(handle, start + countSize, count * entrySize, size, path);
  const typeSizes: Record<number, number> = { 3: 2, 4: 4, 16: 8 };
  const entries = new Map<number, Entry>();
  for (let index = 0; index < count; index++) {
    const at = index * entrySize;
    const type = bytes.readUInt16LE(at + 2);
    const values = big ? Number(bytes.readBigUInt64LE(at + 4)) : bytes.readUInt32LE(at + 4);
    const valueAt = at + (big ? 12 : 8);
    const inline = values * (typeSizes[type] ?? 0) <= (big ? 8 : 4);
    const pointer = big ? Number(bytes.readBigUInt64LE(valueAt)) : bytes.readUInt32LE(valueAt);
    entries.set(bytes.readUInt16LE(at), {
      type,
      count: values,
      offset: inline ? start + countSize + valueAt : pointer,
    });
  }
  return { entries, big };
}

/** The `count` whole numbers of a tag. */
async function readValues(
  handle: FileHandle,
  entries: Map<number, Entry>,
  tag: number,
  count: number,
  size: number,
  path: string,
): Promise<Float64Array> {
  const entry = entries.get(tag);
  if (entry === undefined || entry.count !== count) throw foreign(path, `tag ${tag} is missing or damaged`);
  const width = { 3: 2, 4: 4, 16: 8 }[entry.type];
  if (width === undefined) throw foreign(path, `tag ${tag} is damaged`);
  const bytes = await readExactly(handle, entry.offset, count * width, size, path);
  const values = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    values[index] =
      width === 2
        ? bytes.readUInt16LE(index * 2)
        : width === 4
          ? bytes.readUInt32LE(index * 4)
          : Number(bytes.readBigUInt64LE(index * 8));
  }
  return values;
}

/**
 * The rows of a finished class map, and of its confidence raster where a path is given, in strips of `stripRows` rows
 * (rounded up to whole tile rows). Memory is two strips. Files close when the loop ends, however it ends.
 */
export async function* readClassStrips(
  classMapPath: string,
  confidencePath: string | null,
  stripRows = 256,
  signal?: AbortSignal,
): AsyncGenerator<ClassStrip> {
  const map = await GeoTiffReader.open(classMapPath);
  let confidence: GeoTiffReader | null = null;
  try {
    if (confidencePath !== null) {
      confidence = await GeoTiffReader.open(confidencePath);
      if (
        confidence.width !== map.width ||
        confidence.height !== map.height ||
        confidence.sampleType !== 'uint8'
      ) {
        throw foreign(confidencePath, `its size differs from ${classMapPath}`);
      }
    }
    const { width, height, tileSize } = map;
    const step = Math.ceil(stripRows / tileSize) * tileSize;
    for (let firstRow = 0; firstRow < height; firstRow += step) {
      const rows = Math.min(step, height - firstRow);
      const pixels = rows * width;
      const classes = await map.readRows(
        firstRow,
        rows,
        map.sampleType === 'uint16' ? new Uint16Array(pixels) : new Uint8Array(pixels),
        signal,
      );
      const strip: ClassStrip = { firstRow, rows, width, classes };
      if (confidence !== null) {
        strip.confidence = await confidence.readRows(firstRow, rows, new Uint8Array(pixels), signal);
      }
      yield strip;
    }
  } finally {
    await map.close();
    await confidence?.close();
  }
}
