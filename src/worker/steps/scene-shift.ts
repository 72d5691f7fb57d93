import { chooseBands } from '../prep/choose-bands.ts';
import { measureStretch } from '../prep/stretch.ts';
import { chooseWorkingGrid, type WorkingGrid } from '../prep/working-grid.ts';
import { openWorkingPixels, type WorkingPixels } from '../prep/working-pixels.ts';
import { applyAffine, invertAffine } from '../raster/affine.ts';
import { transformer } from '../raster/crs.ts';
import type { Window } from '../raster/grid.ts';
import { agree } from '../registration/agree.ts';
import { type Offset, PhaseCorrelation } from '../registration/phase-correlation.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { groundOffset } from '../scene/ground-sample-distance.ts';
import { openRunScene, planRadarPreparation, type RunScene } from './radar-preparation.ts';
import type { TaskContext } from './task-context.ts';

export interface ShiftRequest {
  /** Two scenes' files; the second is measured against the first. */
  first: string;
  second: string;
  /** Metres of the pixels compared; null: those of the coarser scene. */
  resolution: number | null;
  /** Largest shift looked for, pixels compared. */
  reach: number;
  cacheBytes: number;
}

/** How far the second scene's content lies from the first's; plain JSON. */
export interface SceneShift {
  /** Pixels compared, along columns and rows of the first scene. */
  columns: number;
  rows: number;
  /** Metres a pixel; null without a CRS. */
  resolution: number | null;
  /** Length in metres; null without a CRS. */
  metres: number | null;
  /** Metres that the second lies east and north of the first; without a CRS pixels to the right and upwards. */
  east: number;
  north: number;
  /** In units of the first scene's CRS, or its pixels: what to add to the second scene's coordinates to lay it on the first. */
  correction: [number, number];
  /** Share of the windows that agree, 0 to 1. */
  confidence: number;
  /** Median distance of those, pixels compared. */
  spread: number;
  windows: number;
}

const largestSide = 256;
const smallestSide = 32;
const mostWindows = 64;
/** Of a window, that both scenes must cover. */
const leastCovered = 0.9;

/** Measures the shift between two scenes that overlap. Throws `shift/no-overlap`, `shift/no-place` or `shift/nothing`. */
export async function sceneShift(request: ShiftRequest, context: TaskContext): Promise<SceneShift> {
  const { signal } = context;
  const opened: RunScene[] = [];
  try {
    for (const path of [request.first, request.second]) {
      const { recipe } = await planRadarPreparation({ scene: path, modality: null, radar: null }, signal);
      opened.push(await openRunScene(path, recipe, request.cacheBytes, signal));
    }
    const [first, second] = opened.map(({ scene }) => scene) as [RunScene['scene'], RunScene['scene']];
    const sizes = [first, second].map(({ header }) => header.groundSampleDistance);
    const placed = sizes.every((size) => size !== null);
    if (!placed && (first.header.grid.crs !== null || second.header.grid.crs !== null)) {
      throw new Problem(
        'shift/no-place',
        `Only one of ${request.first} and ${request.second} has a coordinate system.`,
        'Give the other a georeference first.',
      );
    }
    const resolution = placed ? (request.resolution ?? Math.max(...(sizes as number[]))) : 'native';
    const one = await pixelsOf(first, resolution, request.cacheBytes, signal);
    const other = await pixelsOf(second, resolution, request.cacheBytes, signal);
    const toOther = mapping(one.grid, other.grid);
    const side = sideFor(one.grid, other.grid);
    const correlation = new PhaseCorrelation(side);
    const found: Offset[] = [];
    const windows = spread(one.grid, side);
    for (const [index, window] of windows.entries()) {
      throwIfCancelled(signal);
      const here = await one.pixels.read(window, signal);
      const there = await resample(other, window, toOther, signal);
      if (there !== null) {
        const offset = covered(here.valid, there.valid)
          ? correlation.pair(grey(here.pixels), there.values, request.reach)
          : null;
        if (offset !== null) found.push(offset);
      }
      context.report({ phase: 'comparing', done: index + 1, total: windows.length, unit: 'windows' });
    }
    const agreed = agree(found, correlation.together(request.reach));
    if (agreed === null) {
      throw new Problem(
        'shift/no-overlap',
        `${request.first} and ${request.second} have no window of ${side} × ${side} pixels in common with edges in both.`,
        'Take scenes of one place, or a finer --resolution.',
      );
    }
    const { columns, rows } = agreed;
    const [x0, y0] = applyAffine(one.grid.transform, 0, 0);
    const [x, y] = applyAffine(one.grid.transform, columns, rows);
    const [east, north] = groundOffset(one.grid, columns, rows) ?? [columns, -rows];
    return {
      ...agreed,
      east,
      north,
      resolution: one.grid.resolution,
      metres: one.grid.resolution === null ? null : Math.hypot(columns, rows) * one.grid.resolution,
      correction: one.grid.crs === null ? [-columns, -rows] : [x0 - x, y0 - y],
    };
  } finally {
    for (const { close } of opened) await close();
  }
}

