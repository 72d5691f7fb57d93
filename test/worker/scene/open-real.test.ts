import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Problem } from '../../../src/worker/report/problem.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { gdalRead, hasGdal } from './gdal.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const shared = resolve(fixtures, '../../data');
const here = existsSync(shared);

const refused: Record<string, string> = {
  'INDEX.tsv': 'scene/not-a-raster',
  'image-tiff__fuzz_images__oor_panic__colormap-shl-overflow.tiff': 'scene/corrupt',
  'image-tiff__fuzz_images__oor_panic__sample-get-lzw-stuck.tiff': 'scene/truncated',
  'rasterio__corrupt.tif': 'scene/truncated',
};

const tricky = here
  ? readdirSync(join(shared, 'tricky-rasters')).map((name) => join('tricky-rasters', name))
  : [];
const scenes = here ? readdirSync(join(shared, 'scenes')).map((name) => join('scenes', name)) : [];
const pairs = ['ms1', 'pan1', 'sar_hh', 'sar_masked'].map((name) =>
  join('pairs', 'spacenet6', `${name}.tif`),
);
const all = here ? [...scenes, ...tricky, ...pairs] : [];
const nameOf = (path: string): string => path.split('/').pop()!;

/** JPEG decoders may round and upsample chroma differently; everything else must agree exactly. */
const jpegTolerance = 2;

describe.skipIf(!here)('scenes that exist', () => {
  for (const path of all.filter((name) => refused[nameOf(name)] !== undefined)) {
    test(`${path}: a Problem that says why`, async () => {
      const failure = await openScene(join(shared, path)).then(
        () => null,
        (problem: unknown) => problem,
      );
      expect(failure).toBeInstanceOf(Problem);
      expect((failure as Problem).code).toBe(refused[nameOf(path)]);
      expect((failure as Problem).message).toContain(nameOf(path));
      expect((failure as Problem).hint).not.toBe('');
    });
  }

  test('a file cut short shows its header and fails at the missing block', async () => {
    const scene = await openScene(join(shared, 'tricky-rasters/rasterio__corrupt.tif'), undefined, {
      allowIncomplete: true,
    });
    expect(scene.header.grid.width).toBe(1024);
    expect(scene.header.details.warning).toContain('cut short');
    await expect(scene.read({ column: 0, row: 0, width: 1024, height: 1024 }, [0], 0)).rejects.toMatchObject({
      name: 'Problem',
      code: 'scene/corrupt',
    });
    await scene.close();
  });

  for (const path of all.filter((name) => refused[nameOf(name)] === undefined)) {
    test.skipIf(!hasGdal)(`${path}: header and pixels as GDAL reads them`, async () => {
      const scene = await openScene(join(shared, path));
      const { grid, bands, overviews, details } = scene.header;
      const side = 48;
      const width = Math.min(side, grid.width);
      const height = Math.min(side, grid.height);
      // Sparse strips of a gigabyte are cheap here but not in GDAL.
      const places = grid.width > 60_000 ? [] : [0, 0.37, 0.5, 1];
      const windows = places.map((share) => ({
        column: Math.floor((grid.width - width) * share),
        row: Math.floor((grid.height - height) * share),
        width,
        height,
      }));
      const truth = gdalRead(join(shared, path), windows, details.colours === 'from a palette');
      expect([grid.width, grid.height]).toEqual(truth.size);
      // Ground control points: the transform is our fit, compared with GDAL's in ground-control.test.ts.
      if (grid.groundControl !== undefined) expect(truth.transform).toBeNull();
      else if (truth.transform === null) expect(grid.transform).toEqual([0, 1, 0, 0, 0, -1]);
      else
        for (const [index, value] of grid.transform.entries())
          expect(value).toBeCloseTo(truth.transform[index]!, 9);
      const esriName = path.includes('esri_wkt');
      if (!esriName && grid.groundControl === undefined)
        expect(grid.crs?.epsg ?? null).toBe(truth.epsg === null ? null : Number(truth.epsg));
      if (details.colours !== 'from a palette') {
        expect(bands.map((band) => (Number.isNaN(band.nodata) ? 'nan' : band.nodata))).toEqual(
          truth.nodata.map((value, index) => (bands[index]!.role === 'alpha' ? null : value)),
        );
      }
      expect(overviews.map((overview) => overview.width)).toEqual(truth.overviews);
      const tolerance = details.compression === 'JPEG' ? jpegTolerance : 0;
      for (const [place, window] of windows.entries()) {
        const read = await scene.read(
          window,
          bands.map((_, index) => index),
          0,
        );
        for (const [band, plane] of read.planes.entries()) {
          let worst = 0;
          let where = '';
          for (let at = 0; at < plane.length; at++) {
            const expected = truth.values[place]![band]![at]!;
            const difference =
              expected === null ? (Number.isNaN(plane[at]!) ? 0 : Infinity) : Math.abs(plane[at]! - expected);
            // Magnitudes of complex samples are rounded to float32 once here and once there.
            const allowed =
              bands[band]!.type === 'complex' ? difference - 1e-6 * Math.abs(expected ?? 0) : difference;
            if (allowed > worst) {
              worst = allowed;
              where = `band ${band} at ${at}: ${plane[at]} instead of ${expected}`;
            }
          }
          expect(worst, where).toBeLessThanOrEqual(tolerance);
        }
        // Unlike GDAL, infinite and NaN samples are never valid, and unsigned nodata needs all bands.
        if (bands.length === 1) {
          const mask = truth.masks[place]!.map((set, at) =>
            Number.isFinite(read.planes[0]![at]!) ? set : 0,
          );
          expect(Array.from(read.valid)).toEqual(mask);
        }
      }
      await scene.close();
    });
  }
});
