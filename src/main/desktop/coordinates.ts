import { type Crs, type Transformer, transformer } from '../../worker/raster/crs.ts';
import { boxAround, boxOutline, gridOutline, groundOf } from '../../worker/raster/extent.ts';
import type { Grid } from '../../worker/raster/grid.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { Box } from '../rpc/base.ts';

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
  const centre: [number, number] = [(left + right) / 2, (bottom + top) / 2];
  return boxAroundImage([...boxOutline(box), centre], project);
}

/** The box around a raster's image; null where no part of it has one. */
export function projectGrid(
  grid: Pick<Grid, 'width' | 'height' | 'transform' | 'groundControl'>,
  project: Transformer,
): Box | null {
  const centre = groundOf(grid)(grid.width / 2, grid.height / 2);
  return boxAroundImage([...gridOutline(grid), centre], project);
}

/** The centre counts, too: it may have an image where the outline has none. */
function boxAroundImage(points: readonly (readonly [number, number])[], project: Transformer): Box | null {
  const seen = points
    .map(([x, y]) => project(x, y))
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  return seen.length === 0 ? null : boxAround(seen);
}

/** x, y in turn, in the other system; in a new array. */
export function projectLine(line: ArrayLike<number>, project: Transformer): Float64Array {
  const projected = new Float64Array(line.length - (line.length % 2));
  for (let i = 0; i + 1 < line.length; i += 2) projected.set(project(line[i]!, line[i + 1]!), i);
  return projected;
}
