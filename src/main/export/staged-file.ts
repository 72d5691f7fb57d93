import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Problem } from '../../worker/report/problem.ts';
import type { StagedOutput } from './layer-writer.ts';

/** The part of a file handle that writers use; tests put failing ones in its place. */
export type WritableHandle = Pick<FileHandle, 'write' | 'datasync' | 'close'>;

export interface OutputOptions {
  /** Replace an existing file. Without it an existing file is a Problem `output/exists`. */
  overwrite?: boolean;
  openFile?: (path: string) => Promise<WritableHandle>;
}

const flushBytes = 1 << 20;

/** Turns a failure of the file system or of SQLite into a Problem that names the file; Problems pass unchanged. */
export function outputProblem(error: unknown, path: string): Problem {
  if (error instanceof Problem) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const folder = dirname(path);
  const name = typeof code === 'string' ? code : '';
  if (name === 'ENOSPC' || name === 'EDQUOT' || name === 'SQLITE_FULL')
    return new Problem(
      'disk/full',
      `${path}: the disk is full; nothing was kept of this file.`,
      'Free some space or write to another disk, then run again.',
      error,
    );
  if (name === 'EROFS')
    return new Problem(
      'output/not-writable',
      `${path}: the folder ${folder} is on a read-only disk.`,
      'Choose another folder with --out.',
      error,
    );
  if (name === 'EACCES' || name === 'EPERM' || name === 'SQLITE_READONLY')
    return new Problem(
      'output/not-writable',
      `${path}: no permission to write in ${folder}.`,
      'Choose another folder with --out, or change the permissions of this one.',
      error,
    );
  if (name === 'EBUSY')
    return new Problem(
      'output/in-use',
      `${path}: another program holds this file.`,
      'Close it there, then run again.',
      error,
    );
  if (name === 'ENOENT' || name === 'ENOTDIR')
    return new Problem(
      'output/no-folder',
      `${path}: the folder ${folder} does not exist.`,
      'Create the folder first, or choose another with --out.',
      error,
    );
  if (name === 'ENAMETOOLONG')
    return new Problem('output/name-too-long', `${path}: the file name is too long.`, 'Shorten it.', error);
  if (name === 'EFBIG')
    return new Problem(
      'output/too-large',
      `${path}: the file grows beyond what this disk allows for one file.`,
      'Write to a disk with another file system, or segment a smaller extent.',
      error,
    );
  const reason = error instanceof Error ? error.message : String(error);
  return new Problem('output/failed', `${path}: could not be written (${reason}).`, 'Check the disk.', error);
}

/** Throws a Problem unless a file of that name may be created: its folder is there and nothing stands in the way. */
export async function checkTarget(target: string, options: OutputOptions): Promise<void> {
  try {
    await access(dirname(target), constants.W_OK);
  } catch (error) {
    throw outputProblem(error, target);
  }
  const existing = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw outputProblem(error, target);
  });
  if (!existing) return;
  if (existing.isDirectory())
    throw new Problem('output/is-a-folder', `${target}: is a folder.`, 'Choose another name with --out.');
  if (!options.overwrite)
    throw new Problem(
      'output/exists',
      `${target}: exists already.`,
      'Give --overwrite to replace it, or choose another name with --out.',
    );
}

/** A name beside `target`, hidden and unlike any other, for a file that is not yet complete. */
export function temporaryName(target: string): string {
  return join(dirname(target), `.${basename(target).slice(0, 100)}.${randomBytes(6).toString('hex')}.part`);
}

/** Removes what programs that were killed have left of temporary files for `targets`; nobody may be writing them. */
export async function removeLeftovers(targets: readonly string[]): Promise<void> {
  const begins = new Map<string, string[]>();
  for (const target of targets) {
    const folder = dirname(target);
    begins.set(folder, [...(begins.get(folder) ?? []), `.${basename(target).slice(0, 100)}.`]);
  }
  for (const [folder, starts] of begins) {
    // SQLite puts files of its own beside the one it writes.
    for (const name of await readdir(folder).catch(() => []))
      if (
        starts.some(
          (start) => name.startsWith(start) && /^[0-9a-f]{12}\.part(-\w+)?$/.test(name.slice(start.length)),
        )
      )
        await rm(join(folder, name), { force: true }).catch(() => {});
  }
}

/**
 * A file written from front to back under a temporary name. Bytes are collected in `buffer`: `reserve` makes room and
 * returns where to put them, `drain` writes what has gathered. Memory is one megabyte or the largest reservation.
 */