interface Source {
  grid: WorkingGrid;
  pixels: WorkingPixels;
}

async function pixelsOf(
  scene: RunScene['scene'],
  resolution: number | 'native',
  cacheBytes: number,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const { grid, bands: headers } = scene.header;
  const working = chooseWorkingGrid(grid, scene.header.groundSampleDistance, resolution, null);
  const bands = chooseBands(headers);
  const stretch = await measureStretch(scene, bands, signal);
  return { grid: working, pixels: openWorkingPixels(scene, { grid: working, bands, stretch, cacheBytes }) };
}

/** Position in the other grid, fractional, of a position in the first. */
function mapping(one: WorkingGrid, other: WorkingGrid): (column: number, row: number) => [number, number] {
  if (one.crs === null || other.crs === null) return (column, row) => [column, row];
  const project = transformer(one.crs, other.crs);
  if (project === null) {
    throw new Problem(
      'shift/no-place',
      `${one.crs.name} cannot be brought into ${other.crs.name}.`,
      'Bring both scenes into one system first, for example with gdalwarp.',
    );
  }
  const back = invertAffine(other.transform);
  return (column, row) => applyAffine(back, ...project(...applyAffine(one.transform, column, row)));
}

/** Side of the windows: a power of two that the smaller scene holds. */
function sideFor(...grids: readonly WorkingGrid[]): number {
  const room = Math.min(...grids.flatMap(({ width, height }) => [width, height]));
  return Math.min(largestSide, Math.max(smallestSide, 2 ** Math.floor(Math.log2(room))));
}

/** Windows all over a grid, at most `mostWindows`; a grid smaller than one gets one. */
function spread({ width, height }: WorkingGrid, side: number): Window[] {
  const along = (size: number, count: number): number[] =>
    Array.from({ length: count }, (_, at) =>
      count === 1 ? Math.floor((size - side) / 2) : Math.round((at * (size - side)) / (count - 1)),
    );
  const counts = [width, height].map((size) => Math.max(1, Math.floor((2 * size) / side) - 1));
  while (counts[0]! * counts[1]! > mostWindows) {
    const larger = counts[0]! >= counts[1]! ? 0 : 1;
    counts[larger] = counts[larger]! - 1;
  }
  return along(height, counts[1]!).flatMap((row) =>
    along(width, counts[0]!).map((column) => ({ column, row, width: side, height: side })),
  );
}

/** The other scene's grey values under a window of the first, bilinear; null where it lies elsewhere. */
async function resample(
  { grid, pixels }: Source,
  window: Window,
  toOther: (column: number, row: number) => [number, number],
  signal: AbortSignal | undefined,
): Promise<{ values: Float64Array; valid: Uint8Array } | null> {
  const side = window.width;
  const columns = new Float64Array(side * side);
  const rows = new Float64Array(side * side);
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let row = 0, at = 0; row < side; row++) {
    for (let column = 0; column < side; column++, at++) {
      const [x, y] = toOther(window.column + column + 0.5, window.row + row + 0.5);
      columns[at] = x - 0.5;
      rows[at] = y - 0.5;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  const apart = right < 0 || bottom < 0 || left > grid.width || top > grid.height;
  // Both have pixels of one size: a box much larger than the window is a place where the mapping breaks.
  if (apart || !(right - left < 4 * side && bottom - top < 4 * side)) return null;
  const box = { column: Math.floor(left) - 1, row: Math.floor(top) - 1, width: 0, height: 0 };
  box.width = Math.ceil(right) + 2 - box.column;
  box.height = Math.ceil(bottom) + 2 - box.row;
  const read = await pixels.read(box, signal);
  const source = grey(read.pixels);
  const values = new Float64Array(side * side);
  const valid = new Uint8Array(side * side);
  for (let at = 0; at < values.length; at++) {
    const column = Math.floor(columns[at]!);
    const row = Math.floor(rows[at]!);
    const across = columns[at]! - column;
    const down = rows[at]! - row;
    const from = (row - box.row) * box.width + column - box.column;
    const corners = [from, from + 1, from + box.width, from + box.width + 1];
    if (!corners.every((corner) => read.valid[corner] === 1)) continue;
    values[at] =
      (source[from]! * (1 - across) + source[from + 1]! * across) * (1 - down) +
      (source[from + box.width]! * (1 - across) + source[from + box.width + 1]! * across) * down;
    valid[at] = 1;
  }
  return { values, valid };
}

function grey(pixels: Float32Array): Float64Array {
  const size = pixels.length / 3;
  return Float64Array.from(
    { length: size },
    (_, at) => (pixels[at]! + pixels[size + at]! + pixels[2 * size + at]!) / 3,
  );
}

function covered(one: Uint8Array, other: Uint8Array): boolean {
  let count = 0;
  for (let at = 0; at < one.length; at++) count += one[at]! & other[at]!;
  return count >= leastCovered * one.length;
}
