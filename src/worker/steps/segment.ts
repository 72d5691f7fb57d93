import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { type AccumulatorStorage, accumulatorStorage, ScoreAccumulator } from '../classmap/accumulate.ts';
import { type DecisionRule, RowDecider } from '../classmap/decide.ts';
import { RowInterpolator } from '../classmap/interpolate.ts';
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
import { planWindows, selectWindows, type WindowPlan, windowAt, windowStart } from '../tile/plan.ts';
import { samplePositions, workingRange } from '../tile/sampling.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';
import type { Provenance } from './provenance.ts';
import {
  digestOf,
  findFinished,
  type OpenedRun,
  openRun,
  type ResumePolicy,
  rememberFinished,
  type SegmentOutputs,
} from './segment-run.ts';
import { type PreparedWindow, workInOrder } from './window-queue.ts';

/** Pixels of a scene at its working resolution, in working pixel coordinates. */
export interface WorkingSource {
  /** Colours 0-255 `[3, height, width]` and validity `[height, width]`; each pixel depends on its position alone. */
  read(window: Window, signal?: AbortSignal): Promise<{ pixels: Float32Array; valid: Uint8Array }>;
}

/** Rows of mean scores, from top to bottom. */
export interface RowSource {
  /** Number of query words. */
  readonly words: number;
  /** Rows of scores that it holds at once, in the measure of `[words, width]` floats; default: a window's. */
  readonly rowsHeld?: number;
  /**
   * Working rows `first` to `end` of `width` working columns from `column` on, one after the other into `means`
   * `[words, width]` and `valid` `[width]`, which the caller uses up before it asks for the next.
   */
  read(
    part: { column: number; width: number; first: number; end: number },
    means: Float32Array,
    valid: Uint8Array,
    signal?: AbortSignal,
  ): AsyncIterable<number>;
}

export interface SegmentSceneRequest {
  scene: Pick<Scene, 'header' | 'read'>;
  /** Scene bands whose nodata counts, 0-based. */
  bands: readonly number[];
  /** Size of the working grid, pixels, and scene pixels per working pixel. */
  workingGrid: { width: number; height: number; scale: number };
  working: WorkingSource;
  /** Colours 0-255 to what the model takes; may work in place. Invalid pixels become the mean. */
  normalise(pixels: Float32Array, valid: Uint8Array): Float32Array;
  /** One per lane; all score alike. */
  scorers: readonly WindowScorer[];
  /** Mean scores that are known without windows; takes the scorers' place. */
  rows?: RowSource;
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
  columns: { start: number; end: number };
  rows: { start: number; end: number };
  selection: ReturnType<typeof selectWindows>;
  windows: number;
}

function planPanelWork(
  plan: WindowPlan,
  region: Window,
  scale: number,
  panel: Panel,
  firstRow: number,
): PanelWork {
  const columns = workingRange(region.column + panel.column, panel.width, scale, plan.columns.size);
  const rows = workingRange(region.row + firstRow, region.height - firstRow, scale, plan.rows.size);
  const selection = selectWindows(plan, {
    column: columns.start,
    row: rows.start,
    width: columns.end - columns.start,
    height: rows.end - rows.start,
  });
  const windows = (selection.endColumn - selection.firstColumn) * (selection.endRow - selection.firstRow);
  return { panel, firstRow, columns, rows, selection, windows };
}

