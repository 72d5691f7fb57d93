import type { Bands, Samples } from '../raster/bands.ts';

/** How four pixels become one: their mean for measurements, the most frequent value for classes. */
export type Reduction = 'average' | 'mode';

/**
 * The bands at half their size, rounded up, in the same sample types. Two by two pixels become one; invalid ones take no
 * part, and a pixel is valid where any of its four is. Means of whole numbers round to the nearest, halves to even, so
 * that repeated halving drifts nowhere. The most frequent value is the earliest in reading order where several are.
 */
export function halve(bands: Bands, reduction: Reduction): Bands {
  const width = Math.ceil(bands.width / 2);
  const height = Math.ceil(bands.height / 2);
  const valid = new Uint8Array(width * height);
  for (let row = 0; row < bands.height; row++) {
    const from = row * bands.width;
    const to = (row >> 1) * width;
    for (let column = 0; column < bands.width; column++) {
      if (bands.valid[from + column] !== 0) valid[to + (column >> 1)] = 1;
    }
  }
  const planes = bands.planes.map((plane) => {
    const half = new (plane.constructor as new (length: number) => Samples)(width * height);
    if (reduction === 'mode') takeMode(plane, bands, half, width);
    else
      takeMean(plane, bands, half, width, !(plane instanceof Float32Array || plane instanceof Float64Array));
    return half;
  });
  return { width, height, planes, valid };
}

function takeMean(plane: Samples, bands: Bands, half: Samples, width: number, whole: boolean): void {
  const { valid } = bands;
  const stride = bands.width;
  for (let row = 0; row < bands.height; row += 2) {
    const below = row + 1 < bands.height;
    const to = (row >> 1) * width;
    for (let column = 0; column < stride; column += 2) {
      const at = row * stride + column;
      const beside = column + 1 < stride;
      let sum = 0;
      let count = 0;
      if (valid[at] !== 0) {
        sum += plane[at]!;
        count++;
      }
      if (beside && valid[at + 1] !== 0) {
        sum += plane[at + 1]!;
        count++;
      }
      if (below && valid[at + stride] !== 0) {
        sum += plane[at + stride]!;
        count++;
      }
      if (below && beside && valid[at + stride + 1] !== 0) {
        sum += plane[at + stride + 1]!;
        count++;
      }
      if (count > 0) half[to + (column >> 1)] = whole ? toNearest(sum / count) : sum / count;
    }
  }
}

function toNearest(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}

function takeMode(plane: Samples, bands: Bands, half: Samples, width: number): void {
  const { valid } = bands;
  const stride = bands.width;
  for (let row = 0; row < bands.height; row += 2) {
    const to = (row >> 1) * width;
    for (let column = 0; column < stride; column += 2) {
      const at = row * stride + column;
      let best = 0;
      let most = 0;
      for (let candidate = 0; candidate < 4; candidate++) {
        const place = member(bands, at, row, column, candidate);
        if (place < 0 || valid[place] === 0) continue;
        let votes = 0;
        for (let other = 0; other < 4; other++) {
          const rival = member(bands, at, row, column, other);
          if (rival >= 0 && valid[rival] !== 0 && plane[rival] === plane[place]) votes++;
        }
        if (votes > most) {
          most = votes;
          best = plane[place]!;
        }
      }
      half[to + (column >> 1)] = best;
    }
  }
}

/** Index of one of the four pixels in reading order, or -1 outside the raster. */
function member(bands: Bands, at: number, row: number, column: number, which: number): number {
  const across = which & 1;
  const down = which >> 1;
  if (column + across >= bands.width || row + down >= bands.height) return -1;
  return at + down * bands.width + across;
}
