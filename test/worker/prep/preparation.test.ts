import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseBands } from '../../../src/worker/prep/choose-bands.ts';
import { normalise } from '../../../src/worker/prep/normalise.ts';
import { measureStretch, percentile } from '../../../src/worker/prep/stretch.ts';
import { chooseWorkingGrid } from '../../../src/worker/prep/working-grid.ts';
import { applyAffine } from '../../../src/worker/raster/affine.ts';
import { crsFromEpsg } from '../../../src/worker/raster/crs.ts';
import type { Grid } from '../../../src/worker/raster/grid.ts';
import { groundSampleDistance } from '../../../src/worker/scene/ground-sample-distance.ts';
import type { BandHeader } from '../../../src/worker/scene/scene.ts';
import { memoryScene, randomNumbers } from './memory-scene.ts';

function utmGrid(pixel: number, width = 1000, height = 700): Grid {
  return { width, height, transform: [346000, pixel, 0, 5648000, 0, -pixel], crs: crsFromEpsg(25832) };
}

function band(role: string | null, name = 'x'): BandHeader {
  return { name, role, type: 'uint8', nodata: null };
}

describe('working grid', () => {
  test('native by default, unless the scene is finer than the pack', () => {
    const coarse = utmGrid(0.5);
    expect(chooseWorkingGrid(coarse, 0.5, undefined, 0.3)).toMatchObject({
      scale: 1,
      width: 1000,
      height: 700,
    });
    const fine = chooseWorkingGrid(utmGrid(0.1), 0.1, undefined, 0.5);
    expect(fine).toMatchObject({ scale: 5, width: 200, height: 140 });
    expect(fine.resolution).toBeCloseTo(0.5, 12);
    expect(fine.reason).toContain('0.5 m per pixel');
    expect(chooseWorkingGrid(fine, 0.1, 'native', 0.5).scale).toBe(1);
  });

  test('a UTM scene of 0.5 m at 1 m: exactly two pixels although UTM’s scale is not 1', () => {
    const grid = utmGrid(0.5);
    const ground = groundSampleDistance(grid)!;
    expect(ground).not.toBe(0.5);
    expect(Math.abs(ground / 0.5 - 1)).toBeLessThan(1e-3);
    expect(chooseWorkingGrid(grid, ground, 1, null).scale).toBe(2);
    expect(chooseWorkingGrid(grid, ground, 0.5, null).scale).toBe(1);
    expect(chooseWorkingGrid(grid, ground, 0.25, null).scale).toBe(0.5);
    expect(chooseWorkingGrid(grid, ground, 0.8, null).scale).toBeCloseTo(1.6, 2);
  });

  test('law: the working grid covers the scene, with less than a pixel to spare', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0.02, max: 300, noNaN: true }),
        (width, height, resolution) => {
          const scene = utmGrid(1, width, height);
          const grid = chooseWorkingGrid(scene, 1, resolution, null);
          expect(grid.width * grid.scale).toBeGreaterThanOrEqual(width - 1e-5 * grid.scale);
          expect((grid.width - 1) * grid.scale).toBeLessThan(width + 1e-5);
          expect(applyAffine(grid.transform, 0, 0)).toEqual(applyAffine(scene.transform, 0, 0));
          const [x, y] = applyAffine(grid.transform, 1, 1);
          const [sceneX, sceneY] = applyAffine(scene.transform, grid.scale, grid.scale);
          expect(x).toBeCloseTo(sceneX, 6);
          expect(y).toBeCloseTo(sceneY, 6);
          expect(grid.height * grid.scale).toBeGreaterThanOrEqual(height - 1e-5 * grid.scale);
        },
      ),
    );
  });

  test('without a CRS: native by default, and metres are refused', () => {
    const grid = { ...utmGrid(1), crs: null };
    expect(chooseWorkingGrid(grid, null, undefined, 0.5)).toMatchObject({ scale: 1, resolution: null });
    expect(() => chooseWorkingGrid(grid, null, 1, 0.5)).toThrowError(/no coordinate system/);
    expect(() => chooseWorkingGrid(utmGrid(1), 1, 0, null)).toThrowError(/not possible/);
    expect(() => chooseWorkingGrid(utmGrid(1), 1, 0.0001, null)).toThrowError(/far finer/);
  });
});