function* windowsOf(plan: WindowPlan, { selection }: PanelWork): Generator<Window> {
  for (let row = selection.firstRow; row < selection.endRow; row++) {
    for (let column = selection.firstColumn; column < selection.endColumn; column++) {
      yield windowAt(plan, column, row);
    }
  }
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
 * Segments a scene into a class map and a confidence raster on the scene's pixels: reads and normalises windows ahead,
 * scores them on the lanes, stitches and decides rows, writes finished strips.
 *
 * The pixels depend on the scene, the window grid, the scorer and the rule alone: not on the extent, strips, panels,
 * lanes or interruptions. Without interruption by another panel layout the files' bytes do not either.
 * Memory: sums of one panel, the windows in flight and one strip.
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
  for (const scorer of request.rows ? [request.rows] : request.scorers) {
    if (scorer.words !== words) throw new RangeError(`a scorer has ${scorer.words} words, the rule ${words}`);
  }
  const plan = planWindows(workingGrid.width, workingGrid.height, request.window, request.stride);
  const tileSize = request.tileSize ?? 256;
  const memory = planMemory(request, plan, words, tileSize);
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
      windows: allWindows(memory.panelColumns),
      classPixels: finished.classPixels,
      resumed: true,
      provenance: finished.provenance,
    };
  }

  const run = await openRun(
    outputs,
    { width: region.width, height: region.height, tileSize, bigTiff: 'auto', level: 6 },
    sampleType,
    digest,
    { stripRows, panelColumns: memory.panelColumns, provenance: request.provenance },
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
    // With rows at hand windows are not worked on, but a row of theirs is passed all the same.
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
    const buffers = panelBuffers(plan, words, region, run, works, request.rows !== undefined);
    for (const work of works) {
      await segmentPanel(request, plan, region, run, work, buffers, memory.windowsAhead, onWindows, onStrip);
    }
    throwIfCancelled(signal);
    const context: MapContext = {
      transform: outputGrid.transform,
      crs: outputGrid.crs,
      software: `${run.state.provenance.program} ${run.state.provenance.version}`,
      classes,
      provenance: JSON.stringify(run.state.provenance),
    };
    await run.classMap.seal(describeClassMap(context));
    await run.confidence.seal(describeConfidence(context));
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

/** Columns of a panel and windows in flight that keep within the memory given. */
function planMemory(
  request: SegmentSceneRequest,
  plan: WindowPlan,
  words: number,
  tileSize: number,
): { panelColumns: number; windowsAhead: number } {
  const bytes = request.memoryBytes ?? 512 * 1024 * 1024;
  const windowPixels = plan.columns.window * plan.rows.window;
  const windowBytes = windowPixels * (words * 4 + 3 * 4 + 1);
  const lanes = request.scorers.length;
  // A quarter for windows in flight, but never fewer than the lanes need; the rest for the sums.
  const windowsAhead = Math.max(lanes, Math.min(2 * lanes + 1, Math.floor(bytes / 4 / windowBytes)));
  const left = bytes - windowsAhead * windowBytes;
  const affordable = panelColumns(
    left,
    words,
    request.rows?.rowsHeld ?? plan.rows.window,
    request.workingGrid.scale,
  );
  if (left <= 0 || affordable < Math.min(tileSize, request.scene.header.grid.width)) {
    const needed = windowsAhead * windowBytes + tileSize * plan.rows.window * (words * 4 + 1);
    throw new Problem(
      'segment/memory',
      `${words} words with windows of ${plan.columns.window} × ${plan.rows.window} pixels on ${lanes} lanes need about ${Math.ceil(needed / 1e6)} MB for stitching; ${Math.floor(bytes / 1e6)} MB are allowed.`,
      'Raise --memory, or lower --threads, the window or the number of words.',
    );
  }
  return { panelColumns: Math.min(affordable, request.panelColumns ?? 8192), windowsAhead };
}

/** What panels use one after the other: one panel's garbage beside the next one's sums would take twice the memory. */
interface PanelBuffers {
  /** Null where rows come from elsewhere. */
  sums: AccumulatorStorage | null;
  filling: StripRows;
  spare: StripRows;
}

function panelBuffers(
  plan: WindowPlan,
  words: number,
  region: Window,
  run: OpenedRun,
  works: readonly PanelWork[],
  known: boolean,
): PanelBuffers {
  const widest = Math.max(0, ...works.map(({ columns }) => columns.end - columns.start));
  const pixels =
    Math.min(run.state.stripRows, region.height) * Math.max(0, ...works.map(({ panel }) => panel.width));
  const rows = (): StripRows => ({
    classes: run.classMap.layout.sampleType === 'uint16' ? new Uint16Array(pixels) : new Uint8Array(pixels),
    confidence: new Uint8Array(pixels),
  });
  const sums = known ? null : accumulatorStorage(plan, words, widest);
  return { sums, filling: rows(), spare: rows() };
}

async function segmentPanel(
  request: SegmentSceneRequest,
  plan: WindowPlan,
  region: Window,
  run: OpenedRun,
  work: PanelWork,
  buffers: PanelBuffers,
  windowsAhead: number,
  onWindows: (count: number) => void,
  onStrip: (counts: [number, number][]) => void,
): Promise<void> {
  const { signal, rule } = request;
  const { scale } = request.workingGrid;
  const { panel, columns, rows } = work;
  const words = rule.wordClasses.length;
  const inputWidth = columns.end - columns.start;
  const sums =
    buffers.sums && new ScoreAccumulator(plan, words, columns.start, inputWidth, rows.start, buffers.sums);
  const inputMeans = new Float32Array(words * inputWidth);
  const inputValid = new Uint8Array(inputWidth);
  const native = scale === 1;
  const outputMeans = native ? inputMeans : new Float32Array(words * panel.width);
  const outputValid = native ? inputValid : new Uint8Array(panel.width);
  const interpolator = native
    ? null
    : new RowInterpolator(
        words,
        samplePositions(region.column + panel.column, panel.width, scale, plan.columns.size),
        columns.start,
        inputWidth,
      );
  const lines = samplePositions(
    region.row + work.firstRow,
    region.height - work.firstRow,
    scale,
    plan.rows.size,
  );
  const decider = new RowDecider(rule, panel.width);
  const strip = new StripBuffer(request, region, run, panel, work.firstRow, buffers, onStrip);
  let line = 0;

  /** Turns the row of means at hand into output rows. */
  const use = async (row: number): Promise<void> => {
    if (interpolator === null) {
      await strip.add(decider, outputMeans, outputValid);
      return;
    }
    interpolator.push(row, inputMeans, inputValid);
    while (line < lines.index.length) {
      const before = lines.index[line]!;
      const share = lines.fraction[line]!;
      if ((share > 0 ? before + 1 : before) > row) break;
      interpolator.interpolate(before, share, outputMeans, outputValid);
      await strip.add(decider, outputMeans, outputValid);
      line++;
    }
  };

  /** Turns rows that are complete into output rows. */
  const drain = async (until: number): Promise<void> => {
    while (sums !== null && sums.row < until) {
      const { row } = sums;
      if (interpolator !== null && (line === lines.index.length || row < lines.index[line]!)) {
        sums.drop();
        continue;
      }
      sums.take(inputMeans, inputValid);
      await use(row);
    }
  };

  const passRows = async (source: RowSource): Promise<void> => {
    const part = { column: columns.start, width: inputWidth, first: rows.start, end: rows.end };
    let passed = 0;
    for await (const row of source.read(part, inputMeans, inputValid, signal)) {
      await use(row);
      const until = Math.round(((row + 1 - rows.start) / (rows.end - rows.start)) * work.windows);
      if (until > passed) onWindows(until - passed);
      passed = until;
    }
  };

  const prepare = async (window: Window): Promise<PreparedWindow> => {
    const { pixels, valid } = await request.working.read(window, signal);
    return { pixels: request.normalise(pixels, valid), valid };
  };
  const workers = request.scorers.map(
    (scorer) => (pixels: Float32Array, window: Window) =>
      scorer.score(pixels, window.height, window.width, signal, window),
  );
  const perRow = work.selection.endColumn - work.selection.firstColumn;
  let windowRow = work.selection.firstRow;
  let inRow = 0;
  try {
    if (request.rows) await passRows(request.rows);
    for await (const { window, answer: scores, valid } of workInOrder(
      request.rows ? [] : windowsOf(plan, work),
      prepare,
      workers,
      windowsAhead,
      signal,
    )) {
      if (scores !== null) {
        if (scores.length !== words * window.width * window.height) {
          throw new RangeError(`a scorer returned ${scores.length} values for ${words} words`);
        }
        sums?.add(window, scores, valid);
      }
      onWindows(1);
      if (++inRow < perRow) continue;
      inRow = 0;
      windowRow++;
      const until = windowRow < work.selection.endRow ? windowStart(plan.rows, windowRow) : rows.end;
      await drain(Math.min(until, rows.end));
      // Cancel and messages of other threads come in as events.
      await yieldToEvents();
    }
  } finally {
    // Writers stay open until the last strip is done, whatever happened.
    await strip.settle().catch(() => {});
  }
  await strip.settle();
}

/** Decided rows of a strip. */
interface StripRows {
  classes: Uint8Array | Uint16Array;
  confidence: Uint8Array;
}

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
    this.#rows++;
    const rows = Math.min(this.#run.state.stripRows, this.#region.height - this.#firstRow);
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
    const { classMap, confidence: confidenceWriter } = this.#run;
    await classMap.writeBlock(column, firstRow, width, rows, classes);
    await confidenceWriter.writeBlock(column, firstRow, width, rows, confidence);
    const note = JSON.stringify(counts);
    await confidenceWriter.commitStrip(note);
    await classMap.commitStrip(note);
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

/** Pixels of every class id that occurs. */
function countClasses(classes: Uint8Array | Uint16Array, count: number): [number, number][] {
  const pixels = new Float64Array(count + 1);
  for (let index = 0; index < classes.length; index++) pixels[classes[index]!]!++;
  const counts: [number, number][] = [];
  pixels.forEach((value, id) => {
    if (value > 0) counts.push([id, value]);
  });
  return counts;
}
