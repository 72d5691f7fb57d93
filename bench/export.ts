/**
 * Writing polygons into each format and into all at once: polygons per second, bytes, and the peak of resident memory
 * above what stood before, which must not grow with the number of polygons. Polygons have 8 to 40 vertices on a pixel
 * grid of 0.5 m in UTM; making them is measured alone and subtracted. Processor seconds say more than wall-clock on a
 * machine that others use.
 *
 *   node bench/export.ts [--polygons 200000] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { LayerDescription } from '../src/main/export/layer-writer.ts';
import { type LayerFormat, layerFormats, writeLayers } from '../src/main/export/layer-writers.ts';
import type { PolygonFeature } from '../src/worker/vector/feature.ts';

const batchSize = 2000;
const megabyte = 1e6;

export interface ExportFigures {
  formats: LayerFormat[];
  polygons: number;
  wallSeconds: number;
  processorSeconds: number;
  /** Of processor time. */
  polygonsPerSecond: number;
  bytes: number;
  /** Peak of resident memory above its level before, bytes. */
  memory: number;
}

/** Staircases of pixels in cells of 24 × 24, every fourth with a hole. */
async function* staircases(count: number): AsyncGenerator<PolygonFeature[]> {
  const columns = 1000;
  const pixel = 0.5;
  for (let start = 0; start < count; start += batchSize) {
    const batch: PolygonFeature[] = [];
    for (let i = start; i < Math.min(count, start + batchSize); i++) {
      const left = 346000 + (i % columns) * 24 * pixel;
      const bottom = 5648000 - Math.floor(i / columns) * 24 * pixel;
      const steps = 3 + ((i * 7) % 17);
      const ring = new Float64Array(2 * (2 * steps + 3));
      ring.set([left, bottom, left + (steps + 1) * pixel, bottom]);
      let at = 4;
      for (let step = 0; step < steps; step++) {
        const x = left + (steps + 1 - step) * pixel;
        const y = bottom + (step + 4) * pixel;
        ring.set([x, y, x - pixel, y], at);
        at += 4;
      }
      ring[at - 2] = left;
      ring.set([left, bottom], at);
      const rings = [ring];
      if (i % 4 === 0) {
        const [x, y] = [left + pixel, bottom + pixel];
        rings.push(Float64Array.of(x, y, x, y + pixel, x + pixel, y + pixel, x + pixel, y, x, y));
      }
      batch.push({
        classId: 1 + (i % 3),
        confidence: (i % 997) / 997,
        area: steps * 1.25,
        perimeter: steps * 3.5,
        rings,
      });
    }
    yield batch;
    // Give others a turn, as a worker's messages would.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function describeLayer(): LayerDescription {
  const classes = ['building', 'water', 'tree'].map((name, index) => ({
    id: index + 1,
    name,
    words: [name],
    colour: ['#d55e00', '#0072b2', '#009e73'][index],
  }));
  return {
    name: 'bench',
    crs: {
      epsg: 25832,
      name: 'ETRS89 / UTM zone 32N',
      kind: 'projected',
      proj4: '+proj=utm +zone=32 +ellps=GRS80 +units=m +no_defs',
      wkt: null,
      metresPerUnit: 1,
    },
    classes,
    groundSampleDistance: 0.5,
    provenance: {
      program: 'Landscribe',
      version: 'bench',
      date: new Date().toISOString(),
      scene: 'none',
      sceneFingerprint: '',
      pack: 'none',
      packChecksum: '',
      classes,
      settings: {},
    },
  };
}

/** One row for each format and one for all together. */
export async function benchExport(polygons: number): Promise<ExportFigures[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-bench-'));
  try {
    const clock = () => {
      const { user, system } = process.cpuUsage();
      return { wall: performance.now() / 1000, processor: (user + system) / 1e6 };
    };
    const consume = async () => {
      const start = clock();
      for await (const _ of staircases(polygons));
      const end = clock();
      return { wall: end.wall - start.wall, processor: end.processor - start.processor };
    };
    await consume();
    const making = await consume();
    const rows: ExportFigures[] = [];
    for (const formats of [...layerFormats.map((format) => [format]), [...layerFormats]]) {
      const before = process.memoryUsage.rss();
      let peak = before;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss());
      }, 20);
      const start = clock();
      const reports = await writeLayers(
        staircases(polygons),
        formats,
        path.join(folder, 'out'),
        describeLayer(),
        { overwrite: true },
      );
      const end = clock();
      clearInterval(watch);
      const processorSeconds = end.processor - start.processor - making.processor;
      rows.push({
        formats,
        polygons,
        wallSeconds: end.wall - start.wall - making.wall,
        processorSeconds,
        polygonsPerSecond: polygons / processorSeconds,
        bytes: reports.reduce((sum, { bytes }) => sum + bytes, 0),
        memory: peak - before,
      });
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { polygons: { type: 'string', default: '200000' }, json: { type: 'boolean', default: false } },
  });
  const rows = await benchExport(Number(values.polygons));
  if (values.json) console.log(JSON.stringify(rows, null, 2));
  else
    for (const row of rows)
      console.log(
        `${row.formats.join(' + ').padEnd(22)} ${row.polygons} polygons in ${row.wallSeconds.toFixed(2)} s, ${row.processorSeconds.toFixed(2)} s of processor: ` +
          `${Math.round(row.polygonsPerSecond)} a second, ${(row.bytes / megabyte).toFixed(0)} MB, ` +
          `memory + ${(row.memory / megabyte).toFixed(0)} MB`,
      );
}
