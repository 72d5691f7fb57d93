import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { preparationNotes, scoringOf } from '../../../src/main/run/scoring.ts';
import { checkSegmentRequest } from '../../../src/main/run/segment-request.ts';
import type { Pack } from '../../../src/worker/pack/open-pack.ts';
import { applyAffine, invertAffine } from '../../../src/worker/raster/affine.ts';
import { transformer } from '../../../src/worker/raster/crs.ts';
import { groundMapping } from '../../../src/worker/raster/ground-control.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { openRunScene, radarPreparationOf, runWindow } from '../../../src/worker/steps/radar-preparation.ts';
import { memoryScene } from '../prep/memory-scene.ts';
import { syntheticFiles, writeProduct } from '../scene/safe/synthetic-product.ts';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-radar-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

const width = 80;
const height = 60;
const brightLeft = Uint16Array.from({ length: width * height }, (_, at) => (at % width < 40 ? 900 : 90));
const product = writeProduct(
  join(folder, 'SIDES.SAFE'),
  syntheticFiles({
    width,
    height,
    channels: [
      { polarisation: 'VV', pixels: brightLeft },
      { polarisation: 'VH', pixels: brightLeft.map((value) => value / 3) },
    ],
    amplitude: () => 1000,
    noise: () => 0,
    noiseFactor: () => 1,
    // A little turned, so that rows and columns do not follow the axes of any zone.
    place: (line, pixel) => [15 + 1.3e-4 * pixel + 2e-5 * line, 50 + 2e-5 * pixel - 9e-5 * line],
  }),
);

const floats = (role: string | null) => {
  const scene = memoryScene(4, 4, [new Float64Array(16).fill(-12)], new Uint8Array(16).fill(1), 'float32');
  scene.header.bands[0]!.role = role;
  return scene;
};
const bytes = memoryScene(4, 4, [new Uint8Array(16).fill(9)], new Uint8Array(16).fill(1), 'uint8');

describe('modality and recipe', () => {
  test('a product is radar: calibrated, one polarisation, decibels', async () => {
    const scene = await openScene(product);
    const { modality, recipe, reason } = await radarPreparationOf(scene, null, null);
    await scene.close();
    expect(modality).toBe('sar');
    expect(recipe).toMatchObject({ calibration: 'sigma0', noise: true, composite: 'VV', scale: 'decibel' });
    expect(reason).toContain('sigma0, thermal noise removed, refined-lee 7 × 7, VV, dB');
  });

  test('scenes that do not say are optical, unless asked for', async () => {
    expect(await radarPreparationOf(floats(null), null, null)).toMatchObject({
      modality: 'optical',
      recipe: null,
    });
    expect((await radarPreparationOf(floats(null), 'sar', null)).recipe).toMatchObject({ input: 'decibel' });
    expect((await radarPreparationOf(floats('VV'), null, null)).modality).toBe('sar');
    expect(await radarPreparationOf(floats('VV'), 'optical', null)).toMatchObject({ recipe: null });
    expect(await radarPreparationOf(bytes, 'sar', null)).toMatchObject({ modality: 'sar', recipe: null });
  });

  test('fields given take the place of those proposed; a filter’s name is enough', async () => {
    const changed = { speckle: 'lee', multilook: { range: 2, azimuth: 3 } };
    const { recipe } = await radarPreparationOf(floats('VV'), null, changed);
    expect(recipe?.speckle).toEqual({ filter: 'lee', side: 7, looks: 18 });
    await expect(radarPreparationOf(floats('VV'), null, { speckle: 'median' })).rejects.toMatchObject({
      code: 'prep/bad-recipe',
    });
    await expect(radarPreparationOf(floats('VV'), null, { colour: 1 })).rejects.toMatchObject({
      code: 'prep/bad-recipe',
    });
    await expect(radarPreparationOf(floats(null), 'optical', {})).rejects.toMatchObject({
      code: 'prep/bad-recipe',
    });
  });
});

