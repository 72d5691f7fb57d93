import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BasisSample } from '../../../src/worker/features/basis.ts';
import type { EncodedWindow } from '../../../src/worker/features/encoded-window.ts';
import {
  describeFeatures,
  FeatureReader,
  FeatureWriter,
  type FeatureWriterOptions,
  removeFeatures,
} from '../../../src/worker/features/feature-store.ts';
import type { Precision } from '../../../src/worker/features/window-codec.ts';

const size = 24;

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

/** Tokens whose variance lies in a few directions, as encoders make them. */
function window(seed: number, rows = 6, columns = 7): EncodedWindow {
  const next = random(seed);
  const mixing = random(99);
  const mix = Float32Array.from({ length: size * size }, mixing);
  const tokens = new Float32Array(rows * columns * size);
  for (let token = 0; token < rows * columns; token++) {
    for (let source = 0; source < size; source++) {
      const strength = next() * 40 * 0.6 ** source;
      for (let i = 0; i < size; i++) tokens[token * size + i]! += strength * mix[source * size + i]!;
    }
  }
  return { rows, columns, tokens, cls: Float32Array.from({ length: size }, next) };
}

function compact(step: number): Precision {
  const sample = new BasisSample(size);
  for (const seed of [1, 2, 3]) sample.add(window(seed).tokens);
  return { kind: 'compact', basis: sample.basis(), step };
}

let folder: string;
const store = () => path.join(folder, 'scene.features');
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function options(precision: Precision, change: Partial<FeatureWriterOptions> = {}): FeatureWriterOptions {
  return {
    identity: {
      sceneFingerprint: 'scene',
      packChecksum: 'pack',
      encoder: { attention: 'segearth' },
      pixels: { bands: [1, 2, 3] },
      window: 224,
      stride: 112,
    },
    scene: 'scene.tif',
    pack: 'starter',
    packFolder: 'packs/starter',
    embedding: size,
    windows: 5,
    pixels: 1e6,
    choosePrecision: async () => precision,
    limitBytes: 1e9,
    ...change,
  };
}

async function fill(precision: Precision, from = 0, to = 5): Promise<void> {
  const writer = await FeatureWriter.open(store(), options(precision));
  expect(writer.next).toBe(from);
  for (let i = from; i < to; i++) {
    await writer.append([i === 3 ? null : writer.codec.encode(window(10 + i))]);
  }
  await writer.close();
}

describe('the basis', () => {
  it('is orthonormal, largest variance first', () => {
    const { basis } = compact(1) as Extract<Precision, { kind: 'compact' }>;
    const dot = (i: number, j: number) => {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += basis.directions[i * size + k]! * basis.directions[j * size + k]!;
      return sum;
    };
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) expect(dot(i, j)).toBeCloseTo(i === j ? 1 : 0, 4);
    }
    const { tokens } = window(2);
    const variance = (direction: number) => {
      let sum = 0;
      for (let token = 0; token < tokens.length; token += size) {
        let product = 0;
        for (let k = 0; k < size; k++)
          product += (tokens[token + k]! - basis.mean[k]!) * basis.directions[direction * size + k]!;
        sum += product * product;
      }
      return sum;
    };
    expect(variance(0)).toBeGreaterThan(variance(5));
    expect(variance(5)).toBeGreaterThan(variance(15));
  });
});

