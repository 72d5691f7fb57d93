/**
 * Map tiles as the window asks for them.
 *
 * - A large GeoTIFF in strips without overviews (2 GB, most strips holes of the file, every 16th written): from opening
 *   it to the first picture of all of it, then panning at full resolution while its overviews are built.
 * - Vector tiles of 200,000 polygons: time, features and bytes of a tile from afar to near, and of a whole view.
 *
 * Wall-clock milliseconds, and processor milliseconds of all threads; the threads have begun, as in a running program.
 *
 *   node bench/tiles.ts [--gigabytes 2] [--polygons 200000] [--threads 1] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ProjectStore } from '../src/main/project/project-store.ts';
import { openTileHost, type TileHost } from '../src/main/tiles/tile-host.ts';
import { type Crs, crsFromEpsg, transformer } from '../src/worker/raster/crs.ts';
import { Cancelled } from '../src/worker/report/problem.ts';
import { tileGridOf } from '../src/worker/tiles/tile-grid.ts';
import type { PolygonFeature } from '../src/worker/vector/feature.ts';
import { plainLayer } from '../test/main/project/plain-layer.ts';
import { writeStripedTiff } from '../test/main/tiles/striped-tiff.ts';

const crs = crsFromEpsg(32632);
/** Tiles of 256 pixels in a window of 1536 × 1024. */
const view = { across: 6, down: 4 };

interface Timing {
  wall: number;
  processor: number;
}

async function timed<Result>(work: () => Promise<Result>): Promise<Timing & { result: Result }> {
  const before = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, wall: performance.now() - start, processor: (user + system) / 1000 };
}

/** Places of a view's tiles around a point, at a zoom. */
function viewAt(system: Crs, zoom: number, x: number, y: number): { z: number; x: number; y: number }[] {
  const { origin, resolutions, tileSize } = tileGridOf(system);
  const side = resolutions[zoom]! * tileSize;
  const left = Math.round((x - origin[0]) / side - view.across / 2);
  const top = Math.round((origin[1] - y) / side - view.down / 2);
  return Array.from({ length: view.across * view.down }, (_, index) => ({
    z: zoom,
    x: left + (index % view.across),
    y: top + Math.floor(index / view.across),
  }));
}

