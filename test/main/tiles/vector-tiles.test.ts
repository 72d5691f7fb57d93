import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ProjectStore } from '../../../src/main/project/project-store.ts';
import { VectorTiles } from '../../../src/main/tiles/vector-tiles.ts';
import { type Crs, crsFromEpsg, transformer } from '../../../src/worker/raster/crs.ts';
import { Cancelled, type Problem } from '../../../src/worker/report/problem.ts';
import { TileCache } from '../../../src/worker/tiles/tile-cache.ts';
import {
  type TileFrame,
  type TilePlace,
  tileFrame,
  tileGridOf,
} from '../../../src/worker/tiles/tile-grid.ts';
import type { PolygonFeature } from '../../../src/worker/vector/feature.ts';
import { classes, describeLayer, pixelPolygons, random, temporaryFolder } from '../export/layers.ts';
import { type ReadFeature, readVectorTile } from './read-vector-tile.ts';

const folder = temporaryFolder();
const utm = crsFromEpsg(25832);
const extent = 4096;
const perPixel = extent / 256;
let count = 0;

async function projectWith(polygons: readonly PolygonFeature[], crs: Crs | null = utm) {
  const file = path.join(folder, `tiles-${count++}.gpkg`);
  const store = await ProjectStore.create(file);
  const { provenance } = describeLayer();
  const style = { name: 'classes', qml: '<qgis/>', sld: '' };
  const layer = store.addLayer({ name: 'map', description: '', crs, classes, provenance, style });
  for (let i = 0; i < polygons.length; i += 1000) layer.add(polygons.slice(i, i + 1000));
  layer.finish();
  const tiles = new VectorTiles(new TileCache(1 << 22));
  opened.push(() => {
    tiles.close();
    store.close();
  });
  return { file, store, tiles, layer: layer.table };
}
const opened: (() => void)[] = [];
afterAll(() => {
  for (const close of opened) close();
});

/** The tile at a zoom that holds a point of the system. */
function placeOf(crs: Crs | null, zoom: number, x: number, y: number): TilePlace {
  const { origin, resolutions, tileSize } = tileGridOf(crs);
  const side = resolutions[zoom]! * tileSize;
  return { zoom, column: Math.floor((x - origin[0]) / side), row: Math.floor((origin[1] - y) / side) };
}

/** Class of the polygon around a point by the even-odd rule, null for none; the last of several. */
function classAt(
  features: readonly { classId: number; rings: readonly ArrayLike<number>[] }[],
  x: number,
  y: number,
) {
  let found: number | null = null;
  for (const { classId, rings } of features) {
    let inside = false;
    for (const ring of rings) {
      for (let at = 0; at + 3 < ring.length; at += 2) {
        const [ax, ay, bx, by] = [ring[at]!, ring[at + 1]!, ring[at + 2]!, ring[at + 3]!];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
      }
    }
    if (inside) found = classId;
  }
  return found;
}

/** Distance of a point from the nearest edge. */
function edgeDistance(
  features: readonly { rings: readonly ArrayLike<number>[] }[],
  x: number,
  y: number,
): number {
  let nearest = Infinity;
  for (const { rings } of features) {
    for (const ring of rings) {
      for (let at = 0; at + 3 < ring.length; at += 2) {
        const [ax, ay, bx, by] = [ring[at]!, ring[at + 1]!, ring[at + 2]!, ring[at + 3]!];
        const length = (bx - ax) ** 2 + (by - ay) ** 2;
        const share =
          length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
        nearest = Math.min(nearest, Math.hypot(ax + share * (bx - ax) - x, ay + share * (by - ay) - y));
      }
    }
  }
  return nearest;
}

/** The layer's polygons in units of the tile, computed vertex by vertex. */
function exactly(polygons: readonly PolygonFeature[], from: Crs, frame: TileFrame) {
  const project = transformer(from, frame.crs!)!;
  const unit = (frame.transform[1] * 256) / extent;
  return polygons.map(({ classId, rings }) => ({
    classId,
    rings: rings.map((ring) => {
      const mapped = new Float64Array(ring.length);
      for (let at = 0; at < ring.length; at += 2) {
        const [x, y] = project(ring[at]!, ring[at + 1]!);
        mapped[at] = (x - frame.transform[0]) / unit;
        mapped[at + 1] = (frame.transform[3] - y) / unit;
      }
      return mapped;
    }),
  }));
}

