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
    const second = rows.second[row]!;
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

/** The pixels around each target pixel's centre, and the second one's weight in units of 1 / 2048. */
interface SamplePoints {
  first: Int32Array;
  second: Int32Array;
  weight: Int32Array;
}

/** Positions in single precision, as OpenCV computes them; beyond the border both pixels are the border's. */
function samplePoints(size: number, target: number): SamplePoints {
  const first = new Int32Array(target);
  const second = new Int32Array(target);
  const weight = new Int32Array(target);
  const scale = 1 / (target / size);
  for (let i = 0; i < target; i++) {
    const position = Math.fround((i + 0.5) * scale - 0.5);
    const before = Math.floor(position);
    first[i] = Math.max(0, Math.min(before, size - 1));
    second[i] = Math.min(before + 1, size - 1);
    weight[i] = roundHalfEven(Math.fround(position - before) * one);
  }
  return { first, second, weight };
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + (below & 1) : Math.round(value);
}

/** One row of the picture at the target's columns, times 2048. */
function interpolateRow(
  { width, pixels }: ColourImage,
  row: number,
  { first, second, weight }: SamplePoints,
  out: Int32Array,
): void {
  const start = 3 * row * width;
  for (let column = 0, at = 0; column < first.length; column++) {
    const left = start + 3 * first[column]!;
    const right = start + 3 * second[column]!;
    const after = weight[column]!;
    for (let band = 0; band < 3; band++, at++) {
      out[at] = (one - after) * pixels[left + band]! + after * pixels[right + band]!;
    }
  }
}
