import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stackedFiles } from './band-stack.ts';

const endBytes = 65_536;
const sampleCount = 16;
const sampleBytes = 4096;

/**
 * Digest by which a scene's file is recognised again: SHA-256, hexadecimal, over its size, its first and last 64 KiB and
 * 16 pieces of 4 KiB spread evenly. Reads at most 192 KiB whatever the size; an edit between the pieces goes unseen. Of a product folder the
 * manifest is taken, which holds checksums of all its files; of a stack all its files.
 */
export async function fingerprintFile(path: string): Promise<string> {
  const stacked = await stackedFiles(path);
  if (stacked !== null) {
    const hash = createHash('sha256');
    for (const file of stacked) hash.update(`${await fingerprintFile(file)}\n`);
    return hash.digest('hex');
  }
  const folder = (await stat(path)).isDirectory();
  const file = await open(folder ? join(path, 'manifest.safe') : path, 'r');
  try {
    const { size } = await file.stat();
    const hash = createHash('sha256').update(`${size}\n`);
    const buffer = new Uint8Array(endBytes);
    const add = async (offset: number, length: number): Promise<void> => {
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      hash.update(buffer.subarray(0, bytesRead));
    };
    await add(0, endBytes);
    for (let sample = 0; sample < sampleCount; sample++) {
      await add(Math.floor(((sample + 0.5) * size) / sampleCount), sampleBytes);
    }
    await add(Math.max(0, size - endBytes), endBytes);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
