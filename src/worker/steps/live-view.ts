import type { ClassEntry } from '../classmap/class-entry.ts';
import { plainWords } from '../classmap/class-words.ts';
import { decisionRule, RowDecider } from '../classmap/decide.ts';
import {
  CoordinateProjector,
  CoordinateRounder,
  type Coordinates,
  emptyCoordinates,
} from '../features/coordinates.ts';
import type { EncodedWindow } from '../features/encoded-window.ts';
import { type Example, exampleOf } from '../features/example.ts';
import { choosePixelBasis, levelUnit } from '../features/pixel-basis.ts';
import type { SessionOptions } from '../infer/session.ts';
import { TileLabeller } from '../infer/tile-labeller.ts';
import type { EncoderSettings } from '../infer/window-encoder.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { openPack } from '../pack/open-pack.ts';
import type { RadarRecipe } from '../prep/sar/recipe.ts';
import { chooseWorkingGrid, coarserGrid } from '../prep/working-grid.ts';
import { applyAffine } from '../raster/affine.ts';
import type { Extent } from '../raster/extent.ts';
import type { Grid, Window } from '../raster/grid.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { planWindows, selectWindows, type WindowPlan, windowAt, windowNumber } from '../tile/plan.ts';
import { workingRange } from '../tile/sampling.ts';
import { planTokenTiles } from '../tile/token-tiles.ts';
import { FastRows } from './fast-rows.ts';
import { GlobalScores, globalScoresOf } from './global-scores.ts';
import { finestShare, pixelSpectrum, type SampleWindow, TokenSample } from './pixel-sample.ts';
import { normaliserOf, prepareScene } from './prepare-scene.ts';
import { type Examples, queriesOf } from './queries.ts';
import { openRunScene, runWindow } from './radar-preparation.ts';
import { storedView } from './stored-view.ts';
import type { TaskContext } from './task-context.ts';
import { WarmPack } from './warm-pack.ts';

export interface EncodeViewRequest {
  scene: string;
  pack: string;
  encoder: EncoderSettings;
  upsample: boolean;
  session: SessionOptions;
  /** 1-based. */
  bands: number[] | null;
  resolution: number | 'native' | null;
  /** Prepares a radar scene. */
  radar: RadarRecipe | null;
  extent: Extent | null;
  window: number;
  stride: number;
  /** Folder where features of the scene may be stored: they save the encoding. */
  stored: string | null;
  /** Working pixels of the view; above that, the working resolution is made coarser. */
  mostPixels: number;
  cacheBytes: number;
}

export interface EncodeViewReply {
  /** Names the view in questions about it; the next view takes its place. */
  view: string;
  /** Where the view's pixels, working pixels, lie. */
  grid: Grid;
  /** Whether the scene was laid into another system than its file's. */
  placed: boolean;
  windows: number;
  /** Windows that went through the encoder; the others were known. */
  encoded: number;
  /** Directions that are kept of a pixel's feature. */
  rank: number;
}

export interface LabelViewRequest {
  view: string;
  classes: ClassEntry[];
  /** What `@name` among the words stands for. */
  examples: Examples;
  templates: TemplateSetName;
  lambda: number;
  threshold: number | number[];
  background: string | null;
}

export interface LabelViewReply {
  /** `[height · width]`: class ids, 0 for none and above 255, and confidence in 1/255. */
  classes: Uint8Array<ArrayBuffer>;
  confidence: Uint8Array<ArrayBuffer>;
}

export interface HeatViewRequest {
  view: string;
  word: string;
  templates: TemplateSetName;
}

export interface HeatViewReply {
  /** `[height · width]`: similarity from 1 (`low`) to 255 (`high`), 0 where nothing was measured. */
  heat: Uint8Array<ArrayBuffer>;
  low: number;
  high: number;
}

export interface LikelyWordsRequest {
  view: string;
  /** Pixel of the view. */
  column: number;
  row: number;
  /** Words by meaning; the best of each meaning counts. */
  words: string[][];
  templates: TemplateSetName;
}

/** Words and their similarity with the pixel, the likeliest first. */
export type LikelyWords = { word: string; similarity: number }[];

export interface ExampleOfViewRequest {
  view: string;
  /** Pixels of the view. */
  places: { column: number; row: number }[];
  /** Words that the example will compete with. */
  words: string[];
  templates: TemplateSetName;
}

/** A view whose pixels are known by their coordinates. */
interface LiveView {
  id: string;
  warm: WarmPack;
  coordinates: Coordinates;
  /** Along the coordinates' directions. */
  variances: Float64Array;
  plan: WindowPlan;
  /** Of the view's first pixel on the working grid. */
  column: number;
  row: number;
  /** Class tokens by window number. */
  classTokens: ReadonlyMap<number, Float32Array>;
}

