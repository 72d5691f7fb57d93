import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { LayerDescription } from '../../../src/main/export/layer-writer.ts';
import type { ClassEntry } from '../../../src/worker/classmap/class-entry.ts';
import type { Crs } from '../../../src/worker/raster/crs.ts';
import type { PolygonFeature } from '../../../src/worker/vector/feature.ts';

const require = createRequire(import.meta.url);

/** A folder that is gone after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'landscribe-export-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function epsgCrs(code: number): Crs {
  const entry = JSON.parse(readFileSync(require.resolve(`epsg-index/s/${code}.json`), 'utf8'));
  return {
    epsg: code,
    name: entry.name,
    kind: /^GEOGCS/.test(entry.wkt) ? 'geographic' : 'projected',
    proj4: entry.proj4,
    wkt: entry.wkt,
    metresPerUnit: 1,
  };
}

export const cologne = epsgCrs(25832);

export const classes: ClassEntry[] = [
  { id: 1, name: 'Gebäude "groß"', words: ['building', 'roof'], colour: '#d55e00' },
  { id: 2, name: '水 & <вода>', words: ['water'], colour: '#0072b2' },
  { id: 3, name: "l'été 🌳", words: ['tree'], colour: '#009E73' },
];

export function describeLayer(changes: Partial<LayerDescription> = {}): LayerDescription {
  return {
    name: 'result',
    crs: cologne,
    classes,
    groundSampleDistance: 0.5,
    provenance: {
      program: 'Landscribe',
      version: '0.1.0',
      date: '2026-01-02T03:04:05.000Z',
      scene: 'Köln.tif',
      sceneFingerprint: 'abc',
      pack: 'tiny',
      packChecksum: 'def',
      classes,
      settings: { lambda: 0.3, window: 224 },
    },
    ...changes,
  };
}

/** A small generator of numbers in [0, 1) (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Disjoint pixel polygons in cells of 16 × 16 pixels: L-shapes, some with one or two holes. */
export function pixelPolygons(
  count: number,
  seed: number,
  x0 = 346000,
  y0 = 5648000,
  pixel = 0.5,
): PolygonFeature[] {
  const next = random(seed);
  const columns = Math.ceil(Math.sqrt(count));
  const features: PolygonFeature[] = [];
  for (let i = 0; i < count; i++) {
    const left = x0 + (i % columns) * 16 * pixel;
    const bottom = y0 - (Math.floor(i / columns) + 1) * 16 * pixel;
    const ring = (...points: [number, number][]) =>
      Float64Array.from([...points, points[0]].flatMap(([x, y]) => [left + x * pixel, bottom + y * pixel]));
    const width = 8 + Math.floor(next() * 8);
    const height = 8 + Math.floor(next() * 8);
    const rings = [ring([0, 0], [width, 0], [width, 5], [6, 5], [6, height], [0, height])];
    if (next() < 0.5) rings.push(ring([1, 1], [1, 3], [2, 3], [2, 1]));
    if (next() < 0.3) rings.push(ring([3, 2], [3, 4], [5, 4], [5, 2]));
    features.push({
      classId: 1 + Math.floor(next() * 3),
      confidence: next(),
      area: next() * 1e5,
      perimeter: next() * 1e4,
      rings,
    });
  }
  return features;
}

export async function* batches(
  features: readonly PolygonFeature[],
  size = 100,
): AsyncGenerator<PolygonFeature[]> {
  for (let i = 0; i < features.length; i += size) yield features.slice(i, i + size);
}
