import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type * as z from 'zod';
import { asProblem } from '../../worker/report/problem-record.ts';

/**
 * A small JSON file of the user's own: recent projects, presets, measured speeds. Unreadable content counts as none, for
 * nothing in it is beyond replacing. Writes are atomic and one after the other.
 */
export class UserFile<Schema extends z.ZodType> {
  readonly #path: string;
  readonly #schema: Schema;
  readonly #empty: z.output<Schema>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: string, schema: Schema, empty: z.output<Schema>) {
    this.#path = file;
    this.#schema = schema;
    this.#empty = empty;
  }

  async read(): Promise<z.output<Schema>> {
    const text = await readFile(this.#path, 'utf8').catch(() => null);
    if (text === null) return this.#empty;
    try {
      const parsed = this.#schema.safeParse(JSON.parse(text));
      return parsed.success ? parsed.data : this.#empty;
    } catch {
      return this.#empty;
    }
  }

  /** Throws a `Problem` where the file cannot be written. */
  change(by: (value: z.output<Schema>) => z.output<Schema>): Promise<void> {
    const work = this.#last.then(async () => {
      try {
        const text = JSON.stringify(by(await this.read()), null, 2);
        await mkdir(path.dirname(this.#path), { recursive: true });
        const temporary = `${this.#path}.${process.pid}.tmp`;
        await writeFile(temporary, text);
        await rename(temporary, this.#path);
      } catch (error) {
        throw asProblem(error);
      }
    });
    this.#last = work.catch(() => {});
    return work;
  }
}
