import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Problem } from '../../worker/report/problem.ts';
import type { ReportProgress } from '../../worker/report/progress.ts';
import { checkDigests, type Digests, digestsOf, RecordedChecksums } from './checksum.ts';
import { type DownloadOptions, download, forget } from './download.ts';
import type { Home } from './home.ts';
import { fileNameOf, type PublishedFile } from './registry.ts';

export interface ObtainOptions {
  /** A folder that holds the files already; nothing is downloaded then. */
  from?: string | null | undefined;
  /** An address that has all files under their names, in place of their own. */
  mirror?: string | null | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ReportProgress | undefined;
  onNote?: ((text: string) => void) | undefined;
  network?: Pick<DownloadOptions, 'attempts' | 'waitMs' | 'stallMs' | 'env'>;
}

/** A published file on this machine, found to be what it should be. */
export interface Obtained {
  path: string;
  sha256: string;
  /** Whether its checksum is published, and not only recorded here. */
  published: boolean;
}

/** Where `entry` would be downloaded from. Throws `download/mirror`. */
export function addressOf(entry: PublishedFile, mirror: string | null | undefined): string {
  if (!mirror) return entry.url;
  const base = URL.parse(mirror.endsWith('/') ? mirror : `${mirror}/`);
  if (!base || !/^https?:$/.test(base.protocol)) {
    throw new Problem(
      'download/mirror',
      `The mirror ${mirror} is no http or https address.`,
      'Give one such as https://models.example.org/landscribe/.',
    );
  }
  return new URL(encodeURIComponent(fileNameOf(entry)), base).href;
}

/** A whole file that is here already: in `from`, or among the downloads. Not checked. */
export async function presentFile(
  entry: PublishedFile,
  home: Home,
  from: string | null | undefined,
): Promise<string | null> {
  const file = path.join(from ?? home.downloads, fileNameOf(entry));
  return (await stat(file).catch(() => null))?.isFile() ? file : null;
}

/**
 * The published file, from `from`, from an earlier download, or from the network, checked against its checksum. A file
 * that is not what it should be is deleted if it was downloaded. Throws `download/…`, `pack/checksum`, `pack/no-file`.
 */
export async function obtain(entry: PublishedFile, home: Home, options: ObtainOptions): Promise<Obtained> {
  const recorded = new RecordedChecksums(home.checksums);
  const name = fileNameOf(entry);
  const present = await presentFile(entry, home, options.from);
  if (options.from) {
    if (present) return check(present, entry, recorded, options);
    throw new Problem(
      'pack/no-file',
      `${path.join(options.from, name)}: does not exist.`,
      `Put it there; its source is ${entry.url}.`,
    );
  }
  const target = path.join(home.downloads, name);
  const url = addressOf(entry, options.mirror);
  const vouched = entry.checksum.kind !== 'recorded' || (await recorded.of(entry.url)) !== null;
  let fetched = present === null;
  let doubtful = !fetched;
  for (let round = 1; ; round++) {
    if (fetched) {
      let highest = 0;
      const { resumed } = await download(
        {
          url,
          target,
          bytes: entry.bytes,
          aboutBytes: entry.megabytes === null ? null : Math.round(entry.megabytes * 1e6),
          checksummed: vouched,
        },
        {
          ...options.network,
          signal: options.signal,
          onNote: options.onNote,
          onBytes(done, total) {
            // A restart begins at 0 again, but progress only rises.
            highest = Math.max(highest, done);
            options.onProgress?.({
              phase: `downloading ${name}`,
              done: highest,
              total: Math.max(total, highest),
              unit: 'bytes',
            });
          },
        },
      );
      doubtful = resumed;
    }
    try {
      return await check(target, entry, recorded, options);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'pack/checksum') throw error;
      await rm(target, { force: true });
      await forget(target);
      if (!doubtful || round > 1) throw error;
      // Halves of two files, or an older download: once more, from the beginning.
      options.onNote?.(`${name}: what was there already is not the published file; fetching all of it`);
      fetched = true;
    }
  }
}

async function check(
  file: string,
  entry: PublishedFile,
  recorded: RecordedChecksums,
  { signal, onProgress, onNote }: ObtainOptions,
): Promise<Obtained> {
  const { size } = await stat(file);
  const name = fileNameOf(entry);
  const digests: Digests = await digestsOf(file, signal, (done) =>
    onProgress?.({ phase: `checking ${name}`, done, total: size, unit: 'bytes' }),
  );
  const vouched = await checkDigests(file, entry, digests, recorded);
  if (vouched === 'first') {
    await recorded.record(entry.url, digests);
    onNote?.(`${name}: no checksum is published; SHA-256 ${digests.sha256} is recorded for later downloads`);
  }
  return { path: file, sha256: digests.sha256, published: vouched === 'published' };
}
