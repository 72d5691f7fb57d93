import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Affine, applyAffine } from '../../../src/worker/raster/affine.ts';
import {
  bestAffine,
  type GroundControlPoint,
  groundControlOf,
  groundMapping,
  misfit,
} from '../../../src/worker/raster/ground-control.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { hasGdal } from '../scene/gdal.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const withPoints = resolve(fixtures, '../../data/tricky-rasters/rio-tiler__cog_gcps.tif');

const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const affine = fc
  .tuple(
    number(-1e6, 1e6),
    number(1, 20),
    number(-0.4, 0.4),
    number(-1e6, 1e6),
    number(-0.4, 0.4),
    number(-20, -1),
  )
  .map((values) => values as unknown as Affine);

function lattice(
  columns: readonly number[],
  rows: readonly number[],
  map: (c: number, r: number) => [number, number],
) {
  return rows.flatMap((row) =>
    columns.map((column): GroundControlPoint => [column, row, ...map(column, row)]),
  );
}

describe('ground control points', () => {
  test('points of an affine give it back, by lattice and by scattered points, there and back', () => {
    fc.assert(
      fc.property(affine, number(-50, 1200), number(-50, 900), (transform, column, row) => {
        const exact = (c: number, r: number): [number, number] => applyAffine(transform, c, r);
        const gridded = lattice([0, 310, 777, 1100], [0, 400, 850], exact);
        const scattered = gridded.filter((_, index) => index !== 5);
        for (const [points, method] of [
          [gridded, 'grid'],
          [scattered, 'polynomial'],
        ] as const) {
          const control = groundControlOf(points, false)!;
          expect(control.method).toBe(method);
          const mapping = groundMapping(control);
          const [x, y] = mapping.toGround(column, row);
          const [trueX, trueY] = exact(column, row);
          // atol 1e-5 of coordinates up to 1e6.
          expect(Math.hypot(x - trueX, y - trueY)).toBeLessThan(1e-5);
          const [backColumn, backRow] = mapping.toPixel(x, y);
          expect(Math.hypot(backColumn - column, backRow - row)).toBeLessThan(1e-5);
        }
        const fitted = bestAffine(gridded);
        expect(misfit(gridded, (c, r) => applyAffine(fitted, c, r)).worst).toBeLessThan(1e-5);
      }),
      { numRuns: 50, seed: 6 },
    );
  });

  test('a bent lattice is met at every point, continuous across cells, and inverted everywhere', () => {
    const bent = (c: number, r: number): [number, number] => [
      12 + c * 1e-4 - r * 3e-5 + 2e-9 * c * r,
      47 - c * 2e-5 - r * 9e-5 + 1.5e-9 * c * c,
    ];
    const control = groundControlOf(lattice([0, 1290, 2580, 5000], [0, 2003, 4006], bent), true)!;
    const mapping = groundMapping(control);
    for (const [column, row, x, y] of control.points) {
      const [atX, atY] = mapping.toGround(column, row);
      expect(Math.hypot(atX - x, atY - y)).toBeLessThan(1e-12);
    }
    const [beforeX] = mapping.toGround(1290 - 1e-7, 900);
    const [afterX] = mapping.toGround(1290 + 1e-7, 900);
    expect(Math.abs(beforeX - afterX)).toBeLessThan(1e-10);
    for (let column = -100; column < 5100; column += 370) {
      for (let row = -100; row < 4100; row += 370) {
        const [backColumn, backRow] = mapping.toPixel(...mapping.toGround(column, row));
        expect(Math.hypot(backColumn - column, backRow - row)).toBeLessThan(1e-5);
      }
    }
  });

  test('longitudes go on across the antimeridian', () => {
    const control = groundControlOf(
      lattice([0, 100], [0, 100], (c, r) => {
        const longitude = 179.9 + c * 0.002;
        return [longitude > 180 ? longitude - 360 : longitude, 10 - r * 0.002];
      }),
      true,
    )!;
    expect(groundMapping(control).toGround(50, 50)[0]).toBeCloseTo(180, 9);
  });

  test('points that determine nothing are refused', () => {
    const onALine: GroundControlPoint[] = [0, 1, 2, 3].map((at) => [at, 2 * at, at, at]);
    expect(groundControlOf(onALine, false)).toBeNull();
    expect(groundControlOf(onALine.slice(0, 2), false)).toBeNull();
    expect(
      groundControlOf(
        [
          [0, 0, Number.NaN, 0],
          [1, 0, 1, 0],
          [0, 1, 0, 1],
        ],
        false,
      ),
    ).toBeNull();
  });

  test.skipIf(!hasGdal || !existsSync(withPoints))(
    'a Sentinel-1 raster of 210 points where GDAL puts it',
    async () => {
      const scene = await openScene(withPoints);
      const { grid, details } = scene.header;
      await scene.close();
      expect(grid.crs?.epsg).toBe(4326);
      expect(details.georeference).toMatch(/^210 ground control points, bilinear/);
      const control = grid.groundControl!;
      const pixels: [number, number][] = [];
      for (let column = 0; column <= 1280; column += 80)
        for (let row = 0; row <= 836; row += 76) pixels.push([column, row]);
      const gdal = (...options: string[]): number[][] =>
        execFileSync('gdaltransform', [...options, withPoints], {
          input: pixels.map((pixel) => pixel.join(' ')).join('\n'),
          env: { ...process.env, GDAL_PAM_ENABLED: 'NO' },
        })
          .toString()
          .trim()
          .split('\n')
          .map((line) => line.split(' ').map(Number));
      const worst = (truth: number[][], map: (c: number, r: number) => [number, number]): number =>
        Math.max(
          ...pixels.map(([column, row], at) => {
            const [x, y] = map(column, row);
            return (
              111_195 * Math.hypot((x - truth[at]![0]!) * Math.cos((y * Math.PI) / 180), y - truth[at]![1]!)
            );
          }),
        );
      // The same least squares: the figures agree to the digits printed (metres).
      for (const order of [1, 2, 3] as const) {
        const { toGround } = groundMapping({ ...control, method: 'polynomial', order });
        expect(worst(gdal('-order', String(order)), toGround), `order ${order}`).toBeLessThan(0.05);
      }
      // Bilinear cells against thin plate splines through the same points; a pixel is 200 m: a quarter of one.
      expect(worst(gdal('-tps'), groundMapping(control).toGround)).toBeLessThan(50);
    },
  );
});
