import type { Crs } from './crs.ts';

/**
 * Affine geotransform in GDAL's order: x = t[0] + column·t[1] + row·t[2]; y = t[3] + column·t[4] + row·t[5],
 * with (column, row) at pixel corners. It may be rotated or south-up.
 */
export type Affine = readonly [number, number, number, number, number, number];

/** Where pixels lie. Without georeference, `transform` is pixel coordinates (y downwards negative) and `crs` null. */
export interface Grid {
  /** Columns, pixels. */
  width: number;
  /** Rows, pixels. */
  height: number;
  transform: Affine;
  crs: Crs | null;
}

/** The transform of an image without georeference: x to the right, y up, the image below y = 0. */
export const pixelTransform: Affine = [0, 1, 0, 0, 0, -1];

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
