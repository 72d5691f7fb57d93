import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { geoTags } from '../classmap/geo-tags.ts';
import { Journal, journalPath, readJournal, type StripRecord } from '../classmap/journal.ts';
import { storageProblem } from '../classmap/storage-problem.ts';
import { encodeDirectory, type TiffField } from '../classmap/tiff-directory.ts';
import { scaleAffine } from '../raster/affine.ts';
import type { Bands, Samples } from '../raster/bands.ts';
import type { Grid, Window } from '../raster/grid.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { BlockCache } from '../scene/block-cache.ts';
import { type BlockImage, gather } from '../scene/block-image.ts';
import { samplesOf } from '../scene/sample-layout.ts';
import type { BandHeader } from '../scene/scene.ts';
import { bytesOfFile, readTiff } from '../scene/tiff-file.ts';
import { halve, type Reduction } from './halve.ts';

const compress = promisify(deflate);
const decompress = promisify(inflate);

/** Pixels along the side of the file's tiles. */
const side = 256;
/** The last level is at most this large on both axes. */
const smallestLevel = 256;
const cacheBytes = 32 * 2 ** 20;
/** Source pixels read at once where the source's blocks are as wide as its rows. */
const chunkPixels = 2 ** 22;

/** The image whose overviews are wanted. */
export interface PyramidBase {
  grid: Grid;
  /** One type for all bands; complex ones are kept as magnitudes. */
  type: BandHeader['type'];
  bands: number;
  reduction: Reduction;
  /** Recognises the scene's file. */
  fingerprint: string;
  /** All bands of a window of the base. */
  read(window: Window, signal?: AbortSignal): Promise<Bands>;
}

interface Level {
  width: number;
  height: number;
  across: number;
  down: number;
  /** Of its first tile among the tiles of all levels. */
  firstTile: number;
  /** Tile rows that are in the file. */
  done: Uint8Array;
  image: BlockImage;
}

/** Sizes of the overviews of an image, each half of the one before, rounded up, down to a tile. */
export function pyramidSizes(width: number, height: number): { width: number; height: number }[] {
  const sizes: { width: number; height: number }[] = [];
  let size = { width, height };
  while (Math.max(size.width, size.height) > smallestLevel) {
    size = { width: Math.ceil(size.width / 2), height: Math.ceil(size.height / 2) };
    sizes.push(size);
  }
  return sizes;
}

/**
 * Overviews of an image in a tiled GeoTIFF of their own: every level half of the one before, all bands in the image's
 * own type, and an alpha sample that tells measurement from nodata. Built in one pass over the image, tile row by tile
 * row; a row of a smaller level follows as soon as the two rows it needs are there, read back from the file. Rows can be
 * read as soon as they are written. Memory is a few tiles and a chunk of the image, whatever its size. A killed build
 * goes on after its last row, and its file equals an uninterrupted one byte for byte. One builder at a time per file.
 */
export class Pyramid {
  readonly path: string;
  readonly sizes: readonly { width: number; height: number }[];
  readonly #base: PyramidBase;
  readonly #levels: Level[];
  readonly #handle: FileHandle;
  #journal: Journal | null;
  readonly #offsets: Float64Array;
  readonly #byteCounts: Float64Array;
  readonly #cache = new BlockCache(cacheBytes);
  readonly #tile: Samples;
  readonly #sampleBytes: number;
  #length = 16;
  /** Bytes up to the last row that counts. */
  #committed = 16;
  #pending: number[] = [];
  #finished: boolean;
  #closed = false;

