import { describe, expect, test } from 'vitest';
import { cutAtAntimeridian, doubleArea } from '../../../src/main/export/antimeridian.ts';
import { random } from './layers.ts';

const ring = (...points: [number, number][]) => Float64Array.from([...points, points[0]].flat());
const box = (west: number, south: number, east: number, north: number) =>
  ring([west, south], [east, south], [east, north], [west, north]);
const hole = (west: number, south: number, east: number, north: number) =>
  ring([west, south], [west, north], [east, north], [east, south]);

/** Signed area of all rings in square degrees. */
const areaOf = (polygons: Float64Array[][]) => polygons.flat().reduce((sum, r) => sum + doubleArea(r) / 2, 0);

/** Even-odd test of a point against all rings, longitudes shifted by whole turns. */
function covers(polygons: Float64Array[][], x: number, y: number, turns: number[]): boolean {
  let inside = false;
  for (const r of polygons.flat())
    for (const turn of turns)
      for (let i = 0; i + 3 < r.length; i += 2) {
        const [x1, y1, x2, y2] = [r[i] + 360 * turn, r[i + 1], r[i + 2] + 360 * turn, r[i + 3]];
        if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
      }
  return inside;
}

describe('cutting at the antimeridian', () => {
  test('polygons within one turn keep every point', () => {
    const inside = [box(-180, -10, 180, 10), hole(0, 0, 1, 1)];
    expect(cutAtAntimeridian(inside)).toEqual([inside]);
    expect(cutAtAntimeridian([box(190, 0, 200, 5)])).toEqual([[box(-170, 0, -160, 5)]]);
    expect(cutAtAntimeridian([box(180, 0, 181, 5)])).toEqual([[box(-180, 0, -179, 5)]]);
    expect(cutAtAntimeridian([box(-190, 0, -180, 5)])).toEqual([[box(170, 0, 180, 5)]]);
  });

  test('a box across becomes two boxes', () => {
    const parts = cutAtAntimeridian([box(170, -5, 200, 5)]);
    expect(parts).toHaveLength(2);
    expect(areaOf(parts)).toBeCloseTo(300, 10);
    const extents = parts.map(([r]) => [
      Math.min(...r.filter((_, i) => i % 2 === 0)),
      Math.max(...r.filter((_, i) => i % 2 === 0)),
    ]);
    expect(extents.sort((a, b) => a[0] - b[0])).toEqual([
      [-180, -160],
      [170, 180],
    ]);
  });

  test('a hole across opens both parts; a hole beside stays a hole; an island in it stays apart', () => {
    const parts = cutAtAntimeridian([box(170, -10, 200, 10), hole(178, -5, 182, 5), hole(190, -5, 192, 5)]);
    expect(parts.map((rings) => rings.length).sort()).toEqual([1, 2]);
    expect(areaOf(parts)).toBeCloseTo(30 * 20 - 40 - 20, 9);
  });

  test('a hole given a turn away finds its exterior', () => {
    const parts = cutAtAntimeridian([box(150, -10, 179, 10), hole(-200, -5, -195, 5)]);
    expect(parts).toEqual([[box(150, -10, 179, 10), hole(160, -5, 165, 5)]]);
  });

  test('a C whose arms cross gives one part on its side and two beyond', () => {
    const c = ring([170, 0], [190, 0], [190, 2], [175, 2], [175, 8], [190, 8], [190, 10], [170, 10]);
    const parts = cutAtAntimeridian([c]);
    expect(parts).toHaveLength(3);
    expect(areaOf(parts)).toBeCloseTo(doubleArea(c) / 2, 9);
  });

  test('around a pole: the cap, and a cap with the pole in a hole', () => {
    const circle = (latitude: number, from: number, step: number) => {
      const points: number[] = [];
      for (let i = 0; i <= 36; i++) points.push(from + i * step, latitude);
      return Float64Array.from(points);
    };
    const north = cutAtAntimeridian([circle(80, 5, 10)]);
    expect(areaOf(north)).toBeCloseTo(3600, 9);
    expect(covers(north, 100, 85, [0])).toBe(true);
    const south = cutAtAntimeridian([circle(-80, 5, -10)]);
    expect(areaOf(south)).toBeCloseTo(3600, 9);
    expect(covers(south, 100, -85, [0])).toBe(true);
    const belt = cutAtAntimeridian([circle(80, 5, 10), circle(85, 5, -10)]);
    expect(areaOf(belt)).toBeCloseTo(1800, 9);
    expect(covers(belt, 100, 82, [0])).toBe(true);
    expect(covers(belt, 100, 87, [0])).toBe(false);
  });

  test('random star polygons with a hole: same area, same points covered, all within ±180', () => {
    const next = random(11);
    for (let round = 0; round < 300; round++) {
      const centre = 140 + next() * 80;
      const star = (radius: number, clockwise: boolean) => {
        const points: [number, number][] = [];
        const n = 3 + Math.floor(next() * 12);
        for (let i = 0; i < n; i++) {
          const angle = ((clockwise ? -i : i) / n) * 2 * Math.PI;
          const r = radius * (0.6 + 0.4 * next());
          points.push([centre + r * Math.cos(angle), r * Math.sin(angle)]);
        }
        return ring(...points);
      };
      // Even a triangle with the smallest radii (its inner circle is 18 wide) holds the hole.
      const polygon = [star(60, false), star(10, true)];
      const parts = cutAtAntimeridian(polygon);
      const expected = areaOf([polygon]);
      expect(Math.abs(areaOf(parts) - expected)).toBeLessThan(1e-8 * expected);
      for (const r of parts.flat()) {
        expect([r[0], r[1]]).toEqual([r[r.length - 2], r[r.length - 1]]);
        for (let i = 0; i < r.length; i += 2) expect(Math.abs(r[i])).toBeLessThanOrEqual(180);
      }
      for (const rings of parts) {
        expect(doubleArea(rings[0])).toBeGreaterThan(0);
        for (const inner of rings.slice(1)) expect(doubleArea(inner)).toBeLessThan(0);
      }
      for (let p = 0; p < 20; p++) {
        const x = -180 + next() * 360;
        const y = -60 + next() * 120;
        expect(covers(parts, x, y, [0])).toBe(covers([polygon], x, y, [-1, 0, 1]));
      }
    }
  });
});
