import { createHash } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import { decodeBlock, encodeBlock, type StoredBlock } from './coordinate-block.ts';
import type { Coordinates } from './coordinates.ts';
import { largestRank, type PixelBasis } from './pixel-basis.ts';
import { damagedStore, entriesIn, RecordReader, RecordWriter } from './record-log.ts';
import { coordinatesOfBlock } from './weigh-block.ts';

/** Working pixels of a block along its sides. */
export const blockWidth = 256;
export const blockHeight = 64;

const header = z.object({
  format: z.literal('landscribe-coordinates 2'),
  /** SHA-256 of the header of the features that they were made from. */
  features: z.string(),
  /** What else the similarities depend on, besides the words: the upsampler. */
  labeller: z.record(z.string(), z.json()),
  /** Working pixels. */
  width: z.int().min(1),
  height: z.int().min(1),
  /** Blocks of a panel from left to right; panels are written one after the other. */
  panelBlocks: z.int().min(1),
  size: z.int().min(1).max(8192),
  rank: z.int().min(1).max(largestRank),
  step: z.number().positive(),
  basisDigest: z.string(),
});
const earlierHeader = z.looseObject({ format: z.literal('landscribe-coordinates 1') });
export type CoordinateHeader = z.output<typeof header>;

/** Files of a store that holds coordinates; beside those of its features. */
export const coordinateFiles = {
  header: 'coordinates.json',
  basis: 'pixel-basis.f32',
  records: 'coordinates.bin',
  index: 'coordinates-index.bin',
} as const;

/** What a store says of its coordinates, without opening them for reading; null where there are none. */
export async function describeCoordinates(
  folder: string,
): Promise<{ header: CoordinateHeader; finished: number; blocks: number; bytes: number } | null> {
  let text: string;
  try {
    text = await readFile(path.join(folder, coordinateFiles.header), 'utf8');
  } catch {
    return null;
  }
  let plain: unknown = null;
  try {
    plain = JSON.parse(text);
  } catch {}
  // Of an earlier program: they are made anew.
  if (earlierHeader.safeParse(plain).success) return null;
  const parsed = header.safeParse(plain);
  if (!parsed.success) throw damagedStore(folder);
  let bytes = 0;
  for (const name of Object.values(coordinateFiles)) bytes += await sizeOf(path.join(folder, name));
  const { columns, rows } = blocksOf(parsed.data);
  const blocks = columns * rows;
  const finished = Math.min(blocks, entriesIn(await sizeOf(path.join(folder, coordinateFiles.index))));
  return { header: parsed.data, finished, blocks, bytes };
}

/** Whether a store has coordinates of all its pixels, made by this labeller. */
export async function hasCoordinates(
  folder: string,
  labeller: CoordinateHeader['labeller'],
): Promise<boolean> {
  const found = await describeCoordinates(folder);
  return (
    found !== null &&
    found.finished === found.blocks &&
    JSON.stringify(found.header.labeller) === JSON.stringify(labeller) &&
    found.header.features === (await digestOfFeatures(folder))
  );
}

/** Removes a store's coordinates; its features stay. */
export async function removeCoordinates(folder: string): Promise<void> {
  // Without its header nothing takes the rest for coordinates.
  for (const name of Object.values(coordinateFiles)) await rm(path.join(folder, name), { force: true });
}

export interface CoordinateWriterOptions {
  labeller: CoordinateHeader['labeller'];
  width: number;
  height: number;
  /** Blocks side by side that are worked on at once, for a basis of so many directions. */
  panelBlocks(rank: number): number;
  /** Called only where there are no coordinates to go on with. */
  chooseBasis(): Promise<PixelBasis>;
  /** Bytes that the coordinates may take; more fail with `features/limit`. */
  limitBytes: number;
}

/** A panel: columns of blocks that are written from top to bottom before the next ones begin. */
export interface BlockPanel {
  /** First working column, and working columns. */
  column: number;
  width: number;
  /** First row of blocks that is not whole yet; the number of rows where all are. */
  nextRow: number;
}

/** Adds coordinates to a store of features, a row of blocks of a panel at a time; goes on where an earlier program ended. */
export class CoordinateWriter {
  readonly basis: PixelBasis;
  readonly #header: CoordinateHeader;
  readonly #limit: number;
  readonly #log: RecordWriter;

  private constructor(basis: PixelBasis, head: CoordinateHeader, limit: number, log: RecordWriter) {
    this.basis = basis;
    this.#header = head;
    this.#limit = limit;
    this.#log = log;
  }

  /** Coordinates made of other features or by another labeller are replaced. */
  static async open(folder: string, options: CoordinateWriterOptions): Promise<CoordinateWriter> {
    const { labeller, width, height } = options;
    try {
      const features = await digestOfFeatures(folder);
      let head = (await describeCoordinates(folder))?.header ?? null;
      if (
        head &&
        (head.features !== features ||
          JSON.stringify(head.labeller) !== JSON.stringify(labeller) ||
          head.width !== width ||
          head.height !== height)
      ) {
        await removeCoordinates(folder);
        head = null;
      }
      let basis: PixelBasis;
      if (head) basis = await readBasis(folder, head);
      else {
        basis = await options.chooseBasis();
        await removeCoordinates(folder);
        const bytes = basisBytes(basis);
        await writeFile(path.join(folder, coordinateFiles.basis), bytes, { flush: true });
        const { size, rank, step } = basis;
        const panelBlocks = options.panelBlocks(rank);
        const basisDigest = digestOf(bytes);
        head = {
          format: 'landscribe-coordinates 2',
          features,
          labeller,
          width,
          height,
          panelBlocks,
          size,
          rank,
          step,
          basisDigest,
        };
        const file = path.join(folder, coordinateFiles.header);
        await writeFile(`${file}.new`, JSON.stringify(head, null, 2), { flush: true });
        await rename(`${file}.new`, file);
      }
      const { columns, rows } = blocksOf(head);
      const log = await RecordWriter.open(recordFiles(folder), columns * rows);
      return new CoordinateWriter(basis, head, options.limitBytes, log);
    } catch (error) {
      throw asProblem(error);
    }
  }

