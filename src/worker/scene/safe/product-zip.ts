import { createWriteStream } from 'node:fs';
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { Problem } from '../../report/problem.ts';
import { type ByteSource, bytesOfFile } from '../tiff-file.ts';
import { missing, type ProductFiles, plainName, requireSmall } from './product-files.ts';

/** Products hold some dozens of files; Sentinel-2 some hundreds. */
const mostEntries = 10_000;

/**
 * A product in a zip archive, whose manifest may lie in a folder of the archive. Stored files are read in place; a
 * compressed one is unpacked once into a temporary file that goes with its source. Null for an archive without manifest.
 */
export async function productZip(path: string): Promise<ProductFiles | null> {
  let zip: ZipFile;
  try {
    zip = await openPromise(path, { lazyEntries: true, autoClose: false, strictFileNames: true });
  } catch (cause) {
    throw damaged(path, cause);
  }
  const entries = new Map<string, Entry>();
  try {
    for await (const entry of eachEntry(zip)) {
      if (entries.size >= mostEntries) throw new RangeError(`more than ${mostEntries} files in it`);
      const name = entry.fileName.endsWith('/') ? null : plainName(entry.fileName);
      if (name !== null) entries.set(name, entry);
    }
  } catch (cause) {
    zip.close();
    throw damaged(path, cause);
  }
  const manifest = [...entries.keys()]
    .filter((name) => name === 'manifest.safe' || name.endsWith('/manifest.safe'))
    .sort((a, b) => a.length - b.length)[0];
  if (manifest === undefined) {
    zip.close();
    return null;
  }
  const folder = manifest.slice(0, -'manifest.safe'.length);
  const need = (name: string): Entry => {
    const entry = entries.get(folder + name);
    if (entry === undefined) throw missing(path, name);
    if (!entry.canDecodeFileData() || entry.isEncrypted()) {
      throw new Problem(
        'scene/unsupported',
        `${path}: ${name} is encrypted or compressed in a way that is not read.`,
        'Unpack the archive and open its folder.',
      );
    }
    return entry;
  };
  return {
    path,
    has: async (name) => entries.has(folder + name),
    async text(name) {
      const entry = need(name);
      requireSmall(path, name, entry.uncompressedSize);
      try {
        const pieces: Buffer[] = [];
        for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Buffer);
        const bytes = Buffer.concat(pieces);
        if (crc32(bytes) !== entry.crc32) throw new RangeError(`the checksum of ${name} is wrong`);
        return bytes.toString('utf8');
      } catch (cause) {
        throw damaged(path, cause);
      }
    },
    async open(name, signal) {
      const entry = need(name);
      if (entry.compressionMethod === 0) return storedBytes(path, zip, entry);
      return unpacked(path, zip, entry, signal);
    },
    unpackedBytes(name) {
      const entry = need(name);
      return entry.compressionMethod === 0 ? 0 : entry.uncompressedSize;
    },
    close: async () => zip.close(),
  };
}

async function* eachEntry(zip: ZipFile): AsyncGenerator<Entry> {
  for (let left = zip.entryCount; left > 0; left--) {
    yield await new Promise<Entry>((resolve, reject) => {
      const stop = (): void => {
        zip.off('entry', onEntry);
        zip.off('error', onError);
        zip.off('end', onEnd);
      };
      const onEntry = (entry: Entry): void => {
        stop();
        resolve(entry);
      };
      const onError = (failure: Error): void => {
        stop();
        reject(failure);
      };
      const onEnd = (): void => onError(new RangeError('its directory is cut short'));
      zip.on('entry', onEntry);
      zip.on('error', onError);
      zip.on('end', onEnd);
      zip.readEntry();
    });
  }
}

async function storedBytes(path: string, zip: ZipFile, entry: Entry): Promise<ByteSource> {
  let start: number;
  try {
    start = (await zip.readLocalFileHeaderPromise(entry, { minimal: true })).fileDataStart;
  } catch (cause) {
    throw damaged(path, cause);
  }
  const handle = await open(path, 'r');
  const { size } = await handle.stat();
  const end = Math.min(start + entry.uncompressedSize, size);
  const whole = bytesOfFile(handle, end);
  return {
    size: end - start,
    read: (offset, length) => whole.read(start + offset, length),
    close: () => whole.close(),
  };
}

async function unpacked(
  path: string,
  zip: ZipFile,
  entry: Entry,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  const folder = await mkdtemp(join(tmpdir(), 'landscribe-product-'));
  try {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < entry.uncompressedSize * 1.05) throw noSpace(path, folder);
    const file = join(folder, 'measurement.tif');
    let sum = 0;
    const summed = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of pieces) {
        sum = crc32(piece, sum);
        yield piece;
      }
    };
    await pipeline(await zip.openReadStreamPromise(entry), summed, createWriteStream(file), { signal });
    if (sum !== entry.crc32) throw new RangeError(`the checksum of ${entry.fileName} is wrong`);
    const handle = await open(file, 'r');
    // Where the system lets an open file go, it cannot outlive the program.
    if (process.platform !== 'win32') await rm(folder, { recursive: true, force: true });
    const source = bytesOfFile(handle, entry.uncompressedSize);
    return {
      ...source,
      async close() {
        await source.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    if (cause instanceof Problem) throw cause;
    if (signal?.aborted) throw signal.reason instanceof Problem ? signal.reason : cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') throw noSpace(path, tmpdir());
    throw damaged(path, cause);
  }
}

function noSpace(path: string, folder: string): Problem {
  return new Problem(
    'disk/full',
    `${path}: there is no room in ${folder} to unpack it.`,
    'Free some space, or unpack the archive yourself and open its folder.',
  );
}

function damaged(path: string, cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  const text = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
  return new Problem(
    'scene/corrupt',
    `${path}: the archive is damaged or cut short (${text}).`,
    'Download the product again.',
    cause,
  );
}
