import { type Affine, applyAffine } from '../../worker/raster/affine.ts';
import { type Crs, type Transformer, transformer } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { Box } from '../rpc/base.ts';

/** Points along each side of a box whose image is sought: sides become curves. */
const pointsPerSide = 21;

/** From one system to another; null where either is pixels and the other is not, or no projection is known. */
export function between(from: Crs | null, to: Crs | null): Transformer | null {
  if (from === null || to === null) return from === to ? (x, y) => [x, y] : null;
  if (from.epsg !== null && from.epsg === to.epsg) return (x, y) => [x, y];
  return transformer(from, to);
}

/** As `between`; throws `crs/no-projection`. */
export function betweenOrThrow(from: Crs | null, to: Crs | null): Transformer {
  const project = between(from, to);
  if (project) return project;
  const name = (crs: Crs | null) => crs?.name ?? 'pixels';
  throw new Problem(
    'crs/no-projection',
    `Coordinates cannot be converted from ${name(from)} to ${name(to)}.`,
    'Choose another reference system, or assign one to the scene.',
  );
}

/** The box around a box's image; null where no part of it has one. */
export function projectBox(box: Readonly<Box>, project: Transformer): Box | null {
  const [left, bottom, right, top] = box;
  const points: [number, number][] = [];
  for (let i = 0; i < pointsPerSide; i++) {
    const share = i / (pointsPerSide - 1);
    const [x, y] = [left + share * (right - left), bottom + share * (top - bottom)];
    points.push([x, bottom], [x, top], [left, y], [right, y]);
  }
  points.push([(left + right) / 2, (bottom + top) / 2]);
  return boxAround(points.map(([x, y]) => project(x, y)));
}

/** The box around the image of a raster's outline. */
export function projectGrid(
  grid: { width: number; height: number; transform: Affine },
  project: Transformer,
): Box | null {
  const points: [number, number][] = [];
  for (let i = 0; i < pointsPerSide; i++) {
    const share = i / (pointsPerSide - 1);
    const [column, row] = [share * grid.width, share * grid.height];
    for (const at of [
      [column, 0],
      [column, grid.height],
      [0, row],
      [grid.width, row],
    ] as const)
      points.push(applyAffine(grid.transform, at[0], at[1]));
  }
  points.push(applyAffine(grid.transform, grid.width / 2, grid.height / 2));
  return boxAround(points.map(([x, y]) => project(x, y)));
}

function boxAround(points: readonly (readonly [number, number])[]): Box | null {
  const seen = points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  if (seen.length === 0) return null;
  const xs = seen.map(([x]) => x);
  const ys = seen.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** x, y in turn, in the other system; in a new array. */
export function projectLine(line: ArrayLike<number>, project: Transformer): Float64Array {
  const projected = new Float64Array(line.length - (line.length % 2));
  for (let i = 0; i + 1 < line.length; i += 2) projected.set(project(line[i]!, line[i + 1]!), i);
  return projected;
}
