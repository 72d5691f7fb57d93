import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { applyAffine } from '../../../src/worker/raster/affine.ts';
import { crsFromEpsg, transformer } from '../../../src/worker/raster/crs.ts';
import type { Grid } from '../../../src/worker/raster/grid.ts';
import { drawTile } from '../../../src/worker/tiles/draw-tile.ts';
import { scenePlace } from '../../../src/worker/tiles/scene-positions.ts';
import type { TileFrame } from '../../../src/worker/tiles/tile-grid.ts';
import { TileSource } from '../../../src/worker/tiles/tile-source.ts';
import { gdalRun, hasGdal } from '../scene/gdal.ts';
import { gdalwarp } from './gdalwarp.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const shared = resolve(fixtures, '../../data');
const ready = existsSync(shared) && hasGdal;
const folder = mkdtempSync(join(tmpdir(), 'landscribe-tiles-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A tile of 256 pixels around a place of the scene, by default its middle, with `scale` scene pixels per tile pixel. */
function tileAround(
  scene: Grid,
  epsg: number,
  scale: number,
  [column, row] = [scene.width / 2, scene.height / 2],
): TileFrame {
  const crs = crsFromEpsg(epsg);
  const project = transformer(scene.crs!, crs)!;
  const at = (across: number) => project(...applyAffine(scene.transform, across, row!));
  const [x, y] = at(column!);
  const [besideX, besideY] = at(column! + 1);
  const resolution = scale * Math.hypot(besideX - x, besideY - y);
  const transform = [x - 100 * resolution, resolution, 0, y + 128 * resolution, 0, -resolution] as const;
  return { width: 256, height: 256, transform, crs };
}

interface Case {
  path: string;
  /** Of the tile. */
  epsg: number;
  scales: number[];
  /** A mask lies in the file beside a nodata value. */
  masked?: boolean;
  /** Complex samples. */
  magnitude?: boolean;
  /** Ground control points on curved ground: GDAL's thin plate splines beside our cells, up to a quarter of a pixel apart. */
  splines?: boolean;
}

// gdalwarp widens its kernel by the bounding box of a rotated scene: a blurrier picture where pixels are as large as the
// tile's. There only finer tiles are compared.
const cases: Case[] = [
  { path: 'scenes/oem_koeln_50.tif', epsg: 3857, scales: [0.5, 1, 1.7, 3] },
  { path: 'scenes/naip_prairie_2010.tif', epsg: 3857, scales: [0.5, 1, 3, 8] },
  { path: 'scenes/zanzibar_drone.tif', epsg: 32737, scales: [0.5, 1, 3, 8] },
  { path: 'scenes/umbra_sar_mount_yasur.tiff', epsg: 3857, scales: [0.5, 8] },
  { path: 'tricky-rasters/openlayers__raster__ch-bw.tif', epsg: 3857, scales: [0.5, 1, 8] },
  { path: 'tricky-rasters/rio-cogeo__image_geos.tif', epsg: 4326, scales: [0.5, 1, 3], masked: true },
  { path: 'tricky-rasters/rio-tiler__cog_dateline.tif', epsg: 3857, scales: [0.5, 3, 8] },
  { path: 'tricky-rasters/rio-cogeo__validate__image_external.tif', epsg: 32620, scales: [0.5, 1, 3, 8] },
  { path: 'south-up.tif', epsg: 3857, scales: [0.5, 1, 3] },
  // JPEG 2000, and a GeoTIFF whose name says so.
  { path: 'tricky-rasters/stars__B01.jp2', epsg: 3857, scales: [0.5, 1, 3] },
  {
    path: 'tricky-rasters/rio-tiler-history__sentinel-s2-l1c__tiles__19__U__DP__2017__7__29__0__B04.jp2',
    epsg: 3857,
    scales: [0.25, 0.5],
  },
  // Complex samples, pixels that are neither square nor upright.
  { path: 'tricky-rasters/solaris__sar_hh.tif', epsg: 32631, scales: [0.5, 1], magnitude: true },
  { path: 'tricky-rasters/rio-tiler__cog_gcps.tif', epsg: 32643, scales: [0.5, 1], splines: true },
];

/** Beside the shared scenes, those made here. */
const fileOf = (path: string): string => (path === 'south-up.tif' ? join(folder, path) : join(shared, path));
if (ready) {
  // Rows from south to north: the one that is shared holds nodata only.
  gdalRun(
    `gdal.SetConfigOption('GDAL_PAM_ENABLED', 'NO')
ds = gdal.Open(sys.argv[1]); t = ds.GetGeoTransform(); w, h = ds.RasterXSize, ds.RasterYSize
out = gdal.GetDriverByName('GTiff').Create(sys.argv[2], w, h, 3, gdal.GDT_Byte)
out.SetGeoTransform([t[0], t[1], 0, t[3] + h * t[5], 0, -t[5]]); out.SetProjection(ds.GetProjection())
for b in range(3): out.GetRasterBand(b + 1).WriteArray(ds.GetRasterBand(b + 1).ReadAsArray()[::-1])`,
    join(shared, 'scenes/naip_prairie_2010.tif'),
    join(folder, 'south-up.tif'),
  );
}

describe.skipIf(!ready)('tiles beside gdalwarp (needs the shared scenes and python3-gdal)', () => {
  for (const { path, epsg, scales, masked, magnitude, splines } of cases) {
    test(`${path} in EPSG:${epsg}: mean difference below 2 grey levels, the same pixels transparent`, async () => {
      const source = await TileSource.open(fileOf(path), { overviewFolder: folder });
      const measured = source.header.bands.flatMap((band, index) => (band.role === 'alpha' ? [] : [index]));
      const bands = (measured.length < 3 ? [0, 0, 0] : measured.slice(0, 3)) as [number, number, number];
      for (const scale of scales) {
        const tile = tileAround(source.header.grid, epsg, scale);
        const truth = gdalwarp(fileOf(path), tile, 'bilinear', folder, bands, {
          ignoreNodata: masked ?? false,
          magnitude: magnitude ?? false,
          splines: splines ?? false,
        });
        let low = 0;
        let high = 255;
        if (source.header.bands[0]!.type !== 'uint8') {
          const values = truth.planes[0]!.filter((_, at) => truth.alpha[at]! > 0);
          low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
          high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
        }
        const range = { low, high };
        const picture = await drawTile(source, tile, {
          kind: 'imagery',
          bands,
          stretch: [range, range, range],
          gamma: 1,
        });
        expect(picture.draft).toBe(false);
        let sum = 0;
        let compared = 0;
        let otherwise = 0;
        let worst = { difference: 0, at: 0, channel: 0 };
        for (let at = 0; at < 65_536; at++) {
          const visible = picture.rgba[4 * at + 3]! > 0;
          if (visible !== truth.alpha[at]! > 0) otherwise++;
          if (!visible || truth.alpha[at] === 0) continue;
          for (let channel = 0; channel < 3; channel++) {
            const expected = ((truth.planes[channel]![at]! - low) * 255) / (high - low);
            const difference = Math.abs(picture.rgba[4 * at + channel]! - expected);
            if (difference > worst.difference) worst = { difference, at, channel };
            sum += difference;
            compared++;
          }
        }
        const where = `scale ${scale}, worst ${JSON.stringify(worst)}`;
        expect(compared, where).toBeGreaterThan(9000);
        expect(sum / compared, where).toBeLessThan(2);
        // Where gdalwarp blends a little of a border, we decide by the larger half.
        expect(otherwise, where).toBeLessThan(700);
      }
      await source.close();
    });
  }

  test('a raster of nodata alone, rows from south to north, is transparent wherever gdalwarp draws it so', async () => {
    const path = join(shared, 'tricky-rasters/rio-tiler__inverted_lat.tif');
    const source = await TileSource.open(path, { overviewFolder: folder });
    expect(source.header.grid.transform[5]).toBeGreaterThan(0);
    const tile = tileAround(source.header.grid, 3857, 1);
    const truth = gdalwarp(path, tile, 'bilinear', folder, [0]);
    const range = { low: 0, high: 1 };
    const style = { kind: 'imagery', bands: [0, 0, 0], stretch: [range, range, range], gamma: 1 } as const;
    const { rgba } = await drawTile(source, tile, style as never);
    expect(truth.alpha.every((value) => value === 0)).toBe(true);
    expect(rgba.every((value, at) => at % 4 !== 3 || value === 0)).toBe(true);
    await source.close();
  });

  for (const [path, epsg, scale, place] of [
    ['scenes/zanzibar_drone_buildings.tif', 32737, 1.3, [150, 1080]],
    ['scenes/zanzibar_drone_buildings.tif', 4326, 0.4, [150, 1080]],
    ['tricky-rasters/rio-tiler__cog_cmap.tif', 26916, 1.3, [6320, 6580]],
  ] as const) {
    test(`${path} in EPSG:${epsg}: every class pixel is gdalwarp's, except at ties`, async () => {
      const source = await TileSource.open(join(shared, path), { overviewFolder: folder, reduction: 'mode' });
      const tile = tileAround(source.header.grid, epsg, scale, [...place]);
      const truth = gdalwarp(join(shared, path), tile, 'near', folder, [0], { threshold: 0 });
      const colours = Array.from({ length: 256 }, (_, value) => ({
        value,
        colour: `#${value.toString(16).padStart(2, '0')}01ff`,
      }));
      const picture = await drawTile(source, tile, { kind: 'classes', band: 0, colours });
      const exact = scenePlace(tile, source.header.grid);
      const wrong: string[] = [];
      let ties = 0;
      for (let at = 0; at < 65_536; at++) {
        const drawn = picture.rgba[4 * at + 3] === 0 ? null : picture.rgba[4 * at]!;
        const expected = truth.alpha[at] === 0 ? null : truth.planes[0]![at]!;
        if (drawn === expected) continue;
        const [column, row] = exact(at % 256, Math.floor(at / 256));
        const border = Math.min(Math.abs(column - Math.round(column)), Math.abs(row - Math.round(row)));
        if (border <= 1 / 64) ties++;
        else wrong.push(`pixel ${at}: ${drawn} instead of ${expected}, ${border} from a border`);
      }
      expect(wrong.slice(0, 5)).toEqual([]);
      expect(ties).toBeLessThan(1500);
      expect(new Set(truth.planes[0]).size).toBeGreaterThan(1);
      await source.close();
    });
  }
});