  private constructor(
    path: string,
    base: PyramidBase,
    handle: FileHandle,
    journal: Journal | null,
    tables: { offsets: Float64Array; byteCounts: Float64Array } | null,
    strips: readonly StripRecord[],
  ) {
    this.path = path;
    this.#base = base;
    this.#handle = handle;
    this.#journal = journal;
    this.#finished = journal === null;
    this.sizes = pyramidSizes(base.grid.width, base.grid.height);
    let tiles = 0;
    this.#levels = this.sizes.map(({ width, height }, index) => {
      const across = Math.ceil(width / side);
      const down = Math.ceil(height / side);
      const firstTile = tiles;
      tiles += across * down;
      const done = new Uint8Array(down).fill(journal === null ? 1 : 0);
      return { width, height, across, down, firstTile, done, image: this.#image(index, width, height) };
    });
    this.#offsets = tables?.offsets ?? new Float64Array(tiles);
    this.#byteCounts = tables?.byteCounts ?? new Float64Array(tiles);
    this.#tile = samplesOf(base.type, side * side * (base.bands + 1));
    this.#sampleBytes = this.#tile.BYTES_PER_ELEMENT;
    for (const strip of strips) {
      for (let at = 0; at < strip.tiles.length; at += 3) {
        this.#offsets[strip.tiles[at]!] = strip.tiles[at + 1]!;
        this.#byteCounts[strip.tiles[at]!] = strip.tiles[at + 2]!;
      }
      const [level, row] = rowOfNote(strip.note)!;
      this.#levels[level]!.done[row] = 1;
      this.#length = strip.length;
      this.#committed = strip.length;
    }
  }

  /**
   * The pyramid of `base` at `path`: the finished file, else the unfinished one of an earlier build, else an empty one.
   * A file of another scene, or a damaged one, is replaced.
   */
  static async open(path: string, base: PyramidBase): Promise<Pyramid> {
    const finished = await Pyramid.openFinished(path, base);
    if (finished !== null) return finished;
    const partPath = `${path}.part`;
    const digest = digestOf(base);
    let handle: FileHandle | undefined;
    try {
      await mkdir(dirname(path), { recursive: true });
      const saved = await readJournal(partPath);
      const strips = saved?.digest === digest ? usableStrips(saved.strips, base) : [];
      handle = await open(partPath, strips.length === 0 ? 'w+' : 'r+');
      const header = Buffer.alloc(16);
      header.write('II', 0, 'latin1');
      header.writeUInt16LE(43, 2);
      header.writeUInt16LE(8, 4);
      await handle.write(header, 0, header.length, 0);
      await handle.truncate(strips.at(-1)?.length ?? header.length);
      await handle.datasync();
      const journal = await Journal.begin(partPath, { digest, state: '', strips });
      return new Pyramid(path, base, handle, journal, null, strips);
    } catch (error) {
      await handle?.close();
      throw storageProblem(error, partPath);
    }
  }

  /** The finished pyramid of `base` at `path`, or null where there is none yet. */
  static async openFinished(path: string, base: PyramidBase): Promise<Pyramid | null> {
    const tables = await readTables(path, base);
    if (tables === null) return null;
    return new Pyramid(path, base, await open(path, 'r'), null, tables, []);
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Whether every row of `window` (pixels of the level, 0 the largest) can be read already. */
  ready(level: number, window: Window): boolean {
    const { done, down } = this.#levels[level]!;
    const last = Math.min(down - 1, Math.floor((window.row + window.height - 1) / side));
    for (let row = Math.max(0, Math.floor(window.row / side)); row <= last; row++) {
      if (done[row] === 0) return false;
    }
    return true;
  }

  /** Pixels of a window of a level (0 the largest), which must be `ready`; outside the level they come back invalid. */
  async read(level: number, window: Window, bands: readonly number[], signal?: AbortSignal): Promise<Bands> {
    const { image } = this.#levels[level]!;
    const count = window.width * window.height;
    const planes = [...bands, this.#base.bands].map(() => samplesOf(this.#base.type, count));
    await gather(image, this.#cache, window, [...bands, this.#base.bands], planes, signal);
    const alpha = planes.pop()!;
    const valid = new Uint8Array(count);
    for (let at = 0; at < count; at++) valid[at] = alpha[at]! > 0 ? 1 : 0;
    return { width: window.width, height: window.height, planes, valid };
  }

  /**
   * Builds what is missing and gives the file its name. `pause` is awaited between pieces of work, so that drawing comes
   * first. Progress counts tile rows of the largest level.
   */
  async build(
    options: {
      signal?: AbortSignal;
      report?: ReportProgress;
      pause?: () => Promise<void>;
      software?: string;
    } = {},
  ): Promise<void> {
    if (this.#finished) return;
    const { signal, report, pause } = options;
    const [first] = this.#levels;
    // A build that was stopped in the middle of a row begins this row anew, in the same place.
    this.#length = this.#committed;
    this.#pending = [];
    for (let row = 0; row < (first?.down ?? 0); row++) {
      for (let level = 0, levelRow = row; level < this.#levels.length; level++, levelRow >>= 1) {
        const { done, down } = this.#levels[level]!;
        // A smaller level's row needs both rows above it, or the last one alone.
        const complete = level === 0 || this.#childRowsDone(level, levelRow);
        if (!complete) break;
        if (done[levelRow] === 0) {
          await this.#writeRow(level, levelRow, signal, pause);
          await this.#commit(level, levelRow);
        }
        if (levelRow % 2 === 0 && levelRow !== down - 1) break;
      }
      report?.({ phase: 'overviews', done: row + 1, total: first!.down, unit: 'tile rows' });
    }
    await this.#seal(options.software ?? 'Landscribe');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cache.clear();
    await this.#handle.close();
    await this.#journal?.close();
  }

  #childRowsDone(level: number, row: number): boolean {
    const { done, down } = this.#levels[level - 1]!;
    return done[2 * row] === 1 && (2 * row + 1 >= down || done[2 * row + 1] === 1);
  }

  async #writeRow(
    level: number,
    row: number,
    signal: AbortSignal | undefined,
    pause: (() => Promise<void>) | undefined,
  ): Promise<void> {
    const { across } = this.#levels[level]!;
    const source = level === 0 ? this.#base.grid : this.#levels[level - 1]!;
    const top = row * 2 * side;
    const height = Math.min(2 * side, source.height - top);
    // Several tiles at once: rows of a striped image are decoded whole, and should not be decoded again and again.
    const step = Math.max(1, Math.floor(chunkPixels / this.#base.bands / (2 * side) ** 2));
    const bands = Array.from({ length: this.#base.bands }, (_, band) => band);
    for (let column = 0; column < across; column += step) {
      await pause?.();
      throwIfCancelled(signal);
      const left = column * 2 * side;
      const width = Math.min(step * 2 * side, source.width - left);
      const window = { column: left, row: top, width, height };
      const pixels =
        level === 0
          ? await this.#base.read(window, signal)
          : await this.read(level - 1, window, bands, signal);
      // Reading and halving take as long as a tile that waits to be drawn.
      await pause?.();
      const half = halve(pixels, this.#base.reduction);
      for (let tile = 0; tile < step && column + tile < across; tile++) {
        await pause?.();
        await this.#writeTile(level, row * across + column + tile, half, tile * side);
      }
    }
  }

  async #writeTile(level: number, index: number, pixels: Bands, left: number): Promise<void> {
    const stride = this.#base.bands + 1;
    const tile = this.#tile;
    const columns = Math.min(side, pixels.width - left);
    const opaque = this.#base.type === 'uint8' ? 255 : 1;
    tile.fill(0);
    let any = false;
    for (let row = 0; row < pixels.height; row++) {
      for (let column = 0; column < columns; column++) {
        if (pixels.valid[row * pixels.width + left + column] === 0) continue;
        any = true;
        tile[(row * side + column) * stride + stride - 1] = opaque;
      }
    }
    if (!any) return;
    for (const [band, plane] of pixels.planes.entries()) {
      for (let row = 0; row < pixels.height; row++) {
        const from = row * pixels.width + left;
        for (let column = 0; column < columns; column++) {
          const to = (row * side + column) * stride;
          // What is not a measurement must not say anything, NaN least of all.
          if (tile[to + stride - 1] !== 0) tile[to + band] = plane[from + column]!;
        }
      }
    }
    const bytes = Buffer.from(tile.buffer, tile.byteOffset, tile.byteLength);
    const stored = await compress(endianness() === 'BE' ? swapped(bytes, this.#sampleBytes) : bytes, {
      level: 1,
    });
    await this.#append(this.#levels[level]!.firstTile + index, stored);
  }

  async #append(tile: number, stored: Buffer): Promise<void> {
    try {
      await writeAll(this.#handle, stored, this.#length);
    } catch (error) {
      throw storageProblem(error, `${this.path}.part`);
    }
    this.#offsets[tile] = this.#length;
    this.#byteCounts[tile] = stored.length;
    this.#pending.push(tile, this.#length, stored.length);
    this.#length += stored.length;
  }

  async #commit(level: number, row: number): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw storageProblem(error, `${this.path}.part`);
    }
    await this.#journal!.append({ length: this.#length, tiles: this.#pending, note: `${level}/${row}` });
    this.#pending = [];
    this.#committed = this.#length;
    this.#levels[level]!.done[row] = 1;
  }

  async #seal(software: string): Promise<void> {
    const partPath = `${this.path}.part`;
    try {
      let start = this.#length + (this.#length % 2);
      const first = start;
      let previousNext = 8;
      for (const level of this.#levels.keys()) {
        const fields = this.#fields(level, software);
        const directory = encodeDirectory(fields, start, true);
        await writeAll(this.#handle, directory, start);
        await writeAll(this.#handle, pointer(start), previousNext);
        // The address of the next directory follows the entries.
        previousNext = start + 8 + fields.length * 20;
        start += directory.length + (directory.length % 2);
      }
      await this.#handle.truncate(start);
      await writeAll(this.#handle, pointer(first), 8);
      await this.#handle.sync();
      await this.#journal?.close();
      this.#journal = null;
      await rename(partPath, this.path);
      await rm(journalPath(partPath), { force: true });
      this.#finished = true;
    } catch (error) {
      throw storageProblem(error, partPath);
    }
  }

  #fields(index: number, software: string): TiffField[] {
    const level = this.#levels[index]!;
    const { bands, type, grid } = this.#base;
    const samples = bands + 1;
    const format = type.startsWith('uint') ? 1 : type.startsWith('int') ? 2 : 3;
    const tiles = level.across * level.down;
    const slice = (table: Float64Array) => table.subarray(level.firstTile, level.firstTile + tiles);
    const fields: TiffField[] = [
      { tag: 254, type: 'uint32', values: [index === 0 ? 0 : 1] },
      { tag: 256, type: 'uint32', values: [level.width] },
      { tag: 257, type: 'uint32', values: [level.height] },
      { tag: 258, type: 'uint16', values: Array<number>(samples).fill(8 * this.#sampleBytes) },
      { tag: 259, type: 'uint16', values: [8] },
      { tag: 262, type: 'uint16', values: [1] },
      { tag: 277, type: 'uint16', values: [samples] },
      { tag: 284, type: 'uint16', values: [1] },
      { tag: 305, type: 'ascii', values: software.replace(/[^\x20-\x7e]/g, '?') },
      { tag: 322, type: 'uint32', values: [side] },
      { tag: 323, type: 'uint32', values: [side] },
      { tag: 324, type: 'uint64', values: slice(this.#offsets) },
      { tag: 325, type: 'uint32', values: slice(this.#byteCounts) },
      // All but the first sample are extra ones; the last is alpha.
      { tag: 338, type: 'uint16', values: [...Array<number>(bands - 1).fill(0), 2] },
      { tag: 339, type: 'uint16', values: Array<number>(samples).fill(format) },
    ];
    if (index === 0) fields.push(...geoTags(scaleAffine(grid.transform, 2, 2), grid.crs));
    return fields;
  }

  async #decode(count: number, offset: number, expected: number): Promise<Buffer> {
    try {
      // Deflate never grows a tile by more than this; a larger count is damage, not pixels.
      if (count > expected * 1.01 + 1024) throw new RangeError(`a tile of ${count} bytes`);
      const stored = Buffer.alloc(count);
      const { bytesRead } = await this.#handle.read(stored, 0, count, offset);
      const bytes = await decompress(stored.subarray(0, bytesRead), { maxOutputLength: expected });
      if (bytes.length !== expected) throw new RangeError(`${bytes.length} of ${expected} bytes`);
      return bytes;
    } catch (cause) {
      throw new Problem(
        'tiles/overviews-damaged',
        `The overviews in ${this.path} are damaged.`,
        'Delete this file: it is built again.',
        cause,
      );
    }
  }

  #image(level: number, width: number, height: number): BlockImage {
    const stride = this.#base.bands + 1;
    const { type } = this.#base;
    return {
      key: String(level),
      width,
      height,
      blockWidth: side,
      blockHeight: side,
      interleaved: stride,
      fill: 0,
      load: async (_plane, blockRow, blockColumn) => {
        const { across, firstTile } = this.#levels[level]!;
        const tile = firstTile + blockRow * across + blockColumn;
        const count = this.#byteCounts[tile]!;
        if (count === 0) return null;
        const samples = samplesOf(type, side * side * stride);
        const bytes = await this.#decode(count, this.#offsets[tile]!, samples.byteLength);
        const plain = endianness() === 'BE' ? swapped(bytes, samples.BYTES_PER_ELEMENT) : bytes;
        new Uint8Array(samples.buffer).set(plain);
        return samples;
      },
    };
  }
}

/**
 * The finished file's tables, or null where it is missing, damaged or another scene's. The tiles are named by where they
 * stand, as the scene room's reader found them.
 */
async function readTables(
  path: string,
  base: PyramidBase,
): Promise<{ offsets: Float64Array; byteCounts: Float64Array } | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch {
    return null;
  }
  try {
    const { size } = await handle.stat();
    const { images } = await readTiff(bytesOfFile(handle, size), path);
    const sizes = pyramidSizes(base.grid.width, base.grid.height);
    const fits = sizes.every(({ width, height }, index) => {
      const image = images[index];
      return (
        image?.width === width &&
        image.height === height &&
        image.samplesPerPixel === base.bands + 1 &&
        image.blockWidth === side &&
        image.offsets.length === Math.ceil(width / side) * Math.ceil(height / side)
      );
    });
    if (!fits || images.length !== sizes.length) return null;
    return {
      offsets: Float64Array.from(images.flatMap(({ offsets }) => Array.from(offsets, Number))),
      byteCounts: Float64Array.from(images.flatMap(({ byteCounts }) => Array.from(byteCounts, Number))),
    };
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}

function digestOf(base: PyramidBase): string {
  const { grid, type, bands, reduction, fingerprint } = base;
  const parts = ['pyramid 1', fingerprint, grid.width, grid.height, type, bands, reduction, side];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function rowOfNote(note: string): [number, number] | null {
  const match = /^(\d{1,2})\/(\d{1,9})$/.exec(note);
  return match === null ? null : [Number(match[1]), Number(match[2])];
}

/** The strips up to the first that this pyramid could not have written. */
function usableStrips(strips: readonly StripRecord[], base: PyramidBase): StripRecord[] {
  const sizes = pyramidSizes(base.grid.width, base.grid.height);
  const tiles = sizes.reduce(
    (sum, size) => sum + Math.ceil(size.width / side) * Math.ceil(size.height / side),
    0,
  );
  const usable: StripRecord[] = [];
  for (const strip of strips) {
    const place = rowOfNote(strip.note);
    const size = place === null ? undefined : sizes[place[0]];
    if (size === undefined || place![1] >= Math.ceil(size.height / side)) break;
    if (strip.tiles.some((value, index) => index % 3 === 0 && value >= tiles)) break;
    usable.push(strip);
  }
  return usable;
}

function pointer(offset: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(offset));
  return bytes;
}

function swapped(bytes: Buffer, size: number): Buffer {
  const copy = Buffer.from(bytes);
  if (size === 2) copy.swap16();
  else if (size === 4) copy.swap32();
  else if (size === 8) copy.swap64();
  return copy;
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
