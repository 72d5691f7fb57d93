import { type FileHandle, open } from 'node:fs/promises';
import { Problem, throwIfCancelled } from '../report/problem.ts';

const chunkBytes = 1 << 20;

/** A name out of a file, fit for one line of a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}

/** A checkpoint on disk, read by position; every range is checked against the file before anything is allocated. */
export class CheckpointFile {
  readonly path: string;
  /** Bytes when opened. */
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  static async open(path: string): Promise<CheckpointFile> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR')
        throw new Problem(
          'checkpoint/not-found',
          `${path}: there is no such file.`,
          'Check the path.',
          cause,
        );
      throw new Problem(
        'checkpoint/unreadable',
        `${path}: cannot be opened (${code}).`,
        'Check its permissions.',
        cause,
      );
    }
    try {
      const status = await handle.stat();
      if (!status.isFile())
        throw new Problem(
          'checkpoint/unreadable',
          `${path}: is not a file.`,
          'Name the checkpoint file itself.',
        );
      return new CheckpointFile(path, status.size, handle);
    } catch (problem) {
      await handle.close();
      throw problem;
    }
  }

  /** Exactly `length` bytes from `position`, in a buffer of their own. */
  async read(position: number, length: number, what: string): Promise<Buffer> {
    this.#requireInside(position, length, what);
    // Not from the pool: typed arrays over it need an aligned start.
    const buffer = Buffer.allocUnsafeSlow(length);
    await this.#fill(buffer, position, what);
    return buffer;
  }

  /** The same bytes in pieces of at most 1 MiB; a piece is overwritten when the next one is asked for. */
  async *chunks(
    position: number,
    length: number,
    what: string,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    this.#requireInside(position, length, what);
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, length));
    for (let done = 0; done < length; ) {
      throwIfCancelled(signal);
      const piece = buffer.subarray(0, Math.min(buffer.length, length - done));
      await this.#fill(piece, position + done, what);
      done += piece.length;
      yield piece;
    }
  }

  /** A `Problem` about this file's content. */
  corrupt(what: string, cause?: unknown): Problem {
    return new Problem(
      'checkpoint/corrupt',
      `${this.path}: ${what}`,
      'The file is damaged or not a checkpoint; download or export it again.',
      cause,
    );
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #requireInside(position: number, length: number, what: string): void {
    if (!(position >= 0 && length >= 0 && position + length <= this.size))
      throw new Problem(
        'checkpoint/truncated',
        `${this.path}: ${what} would end at byte ${position + length}, but the file has ${this.size}.`,
        'The file is cut short or damaged; download or export it again.',
      );
  }

  async #fill(buffer: Buffer, position: number, what: string): Promise<void> {
    for (let done = 0; done < buffer.length; ) {
      let bytesRead: number;
      try {
        ({ bytesRead } = await this.#handle.read(buffer, done, buffer.length - done, position + done));
      } catch (cause) {
        throw new Problem(
          'checkpoint/unreadable',
          `${this.path}: ${what} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
          'Check the disk.',
          cause,
        );
      }
      if (bytesRead === 0) throw this.corrupt(`${what} ended early; the file changed while it was read.`);
      done += bytesRead;
    }
  }
}
