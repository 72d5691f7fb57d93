import type { MessagePort } from 'node:worker_threads';
import { ScoreAccumulator } from '../classmap/accumulate.ts';
import { blockHeight, blockWidth, CoordinateWriter } from '../features/coordinate-store.ts';
import { CoordinateRounder, type Coordinates, emptyCoordinates } from '../features/coordinates.ts';
import { FeatureReader } from '../features/feature-store.ts';
import type { PixelBasis } from '../features/pixel-basis.ts';
import type { Precision } from '../features/window-codec.ts';
import type { SessionOptions } from '../infer/session.ts';
import { openPack } from '../pack/open-pack.ts';
import type { RadarRecipe } from '../prep/sar/recipe.ts';
import { chooseWorkingGrid } from '../prep/working-grid.ts';
import type { Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';
import {
  planWindows,
  selectWindows,
  type WindowPlan,
  windowAt,
  windowNumber,
  windowStart,
} from '../tile/plan.ts';
import type { PackFacts } from './conduct.ts';
import { coordinateLabeller } from './coordinate-labeller.ts';
import { pixelBasisWithin, type SampleWindow, TokenSample } from './pixel-sample.ts';
import { normaliserOf, prepareScene } from './prepare-scene.ts';
import { openRunScene } from './radar-preparation.ts';
import { RemoteLane } from './remote-lane.ts';
import { checkPixels } from './stored-pixels.ts';
import type { TaskContext } from './task-context.ts';
import { workInOrder } from './window-queue.ts';

export interface CoordinatesRequest {
  scene: string;
  pack: PackFacts;
  packFolder: string;
  upsample: boolean;
  /** For the sample that the basis is found from. */
  session: SessionOptions;
  /** 1-based. */
  bands: number[] | null;
  resolution: number | 'native' | null;
  radar: RadarRecipe | null;
  window: number;
  stride: number;
  /** The store, whose windows are all there. */
  folder: string;
  /** Bytes a working pixel that windows and coordinates keep within together; null: the finest step. */
  bytesPerPixel: number | null;
  /** Bytes that the coordinates may take. */
  limitBytes: number;
  cacheBytes: number;
  /** For sums. */
  memoryBytes: number;
  lanes: MessagePort[];
}

/** Windows wait to be compared with the basis' directions: `[rank, size]`. */
export interface CoordinatesPiece {
  kind: 'lanes-wanted';
  directions: Float32Array<ArrayBuffer>;
  stored: { precision: Precision; store: string };
}

export interface CoordinatesReply {
  bytes: number;
  rank: number;
  step: number;
  /** Whether blocks of an earlier program were taken over. */
  resumed: boolean;
}

/** Windows that are upsampled for the directions, and those whose tokens are looked at. */
const mostSamples = 12;
const mostSeen = 512;

/**
 * Adds coordinates of all pixels to a store: windows are compared with the basis' directions as they would be with
 * words, stitched, rounded and written block by block. Goes on where an earlier program ended.
 */
export async function encodeCoordinates(
  request: CoordinatesRequest,
  context: TaskContext,
): Promise<CoordinatesReply> {
  const { signal } = context;
  const { folder } = request;
  const lanes = request.lanes.map((port) => new RemoteLane<Float32Array<ArrayBuffer>>(port));
  const opened = await openRunScene(request.scene, request.radar, request.cacheBytes, signal);
  let features: FeatureReader | null = null;
  let writer: CoordinateWriter | null = null;
  try {
    const { header } = opened.scene;
    const grid = chooseWorkingGrid(
      header.grid,
      header.groundSampleDistance,
      request.resolution ?? undefined,
      request.pack.finestResolution,
    );
    const { stretch, working, bands, sceneFingerprint } = await prepareScene(
      opened.scene,
      request,
      grid,
      signal,
    );
    const store = await FeatureReader.open(folder, {
      sceneFingerprint,
      packChecksum: request.pack.checksum,
    });
    features = store;
    checkPixels(store, { bands, stretch, grid, radar: request.radar });
    const plan = planWindows(grid.width, grid.height, request.window, request.stride);
    const toModel = normaliserOf(request.pack);
    const prepare = async (window: Window) => {
      const read = await working.read(window, signal);
      return { pixels: toModel(read.pixels, read.valid), valid: read.valid };
    };
    const pixels = grid.width * grid.height;
    const chooseBasis = async (): Promise<PixelBasis> => {
      const windows = plan.columns.count * plan.rows.count;
      const wanted = Math.max(1, Math.min(mostSamples, Math.ceil(windows / 8)));
      const sample: SampleWindow[] = [];
      for (let i = 0; i < wanted; i++) {
        const number = Math.floor(((i + 0.5) * windows) / wanted);
        const record = await store.record(number);
        if (record === null) continue;
        const window = windowAt(plan, number % plan.columns.count, Math.floor(number / plan.columns.count));
        const { width, height } = window;
        sample.push({
          encoded: store.codec.decode(record, folder),
          ...(await prepare(window)),
          width,
          height,
        });
        context.report({ phase: 'finding directions', done: i, total: wanted, unit: 'windows' });
      }
      const seen = Math.min(mostSeen, windows);
      const tokens = new TokenSample(seen);
      for (let i = 0; i < seen; i++) {
        throwIfCancelled(signal);
        const record = await store.record(Math.floor(((i + 0.5) * windows) / seen));
        if (record !== null) tokens.add(store.codec.decode(record, folder));
      }
      const { bytes } = await store.size();
      const left = request.bytesPerPixel === null ? Infinity : request.bytesPerPixel - bytes / pixels;
      const { upsample, session } = request;
      const pack = await openPack(request.packFolder);
      return pixelBasisWithin(sample, Math.max(0.5, left), { pack, upsample, session, signal }, tokens);
    };
    const target = await CoordinateWriter.open(folder, {
      labeller: coordinateLabeller(request.upsample),
      width: grid.width,
      height: grid.height,
      panelBlocks: (rank) => panelBlocks(rank, request.memoryBytes, plan),
      chooseBasis,
      limitBytes: request.limitBytes,
    });
    writer = target;
    const { basis } = target;
    const panels = target.panels();
    const resumed = target.bytes > 0;
    const works = panels.map((panel) => {
      const top = panel.nextRow * blockHeight;
      const selection = selectWindows(plan, {
        column: panel.column,
        row: top,
        width: panel.width,
        height: grid.height - top,
      });
      return { panel, top, selection };
    });
    const total = works.reduce((sum, { selection }) => sum + countOf(selection), 0);
    let done = 0;
    const report = () => context.report({ phase: 'placing features', done, total, unit: 'windows' });
    report();
    if (works.length > 0) {
      await context.emit({
        kind: 'lanes-wanted',
        directions: new Float32Array(basis.directions),
        stored: { precision: store.codec.precision, store: folder },
      } satisfies CoordinatesPiece);
    }
    const workers = lanes.map((lane) => async (values: Float32Array, window: Window) => {
      const record = await store.record(windowNumber(plan, window));
      const { width, height } = window;
      return lane.ask({ pixels: values, height, width, ...(record && { record }) }, signal);
    });
    const rounder = new CoordinateRounder(basis);
    for (const { panel, top, selection } of works) {
      const sums = new ScoreAccumulator(plan, basis.rank, panel.column, panel.width, top);
      const products = new Float32Array(basis.rank * panel.width);
      const valid = new Uint8Array(panel.width);
      let blocks: Coordinates[] = [];
      const drain = async (until: number): Promise<void> => {
        while (sums.row < until) {
          const { row } = sums;
          const inBlock = row % blockHeight;
          if (inBlock === 0 || blocks.length === 0)
            blocks = blocksOfRow(basis, panel.width, Math.min(blockHeight, grid.height - row + inBlock));
          sums.take(products, valid);
          blocks.forEach((block, i) => {
            rounder.round(products, valid, i * blockWidth, block, inBlock);
          });
          if (inBlock === blockHeight - 1 || row === grid.height - 1) {
            await target.append(panel, Math.floor(row / blockHeight), blocks);
            blocks = [];
          }
        }
      };
      const perRow = selection.endColumn - selection.firstColumn;
      let windowRow = selection.firstRow;
      let inRow = 0;
      for await (const { window, answer, valid: measured } of workInOrder(
        windowsOf(plan, selection),
        prepare,
        workers,
        2 * lanes.length + 1,
        signal,
      )) {
        if (answer !== null) sums.add(window, answer, measured);
        done++;
        report();
        if (++inRow < perRow) continue;
        inRow = 0;
        windowRow++;
        await drain(windowRow < selection.endRow ? windowStart(plan.rows, windowRow) : grid.height);
      }
    }
    return { bytes: target.bytes, rank: basis.rank, step: basis.step, resumed };
  } finally {
    await writer?.close();
    await features?.close();
    await opened.close();
  }
}

/** Blocks side by side whose sums keep within the memory given. */
function panelBlocks(rank: number, memoryBytes: number, plan: WindowPlan): number {
  const bytes = blockWidth * rank * (plan.rows.window * 4 + blockHeight * 4);
  return Math.max(1, Math.min(64, Math.floor(memoryBytes / bytes)));
}

function blocksOfRow(basis: PixelBasis, width: number, height: number): Coordinates[] {
  const blocks: Coordinates[] = [];
  for (let column = 0; column < width; column += blockWidth)
    blocks.push(emptyCoordinates(basis, Math.min(blockWidth, width - column), height));
  return blocks;
}

type Selection = ReturnType<typeof selectWindows>;

function countOf({ firstColumn, endColumn, firstRow, endRow }: Selection): number {
  return (endColumn - firstColumn) * (endRow - firstRow);
}

function* windowsOf(
  plan: WindowPlan,
  { firstColumn, endColumn, firstRow, endRow }: Selection,
): Generator<Window> {
  for (let row = firstRow; row < endRow; row++)
    for (let column = firstColumn; column < endColumn; column++) yield windowAt(plan, column, row);
}
