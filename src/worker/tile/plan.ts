import type { Window } from '../raster/grid.ts';
import { Problem } from '../report/problem.ts';

/**
 * Window positions along one axis: 0, stride, 2·stride, … with the last one shifted back to end at the border
 * (method §4). An axis shorter than the window has one window of the axis' own size. Positions are computed, not stored.
 */
export interface WindowAxis {
  /** Pixels along the axis. */
  readonly size: number;
  /** Pixels of a window: never more than `size`. */
  readonly window: number;
  readonly stride: number;
  /** Number of windows. */
  readonly count: number;
}

/** The one window grid of a scene at its working resolution. Extents and panels select from it and never change it. */
export interface WindowPlan {
  readonly columns: WindowAxis;
  readonly rows: WindowAxis;
}

/** Half-open ranges of window indices. */
export interface WindowSelection {
  firstColumn: number;
  endColumn: number;
  firstRow: number;
  endRow: number;
}

function planAxis(size: number, window: number, stride: number): WindowAxis {
  const extent = window === 0 ? size : Math.min(window, size);
  return { size, window: extent, stride, count: Math.ceil((size - extent) / stride) + 1 };
}

/**
 * The window grid over `width` × `height` working pixels. `window` 0 takes the whole scene as one window.
 * Throws `Problem` for sizes that leave pixels uncovered.
 */
export function planWindows(width: number, height: number, window = 224, stride = 112): WindowPlan {
  if (!Number.isInteger(window) || window < 0) {
    throw new Problem(
      'settings/window',
      `The window of ${window} pixels is not a whole number ≥ 0.`,
      'Use 224, or 0 for one window.',
    );
  }
  if (!Number.isInteger(stride) || stride < 1 || (window > 0 && stride > window)) {
    throw new Problem(
      'settings/stride',
      `A stride of ${stride} with a window of ${window} leaves pixels without a window.`,
      'Use a whole number between 1 and the window, for example half the window.',
    );
  }
  return { columns: planAxis(width, window, stride), rows: planAxis(height, window, stride) };
}

/** Number of the window in the whole grid, row by row from 0. */
export function windowNumber(plan: WindowPlan, window: Window): number {
  const along = ({ stride }: WindowAxis, start: number) => Math.ceil(start / stride);
  return along(plan.rows, window.row) * plan.columns.count + along(plan.columns, window.column);
}

/** First pixel of window `index` along the axis. */
export function windowStart(axis: WindowAxis, index: number): number {
  return Math.min(index * axis.stride, axis.size - axis.window);
}

/** The window in column `column` and row `row` of the grid, in working pixels. */
export function windowAt(plan: WindowPlan, column: number, row: number): Window {
  return {
    column: windowStart(plan.columns, column),
    row: windowStart(plan.rows, row),
    width: plan.columns.window,
    height: plan.rows.window,
  };
}

/** Index of the first window that covers pixel `position` or lies behind it. */
function firstTouching(axis: WindowAxis, position: number): number {
  const index = Math.floor((position - axis.window) / axis.stride) + 1;
  return Math.min(Math.max(index, 0), axis.count - 1);
}

/** One more than the index of the last window that begins before pixel `end`. */
function endTouching(axis: WindowAxis, end: number): number {
  if (axis.size - axis.window < end) return axis.count;
  return Math.min(Math.ceil(end / axis.stride), axis.count);
}

/** Exactly the windows that touch the region (working pixels, inside the scene, not empty). */
export function selectWindows(plan: WindowPlan, region: Window): WindowSelection {
  return {
    firstColumn: firstTouching(plan.columns, region.column),
    endColumn: endTouching(plan.columns, region.column + region.width),
    firstRow: firstTouching(plan.rows, region.row),
    endRow: endTouching(plan.rows, region.row + region.height),
  };
}

/** Number of windows along the axis that cover pixel `position`; a pixel's windows are the product over both axes. */
export function coverage(axis: WindowAxis, position: number): number {
  return endTouching(axis, position + 1) - firstTouching(axis, position);
}
