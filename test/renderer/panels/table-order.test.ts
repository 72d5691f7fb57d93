import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Columns } from '../../../src/renderer/connection/columns.ts';
import { columnNames, orderRows, type TableView } from '../../../src/renderer/panels/table-order.ts';

const row = fc.record({
  fid: fc.integer({ min: 1, max: 50 }),
  classId: fc.integer({ min: 1, max: 4 }),
  confidence: fc.integer({ min: 0, max: 8 }).map((value) => value / 8),
  area: fc.integer({ min: 0, max: 20 }),
  perimeter: fc.integer({ min: 0, max: 20 }),
});
const columnsOf = (rows: readonly { [key in keyof Omit<Columns, 'count'>]: number }[]): Columns => ({
  count: rows.length,
  fid: Int32Array.from(rows, ({ fid }) => fid),
  classId: Int32Array.from(rows, ({ classId }) => classId),
  confidence: Float32Array.from(rows, ({ confidence }) => confidence),
  area: Float64Array.from(rows, ({ area }) => area),
  perimeter: Float64Array.from(rows, ({ perimeter }) => perimeter),
});
const everything: TableView = {
  sort: 'fid',
  ascending: true,
  classes: null,
  confidence: 0,
  area: 0,
  only: null,
};

describe('the rows of the table', () => {
  it('are those that pass every filter, each once', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 60 }),
        fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 4 }))),
        fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 50 }))),
        fc.integer({ min: 0, max: 8 }),
        fc.integer({ min: 0, max: 20 }),
        (rows, classes, only, eighths, area) => {
          const view = {
            ...everything,
            classes: classes && new Set(classes),
            only: only && new Set(only),
            confidence: eighths / 8,
            area,
          };
          const wanted = rows.flatMap((own, index) =>
            (classes?.includes(own.classId) ?? true) &&
            (only?.includes(own.fid) ?? true) &&
            own.confidence >= eighths / 8 &&
            own.area >= area
              ? [index]
              : [],
          );
          expect([...orderRows(columnsOf(rows), view)].sort((a, b) => a - b)).toEqual(wanted);
        },
      ),
    );
  });

  it('are in order, equal ones as in the file', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 60 }),
        fc.constantFrom(...columnNames),
        fc.boolean(),
        (rows, sort, ascending) => {
          const order = orderRows(columnsOf(rows), { ...everything, sort, ascending });
          const value = (index: number) => rows[index]![sort === 'class' ? 'classId' : sort];
          for (let i = 1; i < order.length; i++) {
            const [a, b] = [value(order[i - 1]!), value(order[i]!)];
            if (a === b) expect(order[i - 1]!).toBeLessThan(order[i]!);
            else expect(a < b).toBe(ascending);
          }
        },
      ),
    );
  });
});
