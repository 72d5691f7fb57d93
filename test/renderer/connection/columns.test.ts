import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packColumns } from '../../../src/main/desktop/columns.ts';
import { parseColumns } from '../../../src/renderer/connection/columns.ts';

describe('the columns of a layer', () => {
  it('are read as the host packs them, whatever their number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 1000 }), (count, seed) => {
        const value = (i: number, column: number) => seed * 7 + i * 5 + column;
        const columns = {
          fid: Int32Array.from({ length: count }, (_, i) => value(i, 0)),
          classId: Int32Array.from({ length: count }, (_, i) => -value(i, 1)),
          confidence: Float32Array.from({ length: count }, (_, i) => 1 / value(i, 2)),
          area: Float64Array.from({ length: count }, (_, i) => value(i, 3) / 3),
          perimeter: Float64Array.from({ length: count }, (_, i) => value(i, 4) * 1e9),
        };
        const packed = packColumns(columns);
        // As it comes over the wire: a buffer of its own that ends with the last value.
        const read = parseColumns(packed.slice().buffer as ArrayBuffer);
        expect(read).toEqual({ count, ...columns });
      }),
    );
  });
});
