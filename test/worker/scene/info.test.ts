import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { describeScene, formatSceneInfo } from '../../../src/worker/steps/info.ts';

const shared = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth', '../../data');

test('a picture without georeference', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'landscribe-info-'));
  const path = join(folder, 'plain.png');
  await sharp({ create: { width: 20, height: 10, channels: 4, background: 'red' } })
    .png()
    .toFile(path);
  const info = await describeScene(path);
  expect(info).toMatchObject({
    width: 20,
    height: 10,
    crs: null,
    transform: null,
    extent: null,
    centre: null,
  });
  const text = formatSceneInfo(info);
  expect(text).toMatch(/^Size +20 × 10 pixels$/m);
  expect(text).toMatch(/^Bands +4: 1 red, 2 green, 3 blue, 4 alpha$/m);
  expect(text).toMatch(/^CRS +none$/m);
  const named = { ...info, crs: { epsg: null, name: 'a\n\x1b[31mb', kind: 'projected' as const } };
  expect(formatSceneInfo(named)).toMatch(/^CRS +a \[31mb \(no EPSG code\)$/m);
  expect(JSON.parse(JSON.stringify(info))).toEqual(info);
  rmSync(folder, { recursive: true });
});

test.skipIf(!existsSync(shared))('a UTM scene, and one that is cut short', async () => {
  const info = await describeScene(join(shared, 'scenes/oem_koeln_50.tif'));
  expect(info.crs).toEqual({ epsg: 25832, name: 'ETRS89 / UTM zone 32N', kind: 'projected' });
  expect(info.extent).toEqual([346000, 5647500, 346500, 5648000]);
  expect(info.pixelSize).toEqual([0.5, 0.5]);
  expect(formatSceneInfo(info)).toMatch(/^CRS +EPSG:25832 ETRS89/m);
  const cut = formatSceneInfo(await describeScene(join(shared, 'tricky-rasters/rasterio__corrupt.tif')));
  expect(cut).toMatch(/^Warning +.*cut short/m);
  expect(cut).toMatch(/^Overviews +512 × 512/m);
});
