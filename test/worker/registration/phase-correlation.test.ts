import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { agree } from '../../../src/worker/registration/agree.ts';
import { FourierSquare } from '../../../src/worker/registration/fourier.ts';
import { type Offset, PhaseCorrelation } from '../../../src/worker/registration/phase-correlation.ts';
import { randomNumbers } from '../prep/memory-scene.ts';

const side = 128;

/** A field of discs of random brightness at sub-pixel places, smooth at their edges; reversed brightness on request. */
function discs(seed: number, right: number, down: number, reversed: boolean): Float64Array {
  const random = randomNumbers(seed);
  const picture = new Float64Array(side * side).fill(100);
  for (let disc = 0; disc < 60; disc++) {
    const [x, y] = [random() * side * 1.4 - 0.2 * side + right, random() * side * 1.4 - 0.2 * side + down];
    const [radius, height] = [3 + random() * 9, 20 + random() * 80];
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const inside = 1 / (1 + Math.exp(2 * (Math.hypot(column - x, row - y) - radius)));
        picture[row * side + column] = picture[row * side + column]! + (reversed ? -height : height) * inside;
      }
    }
  }
  return picture;
}

describe('Fourier transform', () => {
  test('law: there and back is the same', () => {
    const random = randomNumbers(2);
    const real = Float64Array.from({ length: 64 * 64 }, random);
    const imaginary = Float64Array.from({ length: 64 * 64 }, random);
    const [re, im] = [real.slice(), imaginary.slice()];
    const fourier = new FourierSquare(64);
    fourier.transform(re, im, false);
    fourier.transform(re, im, true);
    const worst = Math.max(
      ...re.map((value, at) => Math.max(Math.abs(value - real[at]!), Math.abs(im[at]! - imaginary[at]!))),
    );
    expect(worst).toBeLessThan(1e-12);
  });

  test('a wave is one point', () => {
    const real = Float64Array.from({ length: 256 }, (_, at) =>
      Math.cos((2 * Math.PI * (3 * (at % 16) + 5 * (at >> 4))) / 16),
    );
    const imaginary = Float64Array.from({ length: 256 }, (_, at) =>
      Math.sin((2 * Math.PI * (3 * (at % 16) + 5 * (at >> 4))) / 16),
    );
    new FourierSquare(16).transform(real, imaginary, false);
    for (const [at, value] of real.entries()) expect(value).toBeCloseTo(at === 5 * 16 + 3 ? 256 : 0, 9);
  });
});

describe('phase correlation of edges', () => {
  test('law: a known shift comes out within 0.2 pixels, reversed brightness or not', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: -9, max: 9, noNaN: true }),
        fc.double({ min: -9, max: 9, noNaN: true }),
        fc.boolean(),
        (seed, right, down, reversed) => {
          const found = new PhaseCorrelation(side).pair(
            discs(seed, 0, 0, false),
            discs(seed, right, down, reversed),
            20,
          );
          expect(Math.abs(found!.columns - right), `${found!.columns} for ${right}`).toBeLessThan(0.2);
          expect(Math.abs(found!.rows - down), `${found!.rows} for ${down}`).toBeLessThan(0.2);
          expect(found!.strength).toBeGreaterThan(8);
        },
      ),
      { numRuns: 12, seed: 6 },
    );
  });

  test('pictures of different things do not stand out; flat ones have no offset', () => {
    const correlation = new PhaseCorrelation(side);
    expect(correlation.pair(discs(1, 0, 0, false), new Float64Array(side * side), 20)).toBeNull();
    expect(correlation.together(20)).toBeNull();
    const offset = correlation.pair(discs(1, 0, 0, false), discs(2, 0, 0, false), 20);
    expect(offset!.strength).toBeLessThan(8);
  });
});

describe('agreement', () => {
  const at = (columns: number, rows: number): Offset => ({ columns, rows, strength: 9 });
  test('outliers do not move it', () => {
    const windows = [at(2, 3), at(2.1, 3), at(1.9, 3.1), at(2, 2.9), at(-40, 7), at(31, -20)];
    const agreed = agree(windows, at(2.2, 3));
    expect(agreed!.columns).toBeCloseTo(2, 9);
    expect(agreed!.rows).toBeCloseTo(3, 9);
    expect(agreed!.confidence).toBeCloseTo(4 / 6, 9);
  });
  test('nothing agrees: low confidence; no windows: none', () => {
    expect(agree([at(5, 5), at(-7, 1), at(9, -9)], at(0, 0))!.confidence).toBe(0);
    expect(agree([], null)).toBeNull();
  });
});