test('a run sees a product calibrated, on a regular grid of its zone', async () => {
  const source = await openScene(product);
  const { recipe } = await radarPreparationOf(source, null, { speckle: 'none' });
  const mapping = groundMapping(source.header.grid.groundControl!);
  await source.close();
  const opened = await openRunScene(product, recipe, 2 ** 20);
  const { scene, close } = opened;
  const { grid } = scene.header;
  expect(grid.crs?.epsg).toBe(32633);
  expect(grid.groundControl).toBeUndefined();
  const { planes, valid } = await scene.read(
    { column: 0, row: 0, width: grid.width, height: grid.height },
    [0],
    0,
  );
  await close();
  // An extent in the file's own degrees is the same ground in the zone.
  const [longitude, latitude] = mapping.toGround(20.5, 30.5);
  const part = runWindow(opened, {
    unit: 'crs',
    box: [longitude - 1e-4, latitude - 1e-4, longitude + 1e-4, latitude + 1e-4],
  });
  const [x, y] = transformer(opened.placedFrom!, grid.crs!)!(longitude, latitude);
  const [column, row0] = applyAffine(invertAffine(grid.transform), x, y);
  expect(Math.abs(part.column + part.width / 2 - column)).toBeLessThan(1.5);
  expect(Math.abs(part.row + part.height / 2 - row0)).toBeLessThan(1.5);
  expect(part.width).toBeLessThan(8);
  // One beside it is refused in degrees, too.
  expect(() => runWindow(opened, { unit: 'crs', box: [16, 49, 17, 50] })).toThrow(
    /^The extent 16,49,17,50 does not touch the scene, which covers 1[45]\.\d+,49\.\d+,15\.\d+,50\.\d+\.$/,
  );
  const [west] = mapping.toGround(20, 30);
  const [east] = mapping.toGround(60, 30);
  expect(west).toBeLessThan(east);
  // 900 and 90 over 1000, as power in dB.
  const line = Math.floor(grid.height / 2) * grid.width;
  const row = Array.from(planes[0]!.subarray(line, line + grid.width)).filter(
    (_, at) => valid[line + at] === 1,
  );
  expect(row.length).toBeGreaterThan(60);
  expect(row[0]).toBeCloseTo(20 * Math.log10(0.9), 3);
  expect(row.at(-1)).toBeCloseTo(20 * Math.log10(0.09), 3);
});

test('the encoder for SAR is taken where there is one; an optical pack is told of', () => {
  const request = checkSegmentRequest({
    scene: 's',
    pack: 'p',
    out: 'o',
    classes: [{ id: 1, name: 'water', words: ['water'], colour: '#0000ff' }],
  });
  const pack = (sar: object | undefined) =>
    ({
      manifest: {
        name: 'p',
        upsampler: null,
        encoders: { optical: { attention: 'segearth', lastLayers: 1 }, sar },
      },
    }) as unknown as Pack;
  const both = pack({ attention: 'sclip', lastLayers: 2 });
  const radar = {
    modality: 'sar',
    recipe: null,
    reason: 'Radar scene.',
    warning: 'one swath alone',
  } as const;
  const chosen = scoringOf(request, both, 'sar');
  expect(chosen).toMatchObject({ modality: 'sar', attention: 'sclip', lastLayers: 2 });
  expect(preparationNotes(radar, chosen, both)).toEqual([
    'Radar scene.',
    'warning: one swath alone.',
    'Encoder for SAR of p: sclip attention in the last 2 layers.',
  ]);
  expect(scoringOf(request, both, 'optical')).toMatchObject({ modality: 'optical', attention: 'segearth' });
  const optical = pack(undefined);
  const taken = scoringOf(request, optical, 'sar');
  expect(taken).toMatchObject({ modality: 'optical', attention: 'segearth', lastLayers: 1 });
  expect(preparationNotes(radar, taken, optical).join(' ')).toContain(
    'warning: pack p has no encoder for SAR',
  );
});
