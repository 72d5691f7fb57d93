import fc from 'fast-check';
import { expect, it } from 'vitest';
import { batchBuffers, packFeatures, unpackFeatures } from '../../../src/worker/steps/feature-batch.ts';

const ring = fc
  .array(fc.double({ noNaN: true }), { minLength: 0, maxLength: 12 })
  .map((values) => Float64Array.from(values));
const feature = fc.record({
  classId: fc.integer({ min: 1, max: 65535 }),
  confidence: fc.double({ min: 0, max: 1, noNaN: true }),
  area: fc.double({ min: 0, noNaN: true }),
  perimeter: fc.double({ min: 0, noNaN: true }),
  rings: fc.array(ring, { maxLength: 4 }),
});

it('brings every polygon back, after a move to another thread', () => {
  fc.assert(
    fc.property(fc.array(feature, { maxLength: 20 }), (features) => {
      const batch = packFeatures(features);
      const moved = structuredClone(batch, { transfer: batchBuffers(batch) });
      expect(unpackFeatures(moved)).toEqual(features);
      expect(batch.coordinates.length).toBe(0);
    }),
  );
});
