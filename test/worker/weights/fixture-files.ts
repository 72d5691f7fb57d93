import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import type { Checkpoint } from '../../../src/worker/weights/checkpoint.ts';
import { openCheckpoint } from '../../../src/worker/weights/open-checkpoint.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** The folder of the reference fixtures. */
export const fixtures = path.resolve(root, process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
export const hasFixtures = existsSync(fixtures);
export const checkpoints = path.join(fixtures, 'tiny/checkpoints');
if (!hasFixtures)
  console.warn(`Reference fixtures are missing (${fixtures}); tests that need them are skipped.`);

/** A folder that goes when the test file is done, and a way to put bytes into it. */
export function scratch(): { folder: string; put(name: string, bytes: Uint8Array): string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-weights-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    put(name, bytes) {
      const file = path.join(folder, name);
      writeFileSync(file, bytes);
      return file;
    },
  };
}

/** Opens, uses and closes. */
export async function withCheckpoint<T>(
  file: string,
  use: (checkpoint: Checkpoint) => Promise<T>,
): Promise<T> {
  const checkpoint = await openCheckpoint(file);
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** mulberry32, values in [0, 1). */
export function randomStream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
