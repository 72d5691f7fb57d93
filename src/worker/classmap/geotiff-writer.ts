import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import type { Affine } from '../raster/affine.ts';
import type { Crs } from '../raster/crs.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { geoTags } from './geo-tags.ts';
import { Journal, journalPath, type SavedRun, type StripRecord } from './journal.ts';
import { storageProblem } from './storage-problem.ts';
import { encodeDirectory, type TiffField } from './tiff-directory.ts';
import { TileCompressor } from './tile-compressor.ts';

/** Tiles compressed at once: enough for the four threads of Node's pool, few enough to stay small. */
const tilesInFlight = 8;

export interface GeoTiffLayout {
  /** The finished file. */
  path: string;
  /** The unfinished file, on the same disk; its journal lies beside it. */
  partPath: string;
  /** Pixels. */
  width: number;
  height: number;
  sampleType: 'uint8' | 'uint16';
  /** Pixels along a tile's side: a multiple of 16. */
  tileSize: number;
  /** `auto`: where the worst case passes 4 GB. */
  bigTiff: 'auto' | 'always';
  /** zlib level, 1-9. */
  level: number;
}

/** What a finished file says about its pixels, besides the layout. */
export interface GeoTiffDescription {
  transform: Affine;
  crs: Crs | null;
  software: string;
  /** One line for people. */
  description: string;
  /** Nodata value, or null. */
  nodata: number | null;
  /** Red, green and blue, 0-255, per value, flat `[values, 3]`; null writes greys. */
  colours: Uint8Array | null;
  /** Items of the GDAL metadata; `role` marks band items such as scale and offset. */
  metadata: { name: string; value: string; role?: 'scale' | 'offset' | 'description' }[];
}

/** The most bytes a file of this layout can have, directory included. */
export function worstCaseBytes(layout: GeoTiffLayout): number {
  const tiles = Math.ceil(layout.width / layout.tileSize) * Math.ceil(layout.height / layout.tileSize);
  const tileBytes = layout.tileSize * layout.tileSize * (layout.sampleType === 'uint16' ? 2 : 1);
  // Deflate stores what it cannot shrink in blocks of 16 kB with 5 bytes each; tables, colours and names come on top.
  return tiles * (tileBytes + 5 * Math.ceil(tileBytes / 16_000) + 32) + 64 * 1024 * 1024;
}

function xmlText(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character]!).replace(/\p{Cc}/gu, ' ');
}

/** GDAL's metadata document; GDAL itself escapes values twice, and undoes both. */
function metadataXml(items: GeoTiffDescription['metadata']): string {
  const lines = items.map(({ name, value, role }) => {
    const band = role === undefined ? '' : ` sample="0" role="${role}"`;
    return `  <Item name="${xmlText(name)}"${band}>${xmlText(xmlText(value))}</Item>\n`;
  });
  return `<GDALMetadata>\n${lines.join('')}</GDALMetadata>\n`;
}

/**
 * Writes a single-band tiled GeoTIFF (deflate, little-endian) strip by strip. All-zero tiles take no space (offset and
 * byte count 0, as GDAL's SPARSE_OK).
 *
 * A run that is killed can go on: after every `commitStrip` the strip is on the disk and in the journal, and `resume`
 * cuts the file back to the last such strip. The bytes of a resumed file equal those of an uninterrupted one.
 */
export class GeoTiffWriter {
  readonly layout: GeoTiffLayout;
  readonly #big: boolean;
  readonly #handle: FileHandle;
  readonly #journal: Journal;
  readonly #tilesAcross: number;
  readonly #offsets: Float64Array;
  readonly #byteCounts: Uint32Array;
  /** Uncompressed tiles of a batch, used again by the next. */
  readonly #tiles: (Uint8Array | Uint16Array)[];
  /** A tile that takes no space. */
  readonly #zeros: Buffer;
  readonly #compressors: TileCompressor[];
  #length: number;
  #pending: number[] = [];
  #closed = false;

