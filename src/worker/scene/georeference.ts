import { type Affine, applyAffine, pixelTransform } from '../raster/affine.ts';
import { type Crs, spheroid } from '../raster/crs.ts';
import {
  bestAffine,
  type GroundControl,
  type GroundControlPoint,
  groundControlOf,
  groundMapping,
  misfit,
} from '../raster/ground-control.ts';
import { crsFromGeoKeys } from './geokeys.ts';
import type { TiffTags } from './tiff-file.ts';
import { readProjectionFile, readWorldFile } from './world-file.ts';

export interface Georeference {
  transform: Affine;
  crs: Crs | null;
  /** What `info` says about it where it is not a plain transform. */
  note: string | null;
  groundControl?: GroundControl;
}

const rasterPixelIsPoint = 2;

/**
 * The transform and system of a TIFF from its tags (OGC 19-008r4 annex B), else from a world file and .prj beside it.
 * Ground control points alone give their best affine fit, the points themselves, and a note with the fit's error.
 */
export async function georeferenceOf(tags: TiffTags, path: string): Promise<Georeference> {
  const crs = tags.geoKeys === null ? null : crsFromGeoKeys(tags.geoKeys);
  const inFile = transformOf(tags);
  if (inFile !== null) return { transform: inFile, crs, note: null };
  const beside = await readWorldFile(path);
  if (beside !== null) {
    return { transform: beside, crs: crs ?? (await readProjectionFile(path)), note: 'from the world file' };
  }
  const points = pointsOf(tags);
  if (points.length > 1 && crs !== null) {
    const placed = placeByPoints(points, crs);
    if (placed !== null) return placed;
  }
  const note =
    points.length > 1
      ? `${points.length} ground control points, not usable: pixel coordinates`
      : 'none: pixel coordinates';
  return { transform: pixelTransform, crs: null, note };
}

/** The georeference that ground control points give; null where they determine none. */
export function placeByPoints(points: readonly GroundControlPoint[], crs: Crs): Georeference | null {
  const groundControl = groundControlOf(points, crs.kind === 'geographic');
  if (groundControl === null) return null;
  const transform = bestAffine(groundControl.points);
  if (!(Math.abs(transform[1] * transform[5] - transform[2] * transform[4]) > 0)) return null;
  const apart = (map: (column: number, row: number) => readonly [number, number]): string =>
    distanceText(misfit(groundControl.points, map).worst, crs);
  const method =
    groundControl.method === 'grid'
      ? 'bilinear between them'
      : `polynomial of order ${groundControl.order}, at most ${apart(groundMapping(groundControl).toGround)} off`;
  const fit = apart((column, row) => applyAffine(transform, column, row));
  return {
    transform,
    crs,
    groundControl,
    note: `${points.length} ground control points, ${method}; the transform is their best fit, at most ${fit} off`,
  };
}

/** A distance in units of the system as metres on the ground, to two digits; degrees count as those of a meridian. */
function distanceText(distance: number, crs: Crs): string {
  const metresPerUnit =
    crs.kind === 'geographic' ? (spheroid(crs).semiMajorAxis * Math.PI) / 180 : crs.metresPerUnit;
  return `${Number((distance * metresPerUnit).toPrecision(2))} m`;
}

/** Most points that are used: more is no grid of ground control that we know of. */
const mostPoints = 65_536;

function pointsOf(tags: TiffTags): GroundControlPoint[] {
  const { tiePoints } = tags;
  if (tiePoints === null || tiePoints.length / 6 > mostPoints) return [];
  // The points of a point raster name pixel centres by whole numbers.
  const shift = tags.geoKeys?.GTRasterTypeGeoKey === rasterPixelIsPoint ? 0.5 : 0;
  const points: GroundControlPoint[] = [];
  for (let at = 0; at + 6 <= tiePoints.length; at += 6) {
    points.push([tiePoints[at]! + shift, tiePoints[at + 1]! + shift, tiePoints[at + 3]!, tiePoints[at + 4]!]);
  }
  return points;
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
