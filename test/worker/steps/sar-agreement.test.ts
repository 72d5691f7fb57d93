import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePack } from '../../../src/worker/pack/build-pack.ts';
import { sarAgreement } from '../../../src/worker/steps/sar-agreement.ts';
import { uniformNumbers } from '../../../src/worker/train/random.ts';
import { formulaClip } from '../../../src/worker/weights/formula.ts';
import type { ClipGeometry } from '../../../src/worker/weights/geometry.ts';

const geometry: ClipGeometry = {
  embedding: 32,
  vision: { width: 64, layers: 2, heads: 1, hidden: 256, patch: 8, grid: 8, image: 64 },
  text: { width: 64, layers: 1, heads: 1, hidden: 256, context: 77, vocabulary: 2 * 256 + 2 },
};

let folder: string;
let pack: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'agreement-'));
  pack = path.join(folder, 'pack');
  const vocabularyFile = path.join(folder, 'bytes.txt.gz');
  await writeFile(vocabularyFile, gzipSync('#version: 0.2\n'));
  await writePack(
    {
      clip: formulaClip(geometry, 'optical'),
      sar: formulaClip(geometry, 'another'),
      upsampler: null,
      vocabularyFile,
      activation: 'quickgelu',
      name: 'two encoders',
      sources: [],
      finestResolution: 1,
    },
    pack,
    { overwrite: false },
  );
});
afterAll(() => rm(folder, { recursive: true }));

async function noise(name: string): Promise<string> {
  const random = uniformNumbers(name);
  const grey = Uint8Array.from({ length: 96 * 96 }, () => 256 * random());
  const rgb = Uint8Array.from({ length: 3 * grey.length }, (_, at) => grey[Math.floor(at / 3)]!);
  const file = path.join(folder, `${name}.png`);
  await sharp(rgb, { raw: { width: 96, height: 96, channels: 3 } })
    .png()
    .toFile(file);
  return file;
}

async function measure(optical: string, sar: string) {
  const pair = {
    kind: 'rasters',
    optical,
    opticalBands: [0, 1, 2],
    sar,
    sarBand: 0,
    share: 1,
    scale: [0.5, 1],
  };
  const config = path.join(folder, 'config.json');
  const recipe = {
    seed: 1,
    activation: 'quickgelu',
    side: 64,
    images: 1,
    regions: 4,
    steps: 1,
    learningRate: 1e-3,
    warmup: 1,
    weightDecay: 0,
    gradientLimit: 1,
    sources: [pair],
    heldOut: [pair],
  };
  await writeFile(config, JSON.stringify(recipe));
  const classes = [['water', 'sea'], ['building'], ['forest']];
  return sarAgreement({ pack, config, classes, crops: 3, side: 64, lambda: -0.3, threads: 1 });
}

describe('agreement with the optical twin', () => {
  it('is whole for the encoder and the image that the twin was read with', async () => {
    const file = await noise('same');
    const found = await measure(file, file);
    expect(found.opticalEncoder).toBe(1);
    expect(found.sarEncoder).toBeLessThan(1);
    expect(found.shares[2]).toEqual(found.shares[0]);
    expect(found.pixels).toBe(3 * 64 * 64);
    expect(found.mostFrequent).toBe(Math.max(...found.shares[0]));
    for (const shares of found.shares) expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 12);
  });

  it('falls when the other image shows something else', async () => {
    const found = await measure(await noise('one'), await noise('other'));
    expect(found.opticalEncoder).toBeLessThan(1);
  });
});
