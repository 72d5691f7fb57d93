import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { georeferenceRings } from '../../../src/worker/vector/georeference.ts';
import { signedDoubleArea, type TracedPolygon, Tracer } from '../../../src/worker/vector/trace.ts';
import {
  blobMap,
  type ClassMap,
  classMaps,
  drawn,
  floodPieces,
  noiseMap,
  rasterise,
  trace,
} from './class-maps.ts';
import { gdalPolygonize, gdalRasterize, hasGdalRasterize, hasPythonGdal, invalidPolygons } from './gdal.ts';

function checkerboard(size: number): ClassMap {
  const classes = new Uint8Array(size * size);
  for (let at = 0; at < classes.length; at++) classes[at] = ((at % size) + Math.floor(at / size)) % 2;
  return { width: size, height: size, classes };
}

/** One arm of class 1, one pixel wide, winding inwards through class 2. */
function spiral(size: number): ClassMap {
  const classes = new Uint8Array(size * size).fill(2);
  let [x, y, dx, dy] = [-1, 0, 1, 0];
  for (let length = size, arms = 0; length > 0; arms++) {
    for (let step = 0; step < length; step++) {
      x += dx;
      y += dy;
      classes[y * size + x] = 1;
    }
    [dx, dy] = [-dy, dx];
    if (arms === 0) length--;
    else if (arms % 2 === 0) length -= 2;
  }
  return { width: size, height: size, classes };
}

const special: [string, ClassMap][] = [
  ['one pixel', drawn('1')],
  ['one pixel of nodata', drawn('0')],
  ['full frame', drawn('111', '111')],
  ['a row', drawn('1220110')],
  ['a column', drawn('1', '2', '2', '0', '1')],
  ['a ring closed at a corner from above', drawn('1110', '1210', '1120')],
  ['a ring closed at a corner from below', drawn('0211', '2101', '1001', '1111')],
  ['two holes that meet at a corner', drawn('1111', '1211', '1121', '1111')],
  ['a hole that meets the outside', drawn('111', '101', '110')],
  ['a chain of holes down a diagonal', drawn('111111', '121111', '112111', '111211', '111121', '111112')],
  ['nested holes', drawn('1111111', '1222221', '1211121', '1210121', '1211121', '1222221', '1111111')],
  ['a comb joined at the foot', drawn('10101', '10101', '11111')],
  ['a comb joined at the head', drawn('11111', '10101', '10101')],
  ['diagonal squares', drawn('1100', '1100', '0011', '0011')],
  ['checkerboard', checkerboard(9)],
  ['spiral', spiral(15)],
  ['noise of two classes', noiseMap(60, 60, 2, 7)],
  ['noise of four classes', noiseMap(50, 70, 4, 8)],
  ['blobs', blobMap(120, 90, 5, 9)],
];

/** What must hold of every tracing. */
function checkLaws(map: ClassMap, polygons: readonly TracedPolygon[]): void {
  expect(rasterise(polygons, map.width, map.height)).toEqual(map.classes);
  const { sizes } = floodPieces(map);
  expect(polygons.map((polygon) => polygon.pixels).sort((p, q) => p - q)).toEqual(
    sizes.sort((p, q) => p - q),
  );
  for (const polygon of polygons) {
    let area = 0;
    polygon.rings.forEach((ring, index) => {
      const signed = -signedDoubleArea(ring) / 2;
      expect(index === 0 ? signed > 0 : signed < 0).toBe(true);
      area += signed;
      const corners = new Set<string>();
      for (let k = 0; k < ring.length; k += 2) {
        corners.add(`${ring[k]},${ring[k + 1]}`);
        const [before, after] = [(k + ring.length - 2) % ring.length, (k + 2) % ring.length];
        // A true corner: one edge along x, the other along y.
        expect((ring[before] === ring[k]) !== (ring[after] === ring[k])).toBe(true);
      }
      expect(corners.size).toBe(ring.length / 2);
    });
    expect(area).toBe(polygon.pixels);
  }
}