  private constructor(
    layout: GeoTiffLayout,
    big: boolean,
    handle: FileHandle,
    journal: Journal,
    strips: StripRecord[],
  ) {
    this.layout = layout;
    this.#big = big;
    this.#handle = handle;
    this.#journal = journal;
    this.#tilesAcross = Math.ceil(layout.width / layout.tileSize);
    const tiles = this.#tilesAcross * Math.ceil(layout.height / layout.tileSize);
    this.#offsets = new Float64Array(tiles);
    this.#byteCounts = new Uint32Array(tiles);
    this.#tiles = Array.from({ length: tilesInFlight }, () =>
      layout.sampleType === 'uint16'
        ? new Uint16Array(layout.tileSize ** 2)
        : new Uint8Array(layout.tileSize ** 2),
    );
    this.#zeros = Buffer.alloc(this.#tiles[0]!.byteLength);
    this.#compressors = this.#tiles.map((tile) => new TileCompressor(layout.level, tile.byteLength));
    this.#length = big ? 16 : 8;
    for (const strip of strips) {
      for (let at = 0; at < strip.tiles.length; at += 3) {
        const tile = strip.tiles[at]!;
        this.#offsets[tile] = strip.tiles[at + 1]!;
        this.#byteCounts[tile] = strip.tiles[at + 2]!;
      }
      this.#length = strip.length;
    }
  }

  /**
   * Opens the unfinished file: new where `run.strips` is empty, otherwise cut back to those strips of an earlier run
   * (from `readJournal`). Throws `Problem` where the disk refuses.
   */
  static async open(layout: GeoTiffLayout, run: SavedRun): Promise<GeoTiffWriter> {
    const big = layout.bigTiff === 'always' || worstCaseBytes(layout) > 4_294_967_295;
    let handle: FileHandle | undefined;
    try {
      handle = await open(layout.partPath, run.strips.length === 0 ? 'w+' : 'r+');
      const header = Buffer.alloc(big ? 16 : 8);
      header.write('II', 0, 'latin1');
      header.writeUInt16LE(big ? 43 : 42, 2);
      if (big) header.writeUInt16LE(8, 4);
      await handle.write(header, 0, header.length, 0);
      await handle.truncate(run.strips.at(-1)?.length ?? header.length);
      await handle.datasync();
      const journal = await Journal.begin(layout.partPath, run);
      return new GeoTiffWriter(layout, big, handle, journal, run.strips);
    } catch (error) {
      await handle?.close();
      throw storageProblem(error, layout.partPath);
    }
  }

  /**
   * Writes the tiles of a block: `samples` `[rows, columns]`, its top left pixel at (`column`, `row`), multiples of the
   * tile size; the block ends at a tile's edge or the raster's. Every tile is written once.
   */
  async writeBlock(
    column: number,
    row: number,
    columns: number,
    rows: number,
    samples: Uint8Array | Uint16Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const size = this.layout.tileSize;
    const batch: { tile: number; bytes: Promise<Buffer> }[] = [];
    for (let top = 0; top < rows; top += size) {
      for (let left = 0; left < columns; left += size) {
        const pixels = this.#cutTile(
          this.#tiles[batch.length]!,
          samples,
          columns,
          left,
          top,
          Math.min(size, rows - top),
        );
        if (pixels === null) continue;
        const tile = ((row + top) / size) * this.#tilesAcross + (column + left) / size;
        batch.push({ tile, bytes: this.#compressors[batch.length]!.compress(pixels) });
        if (batch.length === tilesInFlight) await this.#writeBatch(batch.splice(0), signal);
      }
    }
    await this.#writeBatch(batch, signal);
  }

  /** A whole tile's bytes, padded with 0, in the buffer of `tile`; null where all are 0. */
  #cutTile(
    tile: Uint8Array | Uint16Array,
    samples: Uint8Array | Uint16Array,
    columns: number,
    left: number,
    top: number,
    rows: number,
  ): Buffer | null {
    const size = this.layout.tileSize;
    const span = Math.min(size, columns - left);
    tile.fill(0);
    for (let row = 0; row < rows; row++) {
      const from = (top + row) * columns + left;
      tile.set(samples.subarray(from, from + span), row * size);
    }
    const bytes = Buffer.from(tile.buffer);
    if (bytes.equals(this.#zeros)) return null;
    if (tile instanceof Uint16Array && endianness() === 'BE') bytes.swap16();
    return bytes;
  }

  async #writeBatch(batch: { tile: number; bytes: Promise<Buffer> }[], signal?: AbortSignal): Promise<void> {
    const buffers = await Promise.all(batch.map(({ bytes }) => bytes));
    throwIfCancelled(signal);
    if (buffers.length === 0) return;
    try {
      for (const [index, buffer] of buffers.entries()) {
        const { tile } = batch[index]!;
        await writeAll(this.#handle, buffer, this.#length);
        this.#offsets[tile] = this.#length;
        this.#byteCounts[tile] = buffer.length;
        this.#pending.push(tile, this.#length, buffer.length);
        this.#length += buffer.length;
      }
    } catch (error) {
      throw storageProblem(error, this.layout.partPath);
    }
  }

  /** Makes the blocks written since the last call one strip that survives a crash. */
  async commitStrip(note: string): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw storageProblem(error, this.layout.partPath);
    }
    await this.#journal.append({ length: this.#length, tiles: this.#pending, note });
    this.#pending = [];
  }

  /** Writes the directory and makes everything safe on the disk; the file keeps its unfinished name. */
  async seal(description: GeoTiffDescription): Promise<void> {
    const { path, partPath } = this.layout;
    try {
      const start = this.#length + (this.#length % 2);
      const directory = encodeDirectory(this.#fields(description), start, this.#big);
      if (!this.#big && start + directory.length > 4_294_967_295) {
        throw new Problem(
          'classmap/too-large',
          `${path} would pass 4 GB.`,
          'Report this with the size of the scene.',
        );
      }
      await writeAll(this.#handle, directory, start);
      await this.#handle.truncate(start + directory.length);
      const pointer = Buffer.alloc(this.#big ? 8 : 4);
      if (this.#big) pointer.writeBigUInt64LE(BigInt(start));
      else pointer.writeUInt32LE(start);
      await this.#handle.write(pointer, 0, pointer.length, this.#big ? 8 : 4);
      await this.#handle.sync();
      await this.close();
    } catch (error) {
      throw storageProblem(error, partPath);
    }
  }

  /** Gives the sealed file its name; the journal goes. */
  async publish(): Promise<void> {
    const { path, partPath } = this.layout;
    try {
      await rename(partPath, path);
      await rm(journalPath(partPath), { force: true });
      await syncFolder(dirname(path));
    } catch (error) {
      throw storageProblem(error, path);
    }
  }

  #fields(description: GeoTiffDescription): TiffField[] {
    const { width, height, sampleType, tileSize } = this.layout;
    const values = sampleType === 'uint16' ? 65_536 : 256;
    const { colours } = description;
    const fields: TiffField[] = [
      { tag: 256, type: 'uint32', values: [width] },
      { tag: 257, type: 'uint32', values: [height] },
      { tag: 258, type: 'uint16', values: [sampleType === 'uint16' ? 16 : 8] },
      { tag: 259, type: 'uint16', values: [8] },
      { tag: 262, type: 'uint16', values: [colours === null ? 1 : 3] },
      { tag: 270, type: 'ascii', values: description.description.replace(/[^\x20-\x7e]/g, '?') },
      { tag: 277, type: 'uint16', values: [1] },
      { tag: 284, type: 'uint16', values: [1] },
      { tag: 305, type: 'ascii', values: description.software.replace(/[^\x20-\x7e]/g, '?') },
      { tag: 322, type: 'uint32', values: [tileSize] },
      { tag: 323, type: 'uint32', values: [tileSize] },
      { tag: 324, type: this.#big ? 'uint64' : 'uint32', values: this.#offsets },
      { tag: 325, type: 'uint32', values: this.#byteCounts },
      { tag: 339, type: 'uint16', values: [1] },
      { tag: 42_112, type: 'ascii', values: metadataXml(description.metadata) },
      ...geoTags(description.transform, description.crs),
    ];
    if (colours !== null) {
      const table = new Uint16Array(3 * values);
      for (let value = 0; value < Math.min(values, colours.length / 3); value++) {
        for (let channel = 0; channel < 3; channel++) {
          table[channel * values + value] = colours[value * 3 + channel]! * 257;
        }
      }
      fields.push({ tag: 320, type: 'uint16', values: table });
    }
    if (description.nodata !== null) {
      fields.push({ tag: 42_113, type: 'ascii', values: String(description.nodata) });
    }
    return fields;
  }

  /** Closes the unfinished file and leaves it with its journal, for another run to go on. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const compressor of this.#compressors) compressor.close();
    await this.#handle.close();
    await this.#journal.close();
  }

  /** Closes and removes the unfinished file and its journal. */
  async discard(): Promise<void> {
    await this.close();
    await removePart(this.layout.partPath);
  }
}

/** Removes an unfinished file and its journal, where they exist. */
export async function removePart(partPath: string): Promise<void> {
  await rm(partPath, { force: true });
  await rm(journalPath(partPath), { force: true });
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

/** Makes a rename durable; folders cannot be opened on Windows, where it is not needed. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EISDIR' && code !== 'EPERM' && code !== 'EINVAL' && code !== 'EACCES') throw error;
  }
}
