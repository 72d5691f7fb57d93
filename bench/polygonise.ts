/**
 * Polygonising a class map against gdal_polygonize's algorithm on the same pixels: GDAL from a raster in memory to a
 * layer in memory, called from Python so that neither start-up nor writing counts; ours through the whole step, with
 * confidence, areas and perimeters. Wall-clock and processor seconds, median of the runs.
 *
 *   node bench/polygonise.ts [--size 10000] [--runs 3] [--json]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ClassEntry } from '../src/worker/classmap/class-entry.ts';
import type { ClassStrip } from '../src/worker/classmap/class-strip.ts';
import { polygonise } from '../src/worker/steps/polygonise.ts';

const classCount = 6;
const stripRows = 256;

interface Timing {
  wallSeconds: number;
  processorSeconds: number;
  polygons: number;
}

export interface PolygoniseFigures {
  size: number;
  ours: Timing;
  /** Null where python3-gdal is not installed. */
  gdal: Timing | null;
  /** GDAL's seconds for one of ours. */
  wallRatio: number | null;
  processorRatio: number | null;
  /** Ours with --min-area 16 and with --simplify 1.5 pixels on top. */
  merged: Timing;
  simplified: Timing;
}

/** Uniform in [0, 1) for a lattice point (an integer hash). */
function latticeValue(x: number, y: number, seed: number): number {
  let h = (Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** Fields and forests of a few hundred pixels, trees and houses of a few, speckle of one, some nodata. */
function makeClassMap(size: number): { classes: Uint8Array; confidence: Uint8Array } {
  const classes = new Uint8Array(size * size);
  const confidence = new Uint8Array(size * size);
  const octaves = [
    { cell: 300, weight: 1 },
    { cell: 60, weight: 0.5 },
    { cell: 12, weight: 0.16 },
  ];
  const total = octaves.reduce((sum, { weight }) => sum + weight, 0);
  const line = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    line.fill(0);
    octaves.forEach(({ cell, weight }, octave) => {
      const y = Math.floor(row / cell);
      const fy = (row % cell) / cell;
      const sy = fy * fy * (3 - 2 * fy);
      for (let x = 0; x * cell < size; x++) {
        const west = latticeValue(x, y, octave) * (1 - sy) + latticeValue(x, y + 1, octave) * sy;
        const east = latticeValue(x + 1, y, octave) * (1 - sy) + latticeValue(x + 1, y + 1, octave) * sy;
        const end = Math.min(size, (x + 1) * cell);
        for (let column = x * cell; column < end; column++) {
          const fx = (column - x * cell) / cell;
          line[column]! += weight * (west + (east - west) * fx * fx * (3 - 2 * fx));
        }
      }
    });
    for (let column = 0; column < size; column++) {
      const level = ((line[column]! / total - 0.2) / 0.6) * (classCount + 1);
      const speckle = latticeValue(column, row, 99);
      const at = row * size + column;
      classes[at] =
        speckle < 0.002
          ? Math.floor(speckle * 500 * classCount) + 1
          : Math.min(classCount, Math.max(0, Math.floor(level)));
      confidence[at] = 128 + 127 * (level - Math.floor(level));
    }
  }
  return { classes, confidence };
}

async function* stripsOf(
  classes: Uint8Array,
  confidence: Uint8Array,
  size: number,
): AsyncGenerator<ClassStrip> {
  for (let firstRow = 0; firstRow < size; firstRow += stripRows) {
    const rows = Math.min(stripRows, size - firstRow);
    const [from, to] = [firstRow * size, (firstRow + rows) * size];
    yield {
      firstRow,
      rows,
      width: size,
      classes: classes.subarray(from, to),
      confidence: confidence.subarray(from, to),
    };
  }
}

const entries: ClassEntry[] = Array.from({ length: classCount }, (_, index) => ({
  id: index + 1,
  name: `class ${index + 1}`,
  words: [],
  colour: '#808080',
}));

async function timeOurs(
  map: { classes: Uint8Array; confidence: Uint8Array },
  size: number,
  settings: { minAreaPixels?: number; simplifyPixels?: number } = {},
): Promise<Timing> {
  const processor = process.cpuUsage();
  const start = performance.now();
  let polygons = 0;
  for await (const batch of polygonise({
    strips: stripsOf(map.classes, map.confidence, size),
    grid: { width: size, height: size, transform: [0, 1, 0, 0, 0, -1], crs: null },
    classes: entries,
    ...settings,
  })) {
    polygons += batch.length;
  }
  const wallSeconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(processor);
  return { wallSeconds, processorSeconds: (user + system) / 1e6, polygons };
}

const gdalProgram = `
import json, sys, time
import numpy
from osgeo import gdal, ogr
gdal.UseExceptions()
size = int(sys.argv[2])
raster = gdal.GetDriverByName('MEM').Create('', size, size, 1, gdal.GDT_Byte)
band = raster.GetRasterBand(1)
band.WriteArray(numpy.fromfile(sys.argv[1], dtype=numpy.uint8).reshape(size, size))
store = ogr.GetDriverByName('Memory').CreateDataSource('')
layer = store.CreateLayer('pieces', geom_type=ogr.wkbPolygon)
layer.CreateField(ogr.FieldDefn('id', ogr.OFTInteger))
wall, processor = time.perf_counter(), time.process_time()
gdal.Polygonize(band, band, layer, 0)
print(json.dumps({'wallSeconds': time.perf_counter() - wall, 'processorSeconds': time.process_time() - processor,
                  'polygons': layer.GetFeatureCount()}))
`;

function timeGdal(file: string, size: number): Timing | null {
  if (spawnSync('/usr/bin/python3', ['-c', 'import numpy; from osgeo import gdal']).status !== 0) return null;
  const output = execFileSync('/usr/bin/python3', ['-c', gdalProgram, file, String(size)]);
  return JSON.parse(output.toString()) as Timing;
}

function median(timings: Timing[], key: 'wallSeconds' | 'processorSeconds'): number {
  return timings.map((timing) => timing[key]).sort((p, q) => p - q)[timings.length >> 1]!;
}

function medianTiming(timings: Timing[]): Timing {
  return {
    wallSeconds: median(timings, 'wallSeconds'),
    processorSeconds: median(timings, 'processorSeconds'),
    polygons: timings[0]!.polygons,
  };
}

export async function benchPolygonise(size: number, runs: number): Promise<PolygoniseFigures> {
  const map = makeClassMap(size);
  const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-bench-'));
  try {
    const file = path.join(folder, 'classes.raw');
    writeFileSync(file, map.classes);
    const ours: Timing[] = [];
    const theirs: Timing[] = [];
    // In turns, so that a busy machine disturbs both alike.
    for (let run = 0; run < runs; run++) {
      ours.push(await timeOurs(map, size));
      const timing = timeGdal(file, size);
      if (timing !== null) theirs.push(timing);
    }
    const own = medianTiming(ours);
    const gdal = theirs.length === runs ? medianTiming(theirs) : null;
    return {
      size,
      ours: own,
      gdal,
      wallRatio: gdal === null ? null : gdal.wallSeconds / own.wallSeconds,
      processorRatio: gdal === null ? null : gdal.processorSeconds / own.processorSeconds,
      merged: await timeOurs(map, size, { minAreaPixels: 16 }),
      simplified: await timeOurs(map, size, { minAreaPixels: 16, simplifyPixels: 1.5 }),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function describePolygonise(figures: PolygoniseFigures): string {
  const line = (name: string, timing: Timing): string =>
    `  ${name.padEnd(34)} ${timing.wallSeconds.toFixed(2).padStart(7)} s  (processor ${timing.processorSeconds.toFixed(2)} s)  ${timing.polygons} polygons`;
  return [
    `Polygonising ${figures.size} × ${figures.size} pixels`,
    line('landscribe', figures.ours),
    figures.gdal === null
      ? '  gdal_polygonize: python3-gdal is not installed'
      : line('gdal_polygonize', figures.gdal),
    ...(figures.wallRatio === null
      ? []
      : [
          `  gdal / landscribe: ${figures.wallRatio.toFixed(2)} (processor ${figures.processorRatio!.toFixed(2)})`,
        ]),
    line('landscribe --min-area 16 px', figures.merged),
    line('… and --simplify 1.5 px', figures.simplified),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      size: { type: 'string', default: '10000' },
      runs: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  });
  const figures = await benchPolygonise(Number(values.size), Number(values.runs));
  console.log(values.json ? JSON.stringify(figures) : describePolygonise(figures));
}
