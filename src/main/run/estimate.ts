import { availableParallelism } from 'node:os';
import type { Pack } from '../../worker/pack/open-pack.ts';
import { chooseWorkingGrid, type WorkingGrid } from '../../worker/prep/working-grid.ts';
import { extentWindow } from '../../worker/raster/extent.ts';
import type { Grid, Window } from '../../worker/raster/grid.ts';
import type { Speed, WordCost } from '../../worker/steps/measure-speed.ts';
import { planWindows, selectWindows } from '../../worker/tile/plan.ts';
import { workingRange } from '../../worker/tile/sampling.ts';
import { planTokenTiles, tileOver, tokenTileAt } from '../../worker/tile/token-tiles.ts';
import type { LanePlan } from './lanes.ts';
import { lanesOf } from './memory-plan.ts';
import { scoringOf } from './scoring.ts';
import type { SegmentRequest } from './segment-request.ts';

/** What a run will do, counted before it begins. */
export interface Workload extends LanePlan {
  working: WorkingGrid;
  /** Working pixels that are classified. */
  width: number;
  height: number;
  windows: number;
  /** The windows' pixels; tiles' cores and what is around them, in the fast mode; in squares of 224 pixels. */
  windowArea: number;
  coreArea: number;
  marginArea: number;
  /** Scene pixels that come out, in the same squares. */
  outArea: number;
  words: number;
  mode: SegmentRequest['mode'];
  upsample: boolean;
  onProcessor: boolean;
}

const square = 224 * 224;

/** Counts what a run of `request` on a scene of `grid` does; `known` where its pixels are known already. */
export function workloadOf(
  request: SegmentRequest,
  pack: Pack,
  grid: Grid,
  groundSampleDistance: number | null,
  known: Window | null = null,
): Workload {
  const { finestResolution, geometry } = pack.manifest;
  const working = chooseWorkingGrid(
    grid,
    groundSampleDistance,
    request.resolution ?? undefined,
    finestResolution,
  );
  const region: Window =
    known ??
    (request.extent === null
      ? { column: 0, row: 0, width: grid.width, height: grid.height }
      : extentWindow(grid, request.extent));
  const columns = workingRange(region.column, region.width, working.scale, working.width);
  const rows = workingRange(region.row, region.height, working.scale, working.height);
  const size = { width: columns.end - columns.start, height: rows.end - rows.start };
  const part = { column: columns.start, row: rows.start, ...size };
  const plan = planWindows(working.width, working.height, request.window, request.stride);
  const chosen = selectWindows(plan, part);
  const windows = (chosen.endColumn - chosen.firstColumn) * (chosen.endRow - chosen.firstRow);
  const tiles =
    request.mode === 'fast'
      ? tileAreas(working, request, geometry.vision.patch, part)
      : { core: 0, around: 0 };
  return {
    working,
    ...size,
    windows,
    windowArea: (windows * plan.columns.window * plan.rows.window) / square,
    coreArea: tiles.core / square,
    marginArea: (tiles.around - tiles.core) / square,
    outArea: (region.width * region.height) / square,
    words: request.classes.reduce((sum, { words }) => sum + words.length, 0),
    mode: request.mode,
    upsample: scoringOf(request, pack).upsample,
    onProcessor: request.provider === 'cpu',
    ...lanesOf(request, pack),
  };
}

/** Pixels of the tiles that touch a part: their cores, and all that they look at. */
function tileAreas(
  { width, height }: WorkingGrid,
  { window, stride }: SegmentRequest,
  patch: number,
  part: Window,
): { core: number; around: number } {
  const tiles = planTokenTiles(width, height, window, stride, patch);
  const first = tileOver(tiles, part.column, part.row);
  const last = tileOver(tiles, part.column + part.width - 1, part.row + part.height - 1);
  let [core, around] = [0, 0];
  for (let row = first.row; row <= last.row; row++) {
    for (let column = first.column; column <= last.column; column++) {
      const tile = tokenTileAt(tiles, column, row);
      core += tile.core.width * tile.core.height;
      around += tile.around.width * tile.around.height;
    }
  }
  return { core: core * patch ** 2, around: around * patch ** 2 };
}

/** Several threads of one session do not share the work without loss. */
const togetherness = 0.8;
/** In words stitched: adding a window's scores; reading, writing and tracing a square of the result, whatever the words. */
const adding = 0.35;
const outFixed = 12;
/** Of opening sessions: threads and their modules, files, the rest of a run's beginning and end. */
const beginning = 1.2;

export interface Duration {
  /** By the clock. */
  seconds: number;
  /** Of all threads' work together. */
  processor: number;
}

/** How long a run takes at the speed measured with all cores at work. */
export function durationOf(work: Workload, speed: Speed, cores = availableParallelism()): Duration {
  const { words } = work;
  const cost = ({ fixed, word }: WordCost) => fixed + word * words;
  const label = work.upsample && speed.label.upsampled ? speed.label.upsampled : speed.label.plain;
  const labelling =
    work.mode === 'reference'
      ? work.windowArea * cost(label)
      : speed.tile
        ? work.coreArea * cost(speed.tile) + work.marginArea * speed.tile.margin
        : 0;
  const lanes = work.windowArea * speed.encode + labelling + words * speed.word;
  const added = work.mode === 'reference' ? work.windowArea * adding * words : 0;
  const conducting = speed.stitch * (added + work.outArea * (words + outFixed));
  const opening = beginning + 2 * speed.open;
  const abreast = work.onProcessor
    ? work.lanes * work.threadsPerLane * (work.threadsPerLane > 1 ? togetherness : 1)
    : work.lanes;
  // The conductor works beside the lanes where there is a core left for it.
  const seconds = Math.max(lanes / abreast, work.onProcessor ? (lanes + conducting) / cores : conducting);
  return { seconds: opening + seconds, processor: (opening * (1 + work.lanes)) / 2 + lanes + conducting };
}
