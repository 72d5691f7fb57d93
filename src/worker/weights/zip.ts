import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { Problem } from '../report/problem.ts';
import type { CheckpointFile } from './checkpoint-file.ts';

export interface ZipEntry {
  name: string;
  /** Bytes after decompression, as declared; reading checks it. */
  size: number;
  compressedSize: number;
  deflated: boolean;
  crc: number;
  headerPosition: number;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;
const centralSignature = 0x02014b50;
const localSignature = 0x04034b50;
const centralLimit = 32 << 20;
const entryLimit = 100_000;
/** Weights hardly compress; a tensor of zeros does, up to 1030 : 1, but is small. */
const ratioLimit = 100;
const ratioFreeBytes = 1 << 20;

/**
 * A zip archive read by position: stored and deflated entries, zip64. Checked before use: the directory lies inside
 * the file, entries do not overlap, names are plain relative paths and unique, no entry swells implausibly.
 * Format: PKWARE APPNOTE 6.3.
 */
export class ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly #file: CheckpointFile;

  private constructor(file: CheckpointFile, entries: Map<string, ZipEntry>) {
    this.#file = file;
    this.entries = entries;
  }

  static async open(file: CheckpointFile): Promise<ZipArchive> {
    const directory = await findDirectory(file);
    if (directory.size > centralLimit || directory.count > entryLimit)
      throw file.corrupt(`its zip directory claims ${directory.count} entries in ${directory.size} bytes.`);
    const bytes = await file.read(directory.position, directory.size, 'the zip directory');
    const entries = readDirectory(file, bytes, directory.count);
    requireApart(file, entries, directory.position);
    return new ZipArchive(file, entries);
  }

  /** A whole entry of at most `limit` bytes, CRC checked. */
  async read(entry: ZipEntry, limit: number): Promise<Buffer> {
    if (entry.size > limit)
      throw this.#file.corrupt(`its entry ${entry.name} claims ${entry.size} bytes, more than ${limit}.`);
    const out = Buffer.allocUnsafeSlow(entry.size);
    let filled = 0;
    for await (const piece of this.chunks(entry, 0, entry.size)) {
      out.set(piece, filled);
      filled += piece.length;
    }
    return out;
  }

  /**
   * Bytes `begin` to `end` (exclusive) of an entry's content, in pieces that are overwritten by the next one. The CRC
   * is checked when the range is the whole entry.
   */
  async *chunks(
    entry: ZipEntry,
    begin: number,
    end: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    if (!(begin >= 0 && begin <= end && end <= entry.size))
      throw this.#file.corrupt(
        `bytes ${begin} to ${end} of its entry ${entry.name} (${entry.size} bytes) are asked for.`,
      );
    const position = await this.#contentPosition(entry);
    const whole = begin === 0 && end === entry.size;
    let crc = 0;
    const pieces = entry.deflated
      ? this.#inflated(entry, position, begin, end, signal)
      : this.#file.chunks(position + begin, end - begin, `entry ${entry.name}`, signal);
    for await (const piece of pieces) {
      if (whole) crc = crc32(piece, crc);
      yield piece;
    }
    if (whole && crc !== entry.crc)
      throw this.#file.corrupt(`the checksum of its entry ${entry.name} is wrong.`);
  }

  /** Where the content starts: the local header's name and extra field may be of other lengths than the directory's. */
  async #contentPosition(entry: ZipEntry): Promise<number> {
    const header = await this.#file.read(entry.headerPosition, 30, `the header of entry ${entry.name}`);
    if (header.readUInt32LE(0) !== localSignature)
      throw this.#file.corrupt(`its entry ${entry.name} has no local header.`);
    return entry.headerPosition + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  }

  async *#inflated(
    entry: ZipEntry,
    position: number,
    begin: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const compressed = this.#file.chunks(position, entry.compressedSize, `entry ${entry.name}`, signal);
    const source = Readable.from(copied(compressed));
    const inflate = createInflateRaw({ chunkSize: 1 << 18 });
    source.on('error', (error) => inflate.destroy(error));
    source.pipe(inflate);
    let at = 0;
    try {
      for await (const piece of inflate as AsyncIterable<Buffer>) {
        if (at + piece.length > entry.size)
          throw this.#file.corrupt(
            `its entry ${entry.name} swells beyond the ${entry.size} bytes it declares.`,
          );
        const from = Math.max(0, begin - at);
        const to = Math.min(piece.length, end - at);
        at += piece.length;
        if (from < to) yield piece.subarray(from, to);
      }
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      throw this.#file.corrupt(`its entry ${entry.name} cannot be decompressed.`, cause);
    } finally {
      source.destroy();
      inflate.destroy();
    }
    if (at !== entry.size)
      throw this.#file.corrupt(`its entry ${entry.name} holds ${at} bytes but declares ${entry.size}.`);
  }
}

/** A stream keeps pieces queued, so they must not share the reader's buffer. */
async function* copied(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) yield Buffer.from(piece);
}

interface Directory {
  position: number;
  size: number;
  count: number;
}

