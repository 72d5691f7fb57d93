import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type SceneShift, sceneShift } from '../../../src/worker/steps/scene-shift.ts';
import { gdalRun, hasGdal } from '../scene/gdal.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const pairs = resolve(fixtures, '../../data/pairs');
const folder = mkdtempSync(join(tmpdir(), 'landscribe-shift-'));
afterAll(() => rmSync(folder, { recursive: true }));

function shiftOf(first: string, second: string): Promise<SceneShift> {
  return sceneShift({ first, second, resolution: null, reach: 32, cacheBytes: 2 ** 26 }, {
    signal: new AbortController().signal,
    report: () => {},
    note: () => {},
    emit: async () => {},
  } as never);
}

describe.skipIf(!hasGdal)('scenes made with a known shift', () => {
  test('metres and correction, across zones, with another sensor’s brightness', async () => {
    gdalRun(
      `folder = sys.argv[1]
rng = np.random.default_rng(3)
size = 640
y, x = np.mgrid[0:size, 0:size]
picture = np.full((size, size), 60.0)
for _ in range(260):
    cx, cy, r, h = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(4, 14), rng.uniform(10, 40)
    picture += h / (1 + np.exp(1.5 * (np.hypot(x - cx, y - cy) - r)))
def save(name, values, left, top, kind):
    ds = gdal.GetDriverByName('GTiff').Create(folder + '/' + name, values.shape[1], values.shape[0], 1, kind)
    ds.SetGeoTransform([left, 10, 0, top, 0, -10])
    srs = osr.SpatialReference(); srs.ImportFromEPSG(32633); ds.SetProjection(srs.ExportToWkt())
    ds.GetRasterBand(1).WriteArray(values); ds = None
save('first.tif', picture, 500000, 5500000, gdal.GDT_Float32)
# The same ground, its georeference 37 m too far east and 23 m too far south, brightness reversed.
save('second.tif', 1000 - 2 * picture[40:600, 30:620], 500000 + 300 + 37, 5500000 - 400 - 23, gdal.GDT_Float32)
gdal.Warp(folder + '/third.tif', folder + '/second.tif', dstSRS='EPSG:32632', resampleAlg='cubic', dstNodata=-9999)`,
      folder,
    );
    for (const name of ['second.tif', 'third.tif']) {
      const shift = await shiftOf(join(folder, 'first.tif'), join(folder, name));
      // 3.7 pixels right, 2.3 down; within 0.1 pixel.
      expect(Math.abs(shift.columns - 3.7), name).toBeLessThan(0.1);
      expect(Math.abs(shift.rows - 2.3), name).toBeLessThan(0.1);
      expect(Math.abs(shift.correction[0] + 37), name).toBeLessThan(1);
      expect(Math.abs(shift.correction[1] - 23), name).toBeLessThan(1);
      expect(Math.abs(shift.metres! - Math.hypot(37, 23)), name).toBeLessThan(1);
      expect(Math.abs(shift.east - 37), name).toBeLessThan(1);
      expect(Math.abs(shift.north + 23), name).toBeLessThan(1);
      expect(shift.confidence, name).toBeGreaterThan(0.8);
    }
  });

  test('scenes apart are a Problem', async () => {
    gdalRun(
      `ds = gdal.GetDriverByName('GTiff').Create(sys.argv[1] + '/far.tif', 300, 300, 1, gdal.GDT_Byte)
ds.SetGeoTransform([800000, 10, 0, 5000000, 0, -10])
srs = osr.SpatialReference(); srs.ImportFromEPSG(32633); ds.SetProjection(srs.ExportToWkt())
ds.GetRasterBand(1).WriteArray(np.random.default_rng(1).integers(0, 255, (300, 300)))`,
      folder,
    );
    await expect(shiftOf(join(folder, 'first.tif'), join(folder, 'far.tif'))).rejects.toMatchObject({
      code: 'shift/no-overlap',
    });
  });
});

const india = join(pairs, 'india-s1s2');
test.skipIf(!existsSync(india))('a co-registered radar and optical pair lies within a pixel', async () => {
  const shift = await shiftOf(join(india, 'Optical-Image-1.jpg'), join(india, 'SAR-Image-1.jpg'));
  expect(Math.hypot(shift.columns, shift.rows)).toBeLessThan(1);
  expect(shift.confidence).toBeGreaterThan(0.7);
});