function zoomFor(system: Crs, resolution: number): number {
  return tileGridOf(system).resolutions.findIndex((each) => each <= resolution * 1.001);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

async function benchRaster(host: TileHost, file: string, gigabytes: number) {
  const side = Math.floor(Math.sqrt((gigabytes * 1e9) / 3));
  const size = { width: side, height: side, bands: 3 };
  const fillRow = (row: number, samples: Uint8Array) => {
    for (let at = 0; at < samples.length; at++) samples[at] = ((at >> 6) * 7 + (row >> 3) * 5) & 255;
  };
  writeStripedTiff(file, size, fillRow, (strip) => strip % 16 === 0);
  const [middleX, middleY] = [500_000 + side / 4, 5_600_000 - side / 4];
  const whole = viewAt(crs, zoomFor(crs, side / 2 / 768), middleX, middleY);

  const opened = performance.now();
  const style = await host.defaultStyle(file, 'as stored');
  const styled = performance.now() - opened;
  let first = 0;
  const all = await timed(() =>
    Promise.all(
      whole.map(async (place) => {
        const tile = await host.rasterTile({ path: file, style, crs, ...place });
        if (tile !== null && first === 0) first = performance.now() - opened;
        return tile;
      }),
    ),
  );
  const drafts = all.result.filter((tile) => tile?.draft).length;

  const stop = new AbortController();
  let share = 0;
  const building = host
    .buildPyramid(file, stop.signal, ({ done, total }) => {
      share = done / total;
    })
    .catch((error: unknown) => {
      if (!(error instanceof Cancelled)) throw error;
    });
  const waits: number[] = [];
  const near = zoomFor(crs, 0.5);
  let tiles = 0;
  const panning = await timed(async () => {
    for (let step = 0; step < 20; step++) {
      const places = viewAt(crs, near, middleX + step * 300, middleY + step * 170);
      await Promise.all(
        places.map(async (place) => {
          const start = performance.now();
          if ((await host.rasterTile({ path: file, style, crs, ...place })) !== null) tiles++;
          waits.push(performance.now() - start);
        }),
      );
    }
  });
  const built = share;
  const start = performance.now();
  // Long enough to tell the speed; the rest would say nothing new.
  const deadline = setTimeout(() => stop.abort(new Cancelled()), 60_000);
  await building;
  clearTimeout(deadline);
  const rest = performance.now() - start;
  return {
    megapixels: (side * side) / 1e6,
    styleMilliseconds: styled,
    firstTileMilliseconds: first,
    firstViewMilliseconds: styled + all.wall,
    firstViewProcessor: all.processor,
    drafts,
    panning: {
      tiles,
      tilesPerSecond: (1000 * tiles) / panning.wall,
      tilesPerProcessorSecond: (1000 * tiles) / panning.processor,
      medianMilliseconds: quantile(waits, 0.5),
      worstMilliseconds: Math.max(...waits),
    },
    overviews: {
      shareWhilePanning: built,
      share,
      megapixelsPerSecond: (((share - built) * side * side) / 1e6 / rest) * 1000,
    },
  };
}

/** Buildings-like pixel polygons of 8 to 30 vertices in cells of 20 m. */
function* polygons(count: number): Generator<PolygonFeature> {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const columns = Math.ceil(Math.sqrt(count));
  for (let index = 0; index < count; index++) {
    const left = 500_000 + (index % columns) * 20;
    const bottom = 5_600_000 - (Math.floor(index / columns) + 1) * 20;
    const steps = 2 + Math.floor(next() * 7);
    const ring: number[] = [left, bottom, left + 18, bottom];
    let height = 4 + 12 * next();
    for (let step = steps; step > 0; step--) {
      ring.push(
        left + (18 * step) / steps,
        bottom + height,
        left + (18 * (step - 1)) / steps,
        bottom + height,
      );
      height = 2 + 16 * next();
    }
    ring.push(left, bottom);
    yield {
      classId: 1 + (index % 3),
      confidence: next(),
      area: 200,
      perimeter: 60,
      rings: [Float64Array.from(ring)],
    };
  }
}

async function benchVector(host: TileHost, file: string, count: number) {
  const store = await ProjectStore.create(file);
  const classes = [1, 2, 3].map((id) => ({
    id,
    name: `class ${id}`,
    words: [`class ${id}`],
    colour: '#d55e00',
  }));
  const layer = store.addLayer(plainLayer('map', crs, classes));
  let batch: PolygonFeature[] = [];
  for (const polygon of polygons(count)) {
    batch.push(polygon);
    if (batch.length < 1000) continue;
    layer.add(batch);
    batch = [];
  }
  layer.add(batch);
  layer.finish();
  const metres = Math.ceil(Math.sqrt(count)) * 20;
  const rows = [];
  for (const system of [crs, crsFromEpsg(3857)]) {
    const [x, y] = transformer(crs, system)!(500_000 + metres / 2, 5_600_000 - metres / 2);
    const [besideX] = transformer(crs, system)!(500_000 + metres / 2 + 1, 5_600_000 - metres / 2);
    for (const pixel of [metres / 200, metres / 768, metres / 1536, metres / 6000, 0.5]) {
      const zoom = zoomFor(system, pixel * (besideX - x));
      const places = viewAt(system, zoom, x, y);
      const longest: number[] = [];
      const drawn = await timed(() =>
        Promise.all(
          places.map(async (place) => {
            const tile = await host.vectorTile({ project: file, layer: layer.table, crs: system, ...place });
            longest.push(tile?.length ?? 0);
            return tile;
          }),
        ),
      );
      rows.push({
        system: `EPSG:${system.epsg}`,
        metresPerPixel: tileGridOf(system).resolutions[zoom]! / (besideX - x),
        tiles: drawn.result.filter((tile) => tile !== null).length,
        viewMilliseconds: drawn.wall,
        viewProcessor: drawn.processor,
        kilobytes: longest.reduce((sum, bytes) => sum + bytes, 0) / 1000,
        largestKilobytes: Math.max(...longest) / 1000,
      });
    }
  }
  await host.forget(file);
  store.close();
  return rows;
}

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    polygons: { type: 'string', default: '200000' },
    threads: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-bench-tiles-'));
const host = openTileHost({
  cacheBytes: 64 * 2 ** 20,
  threads: Number(values.threads),
  pyramidFolder: path.join(folder, 'overviews'),
});
try {
  await host.cachedBytes();
  const raster = await benchRaster(host, path.join(folder, 'large.tif'), Number(values.gigabytes));
  const vector = await benchVector(host, path.join(folder, 'bench.gpkg'), Number(values.polygons));
  if (values.json) console.log(JSON.stringify({ raster, vector }, null, 2));
  else {
    const whole = (value: number) => String(Math.round(value));
    const { panning, overviews } = raster;
    console.log(`${whole(raster.megapixels)} megapixels in strips, no overviews`);
    console.log(
      `  first tile after ${whole(raster.firstTileMilliseconds)} ms, the whole view after ${whole(raster.firstViewMilliseconds)} ms (${raster.drafts} drafts; style ${whole(raster.styleMilliseconds)} ms, processor ${whole(raster.firstViewProcessor)} ms)`,
    );
    console.log(
      `  panning while overviews build: ${whole(panning.tilesPerSecond)} tiles/s (${whole(panning.tilesPerProcessorSecond)} a processor second), a tile of a view of 24 after ${whole(panning.medianMilliseconds)} ms (median), ${whole(panning.worstMilliseconds)} ms (worst)`,
    );
    console.log(
      `  overviews: ${(100 * overviews.share).toFixed(0)} % built, ${whole(overviews.megapixelsPerSecond)} megapixels/s alone`,
    );
    console.log(`${values.polygons} polygons, views of ${view.across} x ${view.down} tiles`);
    for (const row of vector)
      console.log(
        `  ${row.system} ${row.metresPerPixel.toFixed(1)} m a pixel: ${whole(row.viewMilliseconds)} ms (processor ${whole(row.viewProcessor)} ms), ${row.tiles} tiles, ${whole(row.kilobytes)} kB, largest ${whole(row.largestKilobytes)} kB`,
      );
  }
} finally {
  await host.close();
  rmSync(folder, { recursive: true, force: true });
}
