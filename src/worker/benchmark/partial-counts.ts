import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { storageProblem } from '../classmap/storage-problem.ts';
import type { Confusion } from '../evaluate/confusion.ts';

const count = z.int().min(0);
const record = z.strictObject({
  name: z.string(),
  /** Pictures that were measured: more than one where the file was cut into crops. */
  pictures: z.int().min(1),
  ignored: count,
  /** Label, prediction (one past the last class: unclassified), pixels. */
  counts: z.array(z.tuple([count, count, z.int().min(1)])),
});
export type PartialRecord = z.output<typeof record>;

/** A picture's confusion as a record. */
export function partialRecord(name: string, pictures: number, confusion: Confusion): PartialRecord {
  const columns = confusion.names.length + 1;
  const counts: PartialRecord['counts'] = [];
  confusion.counts.forEach((pixels, at) => {
    if (pixels > 0) counts.push([Math.floor(at / columns), at % columns, pixels]);
  });
  return { name, pictures, ignored: confusion.ignoredPixels, counts };
}

/** Adds a record to a confusion of the same classes. */
export function addRecord(confusion: Confusion, { counts, ignored }: PartialRecord): void {
  const columns = confusion.names.length + 1;
  for (const [label, prediction, pixels] of counts) confusion.counts[label * columns + prediction]! += pixels;
  confusion.ignoredPixels += ignored;
}

/**
 * The counts of every picture that a run has finished, one JSON record a line, each on the disk before the next
 * picture begins: a run that was killed goes on after it. A torn or foreign last line is cut off.
 */
export class PartialCounts {
  readonly records: ReadonlyMap<string, PartialRecord>;
  readonly #file: FileHandle;
  readonly #path: string;

  private constructor(records: Map<string, PartialRecord>, file: FileHandle, filePath: string) {
    this.records = records;
    this.#file = file;
    this.#path = filePath;
  }

  static async open(filePath: string, classes: number): Promise<PartialCounts> {
    try {
      await mkdir(path.dirname(filePath), { recursive: true });
      const bytes = await readFile(filePath).catch(() => Buffer.alloc(0));
      const { records, length } = parseRecords(bytes, classes);
      const file = await open(filePath, 'a');
      await file.truncate(length);
      return new PartialCounts(records, file, filePath);
    } catch (error) {
      throw storageProblem(error, filePath);
    }
  }

  async append(finished: PartialRecord): Promise<void> {
    try {
      await this.#file.appendFile(`${JSON.stringify(finished)}\n`);
      await this.#file.datasync();
    } catch (error) {
      throw storageProblem(error, this.#path);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Closes and removes the file: the set is finished. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.#path, { force: true });
  }
}

/** Whole records at the beginning of the bytes, and how many bytes they take. */
function parseRecords(
  bytes: Buffer,
  classes: number,
): { records: Map<string, PartialRecord>; length: number } {
  const records = new Map<string, PartialRecord>();
  let length = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, length);
    if (end < 0) break;
    const parsed = parseRecord(bytes.toString('utf8', length, end), classes);
    if (!parsed) break;
    records.set(parsed.name, parsed);
    length = end + 1;
  }
  return { records, length };
}

function parseRecord(line: string, classes: number): PartialRecord | null {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return null;
  }
  const parsed = record.safeParse(json);
  if (!parsed.success) return null;
  const inside = parsed.data.counts.every(([label, prediction]) => label < classes && prediction <= classes);
  return inside ? parsed.data : null;
}
