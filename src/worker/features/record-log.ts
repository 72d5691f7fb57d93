import { type FileHandle, open } from 'node:fs/promises';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';

/** uint48 offset and uint32 length of a record; length 0 for a record that holds nothing. */
const entryBytes = 10;
/** Entries that are read at a time: going from thread to disk and back takes longer than reading some more. */
const entriesAtOnce = 1024;
/** No record is longer. */
const longestRecord = 2 ** 30;

export interface RecordFiles {
  records: string;
  index: string;
  /** Names the store in problems. */
  store: string;
}

/** How many entries an index of this many bytes holds. */
export function entriesIn(indexBytes: number): number {
  return Math.floor(indexBytes / entryBytes);
}

/** Appends records to two files; the index names only what is safe, so a killed program loses the last batch at most. */
export class RecordWriter {
  readonly #files: RecordFiles;
  readonly #most: number;
  readonly #records: FileHandle;
  readonly #index: FileHandle;
  #next: number;
  #end: number;

  private constructor(
    files: RecordFiles,
    most: number,
    handles: { records: FileHandle; index: FileHandle },
    next: number,
    end: number,
  ) {
    this.#files = files;
    this.#most = most;
    this.#records = handles.records;
    this.#index = handles.index;
    this.#next = next;
    this.#end = end;
  }

  /** Goes on behind the last record that is whole. `most` records at most. */
  static async open(files: RecordFiles, most: number): Promise<RecordWriter> {
    const records = await open(files.records, 'a+');
    try {
      const index = await open(files.index, 'a+');
      try {
        const { next, end } = await lastWhole(records, index, most);
        await index.truncate(next * entryBytes);
        await records.truncate(end);
        return new RecordWriter(files, most, { records, index }, next, end);
      } catch (error) {
        await index.close();
        throw error;
      }
    } catch (error) {
      await records.close();
      throw error;
    }
  }

  /** The first record that is still missing. */
  get next(): number {
    return this.#next;
  }

  get bytes(): number {
    return this.#end + this.#next * entryBytes;
  }

  /** Adds records, null for ones that hold nothing; on the disk when it resolves. */
  async append(records: readonly (Uint8Array | null)[], limitBytes: number): Promise<void> {
    if (this.#next + records.length > this.#most) throw new RangeError('more records than announced');
    const entries = Buffer.alloc(records.length * entryBytes);
    let end = this.#end;
    records.forEach((record, i) => {
      entries.writeUIntLE(end, i * entryBytes, 6);
      entries.writeUInt32LE(record?.length ?? 0, i * entryBytes + 6);
      end += record?.length ?? 0;
    });
    if (end > limitBytes) {
      throw new Problem(
        'features/limit',
        `${this.#files.store}: the stored features would pass the limit of ${Math.round(limitBytes / 1e6)} MB.`,
        'Raise the limit, remove features of other scenes, or encode a coarser working resolution.',
      );
    }
    try {
      await this.#records.writev(records.filter((record) => record !== null));
      await this.#records.datasync();
      await this.#index.write(entries);
      await this.#index.datasync();
    } catch (error) {
      throw asProblem(Object.assign(error as Error, { path: this.#files.store }));
    }
    this.#end = end;
    this.#next += records.length;
  }

  async close(): Promise<void> {
    await this.#records.close();
    await this.#index.close();
  }
}

/** Reads records of a finished log in any order; holds none of them. */
export class RecordReader {
  readonly #files: RecordFiles;
  readonly #records: FileHandle;
  readonly #index: FileHandle;
  #page: { number: number; entries: Promise<Buffer> } | null = null;

  private constructor(files: RecordFiles, records: FileHandle, index: FileHandle) {
    this.#files = files;
    this.#records = records;
    this.#index = index;
  }

  static async open(files: RecordFiles): Promise<RecordReader> {
    const records = await open(files.records, 'r');
    try {
      return new RecordReader(files, records, await open(files.index, 'r'));
    } catch (error) {
      await records.close();
      throw error;
    }
  }

  /** Record `number`, null where it holds nothing. Throws `features/damaged`. */
  async record(number: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const page = Math.floor(number / entriesAtOnce);
    if (this.#page?.number !== page) this.#page = { number: page, entries: this.#entries(page) };
    const entries = await this.#page.entries;
    const at = (number - page * entriesAtOnce) * entryBytes;
    if (at + entryBytes > entries.length) throw damagedStore(this.#files.store);
    const { offset, length } = entryAt(entries.subarray(at));
    if (length === 0) return null;
    if (length > longestRecord) throw damagedStore(this.#files.store);
    const bytes = new Uint8Array(length);
    await this.#read(this.#records, bytes, offset);
    return bytes;
  }

  async size(): Promise<{ bytes: number }> {
    return { bytes: (await this.#records.stat()).size + (await this.#index.stat()).size };
  }

  async close(): Promise<void> {
    await this.#records.close();
    await this.#index.close();
  }

  async #entries(page: number): Promise<Buffer> {
    const entries = Buffer.alloc(entriesAtOnce * entryBytes);
    const { bytesRead } = await this.#index.read(
      entries,
      0,
      entries.length,
      page * entriesAtOnce * entryBytes,
    );
    return entries.subarray(0, bytesRead);
  }

  async #read(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const { bytesRead } = await file.read(into, done, into.length - done, position + done);
      if (bytesRead === 0) throw damagedStore(this.#files.store);
      done += bytesRead;
    }
  }
}

/** How many leading records are whole on the disk, and where the last of them ends. */
async function lastWhole(
  records: FileHandle,
  index: FileHandle,
  most: number,
): Promise<{ next: number; end: number }> {
  const size = (await records.stat()).size;
  let next = Math.min(most, entriesIn((await index.stat()).size));
  const entry = Buffer.alloc(entryBytes);
  for (; next > 0; next--) {
    await index.read(entry, 0, entryBytes, (next - 1) * entryBytes);
    const { offset, length } = entryAt(entry);
    if (offset + length <= size) return { next, end: offset + length };
  }
  return { next: 0, end: 0 };
}

function entryAt(entry: Buffer): { offset: number; length: number } {
  return { offset: entry.readUIntLE(0, 6), length: entry.readUInt32LE(6) };
}

export function damagedStore(store: string): Problem {
  return new Problem(
    'features/damaged',
    `${store}: the stored features are damaged.`,
    'Remove them and encode the scene again.',
  );
}
