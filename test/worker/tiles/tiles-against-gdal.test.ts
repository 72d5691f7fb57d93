import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { crsFromEpsg, transformer } from '../../../src/worker/raster/crs.ts';
import { applyAffine, type Grid } from '../../../src/worker/raster/grid.ts';
import { drawTile } from '../../../src/worker/tiles/draw-tile.ts';
import { scenePlace } from '../../../src/worker/tiles/scene-positions.ts';
import type { TileFrame } from '../../../src/worker/tiles/tile-grid.ts';
import { TileSource } from '../../../src/worker/tiles/tile-source.ts';
import { hasGdal } from '../scene/gdal.ts';
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
];

describe.skipIf(!ready)('tiles beside gdalwarp (needs the shared scenes and python3-gdal)', () => {
  for (const { path, epsg, scales, masked } of cases) {
    test(`${path} in EPSG:${epsg}: mean difference below 2 grey levels, the same pixels transparent`, async () => {
      const source = await TileSource.open(join(shared, path), { overviewFolder: folder });
      const measured = source.header.bands.flatMap((band, index) => (band.role === 'alpha' ? [] : [index]));
      const bands = (measured.length < 3 ? [0, 0, 0] : measured.slice(0, 3)) as [number, number, number];
      for (const scale of scales) {
        const tile = tileAround(source.header.grid, epsg, scale);
        const truth = gdalwarp(join(shared, path), tile, 'bilinear', folder, bands, {
          ignoreNodata: masked ?? false,
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
