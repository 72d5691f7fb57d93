import { type FileHandle, open, readFile, rename, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { storageProblem } from './storage-problem.ts';

/** What one finished strip added to an unfinished GeoTIFF. */
export interface StripRecord {
  /** Bytes of the file after the strip. */
  length: number;
  /** Tile number, offset and byte count of every tile that is not empty, flat. */
  tiles: number[];
  /** The caller's own words about the strip. */
  note: string;
}

/** An interrupted run as its journal tells it. */
export interface SavedRun {
  /** Digest of everything that determines the bytes. */
  digest: string;
  /** The caller's own words about the run. */
  state: string;
  /** Strips that are safe on the disk, in order. */
  strips: StripRecord[];
}

interface JournalHeader {
  format: 'landscribe-journal 1';
  digest: string;
  state: string;
}

export function journalPath(partPath: string): string {
  return `${partPath}.journal`;
}

function encode(record: JournalHeader | StripRecord): string {
  const text = JSON.stringify(record);
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

/** The record of a line, or null where the line is torn or damaged. */
function decode(line: string): unknown {
  const text = line.slice(9);
  if (line[8] !== ' ' || Number.parseInt(line.slice(0, 8), 16) !== crc32(text)) return null;
  return JSON.parse(text);
}

function isHeader(record: unknown): record is JournalHeader {
  const header = record as Partial<JournalHeader> | null;
  return (
    header?.format === 'landscribe-journal 1' &&
    typeof header.digest === 'string' &&
    typeof header.state === 'string'
  );
}

function isStrip(record: unknown): record is StripRecord {
  const strip = record as Partial<StripRecord> | null;
  return (
    typeof strip?.length === 'number' &&
    typeof strip.note === 'string' &&
    Array.isArray(strip.tiles) &&
    strip.tiles.length % 3 === 0 &&
    strip.tiles.every((value) => Number.isSafeInteger(value) && value >= 0)
  );
}

/**
 * The interrupted run whose unfinished file is `partPath`, or null where there is none that can be continued. Strips
 * whose bytes are no longer all in the file, and everything after a damaged line, are left out.
 */
export async function readJournal(partPath: string): Promise<SavedRun | null> {
  let text: string;
  let size: number;
  try {
    text = await readFile(journalPath(partPath), 'utf8');
    size = (await stat(partPath)).size;
  } catch {
    return null;
  }
  const lines = text.split('\n');
  const header = decode(lines[0]!);
  if (!isHeader(header)) return null;
  const strips: StripRecord[] = [];
  for (const line of lines.slice(1, -1)) {
    const strip = decode(line);
    if (!isStrip(strip) || strip.length > size || strip.length < (strips.at(-1)?.length ?? 0)) break;
    strips.push(strip);
  }
  return { digest: header.digest, state: header.state, strips };
}

/** Appends the records of one unfinished file; a record counts once it is on the disk. */
export class Journal {
  readonly #handle: FileHandle;
  readonly #path: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /** Begins a journal, replacing an older one whole, with the strips already done. */
  static async begin(partPath: string, run: SavedRun): Promise<Journal> {
    const path = journalPath(partPath);
    const fresh = `${path}.new`;
    try {
      const handle = await open(fresh, 'w');
      try {
        await handle.write(
          encode({ format: 'landscribe-journal 1', digest: run.digest, state: run.state }) +
            run.strips.map(encode).join(''),
        );
        await handle.datasync();
        await rename(fresh, path);
      } catch (error) {
        await handle.close();
        throw error;
      }
      return new Journal(handle, path);
    } catch (error) {
      throw storageProblem(error, path);
    }
  }

  async append(strip: StripRecord): Promise<void> {
    try {
      await this.#handle.appendFile(encode(strip));
      await this.#handle.datasync();
    } catch (error) {
      throw storageProblem(error, this.#path);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
