import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { prepareRadar } from '../../../../src/worker/prep/sar/prepare-radar.ts';
import { isRadar, proposeRadarRecipe } from '../../../../src/worker/prep/sar/propose-recipe.ts';
import { parseRadarRecipe, type RadarRecipe } from '../../../../src/worker/prep/sar/recipe.ts';
import { groundMapping } from '../../../../src/worker/raster/ground-control.ts';
import { openScene } from '../../../../src/worker/scene/open-scene.ts';
import type { Scene } from '../../../../src/worker/scene/scene.ts';
import { syntheticFiles, writeProduct } from '../../scene/safe/synthetic-product.ts';
import { memoryScene, randomNumbers } from '../memory-scene.ts';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-radar-'));
afterAll(() => rmSync(folder, { recursive: true }));

const plain: RadarRecipe = {
  input: 'amplitude',
  calibration: 'none',
  noise: false,
  multilook: { range: 1, azimuth: 1 },
  speckle: { filter: 'none' },
  composite: 'all',
  scale: 'linear',
  floor: -60,
  stretch: null,
};

describe('a product of known backscatter', () => {
  const width = 90;
  const height = 70;
  // Amplitudes are large, so that rounding to whole digital numbers costs at most 0.004 dB.
  /** Backscatter in dB at a pixel. */
  const truth = (line: number, pixel: number, cross: boolean): number =>
    -4 - (pixel % 20) * 0.6 - (line % 9) * 0.4 - (cross ? 5 : 0);
  const amplitude = { sigmaNought: 36_000, betaNought: 28_000, gamma: 32_000 } as const;
  const factor = (name: keyof typeof amplitude, line: number, pixel: number): number =>
    amplitude[name] + 11 * line - 9 * pixel;
  const noise = (pixel: number): number => 6e6 + 12_000 * pixel;
  const noiseFactor = (line: number): number => 1 + line / 200;
  const numbers = (cross: boolean): Uint16Array =>
    Uint16Array.from({ length: width * height }, (_, at) => {
      const [line, pixel] = [Math.floor(at / width), at % width];
      const power = 10 ** (truth(line, pixel, cross) / 10) * factor('sigmaNought', line, pixel) ** 2;
      return Math.round(Math.sqrt(power + noise(pixel) * noiseFactor(line)));
    });
  const path = writeProduct(
    join(folder, 'KNOWN.SAFE'),
    syntheticFiles({
      width,
      height,
      channels: [
        { polarisation: 'VV', pixels: numbers(false) },
        { polarisation: 'VH', pixels: numbers(true) },
      ],
      amplitude: factor,
      noise,
      noiseFactor,
      place: (line, pixel) => [10 + pixel * 1e-4, 50 - line * 1e-4],
    }),
  );
  const whole = { column: 0, row: 0, width, height };

  test('sigma0 comes out within 0.01 dB, and beta0 and gamma0 by their own tables', async () => {
    const scene = await openScene(path);
    for (const [calibration, name] of [
      ['sigma0', 'sigmaNought'],
      ['beta0', 'betaNought'],
      ['gamma0', 'gamma'],
    ] as const) {
      const recipe: RadarRecipe = { ...plain, calibration, noise: true, scale: 'decibel' };
      const { planes, valid } = await (await prepareRadar(scene, recipe)).read(whole, [0, 1], 0);
      expect(valid.every((set) => set === 1)).toBe(true);
      let worst = 0;
      let where = '';
      for (const [band, plane] of planes.entries()) {
        for (let at = 0; at < plane.length; at++) {
          const [line, pixel] = [Math.floor(at / width), at % width];
          const ratio = factor('sigmaNought', line, pixel) / factor(name, line, pixel);
          const expected = truth(line, pixel, band === 1) + 20 * Math.log10(ratio);
          if (Math.abs(plane[at]! - expected) > worst) {
            worst = Math.abs(plane[at]! - expected);
            where = `band ${band}, line ${line}, pixel ${pixel}: ${plane[at]} dB instead of ${expected}`;
          }
        }
      }
      expect(worst, where).toBeLessThan(0.01);
    }
    await scene.close();
  });

  test('composites: single, ratio, false colour, and the stretch', async () => {
    const scene = await openScene(path);
    const recipe = await proposeRadarRecipe(scene);
    expect(recipe).toMatchObject({ calibration: 'sigma0', noise: true, composite: 'false-colour' });
    const sharp: RadarRecipe = { ...recipe, speckle: { filter: 'none' } };
    const colour = await prepareRadar(scene, sharp);
    expect(colour.header.bands.map(({ name, role }) => [name, role])).toEqual([
      ['VV', 'red'],
      ['VH', 'green'],
      ['VV/VH', 'blue'],
    ]);
    expect(colour.header.details.preparation).toBe('sigma0, thermal noise removed, false-colour, dB');
    const [vv, vh, ratio] = (await colour.read(whole, [0, 1, 2], 0)).planes;
    for (let at = 0; at < vv!.length; at += 7) {
      expect(ratio![at]).toBeCloseTo(vv![at]! - vh![at]!, 4);
      expect(Math.abs(ratio![at]! - 5)).toBeLessThan(0.02);
    }
    const alone = await prepareRadar(scene, { ...sharp, composite: 'VH' });
    expect((await alone.read(whole, [0], 0)).planes[0]).toEqual(vh);
    const stretch = [{ low: -20, high: 0 }];
    const shown = await prepareRadar(scene, { ...sharp, composite: 'VV', stretch });
    expect(shown.header.bands[0]!.type).toBe('uint8');
    const bytes = (await shown.read(whole, [0], 0)).planes[0]!;
    for (let at = 0; at < bytes.length; at += 5)
      expect(Math.abs(bytes[at]! - (vv![at]! + 20) * 12.75)).toBeLessThan(0.51);
    await expect(prepareRadar(scene, { ...sharp, composite: 'HH' })).rejects.toMatchObject({
      code: 'prep/no-polarisation',
    });
    await scene.close();
  });

  test('multilook averages power and moves the grid', async () => {
    const scene = await openScene(path);
    const single = await (await prepareRadar(scene, plain)).read(whole, [0], 0);
    const coarse = await prepareRadar(scene, { ...plain, multilook: { range: 4, azimuth: 3 } });
    const { grid } = coarse.header;
    expect([grid.width, grid.height]).toEqual([22, 23]);
    const here = groundMapping(grid.groundControl!).toGround(5, 7);
    const there = groundMapping(scene.header.grid.groundControl!).toGround(20, 21);
    expect(Math.hypot(here[0] - there[0], here[1] - there[1])).toBeLessThan(1e-12);
    const { planes } = await coarse.read({ column: 5, row: 7, width: 1, height: 1 }, [0], 0);
    let sum = 0;
    for (let row = 21; row < 24; row++)
      for (let column = 20; column < 24; column++) sum += single.planes[0]![row * width + column]!;
    expect(Math.abs(planes[0]![0]! / (sum / 12) - 1)).toBeLessThan(1e-6);
    await scene.close();
  });
});

