import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfBits, halfValues } from '../../../src/worker/weights/half.ts';

describe('float16', () => {
  const values = halfValues();

  it('decode then encode is the identity on every pattern that is a number', () => {
    const wrong = [];
    for (let bits = 0; bits < 65536; bits++)
      if (!Number.isNaN(values[bits]) && halfBits(values[bits]!) !== bits) wrong.push(bits);
    expect(wrong).toEqual([]);
    expect(Number.isNaN(values[halfBits(Number.NaN)]!)).toBe(true);
  });

  it('encode gives the nearest value, the even one of two, also where float32 would round twice', () => {
    // All finite magnitudes in order of their patterns; 65504 is followed by infinity, which stands for 65536.
    const magnitude = (bits: number): number => (bits === 0x7c00 ? 65536 : values[bits]!);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7bff }),
        fc.oneof(fc.constant(0.5), fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(0.5 + 1e-12)),
        fc.boolean(),
        (below, fraction, negative) => {
          const [low, high] = [magnitude(below), magnitude(below + 1)];
          const value = low + fraction * (high - low);
          const toLow = value - low;
          const toHigh = high - value;
          const even = below % 2 === 0 ? below : below + 1;
          const nearest = toLow < toHigh ? below : toHigh < toLow ? below + 1 : even;
          expect(halfBits(negative ? -value : value)).toBe(nearest | (negative ? 0x8000 : 0));
        },
      ),
      { numRuns: 5000 },
    );
  });
});
