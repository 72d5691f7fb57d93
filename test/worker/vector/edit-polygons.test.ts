import { describe, expect, test } from 'vitest';
import { crsFromEpsg } from '../../../src/worker/raster/crs.ts';
import { measureRings } from '../../../src/worker/vector/measure-rings.ts';
import { mergePolygons, soundPolygon } from '../../../src/worker/vector/merge-polygons.ts';
import { isInside, signedArea } from '../../../src/worker/vector/planar-rings.ts';
import { splitPolygon } from '../../../src/worker/vector/split-polygon.ts';

/** A small generator of numbers in [0, 1) (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const side = 12;
type Box = [x0: number, y0: number, x1: number, y1: number];
type Place = (x: number, y: number) => [number, number];

/** A rotated grid of 0.6 m pixels far from the origin, as a UTM scene has it. */
const rotated: Place = (x, y) => [346_000.3 + 0.5 * x - 0.33 * y, 5_648_000.7 + 0.33 * x + 0.5 * y];
const upright: Place = (x, y) => [x, y];

/** A partition of the square by random cuts from edge to edge: its boxes meet in T-junctions. */
function partition(next: () => number): Box[] {
  const cutUp = ([x0, y0, x1, y1]: Box, depth: number): Box[] => {
    const width = x1 - x0;
    const height = y1 - y0;
    if (depth === 0 || width * height < 4 || next() < 0.1) return [[x0, y0, x1, y1]];
    if (width >= height) {
      const x = x0 + 1 + Math.floor(next() * (width - 1));
      return [...cutUp([x0, y0, x, y1], depth - 1), ...cutUp([x, y0, x1, y1], depth - 1)];
    }
    const y = y0 + 1 + Math.floor(next() * (height - 1));
    return [...cutUp([x0, y0, x1, y], depth - 1), ...cutUp([x0, y, x1, y1], depth - 1)];
  };
  return cutUp([0, 0, side, side], 5);
}

function ringOf([x0, y0, x1, y1]: Box, place: Place): Float64Array {
  return Float64Array.from(
    [place(x0, y0), place(x1, y0), place(x1, y1), place(x0, y1), place(x0, y0)].flat(),
  );
}

/** The boxes' cells, one number a cell. */
function cellsOf(boxes: readonly Box[]): Set<number> {
  const cells = new Set<number>();
  for (const [x0, y0, x1, y1] of boxes)
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) cells.add(y * side + x);
  return cells;
}

/** Whether the cells are 4-connected. */
function isConnected(cells: ReadonlySet<number>): boolean {
  const [first] = cells;
  const seen = new Set([first!]);
  const stack = [first!];
  for (let cell = stack.pop(); cell !== undefined; cell = stack.pop()) {
    const x = cell % side;
    const near = [
      cell - side,
      cell + side,
      ...(x > 0 ? [cell - 1] : []),
      ...(x < side - 1 ? [cell + 1] : []),
    ];
    for (const other of near)
      if (cells.has(other) && !seen.has(other)) {
        seen.add(other);
        stack.push(other);
      }
  }
  return seen.size === cells.size;
}

function covered(rings: readonly Float64Array[], place: Place): Set<number> {
  const cells = new Set<number>();
  for (let cell = 0; cell < side * side; cell++)
    if (isInside(rings, ...place((cell % side) + 0.5, Math.floor(cell / side) + 0.5))) cells.add(cell);
  return cells;
}

function expectSound(rings: readonly Float64Array[]): void {
  rings.forEach((ring, index) => {
    expect(signedArea(ring) > 0).toBe(index === 0);
    expect([...ring.slice(-2)]).toEqual([...ring.slice(0, 2)]);
    const corners = new Set<string>();
    for (let i = 0; i < ring.length - 2; i += 2) corners.add(`${ring[i]} ${ring[i + 1]}`);
    expect(corners.size).toBe(ring.length / 2 - 1);
  });
}

const squareMetres = (rings: readonly Float64Array[]) => measureRings(null)(rings).area;

