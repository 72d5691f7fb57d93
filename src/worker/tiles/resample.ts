import type { Bands } from '../raster/bands.ts';
import type { Window } from '../raster/grid.ts';
import type { ScenePositions } from './scene-positions.ts';

/** Pixels of a level around the places a tile asks for. */
export interface LevelPixels {
  bands: Bands;
  /** Where they lie in the level. */
  window: Window;
  /** Size of the level, and scene pixels per pixel of it. */
  width: number;
  height: number;
  scaleX: number;
  scaleY: number;
}

/** Widest reach of the kernel, level pixels: levels are two apart, only distorted and very far tiles ask for more. */
export const widestReach = 16;

/**
 * How many scene pixels a tile pixel covers at each place, along columns and along rows, from the differences of
 * neighbouring positions; 0 where they are unknown. `[height · width]`, width and height of the tile.
 */
export function footprints(
  positions: ScenePositions,
  width: number,
): { across: Float32Array; down: Float32Array } {
  const { columns, rows } = positions;
  const count = columns.length;
  const across = new Float32Array(count);
  const down = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    const beside = at % width === width - 1 ? Math.max(0, at - 1) : at + 1;
    const below = at + width < count ? at + width : Math.max(0, at - width);
    const columnStep = Math.hypot(columns[beside]! - columns[at]!, columns[below]! - columns[at]!);
    const rowStep = Math.hypot(rows[beside]! - rows[at]!, rows[below]! - rows[at]!);
    across[at] = Number.isFinite(columnStep) ? columnStep : 0;
    down[at] = Number.isFinite(rowStep) ? rowStep : 0;
  }
  return { across, down };
}

/**
 * Values of `planes` at the positions: bilinear where tile pixels are finer than the level's, and with the tent widened to
 * the tile pixel where they are coarser, so that nothing is skipped. Only valid pixels inside the level take part; the
 * value is valid where the place lies in the level and at least half of the weight around it does.
 */
export function resampleSmooth(
  source: LevelPixels,
  positions: ScenePositions,
  feet: { across: Float32Array; down: Float32Array },
): { planes: Float32Array[]; valid: Uint8Array } {
  const { window, scaleX, scaleY } = source;
  const count = positions.columns.length;
  const planes = source.bands.planes.map((plane) => Float64Array.from(plane));
  const results = planes.map(() => new Float32Array(count));
  const valid = new Uint8Array(count);
  const mask = source.bands.valid;
  const [first, second, third] = planes as [Float64Array, Float64Array?, Float64Array?];
  const [firstResult, secondResult, thirdResult] = results as [Float32Array, Float32Array?, Float32Array?];
  const right = Math.min(source.width, window.column + window.width) - 1;
  const bottom = Math.min(source.height, window.row + window.height) - 1;
  const left = Math.max(0, window.column);
  const top = Math.max(0, window.row);
  for (let at = 0; at < count; at++) {
    const x = positions.columns[at]! / scaleX;
    const y = positions.rows[at]! / scaleY;
    if (!(x >= 0 && x < source.width && y >= 0 && y < source.height)) continue;
    const centreX = x - 0.5;
    const centreY = y - 0.5;
    const reachX = Math.min(widestReach, Math.max(1, feet.across[at]! / scaleX));
    const reachY = Math.min(widestReach, Math.max(1, feet.down[at]! / scaleY));
    const fromColumn = Math.max(left, Math.ceil(centreX - reachX));
    const toColumn = Math.min(right, Math.floor(centreX + reachX));
    const fromRow = Math.max(top, Math.ceil(centreY - reachY));
    const toRow = Math.min(bottom, Math.floor(centreY + reachY));
    let weights = 0;
    let known = 0;
    let firstSum = 0;
    let secondSum = 0;
    let thirdSum = 0;
    for (let row = fromRow; row <= toRow; row++) {
      const weightY = 1 - Math.abs(row - centreY) / reachY;
      const line = (row - window.row) * window.width - window.column;
      for (let column = fromColumn; column <= toColumn; column++) {
        const weight = weightY * (1 - Math.abs(column - centreX) / reachX);
        weights += weight;
        const index = line + column;
        if (mask[index] === 0) continue;
        known += weight;
        firstSum += weight * first[index]!;
        if (second !== undefined) secondSum += weight * second[index]!;
        if (third !== undefined) thirdSum += weight * third[index]!;
      }
    }
    if (known <= 0 || known < weights / 2) continue;
    valid[at] = 1;
    firstResult[at] = firstSum / known;
    if (secondResult !== undefined) secondResult[at] = secondSum / known;
    if (thirdResult !== undefined) thirdResult[at] = thirdSum / known;
  }
  return { planes: results, valid };
}

/** The value of the level's pixel under each position, of the first plane. */
export function resampleNearest(
  source: LevelPixels,
  positions: ScenePositions,
): { values: Float64Array; valid: Uint8Array } {
  const { window, scaleX, scaleY, bands } = source;
  const plane = bands.planes[0]!;
  const count = positions.columns.length;
  const values = new Float64Array(count);
  const valid = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const column = Math.floor(positions.columns[at]! / scaleX);
    const row = Math.floor(positions.rows[at]! / scaleY);
    if (!(column >= 0 && column < source.width && row >= 0 && row < source.height)) continue;
    const index = (row - window.row) * window.width + column - window.column;
    if (bands.valid[index] !== 1) continue;
    valid[at] = 1;
    values[at] = plane[index]!;
  }
  return { values, valid };
}
