import { applyAffine, invertAffine } from '../raster/affine.ts';
import { transformer } from '../raster/crs.ts';
import type { Grid } from '../raster/grid.ts';
import { groundMapping } from '../raster/ground-control.ts';
import { Problem } from '../report/problem.ts';
import type { TileFrame } from './tile-grid.ts';

/** Where tile pixels' centres fall on the scene, fractional pixels with whole numbers at corners; NaN where nowhere. */
export interface ScenePositions {
  /** `[height · width]` of the tile. */
  columns: Float64Array;
  rows: Float64Array;
}

/** Squares of this side are tried first: a projection bends little within. */
const firstSide = 32;
/** Corners, edge middles and centre alone are compared, so the bound is kept with a margin. */
const margin = 4;

/**
 * The scene position of every pixel of a tile: tile pixel → tile's CRS → scene's CRS → scene pixel. Projections are
 * computed at the corners of squares and interpolated within, as gdalwarp's approximating transformer does; a square
 * whose edge middles or centre miss the interpolated place by a quarter of `tolerance` (scene pixels) is split, down to
 * single pixels. Throws `tiles/no-crs` or `crs/no-projection`.
 */
export function scenePositions(tile: TileFrame, scene: Grid, tolerance: number): ScenePositions {
  const { width, height } = tile;
  const columns = new Float64Array(width * height);
  const rows = new Float64Array(width * height);
  const place = scenePlace(tile, scene);
  for (let top = 0; top < height; top += firstSide) {
    for (let left = 0; left < width; left += firstSide) {
      const right = Math.min(left + firstSide, width) - 1;
      fill(left, top, right, Math.min(top + firstSide, height) - 1);
    }
  }

  function fill(left: number, top: number, right: number, bottom: number): void {
    if (right - left < 2 || bottom - top < 2) {
      for (let row = top; row <= bottom; row++) {
        for (let column = left; column <= right; column++) {
          const [x, y] = place(column, row);
          columns[row * width + column] = x;
          rows[row * width + column] = y;
        }
      }
      return;
    }
    const corners = [place(left, top), place(right, top), place(left, bottom), place(right, bottom)] as const;
    if (close(corners, left, top, right, bottom)) {
      interpolate(columns, 0, corners, left, top, right, bottom);
      interpolate(rows, 1, corners, left, top, right, bottom);
      return;
    }
    const middleColumn = (left + right) >> 1;
    const middleRow = (top + bottom) >> 1;
    fill(left, top, middleColumn, middleRow);
    fill(middleColumn + 1, top, right, middleRow);
    fill(left, middleRow + 1, middleColumn, bottom);
    fill(middleColumn + 1, middleRow + 1, right, bottom);
  }

  function close(corners: Corners, left: number, top: number, right: number, bottom: number): boolean {
    const bound = tolerance / margin;
    for (const [across, down] of checks) {
      const column = left + across * (right - left);
      const row = top + down * (bottom - top);
      const [x, y] = place(column, row);
      // NaN compares false, so squares over a horizon are split until every pixel is exact.
      if (!(Math.abs(between(corners, 0, across, down) - x) <= bound)) return false;
      if (!(Math.abs(between(corners, 1, across, down) - y) <= bound)) return false;
    }
    return true;
  }

  function interpolate(
    target: Float64Array,
    axis: 0 | 1,
    corners: Corners,
    left: number,
    top: number,
    right: number,
    bottom: number,
  ): void {
    for (let row = top; row <= bottom; row++) {
      const down = (row - top) / (bottom - top);
      const from = corners[0][axis] + (corners[2][axis] - corners[0][axis]) * down;
      const step = (corners[1][axis] + (corners[3][axis] - corners[1][axis]) * down - from) / (right - left);
      for (let column = left; column <= right; column++) {
        target[row * width + column] = from + step * (column - left);
      }
    }
  }

  return { columns, rows };
}

type Point = [number, number];
type Corners = readonly [Point, Point, Point, Point];

/** Shares across and down a square at which the interpolated place is compared with the true one. */
const checks = [
  [0.5, 0.5],
  [0.5, 0],
  [0, 0.5],
  [1, 0.5],
  [0.5, 1],
] as const;

function between(corners: Corners, axis: 0 | 1, across: number, down: number): number {
  const upper = corners[0][axis] + (corners[1][axis] - corners[0][axis]) * across;
  const lower = corners[2][axis] + (corners[3][axis] - corners[2][axis]) * across;
  return upper + (lower - upper) * down;
}

/** Scene position of the centre of the tile pixel (column, row), computed in full. */
export function scenePlace(tile: TileFrame, scene: Grid): (column: number, row: number) => Point {
  const project = projection(tile, scene);
  const toPixel = pixelOf(scene);
  return (column, row) => {
    const [x, y] = applyAffine(tile.transform, column + 0.5, row + 0.5);
    const [sceneX, sceneY] = project === null ? [x, y] : project(x, y);
    return toPixel(sceneX, sceneY);
  };
}

function pixelOf(scene: Grid): (x: number, y: number) => Point {
  if (scene.groundControl !== undefined) return groundMapping(scene.groundControl).toPixel;
  const inverse = invertAffine(scene.transform);
  return (x, y) => applyAffine(inverse, x, y);
}

function projection(tile: TileFrame, scene: Grid): ReturnType<typeof transformer> {
  if (tile.crs === null && scene.crs === null) return null;
  if (tile.crs === null || scene.crs === null) {
    const [with_, without] = tile.crs === null ? ['scene', 'project'] : ['project', 'scene'];
    throw new Problem(
      'tiles/no-crs',
      `The ${without} has no coordinate reference system, so it cannot be drawn on the ${with_}'s.`,
      'Assign a system to the scene, or show it in a project without one.',
    );
  }
  if (tile.crs.epsg !== null && tile.crs.epsg === scene.crs.epsg) return null;
  const project = transformer(scene.crs, tile.crs) === null ? null : transformer(tile.crs, scene.crs);
  if (project === null) {
    throw new Problem(
      'crs/no-projection',
      `Coordinates cannot be converted from ${tile.crs.name} to ${scene.crs.name}.`,
      'Choose another system for the project, or reproject the file to one with an EPSG code.',
    );
  }
  return project;
}
