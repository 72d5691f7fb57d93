import geodesic from 'geographiclib-geodesic';
import { describe, expect, it } from 'vitest';
import { type Affine, pixelTransform } from '../../../src/worker/raster/affine.ts';
import { crsFromEpsg, spheroid, transformer, wgs84 } from '../../../src/worker/raster/crs.ts';
import type { Grid } from '../../../src/worker/raster/grid.ts';
import { georeferenceRings } from '../../../src/worker/vector/georeference.ts';
import { measureOn } from '../../../src/worker/vector/measure.ts';
import { blobMap, random, trace } from './class-maps.ts';

function signedArea(ring: Float64Array): number {
  let sum = 0;
  const [x0, y0] = [ring[0]!, ring[1]!];
  for (let k = 0; k + 3 < ring.length; k += 2) {
    sum += (ring[k]! - x0) * (ring[k + 3]! - y0) - (ring[k + 2]! - x0) * (ring[k + 1]! - y0);
  }
  return sum / 2;
}

function grid(transform: Affine, epsg: number | null): Grid {
  return { width: 60, height: 40, transform, crs: epsg === null ? null : crsFromEpsg(epsg) };
}

/** Geodesic area and perimeter (GeographicLib) of rings whose edges are cut into pieces of at most `step`. */
function geodesicMeasurement(
  rings: readonly Float64Array[],
  step: number,
  toGeographic: (x: number, y: number) => [number, number],
  ellipsoid: { semiMajorAxis: number; eccentricitySquared: number },
): { area: number; perimeter: number } {
  const flattening = 1 - Math.sqrt(1 - ellipsoid.eccentricitySquared);
  const earth = new geodesic.Geodesic.Geodesic(ellipsoid.semiMajorAxis, flattening);
  let area = 0;
  let perimeter = 0;
  for (const ring of rings) {
    const polygon = earth.Polygon(false);
    for (let k = 0; k + 3 < ring.length; k += 2) {
      const [x, y, dx, dy] = [ring[k]!, ring[k + 1]!, ring[k + 2]! - ring[k]!, ring[k + 3]! - ring[k + 1]!];
      const pieces = Math.max(1, Math.ceil(Math.hypot(dx, dy) / step));
      for (let piece = 0; piece < pieces; piece++) {
        const [longitude, latitude] = toGeographic(x + (piece / pieces) * dx, y + (piece / pieces) * dy);
        polygon.AddPoint(latitude, longitude);
      }
    }
    const measured = polygon.Compute(false, true);
    area += measured.area!;
    perimeter += measured.perimeter;
  }
  return { area, perimeter };
}

const transforms: Record<string, Affine> = {
  'north up': [356_000, 0.5, 0, 5_645_000, 0, -0.5],
  'south up': [356_000, 0.5, 0, 5_645_000, 0, 0.5],
  'west and north up': [356_000, -0.5, 0, 5_645_000, 0, -0.5],
  rotated: [356_000, 0.4, 0.3, 5_645_000, 0.3, -0.4],
  'rotated and mirrored': [356_000, 0.4, 0.3, 5_645_000, -0.3, 0.4],
  transposed: [356_000, 0, 0.5, 5_645_000, 0.5, 0],
};

describe('georeferenced rings', () => {
  it.each(
    Object.entries(transforms),
  )('%s: closed, exterior counter-clockwise, holes clockwise', (_name, transform) => {
    for (const { rings, pixels } of trace(blobMap(60, 40, 4, 2))) {
      const placed = georeferenceRings(rings, transform);
      let area = 0;
      placed.forEach((ring, index) => {
        expect([ring[0], ring[1]]).toEqual([ring.at(-2), ring.at(-1)]);
        expect(signedArea(ring) > 0).toBe(index === 0);
        area += signedArea(ring);
      });
      expect(Math.abs(area - pixels * 0.25)).toBeLessThan(1e-6 * pixels);
    }
  });
});

