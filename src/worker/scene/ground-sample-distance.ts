import { applyAffine } from '../raster/affine.ts';
import { spheroid, toOwnGeographic } from '../raster/crs.ts';
import type { Grid } from '../raster/grid.ts';

/**
 * Ground size of a pixel in metres: the geometric mean of both axes at the scene's centre, measured on the system's own
 * spheroid; null without a CRS, and for systems that are neither projected nor geographic.
 */
export function groundSampleDistance(grid: Grid): number | null {
  const { crs, transform } = grid;
  if (crs === null || crs.kind === 'other') return null;
  const nominal =
    Math.sqrt(Math.abs(transform[1] * transform[5] - transform[2] * transform[4])) * crs.metresPerUnit;
  const offset = offsetOnGround(grid);
  if (offset === null) return crs.kind === 'projected' && nominal > 0 ? nominal : null;
  const metres = Math.sqrt(Math.hypot(...offset(1, 0)) * Math.hypot(...offset(0, 1)));
  if (Number.isFinite(metres) && metres > 0) return metres;
  return crs.kind === 'projected' && nominal > 0 ? nominal : null;
}

/**
 * Metres east and north that so many columns and rows make at the grid's centre; null without a CRS, or with one that
 * cannot be brought to longitude and latitude.
 */
export function groundOffset(grid: Grid, columns: number, rows: number): [number, number] | null {
  const found = offsetOnGround(grid)?.(columns, rows) ?? null;
  return found?.every(Number.isFinite) ? found : null;
}

function offsetOnGround(grid: Grid): ((columns: number, rows: number) => [number, number]) | null {
  const { crs, transform } = grid;
  const project = crs === null ? null : toOwnGeographic(crs);
  if (crs === null || project === null) return null;
  const column = grid.width / 2;
  const row = grid.height / 2;
  const { semiMajorAxis, eccentricitySquared } = spheroid(crs);
  const [longitude, latitude] = project(...applyAffine(transform, column, row));
  const sine = Math.sin((latitude * Math.PI) / 180);
  const w = Math.sqrt(1 - eccentricitySquared * sine * sine);
  // Metres per degree: radius of the parallel, and of curvature along the meridian.
  const perLongitude = ((semiMajorAxis / w) * Math.sqrt(1 - sine * sine) * Math.PI) / 180;
  const perLatitude = ((semiMajorAxis * (1 - eccentricitySquared)) / w ** 3) * (Math.PI / 180);
  return (columns, rows) => {
    const [x, y] = project(...applyAffine(transform, column + columns, row + rows));
    // Steps across the antimeridian differ by 360°.
    const east = ((((x - longitude) % 360) + 540) % 360) - 180;
    return [east * perLongitude, (y - latitude) * perLatitude];
  };
}
