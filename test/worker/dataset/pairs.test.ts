import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawPairs, type PairSourceConfig, readPairs } from '../../../src/worker/dataset/pairs.ts';
import { simulateSar } from '../../../src/worker/dataset/simulated-sar.ts';
import { kind } from '../../../src/worker/synthetic/classes.ts';
import { Random } from '../../../src/worker/synthetic/random.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pairs-'));
});
afterAll(() => rm(folder, { recursive: true }));

const drawing = { seed: 3, mean: [0, 0, 0], deviation: [1, 1, 1] } as const;

async function grey(name: string, width: number, height: number): Promise<string> {
  const random = new Random(5);
  const pixels = Uint8Array.from({ length: width * height }, () => random.integer(256));
  const rgb = Uint8Array.from({ length: 3 * pixels.length }, (_, at) => pixels[Math.floor(at / 3)]!);
  const file = path.join(folder, name);
  await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(file);
  return file;
}

const rasters = (optical: string, sar: string): PairSourceConfig => ({
  kind: 'rasters',
  optical,
  opticalBands: [0, 1, 2],
  sar,
  sarBand: 0,
  share: 1,
  scale: [0.5, 2],
});

describe('pairs of pictures', () => {
  it('are cut at the same place, scale and turn', async () => {
    const sources = await readPairs(
      [rasters(await grey('a.png', 90, 70), await grey('b.png', 90, 70))],
      folder,
    );
    let different = 0;
    for (let step = 0; step < 8; step++) {
      const { optical, sar } = drawPairs(sources, 32, 3, drawing, step);
      expect(sar).toEqual(optical);
      expect(drawPairs(sources, 32, 3, drawing, step).optical).toEqual(optical);
      if (String(drawPairs(sources, 32, 3, drawing, step + 1).optical) !== String(optical)) different++;
    }
    expect(different).toBe(8);
  });

  it('change the level of the SAR picture alone, and only where asked to', async () => {
    const sources = await readPairs(
      [rasters(await grey('e.png', 90, 70), await grey('f.png', 90, 70))],
      folder,
    );
    const plain = drawPairs(sources, 32, 3, drawing, 1);
    const { optical, sar } = drawPairs(sources, 32, 3, { ...drawing, jitter: 1 }, 1);
    expect(sar).not.toEqual(optical);
    expect(Math.min(...sar)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...sar)).toBeLessThanOrEqual(255);
    expect(optical.length).toBe(plain.optical.length);
  });

  it('keep to their part of the pictures', async () => {
    const [width, height] = [80, 64];
    // Left of column 56 black, right of it white.
    const rgb = Uint8Array.from({ length: 3 * width * height }, (_, at) =>
      Math.floor(at / 3) % width < 56 ? 0 : 255,
    );
    const file = path.join(folder, 'halves.png');
    await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(file);
    for (const [part, level] of [
      [[0, 0, 0.7, 1], 0],
      [[0.7, 0, 1, 1], 255],
    ] as const) {
      const sources = await readPairs(
        [{ ...rasters(file, file), part: [...part] } as PairSourceConfig],
        folder,
      );
      for (let step = 0; step < 6; step++)
        expect(new Set(drawPairs(sources, 16, 2, drawing, step).sar)).toEqual(new Set([level]));
    }
    await expect(
      readPairs([{ ...rasters(file, file), part: [0.5, 0, 0.5, 1] } as PairSourceConfig], folder),
    ).rejects.toMatchObject({ code: 'config/field' });
  });

  it('must have one size', async () => {
    const sources = readPairs([rasters(await grey('c.png', 90, 70), await grey('d.png', 91, 70))], folder);
    await expect(sources).rejects.toMatchObject({ code: 'dataset/size-mismatch' });
  });
});

describe('a simulated radar view', () => {
  it('sees buildings brighter than forest, and forest brighter than water, whatever the seed', () => {
    const side = 60;
    const kinds = Uint8Array.from({ length: side * side }, (_, at) =>
      at % side < 20 ? kind.lake : at % side < 40 ? kind.forest : kind.hall,
    );
    for (let seed = 0; seed < 10; seed++) {
      const decibels = simulateSar(kinds, side, side, seed);
      const mean = (from: number) => {
        let sum = 0;
        for (let row = 0; row < side; row++)
          for (let column = from; column < from + 14; column++) sum += decibels[row * side + column]!;
        return sum / (14 * side);
      };
      expect(mean(0)).toBeLessThan(mean(20) - 5);
      expect(mean(20)).toBeLessThan(mean(43) - 1);
      expect(simulateSar(kinds, side, side, seed)).toEqual(decibels);
    }
  });
});
