import { describe, expect, it } from 'vitest';
import type { ClassEntry } from '../../../src/worker/classmap/class-entry.ts';
import type { ClassStrip } from '../../../src/worker/classmap/class-strip.ts';
import { pixelTransform } from '../../../src/worker/raster/affine.ts';
import { crsFromEpsg } from '../../../src/worker/raster/crs.ts';
import type { Grid } from '../../../src/worker/raster/grid.ts';
import type { Progress } from '../../../src/worker/report/progress.ts';
import { type PolygoniseRequest, polygonise } from '../../../src/worker/steps/polygonise.ts';
import type { PolygonFeature } from '../../../src/worker/vector/feature.ts';
import { blobMap, type ClassMap, noiseMap, stripsOf } from './class-maps.ts';
import { gdalRasterize, hasGdalRasterize } from './gdal.ts';

const classes: ClassEntry[] = [1, 2, 3, 4, 5].map((id) => ({
  id,
  name: `class ${id}`,
  words: [`class ${id}`],
  colour: '#808080',
}));

function gridOf(map: ClassMap, epsg: number | null = null): Grid {
  const { width, height } = map;
  if (epsg === null) return { width, height, transform: pixelTransform, crs: null };
  return { width, height, transform: [356_000, 0.5, 0, 5_645_000, 0, -0.5], crs: crsFromEpsg(epsg) };
}

async function all(
  map: ClassMap,
  rows: number,
  more: Partial<PolygoniseRequest> = {},
): Promise<PolygonFeature[]> {
  const features: PolygonFeature[] = [];
  const confidence = Uint8Array.from({ length: map.classes.length }, (_, at) => (at * 7) % 256);
  const request = { strips: stripsOf(map, rows, confidence), grid: gridOf(map), classes, ...more };
  for await (const batch of polygonise(request)) {
    expect(batch.length).toBeGreaterThan(0);
    features.push(...batch);
  }
  return features;
}

describe('the step from class map to polygons', () => {
  it('gives the same polygons for every strip height, plain, merged and simplified', async () => {
    const map = blobMap(120, 150, 5, 1, 0.05);
    for (const settings of [
      {},
      { minAreaPixels: 8 },
      { simplifyPixels: 1 },
      { minAreaPixels: 8, simplifyPixels: 1 },
    ]) {
      const whole = await all(map, map.height, settings);
      expect(whole.length).toBeGreaterThan(5);
      for (const rows of [1, 13, 64]) expect(await all(map, rows, settings)).toEqual(whole);
    }
  });

  it('accounts for the classified area in square metres', async () => {
    const map = blobMap(120, 150, 5, 1, 0.05);
    const features = await all(map, 32, { grid: gridOf(map, 25832) });
    const byClass = new Map<number, number>();
    for (const { classId, area } of features) byClass.set(classId, (byClass.get(classId) ?? 0) + area);
    const expected = new Map<number, number>();
    for (const classId of map.classes)
      if (classId !== 0) expected.set(classId, (expected.get(classId) ?? 0) + 0.25);
    expect(new Map([...byClass].sort())).toEqual(new Map([...expected].sort()));
  });

  it('merging and simplifying keep the total of a map without nodata', async () => {
    const map = blobMap(120, 150, 4, 2, 0.05);
    const full = { ...map, classes: map.classes.map((value) => value + 1) };
    const features = await all(full, 32, { minAreaPixels: 12, simplifyPixels: 1.2 });
    expect(features.reduce((sum, { area }) => sum + area, 0)).toBe(120 * 150);
    expect(features.length).toBeLessThan((await all(full, 32)).length / 4);
  });

  it.skipIf(!hasGdalRasterize)('is burnt back by gdal_rasterize (needs gdal-bin)', async () => {
    const map = noiseMap(90, 80, 5, 3);
    expect(gdalRasterize(await all(map, 11), map.width, map.height)).toEqual(map.classes);
  });

  it('reports rows, never backwards, to the last one', async () => {
    const map = blobMap(50, 90, 4, 4);
    for (const settings of [{}, { minAreaPixels: 5, simplifyPixels: 1 }]) {
      const seen: Progress[] = [];
      await all(map, 20, { ...settings, onProgress: (progress) => seen.push(progress) });
      expect(seen.every(({ done }, index) => index === 0 || done >= seen[index - 1]!.done)).toBe(true);
      expect(seen.at(-1)).toEqual({ phase: 'polygonise', done: 90, total: 90, unit: 'rows' });
    }
  });

  it('stops when cancelled', async () => {
    const map = noiseMap(100, 400, 4, 5);
    for (const settings of [{}, { minAreaPixels: 5 }, { simplifyPixels: 1 }]) {
      const controller = new AbortController();
      async function* cancelledHalfway(): AsyncGenerator<ClassStrip> {
        for await (const strip of stripsOf(map, 50)) {
          if (strip.firstRow === 200) controller.abort();
          yield strip;
        }
      }
      const run = all(map, 50, { ...settings, strips: cancelledHalfway(), signal: controller.signal });
      await expect(run).rejects.toMatchObject({ code: 'cancelled' });
    }
  });

  it('refuses unknown classes and maps that stop early or do not fit', async () => {
    const map = noiseMap(20, 20, 5, 6);
    await expect(all(map, 5, { classes: classes.slice(0, 2) })).rejects.toMatchObject({
      code: 'vector/unknown-class',
    });
    for (const grid of [
      { ...gridOf(map), height: 21 },
      { ...gridOf(map), height: 19 },
      { ...gridOf(map), width: 21 },
    ]) {
      await expect(all(map, 5, { grid })).rejects.toMatchObject({ code: 'vector/incomplete-map' });
    }
  });
});
