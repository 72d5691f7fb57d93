import { countClasses } from '../classmap/count-classes.ts';
import { type DecisionRule, RowDecider } from '../classmap/decide.ts';
import type { GeoTiffWriter } from '../classmap/geotiff-writer.ts';
import {
  describeClassMap,
  describeConfidence,
  type MapContext,
  writeSidecar,
} from '../classmap/map-files.ts';
import { clipWindow, type Grid, type Window } from '../raster/grid.ts';
import { Cancelled, Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import type { Scene } from '../scene/scene.ts';
import { type Panel, panelColumns, planPanels } from '../tile/panels.ts';
import { planWindows, selectWindows, type WindowPlan } from '../tile/plan.ts';
import type { DecidedRows, DecidedSource } from './decided-source.ts';
import { outputRows, workingPart } from './output-rows.ts';
import type { Provenance } from './provenance.ts';
import { type RowSource, usualMemoryBytes } from './row-source.ts';
import {
  digestOf,
  findFinished,
  type OpenedRun,
  openRun,
  type ResumePolicy,
  rememberFinished,
  type SegmentOutputs,
} from './segment-run.ts';

export interface SegmentSceneRequest {
  scene: Pick<Scene, 'header' | 'read'>;
  /** Scene bands whose nodata counts, 0-based. */
  bands: readonly number[];
  /** Size of the working grid, pixels, and scene pixels per working pixel. */
  workingGrid: { width: number; height: number; scale: number };
  rows: RowSource | DecidedSource;
  /** Working pixels; 0: the whole scene as one window. */
  window: number;
  stride: number;
  /** Scene pixels to classify, half-open; null: all. The outputs cover exactly these. */
  extent: Window | null;
  rule: DecisionRule;
  provenance: Provenance;
  /** Whatever else the scores depend on: attention, lambda, upsampler, templates, stretch, … Plain values. */
  identity: Record<string, unknown>;
  outputs: SegmentOutputs;
  resume: ResumePolicy;
  /** Bytes for sums and scores in flight; default 512 MiB. */
  memoryBytes?: number;
  /** Output rows per strip, rounded up to whole tiles; default one row of tiles. */
  stripRows?: number;
  /** Most output columns worked on at once; default 8192, less where memory asks for it. */
  panelColumns?: number;
  /** Pixels along an output tile's side, a multiple of 16; default 256. */
  tileSize?: number;
  /** Told of every finished strip; its arrays are used again when the promise is fulfilled. */
  onStrip?: (strip: FinishedStrip) => Promise<void>;
  signal?: AbortSignal;
  report?: ReportProgress;
}

/** Decided rows, `[height · width]`, at their place in the outputs. */
export interface FinishedStrip extends Window {
  classes: Uint8Array | Uint16Array;
  confidence: Uint8Array;
}

export interface SegmentSceneResult {
  /** Where the outputs' pixels lie. */
  grid: Grid;
  /** Windows that the whole run consists of, twice where two panels share them. */
  windows: number;
  /** Pixels per class id, `[classes + 1]`; entry 0 is unclassified and nodata. */
  classPixels: number[];
  /** Whether strips of an earlier run were taken over. */
  resumed: boolean;
  /** As written into the outputs; of an interrupted run, its beginning's. */
  provenance: Provenance;
}

const resumeHint = 'Finished strips are kept: the same command resumes.';

/** The part of the work that one panel still needs. */
interface PanelWork {
  panel: Panel;
  /** First output row still to be made, from the top of the region. */
  firstRow: number;
  windows: number;
}

function planPanelWork(
  plan: WindowPlan,
  region: Window,
  scale: number,
  panel: Panel,
  firstRow: number,
): PanelWork {
  const { column, width, first, end } = workingPart(
    workingMap(plan, scale),
    panelPart(region, panel, firstRow),
  );
  const selection = selectWindows(plan, { column, row: first, width, height: end - first });
  const windows = (selection.endColumn - selection.firstColumn) * (selection.endRow - selection.firstRow);
  return { panel, firstRow, windows };
}

const workingMap = ({ columns, rows }: WindowPlan, scale: number) => ({
  width: columns.size,
  height: rows.size,
  scale,
});

/** The scene pixels of a panel from a row of the region on. */
function panelPart(region: Window, { column, width }: Panel, firstRow: number): Window {
  return {
    column: region.column + column,
    row: region.row + firstRow,
    width,
    height: region.height - firstRow,
  };
}

/** The region's own grid: the scene's, with its origin moved. */
function regionGrid({ transform, crs }: Grid, region: Window): Grid {
  const [x, xColumn, xRow, y, yColumn, yRow] = transform;
  return {
    width: region.width,
    height: region.height,
    transform: [
      x + region.column * xColumn + region.row * xRow,
      xColumn,
      xRow,
      y + region.column * yColumn + region.row * yRow,
      yColumn,
      yRow,
    ],
    crs,
  };
}

/**
 * Segments a scene into a class map and a confidence raster on the scene's pixels: takes rows of mean scores, brings
 * them to the scene's pixels, decides them and writes finished strips.
 *
 * The pixels depend on the scene, the window grid, the scores and the rule alone: not on the extent, strips, panels or
 * interruptions. Without interruption by another panel layout the files' bytes do not either.
 * Memory: what the rows' source holds for one panel, and two strips.
 * Throws `Cancelled` when the signal fires (finished strips are kept and the same request continues) and `Problem`.
 */
export async function segmentScene(request: SegmentSceneRequest): Promise<SegmentSceneResult> {
  const { scene, workingGrid, rule, outputs, signal } = request;
  const { classes } = request.provenance;
  const words = rule.wordClasses.length;
  const { grid } = scene.header;
  const region = clipWindow(
    request.extent ?? { column: 0, row: 0, width: grid.width, height: grid.height },
    grid.width,
    grid.height,
  );
  if (region.width === 0 || region.height === 0) {
    throw new Problem(
      'segment/extent',
      'The extent does not touch the scene.',
      'Check --extent against landscribe info.',
    );
  }
  if (request.rows.words !== words)
    throw new RangeError(`scores are of ${request.rows.words} words, the rule has ${words}`);
  const plan = planWindows(workingGrid.width, workingGrid.height, request.window, request.stride);
  const tileSize = request.tileSize ?? 256;
  const affordable = affordableColumns(request, tileSize);
  const sampleType = classes.length <= 255 ? 'uint8' : 'uint16';
  const digest = digestOf({
    format: 1,
    scene: request.provenance.sceneFingerprint,
    pack: request.provenance.packChecksum,
    classes,
    rule: {
      thresholds: [...rule.thresholds],
      background: rule.background,
      logitScale: rule.logitScale,
    },
    workingGrid: { width: workingGrid.width, height: workingGrid.height, scale: workingGrid.scale },
    window: request.window,
    stride: request.stride,
    region,
    transform: grid.transform,
    bands: request.bands,
    tileSize,
    identity: request.identity,
  });
  const outputGrid = regionGrid(grid, region);
  const stripRows = Math.max(1, Math.ceil((request.stripRows ?? tileSize) / tileSize)) * tileSize;
  const allWindows = (columns: number): number =>
    planPanels(region.width, tileSize, columns)
      .map((panel) => planPanelWork(plan, region, workingGrid.scale, panel, 0).windows)
      .reduce((sum, count) => sum + count, 0);

  const finished = request.resume === 'restart' ? null : await findFinished(outputs, digest);
  if (finished !== null) {
    return {
      grid: outputGrid,
      windows: allWindows(affordable),
      classPixels: finished.classPixels,
      resumed: true,
      provenance: finished.provenance,
    };
  }

  const run = await openRun(
    outputs,
    { width: region.width, height: region.height, tileSize, bigTiff: 'auto' },
    sampleType,
    digest,
    { stripRows, panelColumns: affordable, provenance: request.provenance },
    request.resume,
  );
  const resumed = run.stripCounts.length > 0;
  const classPixels = new Array<number>(classes.length + 1).fill(0);
  for (const counts of run.stripCounts) {
    for (const [id, pixels] of counts) classPixels[id] = classPixels[id]! + pixels;
  }
  let stripsDone = run.stripCounts.length;
  try {
    const panels = planPanels(region.width, tileSize, run.state.panelColumns);
    const stripsPerPanel = Math.ceil(region.height / run.state.stripRows);
    const total = allWindows(run.state.panelColumns);
    const panelsDone = Math.floor(stripsDone / stripsPerPanel);
    const works = panels
      .slice(panelsDone)
      .map((panel, index) =>
        planPanelWork(
          plan,
          region,
          workingGrid.scale,
          panel,
          index === 0 ? (stripsDone % stripsPerPanel) * run.state.stripRows : 0,
        ),
      );
    let done = total - works.reduce((sum, { windows }) => sum + windows, 0);
    const onWindows = (count: number): void => {
      done += count;
      request.report?.({ phase: 'segmenting', done, total, unit: 'windows' });
    };
    onWindows(0);
    const onStrip = (counts: [number, number][]): void => {
      stripsDone++;
      for (const [id, pixels] of counts) classPixels[id] = classPixels[id]! + pixels;
    };
    const buffers = panelBuffers(region, run, works);
    for (const work of works) {
      await segmentPanel(request, plan, region, run, work, buffers, onWindows, onStrip);
    }
    throwIfCancelled(signal);
    const context: MapContext = {
      transform: outputGrid.transform,
      crs: outputGrid.crs,
      software: `${run.state.provenance.program} ${run.state.provenance.version}`,
      classes,
      provenance: JSON.stringify(run.state.provenance),
    };
    await bothSettled(
      run.classMap.seal(describeClassMap(context)),
      run.confidence.seal(describeConfidence(context)),
    );
    await writeSidecar(outputs.classMap, outputGrid.crs, classes);
    await writeSidecar(outputs.confidence, outputGrid.crs, null);
    await run.confidence.publish();
    await run.classMap.publish();
    await rememberFinished(outputs, { digest, provenance: run.state.provenance, classPixels });
    return { grid: outputGrid, windows: total, classPixels, resumed, provenance: run.state.provenance };
  } catch (error) {
    // A run without a finished strip has nothing to resume from and leaves nothing behind.
    for (const writer of [run.classMap, run.confidence]) {
      await (stripsDone === 0 ? writer.discard() : writer.close());
    }
    if (error instanceof Cancelled && stripsDone > 0) throw new Cancelled(error.message, resumeHint);
    throw error;
  }
}

/** Columns of a panel that keep within the memory given. */
function affordableColumns(request: SegmentSceneRequest, tileSize: number): number {
  const { words, rowsHeld, bytesAhead } = request.rows;
  const bytes = request.memoryBytes ?? usualMemoryBytes;
  const affordable = panelColumns(bytes - bytesAhead, words, rowsHeld, request.workingGrid.scale);
  if (affordable < Math.min(tileSize, request.scene.header.grid.width)) {
    const needed = bytesAhead + tileSize * rowsHeld * (words * 4 + 1);
    throw new Problem(
      'segment/memory',
      `${words} words with windows of ${request.window} pixels need about ${Math.ceil(needed / 1e6)} MB for stitching; ${Math.floor(bytes / 1e6)} MB are allowed.`,
      'Raise --memory, or lower --threads, the window or the number of words.',
    );
  }
  return Math.min(affordable, request.panelColumns ?? 8192);
}

/** Two strips that panels use one after the other: one panel's garbage beside the next one's would be twice the memory. */
interface PanelBuffers {
  filling: StripRows;
  spare: StripRows;
}

function panelBuffers(region: Window, run: OpenedRun, works: readonly PanelWork[]): PanelBuffers {
  const pixels =
    Math.min(run.state.stripRows, region.height) * Math.max(0, ...works.map(({ panel }) => panel.width));
  const rows = (): StripRows => ({
    classes: run.classMap.layout.sampleType === 'uint16' ? new Uint16Array(pixels) : new Uint8Array(pixels),
    confidence: new Uint8Array(pixels),
  });
  return { filling: rows(), spare: rows() };
}

async function segmentPanel(
  request: SegmentSceneRequest,
  plan: WindowPlan,
  region: Window,
  run: OpenedRun,
  work: PanelWork,
  buffers: PanelBuffers,
  onWindows: (count: number) => void,
  onStrip: (counts: [number, number][]) => void,
): Promise<void> {
  const { signal, rule, rows } = request;
  const { panel, firstRow } = work;
  const part = panelPart(region, panel, firstRow);
  const strip = new StripBuffer(request, region, run, panel, firstRow, buffers, onStrip);
  let passed = 0;
  const advance = (share: number): void => {
    const until = Math.round(share * work.windows);
    if (until <= passed) return;
    onWindows(until - passed);
    passed = until;
  };
  try {
    if ('decide' in rows) {
      for await (const decided of rows.decide(part, signal, advance)) await strip.take(decided);
    } else {
      const decider = new RowDecider(rule, panel.width);
      const map = workingMap(plan, request.workingGrid.scale);
      for await (const { means, valid } of outputRows(rows, map, part, signal, advance))
        await strip.add(decider, means, valid);
    }
  } finally {
    // Writers stay open until the last strip is done, whatever happened.
    await strip.settle().catch(() => {});
  }
  await strip.settle();
}

/** A strip's rows as they are decided. */
type StripRows = Omit<DecidedRows, 'rows'>;

/** Collects decided rows of a panel and writes each full strip while the next one is filled. */
class StripBuffer {
  readonly #request: SegmentSceneRequest;
  readonly #region: Window;
  readonly #run: OpenedRun;
  readonly #panel: Panel;
  readonly #onStrip: (counts: [number, number][]) => void;
  /** First row of the strip, from the top of the region. */
  #firstRow: number;
  #rows = 0;
  #filling: StripRows;
  #spare: StripRows;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    request: SegmentSceneRequest,
    region: Window,
    run: OpenedRun,
    panel: Panel,
    firstRow: number,
    buffers: PanelBuffers,
    onStrip: (counts: [number, number][]) => void,
  ) {
    this.#request = request;
    this.#region = region;
    this.#run = run;
    this.#panel = panel;
    this.#firstRow = firstRow;
    this.#onStrip = onStrip;
    this.#filling = buffers.filling;
    this.#spare = buffers.spare;
  }

  /** Decides the next row; resolves when there is room for another one. */
  async add(decider: RowDecider, means: Float32Array, valid: Uint8Array): Promise<void> {
    const { classes, confidence } = this.#filling;
    decider.decide(means, valid, classes, confidence, this.#rows * this.#panel.width);
    await this.#filled(1);
  }

  /** Takes the next rows; resolves when there is room for others. */
  async take({ rows, classes, confidence }: DecidedRows): Promise<void> {
    const { width } = this.#panel;
    for (let done = 0; done < rows; ) {
      const count = Math.min(rows - done, this.#height - this.#rows);
      const [from, end, to] = [done * width, (done + count) * width, this.#rows * width];
      this.#filling.classes.set(classes.subarray(from, end), to);
      this.#filling.confidence.set(confidence.subarray(from, end), to);
      done += count;
      await this.#filled(count);
    }
  }

  /** Rows of the strip at hand. */
  get #height(): number {
    return Math.min(this.#run.state.stripRows, this.#region.height - this.#firstRow);
  }

  /** Keeps the strip if these rows filled it. */
  async #filled(count: number): Promise<void> {
    this.#rows += count;
    const rows = this.#height;
    if (this.#rows < rows) return;
    await this.#writing;
    this.#writing = this.#write(this.#filling, this.#firstRow, rows);
    // A failure shows at the next strip, or in `settle`.
    this.#writing.catch(() => {});
    [this.#filling, this.#spare] = [this.#spare, this.#filling];
    this.#firstRow += rows;
    this.#rows = 0;
  }

  /** Resolves when every full strip is on the disk. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  /** No signal reaches it: a strip that is decided is worth the moment it takes to keep it. */
  async #write(strip: StripRows, firstRow: number, rows: number): Promise<void> {
    const { column, width } = this.#panel;
    const classes = strip.classes.subarray(0, rows * width);
    const confidence = strip.confidence.subarray(0, rows * width);
    if (this.#request.workingGrid.scale !== 1) await this.#maskNodata(strip, firstRow, rows);
    const counts = countClasses(classes, this.#request.provenance.classes.length);
    const note = JSON.stringify(counts);
    const keep = async (writer: GeoTiffWriter, samples: Uint8Array | Uint16Array) => {
      await writer.writeBlock(column, firstRow, width, rows, samples);
      await writer.commitStrip(note);
    };
    // A run goes on after the last strip that both hold.
    await bothSettled(keep(this.#run.classMap, classes), keep(this.#run.confidence, confidence));
    this.#onStrip(counts);
    await this.#request.onStrip?.({ column, row: firstRow, width, height: rows, classes, confidence });
  }

  /** A working pixel may hold measurement where one of its scene pixels does not: the scene's own mask decides. */
  async #maskNodata(strip: StripRows, firstRow: number, rows: number): Promise<void> {
    const { scene, bands } = this.#request;
    const { column, width } = this.#panel;
    const step = 1024;
    for (let left = 0; left < width; left += step) {
      const span = Math.min(step, width - left);
      const { valid } = await scene.read(
        {
          column: this.#region.column + column + left,
          row: this.#region.row + firstRow,
          width: span,
          height: rows,
        },
        bands,
        0,
      );
      for (let row = 0; row < rows; row++) {
        const to = row * width + left;
        for (let offset = 0; offset < span; offset++) {
          if (valid[row * span + offset] === 0) {
            strip.classes[to + offset] = 0;
            strip.confidence[to + offset] = 0;
          }
        }
      }
    }
  }
}

/** Waits for both even where one fails, so that none goes on with files that are closed meanwhile. */
async function bothSettled(first: Promise<void>, second: Promise<void>): Promise<void> {
  await Promise.allSettled([first, second]);
  await first;
  await second;
}
