import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simplifyStrips } from '../../../src/worker/vector/simplify.ts';
import { signedDoubleArea, type TracedPolygon, Tracer } from '../../../src/worker/vector/trace.ts';
import {
  blobMap,
  type ClassMap,
  classMaps,
  drawn,
  noiseMap,
  rasterise,
  stripsOf,
  trace,
} from './class-maps.ts';
import { hasPythonGdal, invalidPolygons } from './gdal.ts';

async function simplify(
  map: ClassMap,
  tolerance: number,
  rows = map.height,
  tileSize = 512,
): Promise<TracedPolygon[]> {
  const { width, height } = map;
  const tracer = new Tracer(width);
  let keep: Uint8Array = new Uint8Array();
  let row = 0;
  for await (const strip of simplifyStrips(stripsOf(map, rows), { width, height, tolerance, tileSize })) {
    expect(strip.firstRow).toBe(row);
    keep = strip.keep;
    for (let k = 0; k < strip.rows; k++) tracer.addRow(strip.classes, k * width, null, keep, k * (width + 1));
    row += strip.rows;
  }
  expect(row).toBe(height);
  tracer.finish(keep, row * (width + 1));
  return tracer.take();
}

function areaOf(polygon: TracedPolygon): number {
  return polygon.rings.reduce((sum, ring) => sum - signedDoubleArea(ring) / 2, 0);
}

/** Directed segments of all rings; both sides of a shared boundary run it in opposite directions. */
function segmentsOf(polygons: readonly TracedPolygon[]): Map<string, number> {
  const segments = new Map<string, number>();
  for (const { rings } of polygons) {
    for (const ring of rings) {
      for (let k = 0; k < ring.length; k += 2) {
        const from = `${ring[k]},${ring[k + 1]}`;
        const to = `${ring[(k + 2) % ring.length]},${ring[(k + 3) % ring.length]}`;
        const segment = `${from} ${to}`;
        segments.set(segment, (segments.get(segment) ?? 0) + 1);
      }
    }
  }
  return segments;
}

function onFrame(
  point: string,
  map: ClassMap,
): { left: boolean; right: boolean; top: boolean; bottom: boolean } {
  const [x, y] = point.split(',').map(Number);
  return { left: x === 0, right: x === map.width, top: y === 0, bottom: y === map.height };
}

/** Laws of a simplified partition (a map without class 0). */
function checkPartition(map: ClassMap, polygons: readonly TracedPolygon[]): void {
  const exact = trace(map);
  expect(polygons.map(({ classId, pixels }) => [classId, pixels])).toEqual(
    exact.map(({ classId, pixels }) => [classId, pixels]),
  );
  expect(polygons.map(({ rings }) => rings.length)).toEqual(exact.map(({ rings }) => rings.length));
  let total = 0;
  for (const polygon of polygons) {
    expect(areaOf(polygon)).toBeGreaterThan(0);
    polygon.rings.forEach((ring, index) => {
      expect(ring.length).toBeGreaterThanOrEqual(6);
      expect(signedDoubleArea(ring) < 0).toBe(index === 0);
    });
    total += areaOf(polygon);
  }
  expect(total).toBe(map.width * map.height);
  // Every segment is run once each way, except along the frame.
  const segments = segmentsOf(polygons);
  for (const [segment, count] of segments) {
    expect(count).toBe(1);
    const [from, to] = segment.split(' ') as [string, string];
    const [a, b] = [onFrame(from, map), onFrame(to, map)];
    const along = (a.left && b.left) || (a.right && b.right) || (a.top && b.top) || (a.bottom && b.bottom);
    expect(segments.has(`${to} ${from}`)).toBe(!along);
  }
}

/** Largest distance of an exact ring's corners from the polygons' segments around them. */
function largestDistance(exact: readonly TracedPolygon[], simplified: readonly TracedPolygon[]): number {
  let worst = 0;
  exact.forEach(({ rings }, index) => {
    for (const ring of rings) {
      for (let k = 0; k < ring.length; k += 2) {
        let nearest = Number.POSITIVE_INFINITY;
        for (const other of simplified[index]!.rings) {
          for (let m = 0; m < other.length; m += 2) {
            const [x, y] = [other[m]!, other[m + 1]!];
            const [dx, dy] = [other[(m + 2) % other.length]! - x, other[(m + 3) % other.length]! - y];
            const along = Math.min(
              1,
              Math.max(0, ((ring[k]! - x) * dx + (ring[k + 1]! - y) * dy) / (dx * dx + dy * dy)),
            );
            nearest = Math.min(nearest, Math.hypot(x + along * dx - ring[k]!, y + along * dy - ring[k + 1]!));
          }
        }
        worst = Math.max(worst, nearest);
      }
    }
  });
  return worst;
}

