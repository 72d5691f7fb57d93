/**
 * Affine geotransform in GDAL's order: x = t[0] + column·t[1] + row·t[2]; y = t[3] + column·t[4] + row·t[5],
 * with (column, row) at pixel corners. It may be rotated or south-up.
 */
export type Affine = readonly [number, number, number, number, number, number];

/** The transform of an image without georeference: x to the right, y up, the image below y = 0. */
export const pixelTransform: Affine = [0, 1, 0, 0, 0, -1];

/** Coordinates of the point at fractional (column, row); whole numbers are pixel corners. */
export function applyAffine(transform: Affine, column: number, row: number): [number, number] {
  return [
    transform[0] + column * transform[1] + row * transform[2],
    transform[3] + column * transform[4] + row * transform[5],
  ];
}

/** The affine that takes coordinates back to fractional columns and rows. Throws for a transform without an inverse. */
export function invertAffine(transform: Affine): Affine {
  const [x0, xColumn, xRow, y0, yColumn, yRow] = transform;
  const determinant = xColumn * yRow - xRow * yColumn;
  if (!Number.isFinite(determinant) || determinant === 0)
    throw new RangeError(`no inverse of ${transform.join(' ')}`);
  const a = yRow / determinant;
  const b = -xRow / determinant;
  const c = -yColumn / determinant;
  const d = xColumn / determinant;
  return [-(a * x0 + b * y0), a, b, -(c * x0 + d * y0), c, d];
}

/** The transform of a grid whose pixels are `scaleX` by `scaleY` of these pixels, with the same corner. */
export function scaleAffine(transform: Affine, scaleX: number, scaleY: number): Affine {
  return [
    transform[0],
    transform[1] * scaleX,
    transform[2] * scaleY,
    transform[3],
    transform[4] * scaleX,
    transform[5] * scaleY,
  ];
}

/** Whether the transform is the one of an image without georeference. */
export function isPixelTransform(transform: Affine): boolean {
  return transform.every((value, index) => value === pixelTransform[index]);
}
