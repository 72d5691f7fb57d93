import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { panelColumns, planPanels } from '../../../src/worker/tile/panels.ts';
import {
  coverage,
  planWindows,
  selectWindows,
  windowAt,
  windowStart,
} from '../../../src/worker/tile/plan.ts';
import { samplePositions, workingRange } from '../../../src/worker/tile/sampling.ts';

const axis = fc
  .record({ size: fc.integer({ min: 1, max: 400 }), window: fc.integer({ min: 0, max: 60 }) })
  .chain(({ size, window }) =>
    fc.record({
      size: fc.constant(size),
      window: fc.constant(window),
      stride: fc.integer({ min: 1, max: Math.max(1, window) }),
    }),
  );

describe('window grid', () => {
  it('gives the reference program’s windows', () => {
    const plan = planWindows(448, 500);
    expect(
      Array.from({ length: plan.columns.count }, (_, index) => windowStart(plan.columns, index)),
    ).toEqual([0, 112, 224]);
    expect(Array.from({ length: plan.rows.count }, (_, index) => windowStart(plan.rows, index))).toEqual([
      0, 112, 224, 276,
    ]);
    expect(windowAt(planWindows(100, 300), 0, 1)).toEqual({ column: 0, row: 76, width: 100, height: 224 });
    expect(windowAt(planWindows(1000, 700, 0), 0, 0)).toEqual({
      column: 0,
      row: 0,
      width: 1000,
      height: 700,
    });
  });

  it('covers every pixel, ascends, and knows the number of windows over a pixel', () => {
    fc.assert(
      fc.property(axis, ({ size, window, stride }) => {
        const { columns } = planWindows(size, 1, window, stride);
        const counts = new Array<number>(size).fill(0);
        for (let index = 0; index < columns.count; index++) {
          const start = windowStart(columns, index);
          if (index > 0) expect(start).toBeGreaterThan(windowStart(columns, index - 1));
          for (let position = start; position < start + columns.window; position++) counts[position]!++;
        }
        expect(Math.min(...counts)).toBeGreaterThan(0);
        expect(counts).toEqual(counts.map((_, position) => coverage(columns, position)));
      }),
    );
  });

  it('selects exactly the windows that touch a region', () => {
    fc.assert(
      fc.property(axis, fc.nat(), fc.nat(), ({ size, window, stride }, first, second) => {
        const plan = planWindows(size, size, window, stride);
        const start = first % size;
        const length = 1 + (second % (size - start));
        const region = { column: start, row: 0, width: length, height: size };
        const { firstColumn, endColumn, firstRow, endRow } = selectWindows(plan, region);
        const touching: number[] = [];
        for (let index = 0; index < plan.columns.count; index++) {
          const at = windowStart(plan.columns, index);
          if (at < start + length && at + plan.columns.window > start) touching.push(index);
        }
        expect([firstColumn, endColumn]).toEqual([touching[0], touching.at(-1)! + 1]);
        expect([firstRow, endRow]).toEqual([0, plan.rows.count]);
      }),
    );
  });

  it('refuses a stride that leaves gaps', () => {
    expect(() => planWindows(500, 500, 100, 101)).toThrow(/without a window/);
    expect(() => planWindows(500, 500, 100, 0)).toThrow(/stride/);
    expect(() => planWindows(500, 500, -1, 1)).toThrow(/window of -1/);
  });
});

describe('panels', () => {
  it('cut at tiles, within the maximum, and cover the width', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 2000 }), (width, maximum) => {
        const panels = planPanels(width, 16, maximum);
        let end = 0;
        for (const panel of panels) {
          expect(panel.column).toBe(end);
          expect(panel.column % 16).toBe(0);
          expect(panel.width).toBeLessThanOrEqual(Math.max(16, maximum));
          end += panel.width;
        }
        expect(end).toBe(width);
      }),
    );
    expect(panelColumns(224 * 41 * 1000, 10, 224, 1)).toBe(1000);
  });
});

describe('sample positions', () => {
  it('are those of a bilinear resize with half-pixel centres and clamped borders', () => {
    // torch.nn.functional.interpolate(scale_factor=2, mode="bilinear", align_corners=False) over 3 pixels
    const { index, fraction } = samplePositions(0, 6, 0.5, 12);
    expect([...index]).toEqual([0, 2, 4, 6, 8, 10]);
    expect([...fraction]).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    const up = samplePositions(0, 6, 2, 3);
    expect([...up.index]).toEqual([0, 0, 0, 1, 1, 2]);
    expect([...up.fraction]).toEqual([0, 0.25, 0.75, 0.25, 0.75, 0]);
  });

  it('do not depend on where a range begins, and the range covers them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.double({ min: 0.3, max: 5, noNaN: true }),
        fc.nat(),
        fc.nat(),
        (sceneSize, scale, first, second) => {
          const size = Math.ceil(sceneSize / scale);
          const start = first % sceneSize;
          const length = 1 + (second % (sceneSize - start));
          const all = samplePositions(0, sceneSize, scale, size);
          const part = samplePositions(start, length, scale, size);
          expect([...part.index]).toEqual([...all.index.subarray(start, start + length)]);
          expect([...part.fraction]).toEqual([...all.fraction.subarray(start, start + length)]);
          const range = workingRange(start, length, scale, size);
          expect(range.start).toBe(part.index[0]);
          expect(range.end).toBe(part.index.at(-1)! + (part.fraction.at(-1)! > 0 ? 2 : 1));
          expect(range.end).toBeLessThanOrEqual(size);
        },
      ),
    );
  });

  it('are the pixels themselves at the scene’s own resolution', () => {
    expect(workingRange(39_990, 10, 1, 40_000)).toEqual({ start: 39_990, end: 40_000 });
  });
});
