import { describe, expect, test } from 'vitest';
import { applyAffine } from '../../../src/worker/raster/affine.ts';
import { type Crs, crsFromEpsg, transformer } from '../../../src/worker/raster/crs.ts';
import type { Grid } from '../../../src/worker/raster/grid.ts';
import { scenePlace, scenePositions } from '../../../src/worker/tiles/scene-positions.ts';
import { type TileFrame, tileFrame, webMercatorGrid } from '../../../src/worker/tiles/tile-grid.ts';

const tolerance = 0.125;

function worstMiss(tile: TileFrame, scene: Grid): { miss: number; at: number; exact: number } {
  const { columns, rows } = scenePositions(tile, scene, tolerance);
  const place = scenePlace(tile, scene);
  let miss = 0;
  let where = -1;
  let exact = 0;
  for (let at = 0; at < columns.length; at++) {
    const [column, row] = place(at % tile.width, Math.floor(at / tile.width));
    if (Number.isNaN(column) || Number.isNaN(row)) {
      if (!Number.isNaN(columns[at]! + rows[at]!)) return { miss: Infinity, at, exact };
      continue;
    }
    exact++;
    // Far from the scene nothing is drawn, and nothing has to be right.
    if (column < 0 || row < 0 || column >= scene.width || row >= scene.height) continue;
    const distance = Math.hypot(column - columns[at]!, row - rows[at]!);
    if (!(distance <= miss)) {
      miss = distance;
      where = at;
    }
  }
  return { miss, at: where, exact };
}

/** A scene of 10,000 pixels around longitude and latitude. */
function sceneAt(crs: Crs, longitude: number, latitude: number, pixel: number, angle = 0): Grid {
  const [x, y] = transformer(crsFromEpsg(4326), crs)!(longitude, latitude);
  const cosine = pixel * Math.cos(angle);
  const sine = pixel * Math.sin(angle);
  return {
    width: 10_000,
    height: 10_000,
    transform: [x - 5000 * cosine, cosine, sine, y + 5000 * cosine, sine, -cosine],
    crs,
  };
}

describe('scene positions', () => {
  const geostationary: Crs = {
    epsg: null,
    name: 'geostationary',
    kind: 'projected',
    proj4: '+proj=geos +lon_0=0 +h=35785863 +sweep=y +a=6378137 +rf=298.257 +no_defs',
    wkt: null,
    metresPerUnit: 1,
  };
  const scenes: [string, Grid][] = [
    ['UTM', sceneAt(crsFromEpsg(25832), 7, 51, 10)],
    ['UTM, far north', sceneAt(crsFromEpsg(32633), 15, 79, 20)],
    ['rotated Swiss', sceneAt(crsFromEpsg(2056), 8, 47, 5, 0.7)],
    ['geographic', sceneAt(crsFromEpsg(4326), 20, 40, 0.001)],
    ['polar stereographic', sceneAt(crsFromEpsg(3413), -45, 75, 250)],
    ['geostationary', sceneAt(geostationary, 0, 0, 1000)],
  ];
  for (const [name, scene] of scenes) {
    test(`${name}: within an eighth of a pixel at every tile pixel, at any zoom`, () => {
      const grid = webMercatorGrid(crsFromEpsg(3857));
      const toWeb = transformer(scene.crs!, grid.crs!)!;
      let seen = 0;
      for (const [column, row] of [
        [5000, 5000],
        [50, 9900],
        [9000, 1000],
      ] as const) {
        const [x, y] = toWeb(...applyAffine(scene.transform, column, row));
        // Beside the disk that a satellite sees there is no ground.
        if (!Number.isFinite(x + y)) continue;
        for (const zoom of [0, 3, 6, 9, 12]) {
          const size = grid.resolutions[zoom]! * 256;
          const tile = tileFrame(grid, {
            zoom,
            column: Math.floor((x - grid.origin[0]) / size),
            row: Math.floor((grid.origin[1] - y) / size),
          });
          const { miss, at, exact } = worstMiss(tile, scene);
          seen += exact;
          expect(miss, `zoom ${zoom}, pixel ${at}`).toBeLessThanOrEqual(tolerance);
        }
      }
      expect(seen).toBeGreaterThan(100_000);
    });
  }

  test('a scene without a system needs a project without one', () => {
    const scene: Grid = { width: 10, height: 10, transform: [0, 1, 0, 0, 0, -1], crs: null };
    const tile: TileFrame = { width: 4, height: 4, transform: [0, 1, 0, 0, 0, -1], crs: null };
    expect([...scenePositions(tile, scene, tolerance).columns.subarray(0, 4)]).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(() => scenePositions({ ...tile, crs: crsFromEpsg(3857) }, scene, tolerance)).toThrow(
      expect.objectContaining({ code: 'tiles/no-crs' }),
    );
  });
});