/** Windows that the directions are found from. */
const mostSamples = 6;
/** Words that are told of a pixel. */
const mostLikely = 5;
/** Rows that are labelled before a cancel is looked for. */
const rowsAtOnce = 32;

let warm: WarmPack | null = null;
let view: LiveView | null = null;
let views = 0;

/**
 * Encodes a part of a scene at its working resolution and keeps the coordinates of its pixels in this thread, so that any
 * words can be asked of it at once: `labelView`, `heatView`. One view is kept.
 */
export async function encodeView(request: EncodeViewRequest, context: TaskContext): Promise<EncodeViewReply> {
  const { signal } = context;
  const kept = await warmUp(request);
  const { manifest } = kept.pack;
  const opened = await openRunScene(request.scene, request.radar, request.cacheBytes, signal);
  const { scene } = opened;
  try {
    const { header } = scene;
    const region = runWindow(opened, request.extent);
    const finest = chooseWorkingGrid(
      header.grid,
      header.groundSampleDistance,
      request.resolution ?? undefined,
      manifest.finestResolution,
    );
    const pixels = (region.width * region.height) / finest.scale ** 2;
    const grid =
      pixels <= request.mostPixels
        ? finest
        : coarserGrid(
            header.grid,
            header.groundSampleDistance,
            finest.scale * Math.sqrt(pixels / request.mostPixels),
          );
    const prepared = await prepareScene(scene, request, grid, signal);
    const normalise = normaliserOf(manifest.normalisation);
    const part = {
      column: workingRange(region.column, region.width, grid.scale, grid.width),
      row: workingRange(region.row, region.height, grid.scale, grid.height),
    };
    const [left, top] = [part.column.start, part.row.start];
    const size = { width: part.column.end - left, height: part.row.end - top };
    const { embedding, vision } = manifest.geometry;
    const tiles = planTokenTiles(grid.width, grid.height, request.window, request.stride, vision.patch, {
      column: left,
      row: top,
      ...size,
    });
    const { plan } = tiles;
    const chosen = selectWindows(plan, { column: left, row: top, ...size });
    const [x, y] = applyAffine(grid.transform, left, top);
    const [, xColumn, xRow, , yColumn, yRow] = grid.transform;
    /** From now on the view is this one. */
    const keep = (
      own: Pick<LiveView, 'coordinates' | 'variances' | 'plan' | 'classTokens'>,
      windowCount: number,
      encodedCount: number,
    ): EncodeViewReply => {
      const id = `view ${++views}`;
      view = { id, warm: kept, column: left, row: top, ...own };
      return {
        view: id,
        grid: { ...size, transform: [x, xColumn, xRow, y, yColumn, yRow], crs: header.grid.crs },
        placed: opened.placedFrom !== null,
        windows: windowCount,
        encoded: encodedCount,
        rank: own.coordinates.basis.rank,
      };
    };
    if (request.stored !== null) {
      const { bands, stretch, sceneFingerprint } = prepared;
      const wholePlan = planWindows(grid.width, grid.height, request.window, request.stride);
      const known = await storedView({
        folder: request.stored,
        identity: {
          sceneFingerprint,
          packChecksum: kept.pack.checksum,
          encoder: { ...request.encoder },
          window: request.window,
          stride: request.stride,
        },
        pixels: { bands, stretch, grid, radar: request.radar },
        upsample: request.upsample,
        plan: wholePlan,
        part: { column: left, row: top, ...size },
        signal,
      });
      if (known) return keep({ ...known, plan: wholePlan }, known.classTokens.size, 0);
    }
    const windows: Window[] = [];
    for (let row = chosen.firstRow; row < chosen.endRow; row++)
      for (let column = chosen.firstColumn; column < chosen.endColumn; column++)
        windows.push(windowAt(plan, column, row));
    const read = async (window: Window) => {
      const { pixels: colours, valid } = await prepared.working.read(window, signal);
      return { pixels: normalise(colours, valid), valid };
    };
    const place = JSON.stringify([
      prepared.sceneFingerprint,
      prepared.bands,
      prepared.stretch,
      request.radar,
      grid.scale,
      request.window,
      request.stride,
    ]);
    // Upsampling takes about a third of the time.
    const total = Math.ceil(1.5 * windows.length);
    let done = 0;
    const passed = async (until: number) => {
      done = until;
      context.report({ phase: 'encoding the view', done, total, unit: 'windows' });
      await yieldToEvents(signal);
    };
    let encodedCount = 0;
    const encoded = new Map<number, EncodedWindow>();
    const classTokens = new Map<number, Float32Array>();
    for (const window of windows) {
      const { pixels: values, valid } = await read(window);
      if (valid.includes(1)) {
        const one = await kept.window(`${place} ${window.column} ${window.row}`, () => {
          encodedCount++;
          return kept.encoder.encode(values, window.height, window.width, signal);
        });
        encoded.set(windowNumber(plan, window), one);
        classTokens.set(windowNumber(plan, window), one.cls);
      }
      await passed(done + 1);
    }
    const sample: SampleWindow[] = [];
    const known = windows.flatMap((window) => {
      const one = encoded.get(windowNumber(plan, window));
      return one ? [{ window, encoded: one }] : [];
    });
    const wanted = Math.min(mostSamples, Math.ceil(known.length / 4));
    for (let i = 0; i < wanted; i++) {
      const { window, encoded: one } = known[Math.floor(((i + 0.5) * known.length) / wanted)]!;
      const { width, height } = window;
      sample.push({ encoded: one, ...(await read(window)), width, height });
    }
    const tokens = new TokenSample(known.length);
    for (const one of encoded.values()) tokens.add(one);
    const { session, upsample } = request;
    const spectrum = await pixelSpectrum(sample, { pack: kept.pack, upsample, session, signal }, tokens);
    const basis = choosePixelBasis(spectrum, finestShare);
    const coordinates = emptyCoordinates(basis, size.width, size.height);
    const rounder = new CoordinateRounder(basis);
    const products = new Float32Array(basis.rank * size.width);
    const validRow = new Uint8Array(size.width);
    const labeller = await TileLabeller.open(kept.pack, basis.directions, upsample, session);
    try {
      const nothing = new Float32Array(basis.rank);
      const rows = new FastRows({
        tiles,
        working: prepared.working,
        normalise,
        workers: [
          {
            async encode(_, window) {
              const one = encoded.get(windowNumber(plan, window))!;
              return { tokens: one.tokens, global: nothing };
            },
            label: (tile, values) => labeller.label(tile, values, signal),
          },
        ],
        words: basis.rank,
        embedding,
      });
      const wantedRows = { column: left, width: size.width, first: top, end: top + size.height };
      for await (const row of rows.read(wantedRows, products, validRow, signal)) {
        rounder.round(products, validRow, 0, coordinates, row - top);
        const share = (row + 1 - top) / size.height;
        if (share === 1 || (row - top) % 64 === 63)
          await passed(windows.length + Math.floor(share * (total - windows.length)));
      }
    } finally {
      await labeller.close();
    }
    const variances = spectrum.variances.slice(0, basis.rank);
    return keep({ coordinates, variances, plan, classTokens }, windows.length, encodedCount);
  } finally {
    await opened.close();
  }
}

