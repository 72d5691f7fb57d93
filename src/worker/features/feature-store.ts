import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import type { Basis } from './basis.ts';
import { describeCoordinates, removeCoordinates } from './coordinate-store.ts';
import { damagedStore, entriesIn, RecordReader, RecordWriter } from './record-log.ts';
import { type Precision, WindowCodec } from './window-codec.ts';

/** Everything that the stored tokens depend on; two encodings with equal identities are equal. */
export const featureIdentity = z.object({
  sceneFingerprint: z.string(),
  packChecksum: z.string(),
  /** Modality, attention, last layers. */
  encoder: z.record(z.string(), z.json()),
  /** Scene bands, stretch, working grid, recipe: what the pixels depend on. */
  pixels: z.record(z.string(), z.json()),
  window: z.int().min(0),
  stride: z.int().min(1),
});
export type FeatureIdentity = z.output<typeof featureIdentity>;

const header = z.object({
  format: z.literal('landscribe-features 1'),
  identity: featureIdentity,
  scene: z.string(),
  pack: z.string(),
  packFolder: z.string(),
  embedding: z.int().min(1).max(8192),
  /** Windows of the whole grid, row by row. */
  windows: z
    .int()
    .min(1)
    .max(2 ** 40),
  /** Of the working grid. */
  pixels: z.number().min(1),
  precision: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('exact') }),
    z.object({ kind: z.literal('compact'), step: z.number().positive(), basisDigest: z.string() }),
  ]),
});
export type FeatureHeader = z.output<typeof header>;

const headerFile = 'features.json';
const basisFile = 'basis.f32';
const recordFile = 'windows.bin';
const indexFile = 'index.bin';
function recordFiles(folder: string) {
  return { records: path.join(folder, recordFile), index: path.join(folder, indexFile), store: folder };
}

/**
 * What a store of features says of itself, without opening it for reading; `coordinates` is the share of the scene that
 * has them. Null where there is none.
 */
export async function describeFeatures(
  folder: string,
): Promise<{ header: FeatureHeader; finished: number; bytes: number; coordinates: number } | null> {
  let text: string;
  try {
    text = await readFile(path.join(folder, headerFile), 'utf8');
  } catch {
    return null;
  }
  const parsed = parseHeader(text, folder);
  const index = await sizeOf(path.join(folder, indexFile));
  let bytes = 0;
  for (const name of [headerFile, basisFile, recordFile, indexFile])
    bytes += await sizeOf(path.join(folder, name));
  const coordinates = await describeCoordinates(folder);
  return {
    header: parsed,
    finished: Math.min(parsed.windows, entriesIn(index)),
    bytes: bytes + (coordinates?.bytes ?? 0),
    coordinates: coordinates ? coordinates.finished / coordinates.blocks : 0,
  };
}

/** Removes a store and nothing else: a folder that holds no features is refused. */
export async function removeFeatures(folder: string): Promise<void> {
  if ((await describeFeatures(folder)) === null)
    throw new Problem('features/none', `${folder} holds no stored features.`, 'Check the name.');
  try {
    // Without its header nothing takes the rest for a store.
    for (const name of [headerFile, indexFile, recordFile, basisFile])
      await rm(path.join(folder, name), { force: true });
    await removeCoordinates(folder);
    // Files of others stay, and the folder with them.
    await rmdir(folder).catch(() => {});
  } catch (error) {
    throw asProblem(error);
  }
}

export interface FeatureWriterOptions {
  identity: FeatureIdentity;
  scene: string;
  pack: string;
  packFolder: string;
  embedding: number;
  windows: number;
  pixels: number;
  /** Called only where there is no store to go on with. */
  choosePrecision(): Promise<Precision>;
  /** Bytes that the store may take; it fails with `features/limit` before it takes more. */
  limitBytes: number;
}

/** Fills a store, window by window in the order of the grid; goes on where an earlier program ended. */
export class FeatureWriter {
  readonly folder: string;
  readonly codec: WindowCodec;
  readonly #limit: number;
  readonly #log: RecordWriter;

  private constructor(folder: string, codec: WindowCodec, limit: number, log: RecordWriter) {
    this.folder = folder;
    this.codec = codec;
    this.#limit = limit;
    this.#log = log;
  }

  /** Throws `features/other` where the folder holds features of something else, finished or not. */
  static async open(folder: string, options: FeatureWriterOptions): Promise<FeatureWriter> {
    const { identity, scene, pack, packFolder, embedding, windows, pixels } = options;
    try {
      const found = await describeFeatures(folder);
      if (found && !sameIdentity(found.header.identity, identity)) {
        throw new Problem(
          'features/other',
          `${folder} holds features of ${otherOf(found.header, identity)}.`,
          'Remove them, or choose another folder.',
        );
      }
      await mkdir(folder, { recursive: true });
      let precision: Precision;
      if (found) precision = await readPrecision(folder, found.header);
      else {
        precision = await options.choosePrecision();
        let kept: FeatureHeader['precision'] = { kind: 'exact' };
        if (precision.kind === 'compact') {
          const bytes = basisBytes(precision.basis);
          await writeFile(path.join(folder, basisFile), bytes, { flush: true });
          kept = { kind: 'compact', step: precision.step, basisDigest: digestOf(bytes) };
        }
        await rm(path.join(folder, recordFile), { force: true });
        await rm(path.join(folder, indexFile), { force: true });
        const text = JSON.stringify(
          {
            format: 'landscribe-features 1',
            identity,
            scene,
            pack,
            packFolder,
            embedding,
            windows,
            pixels,
            precision: kept,
          },
          null,
          2,
        );
        await writeFile(path.join(folder, `${headerFile}.new`), text, { flush: true });
        await rename(path.join(folder, `${headerFile}.new`), path.join(folder, headerFile));
      }
      const log = await RecordWriter.open(recordFiles(folder), windows);
      return new FeatureWriter(folder, new WindowCodec(embedding, precision), options.limitBytes, log);
    } catch (error) {
      throw asProblem(error);
    }
  }