describe.each([
  ['upright', upright, 1],
  ['rotated', rotated, 0.5 * 0.5 + 0.33 * 0.33],
] as const)('on the %s grid', (_, place, cellArea) => {
  test('merging boxes of a partition gives their ground as one sound polygon, or is refused', () => {
    const seen = { merged: 0, refused: 0, holes: 0 };
    for (let seed = 0; seed < 300; seed++) {
      const next = random(seed);
      const share = 0.2 + 0.75 * next();
      const chosen = partition(next).filter(() => next() < share);
      if (chosen.length === 0) continue;
      const cells = cellsOf(chosen);
      const merge = () => mergePolygons(chosen.map((box) => [ringOf(box, place)]));
      if (!isConnected(cells)) {
        expect(merge, `seed ${seed}`).toThrow(/do not share a border/);
        seen.refused++;
        continue;
      }
      const rings = merge();
      expectSound(rings);
      expect(covered(rings, place), `seed ${seed}`).toEqual(cells);
      expect(Math.abs(squareMetres(rings) / cellArea - cells.size), `seed ${seed}`).toBeLessThan(1e-6);
      seen.merged++;
      seen.holes += rings.length - 1;
    }
    expect(seen.merged).toBeGreaterThan(50);
    expect(seen.refused).toBeGreaterThan(50);
    expect(seen.holes).toBeGreaterThan(10);
  });

  test('splitting gives pieces that are sound, apart, and together the whole', () => {
    let split = 0;
    let refused = 0;
    for (let seed = 0; seed < 300; seed++) {
      const next = random(1000 + seed);
      const chosen = partition(next).filter(() => next() < 0.9);
      const cells = cellsOf(chosen);
      if (chosen.length === 0 || !isConnected(cells)) continue;
      const whole = mergePolygons(chosen.map((box) => [ringOf(box, place)]));
      const corners = 2 + Math.floor(next() * 4);
      const line = Float64Array.from(
        Array.from({ length: corners }, () => {
          // Every other line has its corners on the grid, where cuts meet corners and run along borders.
          const [x, y] = [next() * (side + 4) - 2, next() * (side + 4) - 2];
          return seed % 2 ? place(Math.round(x), Math.round(y)) : place(x, y);
        }).flat(),
      );
      let pieces: Float64Array[][];
      try {
        pieces = splitPolygon(whole, line);
      } catch (error) {
        expect((error as Error).message, `seed ${seed}`).toMatch(/does not divide/);
        refused++;
        continue;
      }
      split++;
      expect(pieces.length).toBeGreaterThan(1);
      const areas = pieces.map(squareMetres);
      expect(areas, 'largest first').toEqual([...areas].sort((a, b) => b - a));
      const sum = areas.reduce((total, area) => total + area, 0);
      expect(Math.abs(sum - squareMetres(whole)) / cellArea, `seed ${seed}`).toBeLessThan(1e-6);
      for (const piece of pieces) expectSound(piece);
      for (let probe = 0; probe < 40; probe++) {
        const point = place(next() * side, next() * side);
        const holders = pieces.filter((piece) => isInside(piece, ...point)).length;
        expect(holders, `seed ${seed}: ${point}`).toBe(isInside(whole, ...point) ? 1 : 0);
      }
      // Pieces share the cut exactly, so they merge back.
      if (pieces.length === 2) expect(covered(mergePolygons(pieces), place)).toEqual(covered(whole, place));
    }
    expect(split).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(5);
  });
});

test('a straight cut through a square halves it', () => {
  const [a, b] = splitPolygon([ringOf([0, 0, 4, 4], upright)], Float64Array.of(-1, 1, 5, 1));
  expect(squareMetres(a!)).toBe(12);
  expect(squareMetres(b!)).toBe(4);
});

test('a cut into a hole alone divides nothing, through it both sides', () => {
  const ring = [ringOf([0, 0, 6, 6], upright), Float64Array.of(2, 2, 2, 4, 4, 4, 4, 2, 2, 2)];
  expect(() => splitPolygon(ring, Float64Array.of(-1, 3, 3, 3))).toThrow(/does not divide/);
  expect(splitPolygon(ring, Float64Array.of(-1, 3, 7, 3)).map(squareMetres)).toEqual([16, 16]);
});

test('overlapping polygons are refused, drawn ones made sound or refused', () => {
  const square = ringOf([0, 0, 4, 4], upright);
  expect(() => mergePolygons([[square], [ringOf([3, 3, 6, 6], upright)]])).toThrow(/overlap/);
  expect(() => mergePolygons([[square], [square]])).toThrow(/overlap/);
  expect(() => mergePolygons([[square], [ringOf([1, 1, 2, 2], upright)]])).toThrow(/share a border/);
  // Clockwise, open and with a spike, as a hand draws it.
  const drawn = Float64Array.of(0, 0, 0, 4, 2, 4, 2, 9, 2, 4, 4, 4, 4, 0);
  const [sound] = soundPolygon([drawn]);
  expect(squareMetres([sound!])).toBe(16);
  expect(signedArea(sound!)).toBeGreaterThan(0);
  expect(() => soundPolygon([Float64Array.of(0, 0, 4, 4, 4, 0, 0, 4, 0, 0)])).toThrow();
  expect(() => soundPolygon([square, ringOf([5, 5, 6, 6], upright)])).toThrow(/outside/);
  expect(() => soundPolygon([Float64Array.of(0, 0, 1, 1)])).toThrow(/three corners/);
  expect(() => soundPolygon([Float64Array.of(0, 0, 1, Number.NaN, 2, 2, 0, 0)])).toThrow(/three corners/);
});

test('a polygon in degrees is measured on the spheroid', () => {
  const ring = ringOf([6, 50, 7, 51], upright);
  // GeographicLib: a cell of one degree between 50° and 51° north has 7.8 thousand square kilometres.
  const { area } = measureRings(crsFromEpsg(4326))([ring]);
  expect(area / 1e6).toBeGreaterThan(7800);
  expect(area / 1e6).toBeLessThan(7910);
});