describe('measuring polygons', () => {
  const polygons = trace(blobMap(60, 40, 4, 2));

  it('counts pixels without a CRS, whatever the transform', () => {
    for (const transform of [pixelTransform, transforms.rotated!]) {
      const measure = measureOn(grid(transform, null));
      for (const { rings, pixels } of polygons) {
        const { area, perimeter } = measure(rings, georeferenceRings(rings, transform));
        expect(area).toBe(pixels);
        expect(perimeter).toBeGreaterThanOrEqual(4);
        expect(perimeter % 2).toBe(0);
      }
    }
  });

  it('is planar in a projected system, in metres also where the unit is the foot', () => {
    for (const transform of Object.values(transforms)) {
      const measure = measureOn(grid(transform, 25832));
      const inPixels = measureOn(grid(transform, null));
      // EPSG:2263 is in US survey feet, 1200/3937 m.
      const inFeet = measureOn(grid(transform, 2263));
      for (const { rings, pixels } of polygons) {
        const placed = georeferenceRings(rings, transform);
        const { area, perimeter } = measure(rings, placed);
        expect(area).toBeCloseTo(pixels * 0.25, 9);
        expect(perimeter).toBeCloseTo(inPixels(rings, placed).perimeter * 0.5, 8);
        const foot = 1200 / 3937;
        expect(inFeet(rings, placed).area / (area * foot * foot)).toBeCloseTo(1, 6);
        expect(inFeet(rings, placed).perimeter / (perimeter * foot)).toBeCloseTo(1, 6);
      }
    }
  });

  it.each([
    ['WGS 84, small pixels', 4326, [6.9, 1e-5, 0, 50.9, 0, -1e-5] as Affine, 1e-4],
    ['WGS 84, south, rotated', 4326, [-70, 8e-3, 6e-3, -50, 6e-3, -8e-3] as Affine, 2e-3],
    ['WGS 84, tenths of degrees', 4326, [100, 0.1, 0, 62, 0, -0.1] as Affine, 5e-3],
    ['DHDN on Bessel’s spheroid', 4314, [9, 1e-3, 0, 52, 0, -1e-3] as Affine, 1e-3],
  ])('%s: equals GeographicLib on finely cut edges (rtol 1e-7)', (_name, epsg, transform, step) => {
    const system = grid(transform, epsg);
    const measure = measureOn(system);
    for (const { rings } of polygons.filter(({ pixels }) => pixels > 3)) {
      const placed = georeferenceRings(rings, transform);
      const found = measure(rings, placed);
      const expected = geodesicMeasurement(placed, step, (x, y) => [x, y], spheroid(system.crs!));
      expect(Math.abs(found.area / expected.area - 1)).toBeLessThan(1e-7);
      expect(Math.abs(found.perimeter / expected.perimeter - 1)).toBeLessThan(1e-7);
    }
  });

  it('measures Web Mercator on the spheroid: GeographicLib on finely cut edges (rtol 1e-7; 2e-6 for small pixels)', () => {
    const next = random(5);
    const toGeographic = transformer(crsFromEpsg(3857), wgs84)!;
    // GeographicLib sums areas down to the equator: digits go where the polygon is a few square metres.
    for (const [pixel, step, tolerance] of [
      [0.6, 2, 2e-6],
      [900, 300, 1e-7],
    ] as const) {
      const transform: Affine = [774_000 * next(), pixel, 0.1 * pixel, 6_600_000, 0.1 * pixel, -pixel];
      const measure = measureOn(grid(transform, 3857));
      for (const { rings } of polygons.filter(({ pixels }) => pixels > 3)) {
        const placed = georeferenceRings(rings, transform);
        const found = measure(rings, placed);
        const expected = geodesicMeasurement(placed, step, toGeographic, spheroid(wgs84));
        expect(Math.abs(found.area / expected.area - 1)).toBeLessThan(tolerance);
        expect(Math.abs(found.perimeter / expected.perimeter - 1)).toBeLessThan(tolerance);
      }
    }
  });

  it('adds up: the areas of a partition are the area of the frame', () => {
    const transform: Affine = [6, 0.01, 0, 60, 0, -0.01];
    const map = blobMap(200, 150, 5, 8);
    const full = { ...map, classes: map.classes.map((value) => value + 1) };
    const measure = measureOn({ width: 200, height: 150, transform, crs: wgs84 });
    let total = 0;
    for (const { rings } of trace(full)) total += measure(rings, georeferenceRings(rings, transform)).area;
    const frame = Int32Array.of(0, 0, 0, 150, 200, 150, 200, 0);
    const whole = measure([frame], georeferenceRings([frame], transform)).area;
    expect(Math.abs(total / whole - 1)).toBeLessThan(1e-11);
  });
});
