import type { Crs } from '../raster/crs.ts';
import { type Affine, pixelTransform } from '../raster/grid.ts';
import { crsFromGeoKeys } from './geokeys.ts';
import type { TiffTags } from './tiff-file.ts';
import { readProjectionFile, readWorldFile } from './world-file.ts';

export interface Georeference {
  transform: Affine;
  crs: Crs | null;
  /** What `info` says about it where it is not a plain transform. */
  note: string | null;
}

const rasterPixelIsPoint = 2;

/**
 * The transform and system of a TIFF from its tags (OGC 19-008r4 annex B), else from a world file and .prj beside it.
 * Ground control points alone give pixel coordinates and a note.
 */
export async function georeferenceOf(tags: TiffTags, path: string): Promise<Georeference> {
  const crs = tags.geoKeys === null ? null : crsFromGeoKeys(tags.geoKeys);
  const inFile = transformOf(tags);
  if (inFile !== null) return { transform: inFile, crs, note: null };
  const points = tags.tiePoints === null ? 0 : Math.floor(tags.tiePoints.length / 6);
  const beside = await readWorldFile(path);
  if (beside !== null) {
    return { transform: beside, crs: crs ?? (await readProjectionFile(path)), note: 'from the world file' };
  }
  const note =
    points > 1
      ? `${points} ground control points, not applied: pixel coordinates`
      : 'none: pixel coordinates';
  return { transform: pixelTransform, crs: null, note };
}

function transformOf(tags: TiffTags): Affine | null {
  const { pixelScale, tiePoints, transformation } = tags;
  let transform: Affine | null = null;
  if (pixelScale !== null && pixelScale.length >= 2 && tiePoints !== null && tiePoints.length >= 6) {
    const [scaleX, scaleY] = pixelScale as [number, number];
    const [column, row, , x, y] = tiePoints as [number, number, number, number, number];
    if (scaleX !== 0 && scaleY !== 0) {
      const stepY = -Math.abs(scaleY);
      transform = [x - column * scaleX, scaleX, 0, y - row * stepY, 0, stepY];
    }
  }
  if (transform === null && transformation !== null && transformation.length >= 8) {
    const m = transformation as number[];
    transform = [m[3]!, m[0]!, m[1]!, m[7]!, m[4]!, m[5]!];
  }
  if (transform === null || transform.some((value) => !Number.isFinite(value))) return null;
  if (transform[1] * transform[5] === transform[2] * transform[4]) return null;
  // The tie point of a point raster is a pixel's centre.
  if (tags.geoKeys?.GTRasterTypeGeoKey === rasterPixelIsPoint) {
    const [, a, b, , d, e] = transform;
    transform = [transform[0] - (a + b) / 2, a, b, transform[3] - (d + e) / 2, d, e];
  }
  return transform;
}

/** The georeference of a plain image: a world file in pixels, and a .prj, where they lie beside it. */
export async function georeferenceBeside(path: string): Promise<Georeference> {
  const transform = await readWorldFile(path);
  if (transform === null) return { transform: pixelTransform, crs: null, note: 'none: pixel coordinates' };
  return { transform, crs: await readProjectionFile(path), note: 'from the world file' };
}
