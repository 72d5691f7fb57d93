import type { Affine } from './affine.ts';
import type { Crs } from './crs.ts';
import type { GroundControl } from './ground-control.ts';

/** Where pixels lie. Without georeference, `transform` is pixel coordinates (y downwards negative) and `crs` null. */
export interface Grid {
  /** Columns, pixels. */
  width: number;
  /** Rows, pixels. */
  height: number;
  transform: Affine;
  crs: Crs | null;
  /** Where the raster has ground control points instead of a transform: the exact way; `transform` is its best fit. */
  groundControl?: GroundControl;
}

/** Half-open rectangle of pixels: columns [column, column + width), rows [row, row + height). */
export interface Window {
  column: number;
  row: number;
  width: number;
  height: number;
}

/** The part of `window` inside a raster of the given size; width or height is 0 where nothing is left. */
export function clipWindow(window: Window, width: number, height: number): Window {
  const column = Math.min(Math.max(window.column, 0), width);
  const row = Math.min(Math.max(window.row, 0), height);
  return {
    column,
    row,
    width: Math.max(0, Math.min(window.column + window.width, width) - column),
    height: Math.max(0, Math.min(window.row + window.height, height) - row),
  };
}
