import { applyAffine } from '../raster/affine.ts';
import type { Grid, Window } from '../raster/grid.ts';
import type { FinishedStrip } from './segment.ts';

/** A part of a reduced picture of a run's class map: `[height · width]` each, at its place in the picture. */
export interface PicturePart extends Window {
  /** Class ids; those above 255 have no room and become 0. */
  classes: Uint8Array<ArrayBuffer>;
  confidence: Uint8Array<ArrayBuffer>;
}

/** How many pixels along each axis one of the picture's stands for, so that no side is longer than `longest`. */
export function reductionFor(width: number, height: number, longest: number): number {
  return Math.max(1, Math.ceil(Math.max(width, height) / longest));
}

/** Size and place of the reduced picture of a region of a grid. */
export function reducedGrid({ transform, crs }: Grid, region: Window, longest: number): Grid {
  const factor = reductionFor(region.width, region.height, longest);
  const size = (length: number) => Math.max(1, Math.ceil((length - (factor >> 1)) / factor));
  const [x, y] = applyAffine(transform, region.column, region.row);
  const [, xColumn, xRow, , yColumn, yRow] = transform;
  return {
    width: size(region.width),
    height: size(region.height),
    transform: [x, xColumn * factor, xRow * factor, y, yColumn * factor, yRow * factor],
    crs,
  };
}

/** The strip's part of the picture: of each `factor` × `factor` pixels the one in the middle. Null where it has none. */
export function reduceStrip(strip: FinishedStrip, factor: number): PicturePart | null {
  const middle = factor >> 1;
  const first = (start: number) => Math.max(0, Math.ceil((start - middle) / factor));
  const column = first(strip.column);
  const row = first(strip.row);
  const width = first(strip.column + strip.width) - column;
  const height = first(strip.row + strip.height) - row;
  if (width <= 0 || height <= 0) return null;
  const classes = new Uint8Array(width * height);
  const confidence = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = ((row + y) * factor + middle - strip.row) * strip.width - strip.column + middle;
    for (let x = 0; x < width; x++) {
      const at = from + (column + x) * factor;
      const id = strip.classes[at]!;
      classes[y * width + x] = id > 255 ? 0 : id;
      confidence[y * width + x] = strip.confidence[at]!;
    }
  }
  return { column, row, width, height, classes, confidence };
}