/** Labels of the view for any words, thresholds and background. Throws `live/none` for a view that is not kept. */
export async function labelView(request: LabelViewRequest, context: TaskContext): Promise<LabelViewReply> {
  const { signal } = context;
  const kept = viewNamed(request.view);
  const rule = decisionRule(request.classes, request.threshold, request.background);
  const words = request.classes.flatMap((entry) => entry.words);
  const texts = await kept.warm.embeddings(plainWords(words), request.templates, context);
  const embeddings = queriesOf(words, texts, request.examples, kept.coordinates.basis.size);
  const { width, height, valid } = kept.coordinates;
  const decider = new RowDecider(rule, width);
  const narrow = request.classes.every(({ id }) => id <= 255);
  const classes = narrow ? new Uint8Array(width * height) : new Uint16Array(width * height);
  const confidence = new Uint8Array(width * height);
  await eachRow(kept, embeddings, request.lambda, signal, (row, similarities) => {
    decider.decide(
      similarities,
      valid.subarray(row * width, (row + 1) * width),
      classes,
      confidence,
      row * width,
    );
  });
  return {
    classes: classes instanceof Uint8Array ? classes : Uint8Array.from(classes, (id) => (id > 255 ? 0 : id)),
    confidence,
  };
}

/**
 * Similarity of the view's pixels with one word, as a picture; without the global bias, which is of windows and not of
 * pixels. Throws `live/none`.
 */
export async function heatView(request: HeatViewRequest, context: TaskContext): Promise<HeatViewReply> {
  const { signal } = context;
  const kept = viewNamed(request.view);
  const embeddings = await kept.warm.embeddings([request.word], request.templates, context);
  const { width, height, valid } = kept.coordinates;
  const all = new Float32Array(width * height);
  await eachRow(kept, embeddings, 0, signal, (row, similarities) => {
    all.set(similarities.subarray(0, width), row * width);
  });
  // From the lowest hundredth to the highest: single pixels shall not take the scale for themselves.
  const some: number[] = [];
  const step = Math.max(1, Math.floor(all.length / 20_000));
  for (let i = 0; i < all.length; i += step) if (valid[i] !== 0) some.push(all[i]!);
  some.sort((a, b) => a - b);
  const low = some[Math.floor(some.length * 0.01)] ?? 0;
  const high = Math.max(low + 1e-9, some[Math.ceil(some.length * 0.99) - 1] ?? 1);
  const heat = new Uint8Array(width * height);
  for (let i = 0; i < heat.length; i++) {
    if (valid[i] === 0) continue;
    const share = (all[i]! - low) / (high - low);
    heat[i] = 1 + Math.round(254 * (share < 0 ? 0 : share > 1 ? 1 : share));
  }
  return { heat, low, high };
}

