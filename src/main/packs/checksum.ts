import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { Problem, throwIfCancelled } from '../../worker/report/problem.ts';
import type { PublishedFile } from './registry.ts';

export type Digests = { sha256: string; gitBlobSha1: string; bytes: number };

/** SHA-256 of a file and Git's name of it, in one pass. `onBytes` is told how many bytes are read. */
export async function digestsOf(
  file: string,
  signal?: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<Digests> {
  const bytes = (await stat(file)).size;
  const sha256 = createHash('sha256');
  const blob = createHash('sha1').update(`blob ${bytes}\0`);
  let read = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    throwIfCancelled(signal);
    sha256.update(chunk);
    blob.update(chunk);
    read += chunk.length;
    onBytes?.(read);
  }
  return { sha256: sha256.digest('hex'), gitBlobSha1: blob.digest('hex'), bytes: read };
}

const records = z.record(
  z.string(),
  z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0), recorded: z.string() }),
);

/** Checksums of files whose publishers state none, by their addresses. */
export class RecordedChecksums {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async #read(): Promise<z.output<typeof records>> {
    const text = await readFile(this.#file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}';
      throw error;
    });
    try {
      return records.parse(JSON.parse(text));
    } catch (cause) {
      throw new Problem(
        'pack/checksums',
        `${this.#file}: is damaged.`,
        'Repair it, or delete it to record checksums anew.',
        cause,
      );
    }
  }

  async of(url: string): Promise<string | null> {
    const all = await this.#read();
    return Object.hasOwn(all, url) ? all[url]!.sha256 : null;
  }

  async record(url: string, { sha256, bytes }: Digests): Promise<void> {
    const all = { ...(await this.#read()), [url]: { sha256, bytes, recorded: new Date().toISOString() } };
    await mkdir(path.dirname(this.#file), { recursive: true });
    const temporary = `${this.#file}.${process.pid}.part`;
    await writeFile(temporary, `${JSON.stringify(all, null, 1)}\n`);
    await rename(temporary, this.#file);
  }
}

/** What speaks for a file: its publisher's checksum, an earlier download's, or nothing yet. */
export type Vouched = 'published' | 'recorded' | 'first';

/**
 * Compares a file's digests with what its entry publishes, or with what the first download recorded. Throws
 * `pack/checksum`.
 */
export async function checkDigests(
  file: string,
  entry: PublishedFile,
  digests: Digests,
  recorded: RecordedChecksums,
): Promise<Vouched> {
  const { checksum } = entry;
  if (entry.bytes !== null && entry.bytes !== digests.bytes) {
    throw new Problem(
      'pack/checksum',
      `${file}: has ${digests.bytes} bytes, but ${entry.bytes} are published.`,
      differs,
    );
  }
  if (checksum.kind === 'recorded') {
    const earlier = await recorded.of(entry.url);
    if (earlier === null) return 'first';
    if (earlier === digests.sha256) return 'recorded';
    throw new Problem(
      'pack/checksum',
      `${file}: differs from what was first downloaded from ${entry.url} (SHA-256 ${digests.sha256}, then ${earlier}).`,
      'If its publisher has replaced it, delete its entry in checksums.json and install again.',
    );
  }
  const found = checksum.kind === 'sha256' ? digests.sha256 : digests.gitBlobSha1;
  if (found === checksum.value) return 'published';
  throw new Problem(
    'pack/checksum',
    `${file}: is not the published file (${checksum.kind} ${found} instead of ${checksum.value}).`,
    differs,
  );
}

const differs = 'Fetch it again; if that does not help, its source or mirror has another file.';