export class StagedFile implements StagedOutput {
  readonly target: string;
  readonly temporary: string;
  /** Valid from one `reserve` to the next. */
  buffer: Buffer = Buffer.allocUnsafe(flushBytes + (flushBytes >> 2));
  #handle: WritableHandle | null;
  #used = 0;
  #written = 0;

  private constructor(target: string, temporary: string, handle: WritableHandle) {
    this.target = target;
    this.temporary = temporary;
    this.#handle = handle;
  }

  static async open(target: string, options: OutputOptions = {}): Promise<StagedFile> {
    await checkTarget(target, options);
    const temporary = temporaryName(target);
    try {
      const handle = await (options.openFile ?? ((path: string) => open(path, 'wx')))(temporary);
      return new StagedFile(target, temporary, handle);
    } catch (error) {
      throw outputProblem(error, target);
    }
  }

  /** Bytes so far, written or gathered. */
  get size(): number {
    return this.#written + this.#used;
  }

  /** Makes room for `bytes` and returns their offset in `buffer`; all of them must be filled. */
  reserve(bytes: number): number {
    const offset = this.#used;
    if (offset + bytes > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(offset + bytes, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, offset);
      this.buffer = larger;
    }
    this.#used = offset + bytes;
    return offset;
  }

  /** Gives back the last `bytes` of the latest reservation. */
  release(bytes: number): void {
    this.#used -= bytes;
  }

  /** Appends text as UTF-8. */
  text(value: string): void {
    const offset = this.reserve(value.length * 3);
    this.#used = offset + this.buffer.write(value, offset, 'utf8');
  }

  /** Writes what has gathered, once it is a megabyte. */
  async drain(): Promise<void> {
    if (this.#used >= flushBytes) await this.#flush();
  }

  /** Replaces bytes at `position`, such as a header whose counts are known at the end. */
  async patch(position: number, bytes: Uint8Array): Promise<void> {
    await this.#flush();
    await this.#write(bytes, bytes.length, position);
  }

  /** Completes the file and forces it to disk. */
  async seal(): Promise<void> {
    await this.#flush();
    const handle = this.#handle;
    if (!handle) return;
    try {
      await handle.datasync();
      this.#handle = null;
      await handle.close();
    } catch (error) {
      throw outputProblem(error, this.target);
    }
  }

  async discard(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => {});
    await rm(this.temporary, { force: true });
  }

  async #flush(): Promise<void> {
    if (this.#used === 0) return;
    const bytes = this.#used;
    await this.#write(this.buffer, bytes, this.#written);
    this.#written += bytes;
    this.#used = 0;
    if (this.buffer.length > 4 * flushBytes) this.buffer = Buffer.allocUnsafe(flushBytes + (flushBytes >> 2));
  }

  async #write(bytes: Uint8Array, length: number, position: number): Promise<void> {
    if (!this.#handle) throw new Error(`${this.target}: written after it was sealed`);
    try {
      for (let done = 0; done < length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, length - done, position + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw outputProblem(error, this.target);
    }
  }
}

/**
 * Gives sealed files their names, in the order given. If one fails, those before it are taken back and files that
 * were replaced return, so that either all appear or none. (A crash of the machine in between may leave some.)
 */
export async function publishAll(files: readonly StagedOutput[], options: OutputOptions): Promise<void> {
  for (const file of files) await checkTarget(file.target, options);
  const undo: (() => Promise<void>)[] = [];
  const replaced: string[] = [];
  for (const { target, temporary } of files) {
    try {
      // A single file is replaced in one step; several need a way back.
      if (files.length > 1) {
        // Not a name of leftovers: until all are published it is somebody's only copy.
        const aside = temporaryName(target).replace(/part$/, 'replaced');
        const existed = await rename(target, aside).then(
          () => true,
          (error: NodeJS.ErrnoException) => {
            if (error.code === 'ENOENT') return false;
            throw error;
          },
        );
        if (existed) {
          replaced.push(aside);
          undo.push(() => rename(aside, target));
        }
      }
      await rename(temporary, target);
      if (files.length > 1) undo.push(() => rename(target, temporary));
    } catch (error) {
      for (const step of undo.reverse()) await step();
      throw outputProblem(error, target);
    }
  }
  for (const aside of replaced) await rm(aside, { force: true });
  for (const folder of new Set(files.map(({ target }) => dirname(target)))) await syncFolder(folder);
}

/** Makes renames last through a power cut. Not every system can (Windows cannot open folders). */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // The files themselves are safe already.
  }
}