describe('vector tiles', () => {
  for (const [name, epsg, zooms] of [
    ['its own system', 25832, [17, 19, 22]],
    ['web Mercator', 3857, [15, 17, 20]],
    ['degrees', 4326, [16, 18]],
    ['another zone', 25831, [17, 19]],
  ] as const) {
    test(`in ${name} every point away from an edge has the class it has in the layer`, async () => {
      const polygons = pixelPolygons(400, 3);
      const { file, tiles, layer } = await projectWith(polygons);
      const crs = crsFromEpsg(epsg);
      const grid = tileGridOf(crs);
      const [x, y] = transformer(utm, crs)!(346070, 5647930);
      const next = random(epsg);
      for (const zoom of zooms) {
        const place = placeOf(crs, zoom, x, y);
        const frame = tileFrame(grid, place);
        const drawn = readVectorTile(await tiles.tile({ project: file, layer, grid, place }));
        expect(drawn.length).toBeGreaterThan(0);
        const truth = exactly(polygons, utm, frame);
        let compared = 0;
        for (let point = 0; point < 400; point++) {
          const [px, py] = [next() * extent, next() * extent];
          // A quarter of a pixel of snapping moves an edge by an eighth at most, along both axes; mapping by 1/32.
          if (edgeDistance(truth, px, py) < 0.25 * perPixel) continue;
          expect(classAt(drawn, px, py), `zoom ${zoom}, at ${px}, ${py}`).toBe(classAt(truth, px, py));
          compared++;
        }
        expect(compared).toBeGreaterThan(100);
      }
    });
  }

  test('carry fid, class, confidence and area as the layer has them', async () => {
    const polygons = pixelPolygons(200, 5);
    const { file, tiles, layer } = await projectWith(polygons);
    const grid = tileGridOf(utm);
    const seen = new Map<number, ReadFeature>();
    const first = placeOf(utm, 19, 346000, 5648000);
    for (let column = first.column; column <= first.column + 4; column++) {
      for (let row = first.row; row <= first.row + 4; row++) {
        const tile = await tiles.tile({ project: file, layer, grid, place: { zoom: 19, column, row } });
        for (const feature of readVectorTile(tile)) seen.set(feature.fid, feature);
      }
    }
    expect(seen.size).toBe(polygons.length);
    for (const [fid, { classId, confidence, area }] of seen) {
      const expected = polygons[fid - 1]!;
      expect([classId, confidence, area]).toEqual([expected.classId, expected.confidence, expected.area]);
    }
  });

  test('from afar cost no more than their pixels, and show a mark wherever there is a polygon', async () => {
    const polygons = pixelPolygons(40_000, 7);
    const { file, tiles, layer } = await projectWith(polygons);
    const grid = tileGridOf(utm);
    for (const zoom of [9, 11, 13, 15]) {
      const place = placeOf(utm, zoom, 346800, 5647200);
      const frame = tileFrame(grid, place);
      const drawn = readVectorTile(await tiles.tile({ project: file, layer, grid, place }));
      expect(drawn.length).toBeGreaterThan(0);
      expect(drawn.length).toBeLessThanOrEqual(256 ** 2);
      const unit = (frame.transform[1] * 256) / extent;
      const marked = new Set<number>();
      for (const { rings } of drawn) {
        const [ring] = rings as [number[]];
        const xs = ring.filter((_, at) => at % 2 === 0);
        const ys = ring.filter((_, at) => at % 2 === 1);
        for (let row = Math.floor(Math.min(...ys) / 32); row * 32 < Math.max(...ys); row++) {
          for (let column = Math.floor(Math.min(...xs) / 32); column * 32 < Math.max(...xs); column++)
            marked.add(row * 1000 + column);
        }
      }
      // Pixels of two hold the middle of every polygon that is inside the tile.
      const next = random(zoom);
      for (let at = 0; at < 500; at++) {
        const ring = polygons[Math.floor(next() * polygons.length)]!.rings[0]!;
        const x = (ring[0]! + 1 - frame.transform[0]) / unit;
        const y = (frame.transform[3] - ring[1]! - 1) / unit;
        if (x < 64 || y < 64 || x > extent - 64 || y > extent - 64) continue;
        const around = [0, 1, -1].flatMap((dy) =>
          [0, 1, -1].map((dx) => (Math.floor(y / 32) + dy) * 1000 + Math.floor(x / 32) + dx),
        );
        expect(
          around.some((cell) => marked.has(cell)),
          `zoom ${zoom}: ${x}, ${y}`,
        ).toBe(true);
      }
    }
  });

  test('holes are wound against their exteriors', async () => {
    const { file, tiles, layer } = await projectWith(pixelPolygons(100, 9));
    const grid = tileGridOf(utm);
    const place = placeOf(utm, 21, 346010, 5647990);
    const drawn = readVectorTile(await tiles.tile({ project: file, layer, grid, place }));
    const area = (ring: number[]) => {
      let twice = 0;
      for (let at = 0; at + 3 < ring.length; at += 2)
        twice += ring[at]! * ring[at + 3]! - ring[at + 2]! * ring[at + 1]!;
      return twice;
    };
    expect(drawn.some(({ rings }) => rings.length > 1)).toBe(true);
    for (const { rings } of drawn) {
      rings.forEach((ring, index) => {
        if (index === 0) expect(area(ring)).toBeGreaterThan(0);
        else expect(area(ring)).toBeLessThan(0);
      });
    }
  });

  test('an edit shows at once, also one made while the file is open here', async () => {
    const { file, store, tiles, layer } = await projectWith(pixelPolygons(50, 11));
    const grid = tileGridOf(utm);
    const place = placeOf(utm, 17, 346010, 5647990);
    const fids = async () =>
      readVectorTile(await tiles.tile({ project: file, layer, grid, place })).map(({ fid }) => fid);
    const before = await fids();
    expect(before).toContain(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    store.edits.remove(layer, [1]);
    expect(await fids()).toEqual(before.filter((fid) => fid !== 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    store.undo();
    expect((await fids()).sort()).toEqual([...before].sort());
  });

  test('nothing there is null; no such layer, no system and an aborted request are problems', async () => {
    const { file, tiles, layer } = await projectWith(pixelPolygons(3000, 13));
    const grid = tileGridOf(utm);
    const there = placeOf(utm, 12, 346010, 5647990);
    expect(
      await tiles.tile({ project: file, layer, grid, place: { ...there, column: there.column + 900 } }),
    ).toBe(null);
    const problem = (work: Promise<unknown>) =>
      work.then(
        () => null,
        (error: Problem) => error.code,
      );
    expect(await problem(tiles.tile({ project: file, layer: 'x"y', grid, place: there }))).toBe('layer/none');
    expect(
      await problem(
        tiles.tile({ project: file, layer, grid: tileGridOf(null), place: { zoom: 0, column: 0, row: 0 } }),
      ),
    ).toBe('tiles/no-crs');
    const controller = new AbortController();
    const aborted = tiles.tile({ project: file, layer, grid, place: there }, controller.signal);
    controller.abort(new Cancelled());
    expect(await problem(aborted)).toBe('cancelled');
    expect(
      readVectorTile(await tiles.tile({ project: file, layer, grid, place: there })).length,
    ).toBeGreaterThan(0);
    expect(await problem(tiles.tile({ project: `${file}.none`, layer, grid, place: there }))).not.toBe(null);
  });

  test('a layer of pixels is drawn in pixels', async () => {
    const { file, tiles, layer } = await projectWith(pixelPolygons(20, 17, 100, -100, 1), null);
    const grid = tileGridOf(null);
    const zoom = grid.resolutions.indexOf(1);
    const place = {
      zoom,
      column: Math.floor((100 - grid.origin[0]) / 256),
      row: Math.floor((grid.origin[1] + 110) / 256),
    };
    const drawn = readVectorTile(await tiles.tile({ project: file, layer, grid, place }));
    expect(drawn.length).toBeGreaterThan(5);
    const frame = tileFrame(grid, place);
    const [x, y] = [
      drawn[0]!.rings[0]![0]! / perPixel + frame.transform[0],
      frame.transform[3] - drawn[0]!.rings[0]![1]! / perPixel,
    ];
    expect([x, y].every(Number.isInteger)).toBe(true);
  });
});
