import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { applyAffine, invertAffine } from '../../../src/worker/raster/affine.ts';
import { transformer } from '../../../src/worker/raster/crs.ts';
import { groundMapping } from '../../../src/worker/raster/ground-control.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { placeScene } from '../../../src/worker/scene/placed-scene.ts';
import { hasGdal } from './gdal.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const withPoints = resolve(fixtures, '../../data/tricky-rasters/rio-tiler__cog_gcps.tif');
const radar = resolve(fixtures, '../../data/sar');
const folder = mkdtempSync(join(tmpdir(), 'landscribe-placed-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!existsSync(withPoints))('a raster with ground control points', () => {
  test.skipIf(!hasGdal)('lies where gdalwarp puts it', async () => {
    const scene = await openScene(withPoints);
    for (const [name, options, least] of [
      // The same polynomial: all but the pixels whose centre falls on a border between two source pixels.
      ['polynomial', ['-order', '2', '-et', '0'], 0.99],
      // Thin plate splines against bilinear cells: up to a quarter of a pixel apart.
      ['grid', ['-tps'], 0.75],
    ] as const) {
      const { groundControl } = scene.header.grid;
      const grid =
        name === 'grid'
          ? scene.header.grid
          : { ...scene.header.grid, groundControl: { ...groundControl!, method: name, order: 2 as const } };
      const placed = placeScene({ header: { ...scene.header, grid }, read: scene.read });
      const { transform, crs } = placed.header.grid;
      expect(crs!.epsg).toBe(32643);
      const file = join(folder, `${name}.tif`);
      const window = { column: 500, row: 400, width: 400, height: 300 };
      const [x, y] = applyAffine(transform, window.column, window.row);
      const size = transform[1];
      execFileSync(
        'gdalwarp',
        [
          ['-q', '-r', 'near', '-t_srs', 'EPSG:32643', ...options],
          [
            '-te',
            x,
            y - window.height * size,
            x + window.width * size,
            y,
            '-ts',
            window.width,
            window.height,
          ],
          [withPoints, file],
        ]
          .flat()
          .map(String),
        { env: { ...process.env, GDAL_PAM_ENABLED: 'NO' } },
      );
      const warped = await openScene(file);
      const ours = await placed.read(window, [0], 0);
      const theirs = await warped.read({ ...window, column: 0, row: 0 }, [0], 0);
      await warped.close();
      let same = 0;
      let set = 0;
      for (let at = 0; at < ours.valid.length; at++) {
        if (ours.valid[at] === 0) continue;
        set++;
        if (ours.planes[0]![at] === theirs.planes[0]![at]) same++;
      }
      expect(set).toBeGreaterThan(100_000);
      expect(same / set, name).toBeGreaterThan(least);
    }
    await scene.close();
  });

  test('a pixel is the same in every window, and beyond the source nothing is valid', async () => {
    const scene = await openScene(withPoints);
    const placed = placeScene(scene);
    const region = { column: 180, row: 190, width: 200, height: 180 };
    const all = await placed.read(region, [0], 0);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 150 }),
        fc.integer({ min: 0, max: 130 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        async (column, row, width, height) => {
          const window = { column: region.column + column, row: region.row + row, width, height };
          const part = await placed.read(window, [0], 0);
          for (let y = 0; y < height; y++) {
            const from = (row + y) * region.width + column;
            const line = [y * width, (y + 1) * width] as const;
            expect(part.planes[0]!.slice(...line)).toEqual(all.planes[0]!.slice(from, from + width));
            expect(part.valid.slice(...line)).toEqual(all.valid.slice(from, from + width));
          }
        },
      ),
      { numRuns: 20, seed: 5 },
    );
    const outside = await placed.read({ column: -20, row: -20, width: 20, height: 20 }, [0], 0);
    expect(outside.valid.every((set) => set === 0)).toBe(true);
    expect(outside.planes[0]).toBeInstanceOf(Uint16Array);
    await scene.close();
  });
});

test.skipIf(!existsSync(radar))('the Sentinel-1 product on a grid of 10 m', async () => {
  const scene = await openScene(join(radar, readdirSync(radar).find((name) => name.endsWith('.SAFE'))!));
  const placed = placeScene(scene, { pixelSize: 10 });
  const { grid } = placed.header;
  expect(grid.crs!.epsg).toBe(32632);
  // Corners of the source lie inside, each on the border of the new grid's box.
  const mapping = groundMapping(scene.header.grid.groundControl!);
  const inverse = invertAffine(grid.transform);
  for (const [column, row] of [
    [100.5, 100.5],
    [25_687.5, 100.5],
    [100.5, 16_584.5],
    [25_687.5, 16_584.5],
    [13_000.5, 8000.5],
  ] as const) {
    const [x, y] = transformer(scene.header.grid.crs!, grid.crs!)!(...mapping.toGround(column, row));
    const [atColumn, atRow] = applyAffine(inverse, x, y).map(Math.floor) as [number, number];
    const read = await placed.read({ column: atColumn, row: atRow, width: 1, height: 1 }, [0], 0);
    expect(read.valid[0], `column ${column}, row ${row}`).toBe(1);
  }
  const corner = await placed.read({ column: 0, row: 0, width: 4, height: 4 }, [0], 0);
  expect(corner.valid.every((set) => set === 0)).toBe(true);
  await scene.close();
});

test('a scene without points cannot be placed', async () => {
  const grid = { width: 2, height: 2, transform: [0, 1, 0, 0, 0, -1], crs: null } as const;
  const header = {
    path: 'plain.tif',
    format: 'x',
    grid,
    bands: [],
    overviews: [],
    groundSampleDistance: 1,
    details: {},
  };
  const read = async (): Promise<never> => {
    throw new Error('not read');
  };
  expect(() => placeScene({ header, read })).toThrow(expect.objectContaining({ code: 'scene/no-place' }));
});
