import { type Crs, type Transformer, transformer } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { TileFrame } from '../../worker/tiles/tile-grid.ts';

/** left, bottom, right, top in units of the layer's system. */
export type Box = readonly [number, number, number, number];

/** How a layer's coordinates become tile units (x right, y down, 0/0 the tile's upper left corner). */
export interface TileMapping {
  /** Part of the layer that the tile and its margin show. */
  box: Box;
  /** Units of the layer along a tile unit, about. */
  unit: number;
  /** Writes the tile units of `count` points (x, y, …) over them; NaN where there are none. */
  toTile(points: Float64Array, count: number): void;
}

/** Lattices over the box are tried with so many cells a side. */
const cellCounts = [2, 8, 32];
/** Interpolated places may be off by this, tile units. */
const tolerance = 0.5;

/**
 * The mapping of a tile whose side has `extent` units and which shows `margin` units around it; null where nothing of
 * `layerBox` is on it. Throws `tiles/no-crs` or `crs/no-projection`.
 */
export function tileMapping(
  frame: TileFrame,
  layerCrs: Crs | null,
  layerBox: Box,
  extent: number,
  margin: number,
): TileMapping | null {
  const [originX, resolution, , originY] = frame.transform;
  const unit = (resolution * frame.width) / extent;
  const project = projection(layerCrs, frame.crs);
  const toUnits = (x: number, y: number): [number, number] => [(x - originX) / unit, (originY - y) / unit];
  if (project === null) {
    const box = intersection(layerBox, [
      originX - margin * unit,
      originY - (extent + margin) * unit,
      originX + (extent + margin) * unit,
      originY + margin * unit,
    ]);
    if (box === null) return null;
    return {
      box,
      unit,
      toTile(points, count) {
        for (let at = 0; at < 2 * count; at += 2) {
          points[at] = (points[at]! - originX) / unit;
          points[at + 1] = (originY - points[at + 1]!) / unit;
        }
      },
    };
  }
  const place = (x: number, y: number): [number, number] => toUnits(...project(x, y));
  const box = shownPart(layerBox, place, extent, margin);
  if (box === null) return null;
  const size = unitSize(box, place);
  const lattice = latticeOver(box, place);
  const exact = (points: Float64Array, count: number) => {
    for (let at = 0; at < 2 * count; at += 2) {
      const [x, y] = place(points[at]!, points[at + 1]!);
      points[at] = x;
      points[at + 1] = y;
    }
  };
  return { box, unit: size, toTile: lattice ?? exact };
}

function projection(from: Crs | null, to: Crs | null): Transformer | null {
  if (from === null && to === null) return null;
  if (from === null || to === null) {
    const [whose, other] = from === null ? ['layer', 'project'] : ['project', 'layer'];
    throw new Problem(
      'tiles/no-crs',
      `The ${whose} has no coordinate reference system, so the layer cannot be drawn where the ${other}'s is.`,
      'Show it in a project with the same system as its scene.',
    );
  }
  if ((from.epsg !== null && from.epsg === to.epsg) || (from.proj4 !== null && from.proj4 === to.proj4))
    return null;
  const project = transformer(from, to);
  if (project === null)
    throw new Problem(
      'crs/no-projection',
      `Coordinates cannot be converted from ${from.name} to ${to.name}.`,
      'Choose another system for the project.',
    );
  return project;
}

function intersection(a: Box, b: Box): Box | null {
  const left = Math.max(a[0], b[0]);
  const bottom = Math.max(a[1], b[1]);
  const right = Math.min(a[2], b[2]);
  const top = Math.min(a[3], b[3]);
  return left <= right && bottom <= top ? [left, bottom, right, top] : null;
}

type Place = (x: number, y: number) => [number, number];

/**
 * The box around what of `whole` falls on the tile. Projects from the layer to the tile only, which is sound wherever the
 * layer is, and narrows the box by eighths until it shrinks no more.
 */