  /** The first window that is still missing; `windows` when all are there. */
  get next(): number {
    return this.#log.next;
  }

  get bytes(): number {
    return this.#log.bytes;
  }

  /** Adds records of the next windows, null for windows without measurements; on the disk when it resolves. */
  append(records: readonly (Uint8Array | null)[]): Promise<void> {
    return this.#log.append(records, this.#limit);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** Reads windows of a finished store in any order; holds its index and basis, never its records. */
export class FeatureReader {
  readonly folder: string;
  readonly header: FeatureHeader;
  readonly codec: WindowCodec;
  readonly #log: RecordReader;

  private constructor(folder: string, head: FeatureHeader, codec: WindowCodec, log: RecordReader) {
    this.folder = folder;
    this.header = head;
    this.codec = codec;
    this.#log = log;
  }

  /**
   * Throws `features/none`, `features/unfinished`, `features/damaged`; and `features/changed` where the scene or the
   * pack are no longer those that were encoded.
   */
  static async open(
    folder: string,
    expected: Partial<Pick<FeatureIdentity, 'sceneFingerprint' | 'packChecksum'>>,
  ): Promise<FeatureReader> {
    const found = await describeFeatures(folder);
    if (!found)
      throw new Problem('features/none', `${folder} holds no stored features.`, 'Encode the scene first.');
    const { identity, windows } = found.header;
    for (const key of ['sceneFingerprint', 'packChecksum'] as const) {
      if (expected[key] !== undefined && expected[key] !== identity[key]) {
        const what = key === 'packChecksum' ? `pack ${found.header.pack}` : found.header.scene;
        throw new Problem(
          'features/changed',
          `${what} has changed since its features were stored in ${folder}.`,
          'Remove the stored features and encode the scene again.',
        );
      }
    }
    if (found.finished < windows) {
      throw new Problem(
        'features/unfinished',
        `${folder}: ${found.finished} of ${windows} windows are stored.`,
        'Encode the scene again: it goes on where it ended.',
      );
    }
    const precision = await readPrecision(folder, found.header);
    try {
      const log = await RecordReader.open(recordFiles(folder));
      return new FeatureReader(folder, found.header, new WindowCodec(found.header.embedding, precision), log);
    } catch (error) {
      throw asProblem(error);
    }
  }

  /** The record of a window, to be decoded with `codec`; null for a window without measurements. */
  async record(window: number): Promise<Uint8Array<ArrayBuffer> | null> {
    if (!Number.isInteger(window) || window < 0 || window >= this.header.windows)
      throw new RangeError(`there is no window ${window}`);
    return this.#log.record(window);
  }

  /** Bytes of the windows. */
  size(): Promise<{ bytes: number }> {
    return this.#log.size();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

async function readPrecision(folder: string, { precision, embedding }: FeatureHeader): Promise<Precision> {
  if (precision.kind === 'exact') return precision;
  const file = path.join(folder, basisFile);
  if ((await sizeOf(file)) !== (embedding + 1) * embedding * 4) throw damagedStore(folder);
  const bytes = await readFile(file);
  if (digestOf(bytes) !== precision.basisDigest) throw damagedStore(folder);
  if (endianness() === 'BE') bytes.swap32();
  const values = new Float32Array(new Uint8Array(bytes).buffer);
  return {
    kind: 'compact',
    step: precision.step,
    basis: { size: embedding, mean: values.slice(0, embedding), directions: values.slice(embedding) },
  };
}

/** Mean, then directions, little endian. */
function basisBytes({ mean, directions }: Basis): Buffer {
  const bytes = Buffer.alloc((mean.length + directions.length) * 4);
  [...mean].forEach((value, i) => {
    bytes.writeFloatLE(value, i * 4);
  });
  directions.forEach((value, i) => {
    bytes.writeFloatLE(value, (mean.length + i) * 4);
  });
  return bytes;
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function parseHeader(text: string, folder: string): FeatureHeader {
  let plain: unknown = null;
  try {
    plain = JSON.parse(text);
  } catch {}
  const parsed = header.safeParse(plain);
  if (!parsed.success) throw damagedStore(folder);
  return parsed.data;
}

function sameIdentity(left: FeatureIdentity, right: FeatureIdentity): boolean {
  return canonical(left) === canonical(right);
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function otherOf(found: FeatureHeader, wanted: FeatureIdentity): string {
  if (found.identity.sceneFingerprint !== wanted.sceneFingerprint) return `another scene (${found.scene})`;
  if (found.identity.packChecksum !== wanted.packChecksum) return `another pack (${found.pack})`;
  return 'the same scene with other settings';
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}