describe('streaming', () => {
  const width = 61;
  const height = 47;
  const random = randomNumbers(9);
  const planes = [0, 1].map(() => Float64Array.from({ length: width * height }, () => 5 + 90 * random()));
  const valid = Uint8Array.from({ length: width * height }, (_, at) =>
    at % 61 < 2 || at % 53 === 0 ? 0 : 1,
  );
  const memory = memoryScene(width, height, planes, valid, 'float32');
  memory.header.bands[0]!.role = 'VV';
  memory.header.bands[1]!.role = 'VH';
  const speckles: RadarRecipe['speckle'][] = [
    { filter: 'none' },
    { filter: 'boxcar', side: 5 },
    { filter: 'lee', side: 9, looks: 3 },
    { filter: 'refined-lee', looks: 3 },
    { filter: 'frost', side: 7, damping: 2 },
    { filter: 'gamma-map', side: 5, looks: 1.5 },
  ];

  test.each(speckles)('$filter: a pixel is the same in every window', async (speckle) => {
    for (const multilook of [
      { range: 1, azimuth: 1 },
      { range: 3, azimuth: 2 },
    ]) {
      const recipe: RadarRecipe = {
        ...plain,
        multilook,
        speckle,
        composite: 'false-colour',
        scale: 'decibel',
      };
      const prepared = await prepareRadar(memory, recipe);
      const { grid } = prepared.header;
      const all = await prepared.read(
        { column: 0, row: 0, width: grid.width, height: grid.height },
        [0, 1, 2],
        0,
      );
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: -9, max: grid.width }),
          fc.integer({ min: -9, max: grid.height }),
          fc.integer({ min: 1, max: 30 }),
          fc.integer({ min: 1, max: 30 }),
          fc.subarray([0, 1, 2], { minLength: 1 }),
          async (column, row, across, down, bands) => {
            const part = await prepared.read({ column, row, width: across, height: down }, bands, 0);
            for (let y = 0; y < down; y++) {
              for (let x = 0; x < across; x++) {
                const inside =
                  column + x >= 0 && column + x < grid.width && row + y >= 0 && row + y < grid.height;
                const at = (row + y) * grid.width + column + x;
                if (part.valid[y * across + x] !== (inside ? all.valid[at] : 0))
                  throw new Error(`validity at ${at}`);
                bands.forEach((band, plane) => {
                  const value = part.planes[plane]![y * across + x];
                  if (value !== (inside ? all.planes[band]![at] : 0))
                    throw new Error(`band ${band} at ${at}`);
                });
              }
            }
          },
        ),
        { numRuns: 25, seed: 3 },
      );
    }
  });
});