function shownPart(whole: Box, place: Place, extent: number, margin: number): Box | null {
  const cells = 8;
  let box = whole;
  for (let round = 0; round < 24; round++) {
    const [left, bottom, right, top] = box;
    const stepX = (right - left) / cells;
    const stepY = (top - bottom) / cells;
    const corners = Array.from({ length: (cells + 1) ** 2 }, (_, index) =>
      place(left + (index % (cells + 1)) * stepX, bottom + Math.floor(index / (cells + 1)) * stepY),
    );
    let [first, last, lowest, highest] = [cells, -1, cells, -1];
    for (let row = 0; row < cells; row++) {
      for (let column = 0; column < cells; column++) {
        const at = row * (cells + 1) + column;
        if (!touches([corners[at]!, corners[at + 1]!, corners[at + cells + 1]!, corners[at + cells + 2]!]))
          continue;
        first = Math.min(first, column);
        last = Math.max(last, column);
        lowest = Math.min(lowest, row);
        highest = Math.max(highest, row);
      }
    }
    if (last < 0) return null;
    const narrower: Box = [
      left + first * stepX,
      bottom + lowest * stepY,
      left + (last + 1) * stepX,
      bottom + (highest + 1) * stepY,
    ];
    const shrunk =
      (narrower[2] - narrower[0]) * (narrower[3] - narrower[1]) < 0.6 * (right - left) * (top - bottom);
    box = narrower;
    if (!shrunk) break;
  }
  return box;

  /** Whether a cell may be on the tile: its corners' box, a quarter larger for what bends, or a corner without a place. */
  function touches(corners: readonly (readonly [number, number])[]): boolean {
    const xs = corners.map(([x]) => x);
    const ys = corners.map(([, y]) => y);
    const [west, east] = [Math.min(...xs), Math.max(...xs)];
    const [north, south] = [Math.min(...ys), Math.max(...ys)];
    if (Number.isNaN(west + south)) return corners.some(([x]) => !Number.isNaN(x));
    const slackX = (east - west) / 4 + margin;
    const slackY = (south - north) / 4 + margin;
    return west - slackX <= extent && east + slackX >= 0 && north - slackY <= extent && south + slackY >= 0;
  }
}

/** Units of the layer along a tile unit in the middle of the box. */
function unitSize([left, bottom, right, top]: Box, place: Place): number {
  const [x, y] = [(left + right) / 2, (bottom + top) / 2];
  const step = Math.max(right - left, top - bottom, Math.abs(x) * 1e-9, Math.abs(y) * 1e-9, 1e-9) / 1000;
  const [middle, beside, above] = [place(x, y), place(x + step, y), place(x, y + step)];
  const area = Math.abs(
    (beside[0] - middle[0]) * (above[1] - middle[1]) - (beside[1] - middle[1]) * (above[0] - middle[0]),
  );
  return area > 0 ? step / Math.sqrt(area) : step;
}

/** Bilinear interpolation between exact places on a lattice over the box; null where no lattice is close enough. */
function latticeOver(box: Box, place: Place): TileMapping['toTile'] | null {
  const [left, bottom, right, top] = box;
  const width = right - left;
  const height = top - bottom;
  if (!(width > 0) || !(height > 0)) return null;
  for (const cells of cellCounts) {
    const stride = cells + 1;
    const xs = new Float64Array(stride * stride);
    const ys = new Float64Array(stride * stride);
    for (let row = 0; row < stride; row++) {
      for (let column = 0; column < stride; column++) {
        const [x, y] = place(left + (column * width) / cells, bottom + (row * height) / cells);
        xs[row * stride + column] = x;
        ys[row * stride + column] = y;
      }
    }
    const toTile: TileMapping['toTile'] = (points, count) => {
      for (let at = 0; at < 2 * count; at += 2) {
        const across = ((points[at]! - left) / width) * cells;
        const up = ((points[at + 1]! - bottom) / height) * cells;
        const column = Math.min(cells - 1, Math.max(0, Math.floor(across)));
        const row = Math.min(cells - 1, Math.max(0, Math.floor(up)));
        const [shareX, shareY] = [across - column, up - row];
        const corner = row * stride + column;
        const below = xs[corner]! + (xs[corner + 1]! - xs[corner]!) * shareX;
        const above = xs[corner + stride]! + (xs[corner + stride + 1]! - xs[corner + stride]!) * shareX;
        points[at] = below + (above - below) * shareY;
        const lower = ys[corner]! + (ys[corner + 1]! - ys[corner]!) * shareX;
        const upper = ys[corner + stride]! + (ys[corner + stride + 1]! - ys[corner + stride]!) * shareX;
        points[at + 1] = lower + (upper - lower) * shareY;
      }
    };
    if (isClose(toTile, cells)) return toTile;
  }
  return null;

  /** Compares at the middles of cells and of their lower and left sides. */
  function isClose(toTile: TileMapping['toTile'], cells: number): boolean {
    const point = new Float64Array(2);
    for (let row = 0; row < cells; row++) {
      for (let column = 0; column < cells; column++) {
        for (const [shareX, shareY] of [
          [0.5, 0.5],
          [0.5, 0],
          [0, 0.5],
        ] as const) {
          const x = left + ((column + shareX) * width) / cells;
          const y = bottom + ((row + shareY) * height) / cells;
          const [exactX, exactY] = place(x, y);
          point[0] = x;
          point[1] = y;
          toTile(point, 1);
          // NaN compares false.
          if (!(Math.abs(point[0] - exactX) <= tolerance && Math.abs(point[1] - exactY) <= tolerance))
            return false;
        }
      }
    }
    return true;
  }
}
