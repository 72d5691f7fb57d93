import geographiclib from 'geographiclib-geodesic';
import { type Crs, spheroid, toOwnGeographic } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';

/**
 * Metres along a line (x, y in turn) and, if it is closed, along its last side and square metres inside: on the
 * system's own ellipsoid, along geodesics (Karney 2013). Plain pixels without a system.
 */
export function measureOnEllipsoid(
  crs: Crs | null,
  line: ArrayLike<number>,
  closed: boolean,
): { length: number; area: number | null } {
  const points = line.length >> 1;
  if (crs === null) return measureInPlane(line, points, closed);
  const toDegrees = toOwnGeographic(crs);
  if (!toDegrees)
    throw new Problem(
      'crs/no-projection',
      `Nothing can be measured in ${crs.name}.`,
      'Choose another reference system for the project.',
    );
  const { semiMajorAxis, eccentricitySquared } = spheroid(crs);
  const flattening = 1 - Math.sqrt(1 - eccentricitySquared);
  const geodesic = new geographiclib.Geodesic.Geodesic(semiMajorAxis, flattening);
  const polygon = geodesic.Polygon(!closed);
  for (let i = 0; i < points; i++) {
    const [longitude, latitude] = toDegrees(line[2 * i]!, line[2 * i + 1]!);
    if (!Number.isFinite(longitude) || !Number.isFinite(latitude))
      throw new Problem('crs/outside', 'A point lies outside the reference system.', 'Measure elsewhere.');
    polygon.AddPoint(latitude, longitude);
  }
  const { perimeter, area } = polygon.Compute(false, true);
  return { length: perimeter, area: closed ? Math.abs(area ?? 0) : null };
}

function measureInPlane(line: ArrayLike<number>, points: number, closed: boolean) {
  let length = 0;
  let doubleArea = 0;
  for (let i = 0; i < points; i++) {
    const next = (i + 1) % points;
    if (next === 0 && !closed) break;
    const [x, y] = [line[2 * i]!, line[2 * i + 1]!];
    const [toX, toY] = [line[2 * next]!, line[2 * next + 1]!];
    length += Math.hypot(toX - x, toY - y);
    doubleArea += x * toY - toX * y;
  }
  return { length, area: closed ? Math.abs(doubleArea) / 2 : null };
}