test('recipes are checked, and what a scene cannot give is a Problem', async () => {
  expect(parseRadarRecipe(JSON.parse(JSON.stringify(plain)))).toEqual(plain);
  for (const wrong of [
    { ...plain, extra: 1 },
    { ...plain, speckle: { filter: 'lee', side: 4, looks: 3 } },
    { ...plain, multilook: { range: 0, azimuth: 1 } },
    { ...plain, stretch: [{ low: 1, high: 1 }] },
    null,
  ]) {
    expect(() => parseRadarRecipe(wrong)).toThrow(expect.objectContaining({ code: 'prep/bad-recipe' }));
  }
  const memory = memoryScene(4, 4, [new Float64Array(16).fill(-12)], new Uint8Array(16).fill(1), 'float32');
  const refused: [Partial<RadarRecipe>, string][] = [
    [{ calibration: 'sigma0' }, 'prep/no-calibration'],
    [{ composite: 'ratio' }, 'prep/no-polarisation'],
    [{ multilook: { range: 5, azimuth: 1 } }, 'prep/bad-recipe'],
    [
      {
        stretch: [
          { low: 0, high: 1 },
          { low: 0, high: 1 },
        ],
      },
      'prep/bad-recipe',
    ],
  ];
  for (const [change, code] of refused)
    await expect(prepareRadar(memory, { ...plain, ...change })).rejects.toMatchObject({ code });
  expect((await proposeRadarRecipe(memory)).input).toBe('decibel');
  const there = await prepareRadar(memory, { ...plain, input: 'decibel', scale: 'decibel' });
  const { planes } = await there.read({ column: 0, row: 0, width: 4, height: 4 }, [0], 0);
  expect(planes[0]![5]).toBeCloseTo(-12, 6);
  expect(isRadar(memory)).toBe(false);
});

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const chips = resolve(fixtures, '../../data/pairs/terramind');
const quadPol = resolve(fixtures, '../../data/pairs/spacenet6/sar_hh.tif');

test.skipIf(!existsSync(quadPol))('a complex scene is taken by its magnitude', async () => {
  const scene: Scene = await openScene(quadPol);
  const recipe = await proposeRadarRecipe(scene);
  const prepared = await prepareRadar(scene, { ...recipe, speckle: { filter: 'none' }, scale: 'linear' });
  const window = { column: 100, row: 100, width: 20, height: 20 };
  const magnitude = (await scene.read(window, [0], 0)).planes[0]!;
  const power = await prepared.read(window, [0], 0);
  for (let at = 0; at < 400; at++)
    if (power.valid[at] === 1) expect(power.planes[0]![at]! / magnitude[at]! ** 2).toBeCloseTo(1, 5);
  await scene.close();
});

test.skipIf(!existsSync(chips))('a chip in decibels is known as such, and keeps them', async () => {
  const radar = readdirSync(chips, { recursive: true })
    .map(String)
    .find((name) => /S1RTC.*\.tiff?$/.test(name));
  if (radar === undefined) throw new Error(`no S1RTC chip in ${chips}`);
  const scene = await openScene(join(chips, radar));
  const recipe = await proposeRadarRecipe(scene);
  expect(recipe.input).toBe('decibel');
  const prepared = await prepareRadar(scene, { ...recipe, composite: 'all', speckle: { filter: 'none' } });
  const window = { column: 50, row: 50, width: 30, height: 30 };
  const before = (await scene.read(window, [0, 1], 0)).planes;
  const after = (await prepared.read(window, [0, 1], 0)).planes;
  for (let at = 0; at < 900; at++) expect(after[1]![at]).toBeCloseTo(before[1]![at]!, 4);
  await scene.close();
});