describe('tracing a class map', () => {
  it.each(special)('%s: rasterises back, simple rings of true corners, exact areas', (_name, map) => {
    checkLaws(map, trace(map));
  });

  it('polygonise ∘ rasterise is the identity on random maps', () => {
    fc.assert(
      fc.property(classMaps(), (map) => checkLaws(map, trace(map))),
      { numRuns: 600 },
    );
  });

  it('reads ids above 255', () => {
    const tracer = new Tracer(3);
    tracer.addRow(Uint16Array.of(300, 300, 44), 0, null, null, 0);
    tracer.finish(null, 0);
    expect(tracer.take().map(({ classId, pixels }) => [classId, pixels])).toEqual([
      [300, 2],
      [44, 1],
    ]);
  });

  it('gives each polygon the mean confidence of its pixels', () => {
    const map = blobMap(70, 50, 4, 3, 0.05);
    const confidence = Uint8Array.from({ length: 70 * 50 }, (_, at) => (at * 37) % 256);
    const { piece, sizes } = floodPieces(map);
    const sums = sizes.map(() => 0);
    piece.forEach((label, at) => {
      if (label >= 0) sums[label]! += confidence[at]!;
    });
    const expected = sums.map((sum, label) => sum / 255 / sizes[label]!).sort((p, q) => p - q);
    const found = trace(map, confidence)
      .map((polygon) => polygon.confidence)
      .sort((p, q) => p - q);
    expect(found.length).toBe(expected.length);
    found.forEach((value, index) => {
      expect(Math.abs(value - expected[index]!)).toBeLessThan(1e-12);
    });
  });

  it('emits a polygon as soon as the row below its last one is known', () => {
    const tracer = new Tracer(3);
    tracer.addRow(Uint8Array.of(1, 1, 2), 0, null, null, 0);
    expect(tracer.take()).toEqual([]);
    tracer.addRow(Uint8Array.of(3, 3, 2), 0, null, null, 0);
    expect(tracer.take().map((polygon) => polygon.classId)).toEqual([1]);
  });

  it('holds no more vertices at the end of a long map than early on', () => {
    const tracer = new Tracer(64);
    const rows = 64;
    const map = noiseMap(64, rows, 3, 11);
    const sizes: number[] = [];
    for (let row = 0; row < 40 * rows; row++) {
      // A row of nodata now and then keeps polygons from growing with the map.
      if (row % rows === 0) tracer.addRow(new Uint8Array(64), 0, null, null, 0);
      tracer.addRow(map.classes, (row % rows) * 64, null, null, 0);
      tracer.take();
      if ((row + 1) % (4 * rows) === 0) sizes.push(tracer.capacity());
    }
    expect(sizes.at(-1)).toBe(sizes[0]);
  });

  it.skipIf(!hasPythonGdal)('is valid for GEOS: special maps, noise and blobs (needs python3-gdal)', () => {
    const noise = Array.from({ length: 60 }, (_, seed) => noiseMap(20, 20, 2 + (seed % 2), seed));
    const polygons = [...special.map(([, map]) => map), ...noise].flatMap((map) => trace(map));
    expect(invalidPolygons(polygons)).toEqual([]);
  });

  it.skipIf(!hasPythonGdal)(
    'finds the polygons of gdal_polygonize: count and areas (needs python3-gdal)',
    () => {
      for (const [name, map] of [
        ...special,
        ['large noise', noiseMap(200, 200, 3, 21)] as const,
        ['large blobs', blobMap(400, 300, 6, 22)] as const,
      ]) {
        const polygons = trace(map);
        const areas: Record<string, number[]> = {};
        for (const { classId, pixels } of polygons) areas[classId] = [...(areas[classId] ?? []), pixels];
        for (const list of Object.values(areas)) list.sort((p, q) => p - q);
        expect({ count: polygons.length, areas }, name).toEqual(gdalPolygonize(map));
      }
    },
  );

  it.skipIf(!hasGdalRasterize)('is burnt back by gdal_rasterize (needs gdal-bin)', () => {
    for (const map of [noiseMap(80, 60, 4, 31), blobMap(150, 110, 6, 32)]) {
      const polygons = trace(map).map(({ classId, rings }) => ({
        classId,
        rings: georeferenceRings(rings, [0, 1, 0, 0, 0, -1]),
      }));
      expect(gdalRasterize(polygons, map.width, map.height)).toEqual(map.classes);
    }
  });
});
