import { localStatistics, type Padded } from './local-statistics.ts';
import { lee } from './speckle-rules.ts';

const radius = 3;
const side = 7;
/**
 * Edges are looked for where the window varies this much more than speckle alone: about two standard deviations of the
 * variance of 49 pixels of 4.4 looks. Elsewhere the whole window serves.
 */
const edgeVariance = 1.5;

/** Of the eight half windows, the pixels that belong to each, the line through the centre included. */
const halves: readonly ((row: number, column: number) => boolean)[] = [
  (_, column) => column <= 0,
  (_, column) => column >= 0,
  (row) => row <= 0,
  (row) => row >= 0,
  (row, column) => column - row >= 0,
  (row, column) => column - row <= 0,
  (row, column) => column + row <= 0,
  (row, column) => column + row >= 0,
];
/** Offsets in the 7 × 7 window of the pixels of each half. */
const halfPlaces = halves.map((inside) => {
  const places: number[] = [];
  for (let row = -radius; row <= radius; row++)
    for (let column = -radius; column <= radius; column++)
      if (inside(row, column)) places.push((row + radius) * side + column + radius);
  return Uint8Array.from(places);
});

/**
 * Lee's filter in 7 × 7 windows, at edges in the half on the pixel's own side: J.-S. Lee, "Refined filtering of image
 * noise using local statistics", Computer Graphics and Image Processing 15, 1981. The edge's direction is the steepest
 * among the means of the window's nine 3 × 3 parts; the side is the one whose part is closest to the middle part.
 */
export function refinedLee(padded: Padded, looks: number): Float64Array {
  const { width, values, valid } = padded;
  const rule = lee(1 / looks);
  const whole = localStatistics(padded, radius);
  // Means of 3 × 3 around every pixel but the outermost ring.
  const parts = localStatistics(padded, 1).mean;
  const partsWidth = width - 2;
  const across = width - 2 * radius;
  const result = new Float64Array(whole.mean.length);
  for (let at = 0; at < result.length; at++) {
    const column = at % across;
    const row = (at - column) / across;
    const corner = row * width + column;
    const centre = corner + radius * width + radius;
    const value = values[centre]!;
    const mean = whole.mean[at]!;
    const variance = whole.variance[at]!;
    if (valid[centre] === 0) {
      result[at] = value;
      continue;
    }
    if (variance * looks <= edgeVariance * mean * mean) {
      result[at] = rule(value, mean, variance, whole.count[at]!);
      continue;
    }
    const half =
      halfPlaces[sideOf(parts, (row + radius - 1) * partsWidth + column + radius - 1, partsWidth)]!;
    let count = 0;
    let sum = 0;
    let sumOfSquares = 0;
    for (let index = 0; index < half.length; index++) {
      const place = half[index]!;
      const from = corner + Math.floor(place / side) * width + (place % side);
      if (valid[from] === 0) continue;
      count++;
      sum += values[from]!;
      sumOfSquares += values[from]! ** 2;
    }
    const halfVariance = count > 1 ? Math.max(0, (sumOfSquares - (sum * sum) / count) / (count - 1)) : 0;
    result[at] = rule(value, sum / count, halfVariance, count);
  }
  return result;
}

/** Index into `halves` of the half window on the centre's side of the steepest edge. */
function sideOf(parts: Float64Array, centre: number, width: number): number {
  const above = centre - 2 * width;
  const below = centre + 2 * width;
  const a = parts[above - 2]!;
  const b = parts[above]!;
  const c = parts[above + 2]!;
  const d = parts[centre - 2]!;
  const e = parts[centre]!;
  const f = parts[centre + 2]!;
  const g = parts[below - 2]!;
  const h = parts[below]!;
  const i = parts[below + 2]!;
  const steps = [c + f + i - a - d - g, g + h + i - a - b - c, b + c + f - d - g - h, a + b + d - f - h - i];
  let steepest = 0;
  for (let direction = 1; direction < 4; direction++)
    if (Math.abs(steps[direction]!) > Math.abs(steps[steepest]!)) steepest = direction;
  const [one, other] = (
    [
      [d, f],
      [b, h],
      [c, g],
      [a, i],
    ] as const
  )[steepest]!;
  return 2 * steepest + (Math.abs(one - e) <= Math.abs(other - e) ? 0 : 1);
}