describe('a store of features', () => {
  it('gives exact windows back to the bit', async () => {
    await fill({ kind: 'exact' });
    const reader = await FeatureReader.open(store(), { sceneFingerprint: 'scene' });
    for (const i of [4, 0, 2]) {
      expect(reader.codec.decode((await reader.record(i))!, reader.folder)).toEqual(window(10 + i));
    }
    expect(await reader.record(3)).toBeNull();
    await reader.close();
  });

  it('gives compact windows back within half a step in every direction', async () => {
    const step = 0.25;
    await fill(compact(step));
    const reader = await FeatureReader.open(store(), {});
    const read = reader.codec.decode((await reader.record(1))!, reader.folder);
    const written = window(11);
    expect(read.cls).toEqual(written.cls);
    const worst = { token: -1, error: 0 };
    for (let token = 0; token < read.rows * read.columns; token++) {
      let squares = 0;
      for (let i = 0; i < size; i++)
        squares += (read.tokens[token * size + i]! - written.tokens[token * size + i]!) ** 2;
      if (Math.sqrt(squares) > worst.error) Object.assign(worst, { token, error: Math.sqrt(squares) });
    }
    // Half a step in each of 24 orthonormal directions.
    expect(worst.error, `token ${worst.token}`).toBeLessThan((step / 2) * Math.sqrt(size) * 1.001);
    expect(worst.error).toBeGreaterThan(0);
    await reader.close();
  });

  it('keeps coordinates beyond one byte', async () => {
    await fill(compact(0.002));
    const reader = await FeatureReader.open(store(), {});
    const read = reader.codec.decode((await reader.record(0))!, reader.folder);
    const written = window(10);
    read.tokens.forEach((value, i) => {
      expect(Math.abs(value - written.tokens[i]!), `value ${i}`).toBeLessThan(0.01);
    });
    await reader.close();
  });

  it('goes on after a cut at any byte and ends with the same bytes', async () => {
    const precision = compact(0.25);
    await fill(precision);
    const whole = await readFile(path.join(store(), 'windows.bin'));
    const index = await readFile(path.join(store(), 'index.bin'));
    for (const [records, entries] of [
      [whole.length - 1, index.length],
      [whole.length, index.length - 3],
      [5, 27],
      [0, 0],
    ] as const) {
      await truncate(path.join(store(), 'windows.bin'), records);
      await truncate(path.join(store(), 'index.bin'), entries);
      const writer = await FeatureWriter.open(
        store(),
        options(precision, { choosePrecision: () => Promise.reject(new Error('the basis is kept')) }),
      );
      for (let i = writer.next; i < 5; i++) {
        await writer.append([i === 3 ? null : writer.codec.encode(window(10 + i))]);
      }
      await writer.close();
      expect(await readFile(path.join(store(), 'windows.bin'))).toEqual(whole);
      expect(await readFile(path.join(store(), 'index.bin'))).toEqual(index);
    }
  });

  it('says what is wrong', async () => {
    const problem = (code: string) => expect.objectContaining({ code });
    await expect(FeatureReader.open(store(), {})).rejects.toEqual(problem('features/none'));
    await fill({ kind: 'exact' }, 0, 2);
    await expect(FeatureReader.open(store(), {})).rejects.toEqual(problem('features/unfinished'));
    const base = options({ kind: 'exact' });
    await expect(
      FeatureWriter.open(store(), { ...base, identity: { ...base.identity, sceneFingerprint: 'other' } }),
    ).rejects.toThrow(/another scene/);
    const tight = await FeatureWriter.open(store(), { ...base, limitBytes: 10 });
    await expect(tight.append([new Uint8Array(100)])).rejects.toEqual(problem('features/limit'));
    await tight.close();
    await fill({ kind: 'exact' }, 2);
    await expect(FeatureReader.open(store(), { sceneFingerprint: 'changed' })).rejects.toEqual(
      problem('features/changed'),
    );
    const file = await open(path.join(store(), 'windows.bin'), 'r+');
    await file.write(Buffer.from([1, 2, 3]), 0, 3, 200);
    await file.close();
    const reader = await FeatureReader.open(store(), {});
    const record = (await reader.record(0))!;
    expect(() => reader.codec.decode(record, 'x')).toThrow(problem('features/damaged'));
    await reader.close();
  });

  it('is removed only where it is one', async () => {
    await writeFile(path.join(folder, 'precious.txt'), 'mine');
    await expect(removeFeatures(folder)).rejects.toThrow(/no stored features/);
    await fill(compact(0.25));
    expect((await describeFeatures(store()))!.finished).toBe(5);
    await removeFeatures(store());
    await expect(stat(store())).rejects.toThrow();
    expect(await readFile(path.join(folder, 'precious.txt'), 'utf8')).toBe('mine');
  });
});
