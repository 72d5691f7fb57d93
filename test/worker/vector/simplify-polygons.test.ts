import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signedArea } from '../../../src/worker/vector/planar-rings.ts';
import { simplifyPolygons } from '../../../src/worker/vector/simplify-polygons.ts';
import { Tracer } from '../../../src/worker/vector/trace.ts';

/** Polygons of a small class map, as a run traces them. */
function traced(classes: readonly number[], width: number): Float64Array[][] {
  const tracer = new Tracer(width);
  const polygons: Float64Array[][] = [];
  const take = () => {
    for (const { rings } of tracer.take())
      polygons.push(
        rings.map((ring) =>
          Float64Array.from([...ring, ring[0]!, ring[1]!], (value) => 500_000 + 0.5 * value),
        ),
      );
  };
  for (let row = 0; row * width < classes.length; row++) {
    tracer.addRow(Uint8Array.from(classes), row * width, null, null, 0);
    take();
  }
  tracer.finish(null, 0);
  take();
  return polygons;
}

const maps = fc
  .tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 2, max: 9 }))
  .chain(([width, height]) =>
    fc.record({
      width: fc.constant(width),
      classes: fc.array(fc.integer({ min: 1, max: 3 }), {
        minLength: width * height,
        maxLength: width * height,
      }),
      tolerance: fc.constantFrom(0.2, 0.4, 0.8, 1.5),
    }),
  );

const totalArea = (polygons: readonly (readonly Float64Array[])[]) =>
  polygons.flat().reduce((sum, ring) => sum + signedArea(ring), 0);

/** Even-odd rule. */
function holds(rings: readonly Float64Array[], x: number, y: number): boolean {
  let inside = false;
  for (const ring of rings)
    for (let i = 0; i + 3 < ring.length; i += 2) {
      const [ax, ay, bx, by] = [ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
  return inside;
}

describe('polygons that share borders, simplified', () => {
  it('leave no gap and no overlap: every point inside lies in one polygon, whatever the map', () => {
    fc.assert(
      fc.property(maps, ({ classes, width, tolerance }) => {
        const before = traced(classes, width);
        const after = simplifyPolygons(before, tolerance);
        expect(after.length).toBe(before.length);
        const height = classes.length / width;
        // Points between the pixels' centres and corners; the frame's corners may be cut, by the tolerance at most.
        for (let i = 0; i < 400; i++) {
          const [u, v] = [(0.137 + i * 0.618034) % 1, (0.731 + i * 0.754878) % 1];
          const [x, y] = [500_000 + 0.5 * width * u, 500_000 + 0.5 * height * v];
          const fromFrame = Math.min(0.5 * width * Math.min(u, 1 - u), 0.5 * height * Math.min(v, 1 - v));
          const count = after.filter((rings) => holds(rings, x, y)).length;
          if (fromFrame > tolerance) expect(count, `point ${x}, ${y}`).toBe(1);
          else expect(count, `point ${x}, ${y}`).toBeLessThanOrEqual(1);
        }
      }),
      {
        numRuns: 150,
        // A line through the corner of another border, which it would cut.
        examples: [[{ width: 2, classes: [1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 1, 3, 3], tolerance: 1.5 }]],
      },
    );
  });

  it('keep orientation and hold: no polygon vanishes', () => {
    fc.assert(
      fc.property(maps, ({ classes, width, tolerance }) => {
        const before = traced(classes, width);
        const after = simplifyPolygons(before, tolerance);
        after.forEach((rings, p) => {
          rings.forEach((ring, r) => {
            expect(Math.sign(signedArea(ring))).toBe(Math.sign(signedArea(before[p]![r]!)));
            expect(ring.slice(-2)).toEqual(ring.slice(0, 2));
          });
        });
      }),
      { numRuns: 100 },
    );
  });

  it('turn a staircase between two polygons into one line that both have', () => {
    const stairs: number[] = [];
    for (let i = 0; i < 8; i++) stairs.push(i, i, i + 1, i);
    stairs.push(8, 8);
    const lower = Float64Array.from([...stairs, 8, 0, 0, 0]);
    const back: number[] = [];
    for (let i = stairs.length - 2; i >= 0; i -= 2) back.push(stairs[i]!, stairs[i + 1]!);
    const upper = Float64Array.from([...back, 0, 8, 8, 8]);
    // The corners where they part are nodes only if a third polygon or the outside says so: they end at (0,0) and (8,8).
    const [[first], [second]] = simplifyPolygons([[lower], [upper]], 1) as [[Float64Array], [Float64Array]];
    const points = (ring: Float64Array) =>
      new Set(Array.from({ length: ring.length / 2 }, (_, i) => `${ring[2 * i]},${ring[2 * i + 1]}`));
    expect(points(first).size).toBeLessThan(6);
    const shared = [...points(first)].filter((point) => points(second).has(point));
    expect(shared).toEqual(expect.arrayContaining(['0,0', '8,8']));
    expect(Math.abs(totalArea([[first], [second]].map((rings) => rings)))).toBeGreaterThan(0);
  });

  it('leave everything as it is with a tolerance below half a pixel edge', () => {
    const before = traced([1, 2, 2, 1, 1, 2, 1, 1, 1], 3);
    const after = simplifyPolygons(before, 0.01);
    expect(totalArea(after)).toBe(totalArea(before));
  });
});
