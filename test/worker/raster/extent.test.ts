import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Affine, applyAffine } from '../../../src/worker/raster/affine.ts';
import { coveredBox, extentWindow, groundOf } from '../../../src/worker/raster/extent.ts';
import type { Grid } from '../../../src/worker/raster/grid.ts';
import {
  bestAffine,
  type GroundControlPoint,
  groundControlOf,
} from '../../../src/worker/raster/ground-control.ts';

const size = { width: 400, height: 300 };
const whole = fc.integer({ min: 0, max: 250 });
const step = fc.integer({ min: 1, max: 150 });

/** North-up and south-up grids in metres and in degrees. */
const grid = fc
  .record({
    x: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    y: fc.double({ min: -5e6, max: 5e6, noNaN: true }),
    pixel: fc.constantFrom(0.3, 0.5, 1, 10, 1 / 3600),
    southUp: fc.boolean(),
  })
  .map(
    ({ x, y, pixel, southUp }): Grid => ({
      ...size,
      transform: [x, pixel, 0, y, 0, southUp ? pixel : -pixel],
      crs: null,
    }),
  );

it('takes exactly the pixels whose edges the box was given by', () => {
  fc.assert(
    fc.property(grid, whole, whole, step, step, (place, column, row, width, height) => {
      const [x0, y0] = applyAffine(place.transform, column, row);
      const [x1, y1] = applyAffine(place.transform, column + width, row + height);
      const box = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)] as const;
      expect(extentWindow(place, { unit: 'crs', box })).toEqual({
        column,
        row,
        width: Math.min(width, size.width - column),
        height: Math.min(height, size.height - row),
      });
    }),
  );
});

it('takes every pixel that a box touches', () => {
  const place: Grid = { ...size, transform: [100, 0.5, 0, 200, 0, -0.5], crs: null };
  expect(extentWindow(place, { unit: 'crs', box: [100.6, 198.7, 101.1, 199.4] })).toEqual({
    column: 1,
    row: 1,
    width: 2,
    height: 2,
  });
});

it('covers the box on a rotated grid', () => {
  const transform: Affine = [100, 0.6, 0.8, 200, 0.8, -0.6];
  const place: Grid = { ...size, transform, crs: null };
  const [x, y] = applyAffine(transform, 50, 60);
  const window = extentWindow(place, { unit: 'crs', box: [x - 1, y - 1, x + 1, y + 1] });
  expect(window.column).toBeLessThan(50);
  expect(window.column + window.width).toBeGreaterThan(50);
  expect(window.row).toBeLessThan(60);
  expect(window.row + window.height).toBeGreaterThan(60);
});

it('refuses a box beside the scene, and says what the scene covers', () => {
  const place: Grid = { ...size, transform: [100, 0.5, 0, 200, 0, -0.5], crs: null };
  expect(() => extentWindow(place, { unit: 'crs', box: [0, 0, 10, 10] })).toThrow('100,50,300,200');
  expect(() => extentWindow(place, { unit: 'pixels', box: [400, 0, 10, 10] })).toThrow('0,0,400,300');
});

it('covers all the ground of a scene with ground control points, and no more', () => {
  const { width, height } = size;
  fc.assert(
    fc.property(fc.double({ min: -40, max: 40, noNaN: true }), whole, whole, (bow, column, row) => {
      // The upper and the lower edge bow by `bow` metres in their middle: corners alone would not show it.
      const points = [0, 100, 200, 300, 400].flatMap((c) =>
        [0, 150, 300].map(
          (r): GroundControlPoint => [c, r, 1000 + c, 5000 - r + bow * (1 - (c / 200 - 1) ** 2)],
        ),
      );
      const place: Grid = {
        ...size,
        transform: bestAffine(points),
        crs: null,
        groundControl: groundControlOf(points, false)!,
      };
      const box = coveredBox(place);
      const expected = [1000, 4700 + Math.min(bow, 0), 1400, 5000 + Math.max(bow, 0)];
      for (const edge of [0, 1, 2, 3]) expect(box[edge], `edge ${edge}`).toBeCloseTo(expected[edge]!, 6);
      const [x, y] = groundOf(place)((column / 250) * width, (row / 250) * height);
      expect(x).toBeGreaterThanOrEqual(box[0] - 1e-6);
      expect(y).toBeGreaterThanOrEqual(box[1] - 1e-6);
      expect(x).toBeLessThanOrEqual(box[2] + 1e-6);
      expect(y).toBeLessThanOrEqual(box[3] + 1e-6);
    }),
  );
});
