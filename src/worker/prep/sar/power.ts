import type { Samples } from '../../raster/bands.ts';
import type { Window } from '../../raster/grid.ts';
import { throwIfCancelled } from '../../report/problem.ts';
import { lookupRow } from '../../scene/safe/lookup-table.ts';
import { noiseRow, type RadarTables } from '../../scene/safe/radar-tables.ts';
import type { Scene } from '../../scene/scene.ts';
import type { RadarRecipe } from './recipe.ts';

/** Backscattered power of a window, one plane a band, `[height, width]`; 0 where invalid. */
export interface Power {
  width: number;
  height: number;
  planes: Float64Array[];
  valid: Uint8Array;
}

/** Source pixels read at once. */
const slabPixels = 2 ** 20;

/**
 * Calibrated, multilooked power of `window` (in multilooked pixels): the mean over the valid source pixels of each; valid
 * where there is one. `tables` go with `bands` where the recipe calibrates. Outside the scene all is invalid.
 */
export async function readPower(
  scene: Pick<Scene, 'header' | 'read'>,
  bands: readonly number[],
  tables: readonly (RadarTables | null)[],
  recipe: RadarRecipe,
  window: Window,
  signal?: AbortSignal,
): Promise<Power> {
  const { width, height } = window;
  const { range, azimuth } = recipe.multilook;
  const { grid } = scene.header;
  const planes = bands.map(() => new Float64Array(width * height));
  const counts = new Float64Array(width * height);
  // Whole multilooked pixels inside the scene.
  const fromColumn = Math.max(0, window.column);
  const toColumn = Math.min(window.column + width, Math.floor(grid.width / range));
  const fromRow = Math.max(0, window.row);
  const toRow = Math.min(window.row + height, Math.floor(grid.height / azimuth));
  const valid = new Uint8Array(width * height);
  if (fromColumn >= toColumn || fromRow >= toRow) return { width, height, planes, valid };
  const columns = (toColumn - fromColumn) * range;
  const noise = new Float64Array(columns);
  const amplitude = new Float64Array(columns);
  const power = new Float64Array(columns);
  const step = Math.max(1, Math.floor(slabPixels / columns));
  for (let row = fromRow * azimuth; row < toRow * azimuth; row += step) {
    throwIfCancelled(signal);
    const rows = Math.min(step, toRow * azimuth - row);
    const slab = await scene.read(
      { column: fromColumn * range, row, width: columns, height: rows },
      bands,
      0,
      signal,
    );
    for (let line = 0; line < rows; line++) {
      const to = (Math.floor((row + line) / azimuth) - window.row) * width + (fromColumn - window.column);
      const from = line * columns;
      for (let band = 0; band < bands.length; band++) {
        powerRow(slab.planes[band]!, from, recipe.input, power);
        const table = tables[band] ?? null;
        if (table !== null && recipe.noise) {
          noiseRow(table.noise!, row + line, fromColumn * range, noise);
          for (let at = 0; at < columns; at++) power[at] = power[at]! - noise[at]!;
        }
        if (table !== null && recipe.calibration !== 'none') {
          lookupRow(table.calibration[recipe.calibration], row + line, fromColumn * range, amplitude);
          for (let at = 0; at < columns; at++) power[at] = power[at]! / (amplitude[at]! * amplitude[at]!);
        }
        addRow(planes[band]!, to, power, slab.valid, from, range);
      }
      for (let at = 0, target = to, left = range; at < columns; at++) {
        counts[target] = counts[target]! + slab.valid[from + at]!;
        if (--left === 0) {
          left = range;
          target++;
        }
      }
    }
  }
  for (let at = 0; at < valid.length; at++) if (counts[at]! > 0) valid[at] = 1;
  for (const plane of planes)
    for (let at = 0; at < plane.length; at++) if (valid[at] === 1) plane[at] = plane[at]! / counts[at]!;
  return { width, height, planes, valid };
}

function powerRow(plane: Samples, from: number, input: RadarRecipe['input'], row: Float64Array): void {
  if (input === 'power') for (let at = 0; at < row.length; at++) row[at] = plane[from + at]!;
  else if (input === 'amplitude') for (let at = 0; at < row.length; at++) row[at] = plane[from + at]! ** 2;
  else for (let at = 0; at < row.length; at++) row[at] = 10 ** (plane[from + at]! / 10);
}

function addRow(
  plane: Float64Array,
  to: number,
  power: Float64Array,
  valid: Uint8Array,
  from: number,
  range: number,
): void {
  for (let at = 0, target = to, left = range; at < power.length; at++) {
    if (valid[from + at] === 1) plane[target] = plane[target]! + power[at]!;
    if (--left === 0) {
      left = range;
      target++;
    }
  }
}