  get bytes(): number {
    return this.#log.bytes;
  }

  /** Rows of blocks of the whole grid. */
  get blockRows(): number {
    return blocksOf(this.#header).rows;
  }

  /** Panels that are not whole yet, in the order in which they must be written. */
  panels(): BlockPanel[] {
    const { columns, rows } = blocksOf(this.#header);
    const { panelBlocks, width } = this.#header;
    const panels: BlockPanel[] = [];
    for (let first = 0; first < columns; first += panelBlocks) {
      const blocks = Math.min(panelBlocks, columns - first);
      const done = this.#log.next - first * rows;
      if (done >= blocks * rows) continue;
      const column = first * blockWidth;
      panels.push({
        column,
        width: Math.min(width - column, blocks * blockWidth),
        nextRow: Math.max(0, Math.floor(done / blocks)),
      });
    }
    return panels;
  }

  /** Writes the next row of blocks of a panel, cut from left to right; those that are there already are left out. */
  async append(panel: BlockPanel, row: number, blocks: readonly Coordinates[]): Promise<void> {
    const first = blockNumber(this.#header, panel.column / blockWidth, row);
    const missing = blocks.slice(Math.max(0, this.#log.next - first));
    if (first + blocks.length - missing.length !== this.#log.next)
      throw new RangeError('blocks out of order');
    await this.#log.append(await Promise.all(missing.map(encodeBlock)), this.#limit);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** Reads blocks of finished coordinates in any order. */
export class CoordinateReader {
  readonly header: CoordinateHeader;
  readonly basis: PixelBasis;
  readonly #folder: string;
  readonly #log: RecordReader;

  private constructor(folder: string, head: CoordinateHeader, basis: PixelBasis, log: RecordReader) {
    this.#folder = folder;
    this.header = head;
    this.basis = basis;
    this.#log = log;
  }

  /**
   * Null where the store has no finished coordinates of its features, or a labeller with other settings made them.
   * Throws `features/damaged`.
   */
  static async open(
    folder: string,
    labeller: CoordinateHeader['labeller'],
  ): Promise<CoordinateReader | null> {
    if (!(await hasCoordinates(folder, labeller))) return null;
    const { header: head } = (await describeCoordinates(folder))!;
    try {
      return new CoordinateReader(
        folder,
        head,
        await readBasis(folder, head),
        await RecordReader.open(recordFiles(folder)),
      );
    } catch (error) {
      throw asProblem(error);
    }
  }

  /** Columns and rows of blocks. */
  get blocks(): { columns: number; rows: number } {
    return blocksOf(this.header);
  }

  /** Null for a block without measurements. */
  async block(column: number, row: number): Promise<StoredBlock | null> {
    const { width, height } = this.header;
    const record = await this.#log.record(blockNumber(this.header, column, row));
    if (record === null) return null;
    return decodeBlock(
      record,
      this.basis,
      Math.min(blockWidth, width - column * blockWidth),
      Math.min(blockHeight, height - row * blockHeight),
      this.#folder,
    );
  }

  /** Null for a block without measurements. */
  async coordinates(column: number, row: number): Promise<Coordinates | null> {
    const block = await this.block(column, row);
    return block && coordinatesOfBlock(block);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

function blocksOf({ width, height }: CoordinateHeader): { columns: number; rows: number } {
  return { columns: Math.ceil(width / blockWidth), rows: Math.ceil(height / blockHeight) };
}

/** Where a block lies among the records. */
function blockNumber(head: CoordinateHeader, column: number, row: number): number {
  const { columns, rows } = blocksOf(head);
  if (!(column >= 0 && column < columns && row >= 0 && row < rows)) throw new RangeError('no such block');
  const first = column - (column % head.panelBlocks);
  const inPanel = Math.min(head.panelBlocks, columns - first);
  return first * rows + row * inPanel + (column - first);
}

function recordFiles(folder: string) {
  return {
    records: path.join(folder, coordinateFiles.records),
    index: path.join(folder, coordinateFiles.index),
    store: folder,
  };
}

async function readBasis(
  folder: string,
  { size, rank, step, basisDigest }: CoordinateHeader,
): Promise<PixelBasis> {
  const file = path.join(folder, coordinateFiles.basis);
  if ((await sizeOf(file)) !== (rank + 1) * size * 4) throw damagedStore(folder);
  const bytes = await readFile(file);
  if (digestOf(bytes) !== basisDigest) throw damagedStore(folder);
  const values = new Float32Array(bytes.length / 4);
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(i * 4);
  return { size, rank, mean: values.slice(0, size), directions: values.slice(size), step };
}

/** Mean, then directions, little endian. */
function basisBytes({ mean, directions }: PixelBasis): Buffer {
  const bytes = Buffer.alloc((mean.length + directions.length) * 4);
  mean.forEach((value, i) => {
    bytes.writeFloatLE(value, i * 4);
  });
  directions.forEach((value, i) => {
    bytes.writeFloatLE(value, (mean.length + i) * 4);
  });
  return bytes;
}

async function digestOfFeatures(folder: string): Promise<string> {
  try {
    return digestOf(await readFile(path.join(folder, 'features.json')));
  } catch (cause) {
    throw new Problem(
      'features/none',
      `${folder} holds no stored features.`,
      'Encode the scene first.',
      cause,
    );
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}
