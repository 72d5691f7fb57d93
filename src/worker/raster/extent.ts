import { Problem } from '../report/problem.ts';
import { applyAffine, invertAffine } from './affine.ts';
import { clipWindow, type Grid, type Window } from './grid.ts';
import { groundMapping } from './ground-control.ts';

/** A part of a raster: x minimum, y minimum, x maximum, y maximum in its CRS, or column, row, width, height in pixels. */
export interface Extent {
  unit: 'crs' | 'pixels';
  box: readonly [number, number, number, number];
}

/** Closer to a pixel's edge than this (pixels), a box ends at the edge: coordinates carry rounding. */
const snap = 1e-3;

/**
 * The pixels that the extent touches, inside the raster. On a rotated grid, the pixels around the box's corners.
 * Throws `scene/outside-extent`, which names the extent as it was `given`, in other coordinates than the grid's perhaps.
 */
export function extentWindow(
  grid: Grid,
  extent: Extent,
  given = { box: extent.box, covered: () => coverage(grid, extent.unit) },
): Window {
  const window = extent.unit === 'pixels' ? pixelBox(extent.box) : boxPixels(grid, extent.box);
  const clipped = clipWindow(window, grid.width, grid.height);
  if (clipped.width > 0 && clipped.height > 0) return clipped;
  const covered = given.covered().map((value) => Number(value.toPrecision(10)));
  throw new Problem(
    'scene/outside-extent',
    `The extent ${given.box.join(',')} does not touch the scene, which covers ${covered.join(',')}.`,
    'Give --extent in the coordinates that landscribe info prints.',
  );
}

function pixelBox([column, row, width, height]: Extent['box']): Window {
  return { column, row, width, height };
}

function boxPixels(grid: Grid, [left, bottom, right, top]: Extent['box']): Window {
  const inverse = invertAffine(grid.transform);
  const corners = [
    [left, bottom],
    [left, top],
    [right, bottom],
    [right, top],
  ].map(([x, y]) => applyAffine(inverse, x!, y!));
  const columns = corners.map(([column]) => column);
  const rows = corners.map(([, row]) => row);
  const column = Math.floor(Math.min(...columns) + snap);
  const row = Math.floor(Math.min(...rows) + snap);
  return {
    column,
    row,
    width: Math.ceil(Math.max(...columns) - snap) - column,
    height: Math.ceil(Math.max(...rows) - snap) - row,
  };
}

function coverage(grid: Grid, unit: Extent['unit']): [number, number, number, number] {
  return unit === 'pixels' ? [0, 0, grid.width, grid.height] : coveredBox(grid);
}

/** A raster's size and place. */
type Placed = Pick<Grid, 'width' | 'height' | 'transform' | 'groundControl'>;

type Point = [number, number];

/** Along each side of a rectangle whose image is sought: straight sides become curves. */
const stepsPerSide = 64;

/** The way from fractional (column, row) to the raster's coordinates, by its ground control points where it has some. */
export function groundOf({ transform, groundControl }: Placed): (column: number, row: number) => Point {
  if (groundControl !== undefined) return groundMapping(groundControl).toGround;
  return (column, row) => applyAffine(transform, column, row);
}

/** Points along the four sides of a box, its corners among them. */
export function boxOutline([left, bottom, right, top]: readonly [number, number, number, number]): Point[] {
  return Array.from({ length: stepsPerSide + 1 }, (_, step): Point[] => {
    const share = step / stepsPerSide;
    const [x, y] = [left + share * (right - left), bottom + share * (top - bottom)];
    return [
      [x, bottom],
      [x, top],
      [left, y],
      [right, y],
    ];
  }).flat();
}

/** Points along the raster's four sides, in its coordinates. */
export function gridOutline(grid: Placed): Point[] {
  const ground = groundOf(grid);
  return boxOutline([0, 0, grid.width, grid.height]).map(([column, row]) => ground(column, row));
}

/** The smallest box around points: x minimum, y minimum, x maximum, y maximum; NaN where a point is. */
export function boxAround(points: readonly (readonly [number, number])[]): [number, number, number, number] {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** The smallest box around the raster, in its coordinates. */
export function coveredBox(grid: Placed): [number, number, number, number] {
  return boxAround(gridOutline(grid));
}