function withoutNodata(map: ClassMap): ClassMap {
  return { ...map, classes: map.classes.map((value) => value + 1) };
}

describe('simplifying boundaries', () => {
  it('keeps a random partition a partition: same pieces, shared segments, the whole area', async () => {
    await fc.assert(
      fc.asyncProperty(
        classMaps(14, 3),
        fc.double({ min: 0.5, max: 6, noNaN: true }),
        async (map, tolerance) => {
          const full = withoutNodata(map);
          checkPartition(full, await simplify(full, tolerance));
        },
      ),
      { numRuns: 300 },
    );
    for (const tolerance of [0.8, 1.5, 4, 30]) {
      for (const map of [
        blobMap(160, 140, 5, 41, 0.02),
        noiseMap(60, 60, 2, 42),
        blobMap(300, 200, 3, 43, 0),
      ]) {
        const full = withoutNodata(map);
        checkPartition(full, await simplify(full, tolerance));
      }
    }
  });

  it('keeps every corner within the tolerance', async () => {
    for (const tolerance of [0.75, 1, 2.5]) {
      const map = blobMap(90, 80, 4, 51, 0);
      const simplified = await simplify(map, tolerance);
      expect(largestDistance(trace(map), simplified)).toBeLessThanOrEqual(tolerance + 1e-9);
    }
  });

  it('drops most corners of smooth blobs and makes a staircase one line', async () => {
    const map = blobMap(400, 300, 3, 61, 0);
    const count = (polygons: readonly TracedPolygon[]): number =>
      polygons.reduce(
        (sum, { rings }) => sum + rings.reduce((corners, ring) => corners + ring.length / 2, 0),
        0,
      );
    expect(count(await simplify(map, 1.5))).toBeLessThan(0.25 * count(trace(map)));
    const stairs = drawn('12222', '11222', '11122', '11112', '11111');
    expect(count(await simplify(stairs, 1))).toBeLessThanOrEqual(9);
  });

  it('leaves single pixels and their holes as squares', async () => {
    const map = drawn('00000', '02220', '02120', '02220', '00000');
    const rings = (await simplify(map, 50)).map((polygon) => polygon.rings.map((ring) => ring.length / 2));
    expect(rings).toEqual([[4], [4, 4]]);
  });

  it('changes nothing below the size of a step', async () => {
    const map = blobMap(80, 70, 4, 71, 0);
    const simplified = await simplify(map, 0.2);
    expect(rasterise(simplified, map.width, map.height)).toEqual(map.classes);
    expect(simplified.map(areaOf)).toEqual(trace(map).map(({ pixels }) => pixels));
  });

  it('is the same for every strip height', async () => {
    const map = blobMap(90, 130, 3, 81, 0.01);
    for (const tileSize of [32, 512]) {
      const whole = await simplify(map, 1.5, map.height, tileSize);
      for (const rows of [1, 31, 32, 33, 64]) expect(await simplify(map, 1.5, rows, tileSize)).toEqual(whole);
    }
  });

  it('keeps a partition whole across tiles of any size', async () => {
    await fc.assert(
      fc.asyncProperty(classMaps(14, 3), fc.integer({ min: 1, max: 7 }), async (map, tileSize) => {
        const full = withoutNodata(map);
        checkPartition(full, await simplify(full, 3, 4, tileSize));
      }),
      { numRuns: 300 },
    );
    const large = withoutNodata(blobMap(600, 700, 3, 82, 0.001));
    for (const tileSize of [16, 100, 512]) checkPartition(large, await simplify(large, 1.5, 64, tileSize));
  });

  it.skipIf(!hasPythonGdal)('stays valid for GEOS (needs python3-gdal)', async () => {
    const polygons: TracedPolygon[] = [];
    for (let seed = 0; seed < 40; seed++) {
      for (const tolerance of [0.8, 2, 10]) {
        polygons.push(...(await simplify(noiseMap(24, 24, 2 + (seed % 3), seed), tolerance)));
        polygons.push(
          ...(await simplify(blobMap(60, 50, 2 + (seed % 3), seed, 0.03), tolerance, 50, 8 + seed)),
        );
      }
    }
    expect(invalidPolygons(polygons)).toEqual([]);
  });
});
