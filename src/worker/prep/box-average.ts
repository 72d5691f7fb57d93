import type { Samples } from '../raster/bands.ts';

/** Source pixels under each target pixel of one axis: pixels [first, last], of which the outer two are covered in part. */
export interface Coverage {
  first: Int32Array;
  last: Int32Array;
  /** Covered part of the first pixel (of the only one, where first = last) and of the last. */
  firstShare: Float64Array;
  lastShare: Float64Array;
}

/**
 * Coverage of target pixels [start, start + count), each `scale` ≥ 1 source pixels long, clipped to `size` source pixels.
 * It depends on the target's position alone, never on `start`.
 */
export function boxCoverage(start: number, count: number, scale: number, size: number): Coverage {
  const coverage: Coverage = {
    first: new Int32Array(count),
    last: new Int32Array(count),
    firstShare: new Float64Array(count),
    lastShare: new Float64Array(count),
  };
  for (let index = 0; index < count; index++) {
    const from = Math.min((start + index) * scale, size);
    const to = Math.min((start + index + 1) * scale, size);
    const first = Math.min(Math.floor(from), size - 1);
    const last = Math.max(first, Math.ceil(to) - 1);
    coverage.first[index] = first;
    coverage.last[index] = last;
    coverage.firstShare[index] = first === last ? to - from : first + 1 - from;
    coverage.lastShare[index] = first === last ? 0 : to - last;
  }
  return coverage;
}

/** Sums of a block of target pixels while source rows go by; `sums[band][target]`, `weights[target]` of valid area. */
export interface BoxSums {
  width: number;
  height: number;
  sums: Float64Array[];
  weights: Float64Array;
}

export function emptySums(width: number, height: number, bands: number): BoxSums {
  return {
    width,
    height,
    sums: Array.from({ length: bands }, () => new Float64Array(width * height)),
    weights: new Float64Array(width * height),
  };
}

/**
 * Adds source rows to the sums of the target rows they lie under. Each target pixel adds its own source pixels from left
 * to right and top to bottom, so that its sum is the same bit for bit however rows and columns are cut into blocks.
 * `planes` and `valid` hold `rows` rows of `stride` pixels from source (`column`, `row`).
 */
export function addRows(
  into: BoxSums,
  planes: readonly Samples[],
  valid: Uint8Array,
  column: number,
  row: number,
  rows: number,
  stride: number,
  across: Coverage,
  down: Coverage,
): void {
  const { width, height, sums, weights } = into;
  const rowWeights = new Float64Array(width);
  const rowSums = new Float64Array(width);
  const allValid = !valid.includes(0);
  // Target rows follow each other: those that end above this slab are passed for good.
  let firstTarget = 0;
  for (let source = row; source < row + rows; source++) {
    while (firstTarget < height && down.last[firstTarget]! < source) firstTarget++;
    const offset = (source - row) * stride - column;
    for (let band = -1; band < planes.length; band++) {
      if (band < 0) sumWeights(rowWeights, valid, offset, across, width);
      else if (allValid) sumAll(rowSums, planes[band]!, offset, across, width);
      else sumValid(rowSums, planes[band]!, valid, offset, across, width);
      const values = band < 0 ? rowWeights : rowSums;
      const target = band < 0 ? weights : sums[band]!;
      for (let y = firstTarget; y < height && down.first[y]! <= source; y++) {
        const share =
          source === down.first[y]! ? down.firstShare[y]! : source === down.last[y]! ? down.lastShare[y]! : 1;
        const base = y * width;
        for (let x = 0; x < width; x++) target[base + x] = target[base + x]! + share * values[x]!;
      }
    }
  }
}

function sumWeights(
  out: Float64Array,
  valid: Uint8Array,
  offset: number,
  across: Coverage,
  width: number,
): void {
  const { first, last, firstShare, lastShare } = across;
  for (let x = 0; x < width; x++) {
    const end = last[x]!;
    let at = first[x]!;
    let sum = valid[offset + at]! * firstShare[x]!;
    if (end > at) {
      for (at++; at < end; at++) sum += valid[offset + at]!;
      sum += valid[offset + end]! * lastShare[x]!;
    }
    out[x] = sum;
  }
}

function sumAll(out: Float64Array, plane: Samples, offset: number, across: Coverage, width: number): void {
  const { first, last, firstShare, lastShare } = across;
  for (let x = 0; x < width; x++) {
    const end = last[x]!;
    let at = first[x]!;
    let sum = plane[offset + at]! * firstShare[x]!;
    if (end > at) {
      for (at++; at < end; at++) sum += plane[offset + at]!;
      sum += plane[offset + end]! * lastShare[x]!;
    }
    out[x] = sum;
  }
}

function sumValid(
  out: Float64Array,
  plane: Samples,
  valid: Uint8Array,
  offset: number,
  across: Coverage,
  width: number,
): void {
  const { first, last, firstShare, lastShare } = across;
  for (let x = 0; x < width; x++) {
    const end = last[x]!;
    let at = first[x]!;
    // Never multiply an invalid sample by 0: it may be NaN.
    let sum = valid[offset + at] === 1 ? plane[offset + at]! * firstShare[x]! : 0;
    if (end > at) {
      for (at++; at < end; at++) if (valid[offset + at] === 1) sum += plane[offset + at]!;
      if (valid[offset + end] === 1) sum += plane[offset + end]! * lastShare[x]!;
    }
    out[x] = sum;
  }
}
