import type { Window } from '../raster/grid.ts';
import { Problem } from '../report/problem.ts';
import { planWindows, type WindowPlan } from './plan.ts';

/** Working pixels of a tile's core: whole tokens of patches of 14, 16 and 32 pixels. Anchored to the scene's corner. */
export const tileHeight = 448;
export const tileWidth = 896;

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
  /** Tokens around a tile's core. */
  reach: number;
}

/**
 * The token grid of `width` × `height` working pixels. Throws `settings/mode` where window and stride are not whole
 * patches, so that windows have no common grid.
 */
export function planTokenTiles(
  width: number,
  height: number,
  window: number,
  stride: number,
  patch: number,
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
  return {
    plan,
    patch,
    rows: plan.rows.size / patch,
    columns: plan.columns.size / patch,
    reach: Math.ceil(reach / patch),
  };
}

/** A tile in tokens: its core and the rectangle around it that its labels are made from. */
export interface TokenTileAt {
  core: Window;
  around: Window;
}

export function tokenTileAt(tiles: TokenTiles, column: number, row: number): TokenTileAt {
  const [coreColumns, coreRows] = [tileWidth / tiles.patch, tileHeight / tiles.patch];
  const core = along(column * coreColumns, coreColumns, tiles.columns);
  const coreRow = along(row * coreRows, coreRows, tiles.rows);
  const around = wider(core, tiles.reach, tiles.columns);
  const aroundRow = wider(coreRow, tiles.reach, tiles.rows);
  return {
    core: { column: core.start, row: coreRow.start, width: core.length, height: coreRow.length },
    around: { column: around.start, row: aroundRow.start, width: around.length, height: aroundRow.length },
  };
}

interface Span {
  start: number;
  length: number;
}

function along(start: number, length: number, size: number): Span {
  return { start, length: Math.min(length, size - start) };
}

function wider({ start, length }: Span, by: number, size: number): Span {
  const from = Math.max(0, start - by);
  return { start: from, length: Math.min(size, start + length + by) - from };
}