async function findDirectory(file: CheckpointFile): Promise<Directory> {
  const tailLength = Math.min(file.size, 22 + 65535);
  const tail = await file.read(file.size - tailLength, tailLength, 'the end of the zip archive');
  let at = tail.length - 22;
  while (
    at >= 0 &&
    !(tail.readUInt32LE(at) === endSignature && at + 22 + tail.readUInt16LE(at + 20) <= tail.length)
  )
    at--;
  if (at < 0)
    throw file.corrupt('it starts as a zip archive but has no directory at its end; it is cut short.');

  let directory: Directory = {
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    position: tail.readUInt32LE(at + 16),
  };
  const needs64 =
    directory.count === 0xffff || directory.size === 0xffffffff || directory.position === 0xffffffff;
  let limit = file.size - tailLength + at;
  if (needs64 && at >= 20 && tail.readUInt32LE(at - 20) === end64LocatorSignature) {
    limit = safe(file, tail.readBigUInt64LE(at - 12));
    const record = await file.read(limit, 56, 'the zip64 directory record');
    if (record.readUInt32LE(0) !== end64Signature)
      throw file.corrupt('its zip64 directory record is missing.');
    directory = {
      count: safe(file, record.readBigUInt64LE(32)),
      size: safe(file, record.readBigUInt64LE(40)),
      position: safe(file, record.readBigUInt64LE(48)),
    };
  }
  if (directory.position + directory.size > limit)
    throw file.corrupt('its zip directory reaches beyond its end.');
  return directory;
}

function safe(file: CheckpointFile, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw file.corrupt('a 64-bit size in its zip directory is impossible.');
  return Number(value);
}

function readDirectory(file: CheckpointFile, bytes: Buffer, count: number): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== centralSignature)
      throw file.corrupt(`entry ${index} of its zip directory is damaged.`);
    const flags = bytes.readUInt16LE(at + 8);
    const method = bytes.readUInt16LE(at + 10);
    const nameEnd = at + 46 + bytes.readUInt16LE(at + 28);
    const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
    const next = extraEnd + bytes.readUInt16LE(at + 32);
    if (next > bytes.length) throw file.corrupt(`entry ${index} of its zip directory is damaged.`);
    const name = bytes.toString('utf8', at + 46, nameEnd);
    requirePlainName(file, name);
    if (entries.has(name)) throw file.corrupt(`its zip directory names ${name} twice.`);
    if (flags & 0x2041) throw file.corrupt(`its entry ${name} is encrypted.`);
    if (method !== 0 && method !== 8)
      throw file.corrupt(
        `its entry ${name} is compressed by method ${method}; only stored and deflated are read.`,
      );
    const entry: ZipEntry = {
      name,
      deflated: method === 8,
      crc: bytes.readUInt32LE(at + 16),
      compressedSize: bytes.readUInt32LE(at + 20),
      size: bytes.readUInt32LE(at + 24),
      headerPosition: bytes.readUInt32LE(at + 42),
    };
    readZip64Extra(file, bytes.subarray(nameEnd, extraEnd), entry);
    if (!entry.deflated && entry.size !== entry.compressedSize)
      throw file.corrupt(`its stored entry ${name} has two different sizes.`);
    if (entry.size > ratioFreeBytes && entry.size > entry.compressedSize * ratioLimit)
      throw file.corrupt(
        `its entry ${name} claims to swell from ${entry.compressedSize} to ${entry.size} bytes: a zip bomb.`,
      );
    entries.set(name, entry);
    at = next;
  }
  return entries;
}

function readZip64Extra(file: CheckpointFile, extra: Buffer, entry: ZipEntry): void {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (end > extra.length) return;
    if (extra.readUInt16LE(at) === 1) {
      let field = at + 4;
      const take = (): number => {
        if (field + 8 > end) throw file.corrupt(`the zip64 sizes of its entry ${entry.name} are missing.`);
        field += 8;
        return safe(file, extra.readBigUInt64LE(field - 8));
      };
      if (entry.size === 0xffffffff) entry.size = take();
      if (entry.compressedSize === 0xffffffff) entry.compressedSize = take();
      if (entry.headerPosition === 0xffffffff) entry.headerPosition = take();
      return;
    }
    at = end;
  }
}

/** Nothing is ever written under these names; still, a name that climbs or hides is no tensor archive's. */
function requirePlainName(file: CheckpointFile, name: string): void {
  const odd = name === '' || /[\p{Cc}\\:\ufffd]/u.test(name) || name.split('/').some((part) => part === '..');
  if (odd || name.startsWith('/'))
    throw file.corrupt(`its zip directory holds the unsafe name ${JSON.stringify(name.slice(0, 200))}.`);
}

function requireApart(file: CheckpointFile, entries: Map<string, ZipEntry>, limit: number): void {
  const inOrder = [...entries.values()].sort((a, b) => a.headerPosition - b.headerPosition);
  let end = 0;
  for (const entry of inOrder) {
    if (entry.headerPosition < end) throw file.corrupt(`its entry ${entry.name} overlaps another one.`);
    end = entry.headerPosition + 30 + entry.compressedSize;
  }
  if (end > limit) throw file.corrupt('an entry reaches into its zip directory.');
}
