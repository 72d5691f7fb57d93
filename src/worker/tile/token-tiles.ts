import type { Window } from '../raster/grid.ts';
import { Problem } from '../report/problem.ts';
import { planWindows, type WindowPlan } from './plan.ts';

/** Most working pixels of a tile's core: whole tokens of patches of 14, 16 and 32 pixels. */
const tileHeight = 448;
const tileWidth = 896;

/** Working pixels around the core that a tile looks at; kernels reach further, but with next to no weight. */
const reach = 64;

/** Tiles of a scene's one grid of tokens, which all its windows share. */
export interface TokenTiles {
  /** The windows whose tokens are merged. Its size is the scene's, filled up to whole tokens. */
  plan: WindowPlan;
  patch: number;
  /** Tokens of the scene along both sides. */
  rows: number;
  columns: number;
  /** The part that is cut into tiles, in tokens: the whole scene, unless only a part of it is ever asked for. */
  part: Window;
  /** Tokens of a tile's core, at most. */
  tile: { width: number; height: number };
  /** Tokens around a tile's core. */
  reach: number;
}

/**
 * The token grid of `width` × `height` working pixels. Throws `settings/mode` where window and stride are not whole
 * patches, so that windows have no common grid. `part` (working pixels): what is ever asked for, null for all; rows of
 * a part of its own are those of the whole but for what reaches over its border.
 */
export function planTokenTiles(
  width: number,
  height: number,
  window: number,
  stride: number,
  patch: number,
  part: Window | null = null,
): TokenTiles {
  if (window % patch !== 0 || stride % patch !== 0 || tileHeight % patch !== 0 || tileWidth % patch !== 0) {
    throw new Problem(
      'settings/mode',
      `Windows of ${window} pixels every ${stride} have no common grid of ${patch}-pixel patches, which the fast mode needs.`,
      `Use multiples of ${patch}, or --mode reference.`,
    );
  }
  // Kernels reflect up to five pixels of the first doubling: three tokens are the least.
  const filled = (size: number) => Math.max(3, Math.ceil(size / patch)) * patch;
  const plan = planWindows(filled(width), filled(height), window, stride);
  const [rows, columns] = [plan.rows.size / patch, plan.columns.size / patch];
  const { column, row, width: partWidth, height: partHeight } = part ?? { column: 0, row: 0, width, height };
  const left = Math.floor(column / patch);
  const top = Math.floor(row / patch);
  const inTokens: Window = {
    column: left,
    row: top,
    width: part ? Math.ceil((column + partWidth) / patch) - left : columns,
    height: part ? Math.ceil((row + partHeight) / patch) - top : rows,
  };
  const most = tileWidth / patch;
  return {
    plan,
    patch,
    rows,
    columns,
    part: inTokens,
    // Tiles side by side are equally wide: lanes that work on a row of them wait for the last.
    tile: {
      width: Math.ceil(inTokens.width / Math.ceil(inTokens.width / most)),
      height: tileHeight / patch,
    },
    reach: Math.ceil(reach / patch),
  };
}

/** A tile in tokens: its core and the rectangle around it that its labels are made from. */
export interface TokenTileAt {
  core: Window;
  around: Window;
}

export function tokenTileAt(tiles: TokenTiles, column: number, row: number): TokenTileAt {
  const { part, tile } = tiles;
  const across = along(part.column, part.width, column * tile.width, tile.width);
  const down = along(part.row, part.height, row * tile.height, tile.height);
  const around = wider(across, tiles.reach, tiles.columns);
  const aroundRow = wider(down, tiles.reach, tiles.rows);
  return {
    core: { column: across.start, row: down.start, width: across.length, height: down.length },
    around: { column: around.start, row: aroundRow.start, width: around.length, height: aroundRow.length },
  };
}

/** Column and row of the tile that a working pixel lies in. */
export function tileOver(
  { part, tile, patch }: TokenTiles,
  column: number,
  row: number,
): { column: number; row: number } {
  return {
    column: Math.floor((Math.floor(column / patch) - part.column) / tile.width),
    row: Math.floor((Math.floor(row / patch) - part.row) / tile.height),
  };
}

interface Span {
  start: number;
  length: number;
}

function along(origin: number, size: number, start: number, length: number): Span {
  return { start: origin + start, length: Math.min(length, size - start) };
}

function wider({ start, length }: Span, by: number, size: number): Span {
  const from = Math.max(0, start - by);
  return { start: from, length: Math.min(size, start + length + by) - from };
}
