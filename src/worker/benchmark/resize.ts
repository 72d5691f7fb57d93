import type { ColourImage } from '../evaluate/baseline.ts';

/** Bits of an interpolation weight in OpenCV's resizing of bytes. */
const weightBits = 11;
const one = 1 << weightBits;

/**
 * The picture with its long side at `longSide` pixels and its proportions kept, enlarged or reduced: bilinear between
 * pixel centres without smoothing, in the integer arithmetic of OpenCV, which the papers' figures rest on (mmcv's
 * `imrescale`).
 */
export function resizeLongSide(picture: ColourImage, longSide: number): ColourImage {
  const scale = longSide / Math.max(picture.width, picture.height);
  const width = Math.max(1, Math.floor(picture.width * scale + 0.5));
  const height = Math.max(1, Math.floor(picture.height * scale + 0.5));
  if (width === picture.width && height === picture.height) return picture;
  const columns = samplePoints(picture.width, width);
  const rows = samplePoints(picture.height, height);
  const pixels = new Uint8Array(3 * width * height);
  let upper = new Int32Array(3 * width);
  let lower = new Int32Array(3 * width);
  let upperRow = -1;
  let lowerRow = -1;
  for (let row = 0, at = 0; row < height; row++) {
    const first = rows.first[row]!;
    const second = Math.min(first + 1, picture.height - 1);
    if (first !== upperRow) {
      [upper, lower] = [lower, upper];
      [upperRow, lowerRow] = [lowerRow, upperRow];
      if (first !== upperRow) {
        interpolateRow(picture, first, columns, upper);
        upperRow = first;
      }
    }
    if (second !== lowerRow) {
      interpolateRow(picture, second, columns, lower);
      lowerRow = second;
    }
    const down = rows.weight[row]!;
    const up = one - down;
    for (let i = 0; i < 3 * width; i++, at++) {
      pixels[at] = (((up * (upper[i]! >> 4)) >> 16) + ((down * (lower[i]! >> 4)) >> 16) + 2) >> 2;
    }
  }
  return { width, height, pixels };
}

/** The pixel before each target pixel's centre and the weight of the one after it, in units of 1 / 2048. */
function samplePoints(size: number, target: number): { first: Int32Array; weight: Int32Array } {
  const first = new Int32Array(target);
  const weight = new Int32Array(target);
  const scale = size / target;
  for (let i = 0; i < target; i++) {
    const position = (i + 0.5) * scale - 0.5;
    const before = Math.floor(position);
    if (before < 0) continue;
    first[i] = Math.min(before, size - 1);
    weight[i] = before >= size - 1 ? 0 : Math.round((position - before) * one);
  }
  return { first, weight };
}

/** One row of the picture at the target's columns, times 2048. */
function interpolateRow(
  { width, pixels }: ColourImage,
  row: number,
  { first, weight }: { first: Int32Array; weight: Int32Array },
  out: Int32Array,
): void {
  const start = 3 * row * width;
  for (let column = 0, at = 0; column < first.length; column++) {
    const left = start + 3 * first[column]!;
    const after = weight[column]!;
    const right = after > 0 ? left + 3 : left;
    for (let band = 0; band < 3; band++, at++) {
      out[at] = (one - after) * pixels[left + band]! + after * pixels[right + band]!;
    }
  }
}