describe('bands', () => {
  test('roles, else the first three, else grey', () => {
    expect(chooseBands([band('blue'), band('green'), band('red'), band('near-infrared')])).toEqual([2, 1, 0]);
    expect(chooseBands([band(null), band(null), band(null), band(null)])).toEqual([0, 1, 2]);
    expect(chooseBands([band('grey')])).toEqual([0, 0, 0]);
    expect(chooseBands([band('grey'), band('alpha')])).toEqual([0, 0, 0]);
    expect(chooseBands([band('VV'), band('VH')])).toEqual([0, 0, 0]);
  });

  test('as asked, numbered from 1; anything else is a Problem', () => {
    const four = [band(null), band(null), band(null), band(null)];
    expect(chooseBands(four, '4,3,2')).toEqual([3, 2, 1]);
    expect(chooseBands(four, ' 4 ')).toEqual([3, 3, 3]);
    for (const bad of ['5,1,1', '0,1,2', '1,2', 'red', '', '1,2,3,4', '-1,2,3']) {
      expect(() => chooseBands(four, bad), bad).toThrowError(/does not fit/);
    }
  });
});

describe('stretch', () => {
  test('8 bits stay; other types take the 2nd and 98th percentile of valid pixels only', async () => {
    const next = randomNumbers(5);
    const size = 300 * 200;
    const plane = new Float64Array(size);
    const valid = new Uint8Array(size);
    for (let at = 0; at < size; at++) {
      valid[at] = next() < 0.3 ? 0 : 1;
      plane[at] = valid[at] === 1 ? next() * 1000 : Number.NaN;
    }
    const scene = memoryScene(300, 200, [plane], valid, 'float64');
    const [first] = await measureStretch(scene, [0, 0, 0]);
    const sorted = plane.filter((_, at) => valid[at] === 1).sort();
    expect(first!.low).toBe(percentile(sorted, 0.02));
    expect(first!.high).toBe(percentile(sorted, 0.98));
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
    const bytes = memoryScene(300, 200, [new Uint8Array(size)], valid, 'uint8');
    expect(await measureStretch(bytes, [0])).toEqual([{ band: 0, low: 0, high: 255, method: 'as stored' }]);
  });

  test('no valid pixel, and a flat band', async () => {
    const plane = new Float64Array(100).fill(7);
    const empty = memoryScene(10, 10, [plane], new Uint8Array(100), 'float64');
    expect(await measureStretch(empty, [0])).toMatchObject([{ low: 0, high: 1 }]);
    const flat = memoryScene(10, 10, [plane], new Uint8Array(100).fill(1), 'float64');
    expect(await measureStretch(flat, [0])).toMatchObject([{ low: 6.5, high: 7.5 }]);
  });

  test('a large scene is sampled: bounded reading, and the same answer twice', async () => {
    let pixels = 0;
    const size = 60_000;
    const header = memoryScene(1, 1, [new Float64Array(1)], new Uint8Array(1), 'float64').header;
    const scene = {
      header: { ...header, grid: { ...header.grid, width: size, height: size } },
      read: async (
        window: { column: number; row: number; width: number; height: number },
        bands: readonly number[],
      ) => {
        const count = window.width * window.height;
        pixels += count;
        expect(window.column + window.width).toBeLessThanOrEqual(size);
        expect(window.row + window.height).toBeLessThanOrEqual(size);
        const plane = new Float64Array(count);
        for (let at = 0; at < count; at++) plane[at] = window.column + (at % window.width);
        return { ...window, planes: bands.map(() => plane), valid: new Uint8Array(count).fill(1) };
      },
    };
    const once = await measureStretch(scene, [0]);
    expect(pixels).toBeLessThanOrEqual(2 ** 20);
    expect(await measureStretch(scene, [0])).toEqual(once);
    // Columns are uniform over the scene, and so must the sample be, to the width of its windows.
    expect(once[0]!.low).toBeLessThan(128);
    expect(once[0]!.high).toBeGreaterThan(size - 128);
  });
});

test('normalise: (value - mean) / std, the mean where invalid', () => {
  const pixels = Float32Array.of(10, 20, 30, 40, 50, 60);
  const result = normalise(pixels, Uint8Array.of(1, 0), [5, 30, 40], [5, 10, 20]);
  expect(Array.from(result)).toEqual([1, 0, 0, 0, 0.5, 0]);
});
