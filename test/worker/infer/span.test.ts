import { describe, expect, it } from 'vitest';
import { spanCoordinates } from '../../../src/worker/infer/span.ts';

/** Numbers between -1 and 1, always the same. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** `n` vectors of `size` numbers in `rank` directions, the later ones of ever less weight. */
function vectors(n: number, size: number, rank: number, decay: number, seed: number): Float64Array[] {
  const next = numbers(seed);
  const directions = Array.from({ length: rank }, () => Float64Array.from({ length: size }, next));
  return Array.from({ length: n }, () => {
    const vector = new Float64Array(size);
    directions.forEach((direction, k) => {
      const weight = next() * decay ** k;
      for (let i = 0; i < size; i++) vector[i]! += weight * direction[i]!;
    });
    return vector;
  });
}

/** Inner products, rows of `n + 1` numbers, as the projection graph leaves them. */
function gramOf(all: readonly Float64Array[]): Float32Array {
  const n = all.length;
  const gram = new Float32Array((n + 1) * (n + 1)).fill(Number.NaN);
  all.forEach((a, i) => {
    all.forEach((b, j) => {
      gram[i * (n + 1) + j] = a.reduce((sum, value, k) => sum + value * b[k]!, 0);
    });
  });
  return gram;
}

describe('coordinates in the span', () => {
  it.each([
    [49, 128, 12, 1],
    [196, 64, 64, 1],
    [60, 128, 40, 0.5],
    [1, 8, 1, 1],
  ])('keep the norm of every combination: %i vectors of %i numbers', (n, size, directions, decay) => {
    const all = vectors(n, size, directions, decay, n);
    const { coordinates, rank } = spanCoordinates(gramOf(all), n, n + 1, size);
    expect(rank).toBeLessThanOrEqual(Math.min(n, directions));
    const next = numbers(7);
    let worst = 0;
    for (let trial = 0; trial < 20; trial++) {
      // As kernels weigh them: without a sign, in sum 1.
      const weights = Float64Array.from({ length: n }, () => Math.abs(next()) ** 3);
      const vector = new Float64Array(size);
      const inBasis = new Float64Array(rank);
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < size; k++) vector[k]! += weights[i]! * all[i]![k]!;
        for (let k = 0; k < rank; k++) inBasis[k]! += weights[i]! * coordinates[i * rank + k]!;
      }
      worst = Math.max(worst, Math.abs(Math.hypot(...inBasis) / Math.hypot(...vector) - 1));
    }
    expect(worst, 'relative error of the worst norm').toBeLessThan(1e-5);
  });

  it('are few where the vectors lie close to few directions', () => {
    const { rank } = spanCoordinates(gramOf(vectors(80, 128, 100, 0.25, 3)), 80, 81, 128);
    expect(rank).toBeGreaterThan(5);
    expect(rank).toBeLessThan(20);
  });

  it('are one zero where all vectors are', () => {
    const { coordinates, rank } = spanCoordinates(new Float32Array(4 * 5), 4, 5, 3);
    expect([rank, ...coordinates]).toEqual([1, 0, 0, 0, 0]);
  });
});
