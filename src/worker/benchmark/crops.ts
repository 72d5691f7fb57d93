import type { ColourImage } from '../evaluate/baseline.ts';
import type { Window } from '../raster/grid.ts';
import { planWindows, windowStart } from '../tile/plan.ts';
import type { ClassLabels } from './class-labels.ts';
import { type CropRule, ignored } from './sets.ts';

/** The crops of a picture, row by row; the whole picture without a rule. */
export function cropWindows(width: number, height: number, rule: CropRule | undefined): Window[] {
  if (!rule) return [{ column: 0, row: 0, width, height }];
  const columns = planWindows(width, 1, rule.width, Math.min(rule.across, rule.width)).columns;
  const rows = planWindows(1, height, rule.height, Math.min(rule.down, rule.height)).rows;
  const windows: Window[] = [];
  for (let row = 0; row < rows.count; row++) {
    for (let column = 0; column < columns.count; column++) {
      windows.push({
        column: windowStart(columns, column),
        row: windowStart(rows, row),
        width: rule.pad ? rule.width : columns.window,
        height: rule.pad ? rule.height : rows.window,
      });
    }
  }
  return windows;
}

/** The window of the picture; black beyond its border. */
export function cropPicture(picture: ColourImage, window: Window): ColourImage {
  if (window.width === picture.width && window.height === picture.height) return picture;
  const { width, height } = window;
  const pixels = new Uint8Array(3 * width * height);
  copyRows(picture.pixels, picture, window, 3, pixels);
  return { width, height, pixels };
}

/** The window of the labels; not counted beyond their border. */
export function cropLabels(labels: ClassLabels, window: Window): ClassLabels {
  if (window.width === labels.width && window.height === labels.height) return labels;
  const { width, height } = window;
  const values = new Uint8Array(width * height).fill(ignored);
  copyRows(labels.values, labels, window, 1, values);
  return { width, height, values };
}

function copyRows(
  from: Uint8Array,
  size: { width: number; height: number },
  window: Window,
  channels: number,
  to: Uint8Array,
): void {
  const width = Math.min(window.width, size.width - window.column);
  const height = Math.min(window.height, size.height - window.row);
  for (let row = 0; row < height; row++) {
    const start = ((window.row + row) * size.width + window.column) * channels;
    to.set(from.subarray(start, start + width * channels), row * window.width * channels);
  }
}
