import type { BasisSample } from './basis.ts';

/**
 * Directions in which a scene's pixel features differ: normalised upsampled features, averaged over windows. What every
 * later prompt needs of a pixel are its coordinates along them, since similarity with a word is linear in the feature.
 */
export interface PixelBasis {
  /** Length of a feature. */
  size: number;
  rank: number;
  /** `[size]`. */
  mean: Float32Array;
  /** `[rank, size]`, orthonormal rows, the largest variance first. */
  directions: Float32Array;
  /** What storing rounds coordinates to; `levelUnit` at least. */
  step: number;
}

/** Coordinates in memory are whole multiples of it: unit vectors differ by 2 at most. */
export const levelUnit = 2 / 32767;

/** More are never kept: they would take the time that coordinates save. */
export const largestRank = 96;

/** Root of the features' whole variance: what steps are measured by. */
export function spreadOf(variances: Float64Array): number {
  return Math.sqrt(variances.reduce((sum, variance) => sum + variance, 0));
}

/**
 * The directions worth keeping for a step, by reverse water-filling: those whose variance exceeds the rounding's own,
 * step²/12. Leaving out another costs no more than rounding one that is kept. `step` is that share of the features' spread.
 */
export function choosePixelBasis(
  { size, mean, directions, variances }: ReturnType<BasisSample['spectrum']>,
  share: number,
): PixelBasis {
  const step = Math.max(levelUnit, share * spreadOf(variances));
  let rank = 1;
  while (rank < Math.min(size, largestRank) && variances[rank]! > (step * step) / 12) rank++;
  return { size, rank, mean, directions: directions.slice(0, rank * size), step };
}