/**
 * The likeliest of many words at a pixel: what the map would say there if it were asked for all of them. Throws
 * `live/none`, `scene/nodata`.
 */
export async function likelyWords(request: LikelyWordsRequest, context: TaskContext): Promise<LikelyWords> {
  const kept = viewNamed(request.view);
  const feature = featureAt(kept, request.column, request.row);
  const size = feature.length;
  const embeddings = await kept.warm.embeddings(request.words.flat(), request.templates, context);
  const similarities = Float32Array.from({ length: embeddings.length / size }, (_, at) =>
    embeddings.subarray(at * size, (at + 1) * size).reduce((sum, value, i) => sum + value * feature[i]!, 0),
  );
  let first = 0;
  return request.words
    .map((group) => {
      const own = similarities.subarray(first, first + group.length);
      first += group.length;
      const similarity = Math.max(...own);
      return { word: group[own.indexOf(similarity)]!, similarity };
    })
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, mostLikely);
}

/** An example of some pixels of the view, against the rest of it. Throws `live/none`, `scene/nodata`. */
export async function exampleOfView(request: ExampleOfViewRequest, context: TaskContext): Promise<Example> {
  const kept = viewNamed(request.view);
  const { basis } = kept.coordinates;
  const feature = new Float32Array(basis.size);
  for (const { column, row } of request.places) {
    const own = featureAt(kept, column, row);
    for (let i = 0; i < basis.size; i++) feature[i]! += own[i]! / request.places.length;
  }
  const words = await kept.warm.embeddings(request.words, request.templates, context);
  return exampleOf(feature, { ...basis, variances: kept.variances }, words);
}

/** The mean feature of a pixel and its neighbours, `[size]`, as its coordinates tell it. */
function featureAt({ coordinates }: LiveView, column: number, row: number): Float32Array {
  const { basis, width, height, levels, valid } = coordinates;
  const { size, rank, mean, directions } = basis;
  const sums = new Float64Array(rank);
  let count = 0;
  for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
      if (valid[y * width + x] === 0) continue;
      count++;
      for (let k = 0; k < rank; k++) sums[k]! += levels[(y * rank + k) * width + x]!;
    }
  }
  if (count === 0) {
    throw new Problem(
      'scene/nodata',
      'There is no data at this place.',
      'Choose another place in the preview.',
    );
  }
  const feature = mean.slice();
  for (let k = 0; k < rank; k++) {
    const along = (sums[k]! / count) * levelUnit;
    for (let i = 0; i < size; i++) feature[i]! += along * directions[k * size + i]!;
  }
  return feature;
}

/** Calls `use` with the similarities `[words, width]` of each row, from top to bottom. */
async function eachRow(
  { coordinates, plan, column, row: top, classTokens }: LiveView,
  embeddings: Float32Array,
  lambda: number,
  signal: AbortSignal,
  use: (row: number, similarities: Float32Array) => void,
): Promise<void> {
  const { basis, width, height, levels } = coordinates;
  const projector = new CoordinateProjector(basis, embeddings);
  const scores = new Map(
    [...classTokens].map(([number, cls]) => [number, globalScoresOf(cls, embeddings, lambda)]),
  );
  const global = new GlobalScores(
    plan,
    column,
    width,
    projector.words,
    (windowColumn, windowRow) => scores.get(windowRow * plan.columns.count + windowColumn) ?? null,
  );
  const similarities = new Float32Array(projector.words * width);
  for (let row = 0; row < height; row++) {
    if (row % rowsAtOnce === 0) await yieldToEvents(signal);
    projector.project(levels, row * basis.rank * width, width, width, similarities, 0, width);
    if (lambda !== 0) global.add(top + row, similarities);
    use(row, similarities);
  }
}

function viewNamed(id: string): LiveView {
  if (view?.id !== id) {
    throw new Problem('live/none', 'The view is no longer at hand.', 'Press Preview: it is encoded again.');
  }
  return view;
}

/** The pack and encoder asked for: those of the last view where they are the same. */
async function warmUp({ pack: folder, encoder, session }: EncodeViewRequest): Promise<WarmPack> {
  const key = WarmPack.keyOf(await openPack(folder), encoder, session);
  if (warm?.key === key) return warm;
  const old = warm;
  warm = null;
  view = null;
  await old?.close();
  warm = await WarmPack.open(folder, encoder, session);
  return warm;
}

/** A cancel comes in as an event. */
async function yieldToEvents(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  throwIfCancelled(signal);
}
