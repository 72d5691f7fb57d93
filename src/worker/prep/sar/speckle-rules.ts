/** A pixel's new value from its own and the mean and variance of the `count` pixels around it. */
export type SpeckleRule = (value: number, mean: number, variance: number, count: number) => number;

/**
 * Least mean square error under multiplicative speckle of relative variance `speckleVariance` = 1 / looks: J.-S. Lee,
 * "Digital image enhancement and noise filtering by use of local statistics", IEEE PAMI 2(2), 1980.
 */
export function lee(speckleVariance: number): SpeckleRule {
  return (value, mean, variance) => {
    if (variance === 0) return mean;
    const scene = Math.max(0, (variance - mean * mean * speckleVariance) / (1 + speckleVariance));
    return mean + (scene / variance) * (value - mean);
  };
}

/**
 * Maximum a posteriori for gamma-distributed scene and speckle: A. Lopes, E. Nezry, R. Touzi, H. Laur, "Structure
 * detection and statistical adaptive speckle filtering in SAR images", Int. J. Remote Sensing 14(9), 1993, eq. 13. The
 * mean where the window varies no more than speckle alone, the pixel itself where its σ/μ is √2 times larger. Unlike the
 * paper, one standard deviation of the measured variance counts as speckle still: the mode lies below the mean, and
 * homogeneous ground would come out 1.5 % too dark.
 */
export function gammaMap(looks: number): SpeckleRule {
  const speckle = 1 / looks;
  const kurtosis = 2 + 6 / looks;
  return (value, mean, variance, count) => {
    if (mean <= 0) return mean;
    const relative = variance / (mean * mean);
    if (relative <= speckle * (1 + Math.sqrt(kurtosis / count))) return mean;
    if (relative >= 2 * speckle) return value;
    const alpha = (1 + speckle) / (relative - speckle);
    const b = alpha - looks - 1;
    const root = mean * mean * b * b + 4 * alpha * looks * value * mean;
    return root < 0 ? mean : (b * mean + Math.sqrt(root)) / (2 * alpha);
  };
}
