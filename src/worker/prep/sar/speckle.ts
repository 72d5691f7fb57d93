import { localStatistics, type Padded } from './local-statistics.ts';
import type { SpeckleSettings } from './recipe.ts';
import { refinedLee } from './refined-lee.ts';
import { gammaMap, lee, type SpeckleRule } from './speckle-rules.ts';

/** Pixels around a pixel that its filtered value depends on. */
export function speckleRadius(settings: SpeckleSettings): number {
  if (settings.filter === 'none') return 0;
  return settings.filter === 'refined-lee' ? 3 : (settings.side - 1) / 2;
}

/**
 * Filtered power without the margin of `speckleRadius` pixels, `[height - 2r, width - 2r]`; invalid pixels take no part
 * and keep their value.
 */
export function filterSpeckle(padded: Padded, settings: SpeckleSettings): Float64Array {
  switch (settings.filter) {
    case 'none':
      return padded.values.slice();
    case 'boxcar':
      return adapt(padded, speckleRadius(settings), (_, mean) => mean);
    case 'lee':
      return adapt(padded, speckleRadius(settings), lee(1 / settings.looks));
    case 'refined-lee':
      return refinedLee(padded, settings.looks);
    case 'frost':
      return frost(padded, speckleRadius(settings), settings.damping);
    case 'gamma-map':
      return adapt(padded, speckleRadius(settings), gammaMap(settings.looks));
  }
}

function adapt(padded: Padded, radius: number, rule: SpeckleRule): Float64Array {
  const { mean, variance, count } = localStatistics(padded, radius);
  const across = padded.width - 2 * radius;
  const result = new Float64Array(mean.length);
  for (let at = 0; at < result.length; at++) {
    const column = at % across;
    const from = ((at - column) / across + radius) * padded.width + column + radius;
    const value = padded.values[from]!;
    result[at] = padded.valid[from] === 0 ? value : rule(value, mean[at]!, variance[at]!, count[at]!);
  }
  return result;
}

/**
 * Weights that fall with the distance d as exp(-damping · (σ/μ)² · d), σ and μ of the window: V. S. Frost et al., "A model
 * for radar images and its application to adaptive digital filtering of multiplicative noise", IEEE PAMI 4(2), 1982.
 */
function frost(padded: Padded, radius: number, damping: number): Float64Array {
  const { mean, variance } = localStatistics(padded, radius);
  const { width, values, valid } = padded;
  const across = width - 2 * radius;
  const side = 2 * radius + 1;
  const distinct = [...new Set(squares(side, radius))].sort((a, b) => a - b);
  const kindOf = Uint16Array.from(squares(side, radius), (square) => distinct.indexOf(square));
  const distances = Float64Array.from(distinct, Math.sqrt);
  const weights = new Float64Array(distances.length);
  const result = new Float64Array(mean.length);
  for (let at = 0; at < result.length; at++) {
    const column = at % across;
    const corner = ((at - column) / across) * width + column;
    const centre = corner + radius * width + radius;
    if (valid[centre] === 0) {
      result[at] = values[centre]!;
      continue;
    }
    const relative = mean[at]! === 0 ? 0 : variance[at]! / mean[at]! ** 2;
    for (let kind = 0; kind < weights.length; kind++)
      weights[kind] = Math.exp(-damping * relative * distances[kind]!);
    let whole = 0;
    let sum = 0;
    for (let row = 0, place = 0; row < side; row++) {
      for (let from = corner + row * width; from < corner + row * width + side; from++, place++) {
        if (valid[from] === 0) continue;
        const weight = weights[kindOf[place]!]!;
        whole += weight;
        sum += weight * values[from]!;
      }
    }
    result[at] = sum / whole;
  }
  return result;
}

/** Squared distance of each pixel of the square from its centre. */
function squares(side: number, radius: number): number[] {
  return Array.from({ length: side * side }, (_, place) => {
    const row = Math.floor(place / side) - radius;
    const column = (place % side) - radius;
    return row * row + column * column;
  });
}
