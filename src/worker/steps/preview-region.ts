import { ScoreAccumulator } from '../classmap/accumulate.ts';
import type { ClassEntry } from '../classmap/class-entry.ts';
import { decisionRule, RowDecider } from '../classmap/decide.ts';
import type { EncodedWindow } from '../features/encoded-window.ts';
import type { SessionOptions } from '../infer/session.ts';
import { type EncoderSettings, WindowEncoder } from '../infer/window-encoder.ts';
import { type LabellerSettings, WindowLabeller } from '../infer/window-labeller.ts';
import { embedWords } from '../infer/words.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { openPack, type Pack } from '../pack/open-pack.ts';
import type { RadarRecipe } from '../prep/sar/recipe.ts';
import { chooseWorkingGrid, coarserGrid } from '../prep/working-grid.ts';
import type { Extent } from '../raster/extent.ts';
import { applyAffine, type Grid } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { planWindows, selectWindows, windowAt, windowStart } from '../tile/plan.ts';
import { workingRange } from '../tile/sampling.ts';
import { normaliserOf, prepareScene } from './prepare-scene.ts';
import { openRunScene, runWindow } from './radar-preparation.ts';
import type { TaskContext } from './task-context.ts';

export interface PreviewRegionRequest {
  scene: string;
  pack: string;
  encoder: EncoderSettings;
  labeller: LabellerSettings;
  session: SessionOptions;
  templates: TemplateSetName;
  classes: ClassEntry[];
  threshold: number | number[];
  background: string | null;
  /** 1-based. */
  bands: number[] | null;
  resolution: number | 'native' | null;
  /** Prepares a radar scene. */
  radar: RadarRecipe | null;
  extent: Extent | null;
  window: number;
  stride: number;
  /** Working pixels of the picture; above that, the working resolution is made coarser. */
  mostPixels: number;
  cacheBytes: number;
}

export interface PreviewRegionReply {
  /** Where the picture's pixels, working pixels, lie. */
  grid: Grid;
  /** Whether the scene was laid into another system than its file's. */
  placed: boolean;
  /** `[height · width]`: class ids, 0 for none and above 255, and confidence in 1/255. */
  classes: Uint8Array<ArrayBuffer>;
  confidence: Uint8Array<ArrayBuffer>;
  windows: number;
  /** Windows that went through the encoder; the others were known. */
  encoded: number;
}

/** Bytes of encoded windows that a thread keeps for the next preview. */
const keptBytes = 256 << 20;

/** What a thread keeps from one preview to the next. */
interface Warm {
  pack: Pack;
  encoderKey: string;
  encoder: WindowEncoder;
  /** Embeddings by templates and word. */
  words: Map<string, Float32Array>;
  /** By scene, settings and place; last used last. */
  windows: Map<string, EncodedWindow>;
  bytes: number;
}
let warm: Warm | null = null;

/**
 * Labels a part of a scene at its working resolution, in memory. The thread keeps the encoder, the words and the encoded
 * windows, so that the next preview of the same place only compares.
 */
export async function previewRegion(
  request: PreviewRegionRequest,
  context: TaskContext,
): Promise<PreviewRegionReply> {
  const { signal } = context;
  const kept = await warmUp(request);
  const { manifest } = kept.pack;
  const rule = decisionRule(request.classes, request.threshold, request.background);
  const words = request.classes.flatMap((entry) => entry.words);
  const embeddings = await embeddingsOf(kept, words, request, context);
  const opened = await openRunScene(request.scene, request.radar, request.cacheBytes, signal);
  const { scene } = opened;
  let labeller: WindowLabeller | null = null;
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
    const plan = planWindows(grid.width, grid.height, request.window, request.stride);
    const columns = workingRange(region.column, region.width, grid.scale, plan.columns.size);
    const rows = workingRange(region.row, region.height, grid.scale, plan.rows.size);
    const size = { width: columns.end - columns.start, height: rows.end - rows.start };
    const chosen = selectWindows(plan, { column: columns.start, row: rows.start, ...size });
    const total = (chosen.endColumn - chosen.firstColumn) * (chosen.endRow - chosen.firstRow);
    const sums = new ScoreAccumulator(plan, words.length, columns.start, size.width, rows.start);
    const decider = new RowDecider(rule, size.width);
    const means = new Float32Array(words.length * size.width);
    const validRow = new Uint8Array(size.width);
    const ids = new Uint16Array(size.width * size.height);
    const confidence = new Uint8Array(size.width * size.height);
    const place = JSON.stringify([
      prepared.sceneFingerprint,
      kept.encoderKey,
      prepared.bands,
      prepared.stretch,
      request.radar,
      grid.scale,
      request.window,
      request.stride,
    ]);
    labeller = await WindowLabeller.open(kept.pack, embeddings, request.labeller, request.session);
    let done = 0;
    let encodedCount = 0;
    for (let row = chosen.firstRow; row < chosen.endRow; row++) {
      for (let column = chosen.firstColumn; column < chosen.endColumn; column++) {
        throwIfCancelled(signal);
        const window = windowAt(plan, column, row);
        const read = await prepared.working.read(window, signal);
        const { valid } = read;
        if (valid.includes(1)) {
          const normal = normalise(read.pixels, valid);
          const key = `${place} ${column} ${row}`;
          let encoded = kept.windows.get(key);
          if (!encoded) {
            encoded = await kept.encoder.encode(normal, window.height, window.width, signal);
            encodedCount++;
          }
          keep(kept, key, encoded);
          const scores = await labeller.label(encoded, normal, window.height, window.width, signal);
          sums.add(window, scores, valid);
        }
        context.report({ phase: 'preview', done: ++done, total, unit: 'windows' });
      }
      const next = row + 1 < chosen.endRow ? windowStart(plan.rows, row + 1) : rows.end;
      while (sums.row < Math.min(next, rows.end)) {
        const offset = (sums.row - rows.start) * size.width;
        sums.take(means, validRow);
        decider.decide(means, validRow, ids, confidence, offset);
      }
      // A cancel comes in as an event.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [x, y] = applyAffine(grid.transform, columns.start, rows.start);
    const [, xColumn, xRow, , yColumn, yRow] = grid.transform;
    return {
      grid: { ...size, transform: [x, xColumn, xRow, y, yColumn, yRow], crs: header.grid.crs },
      placed: opened.placedFrom !== null,
      classes: Uint8Array.from(ids, (id) => (id > 255 ? 0 : id)),
      confidence,
      windows: total,
      encoded: encodedCount,
    };
  } finally {
    await labeller?.close();
    await opened.close();
  }
}

/** The pack and encoder asked for: those of the last preview where they are the same. */
async function warmUp({ pack: folder, encoder, session }: PreviewRegionRequest): Promise<Warm> {
  const pack = await openPack(folder);
  const encoderKey = JSON.stringify([pack.checksum, encoder, session]);
  if (warm?.encoderKey === encoderKey) return warm;
  const old = warm;
  warm = null;
  await old?.encoder.close();
  const opened = await WindowEncoder.open(pack, encoder, session);
  warm = { pack, encoderKey, encoder: opened, words: new Map(), windows: new Map(), bytes: 0 };
  return warm;
}

/** `[words, embedding]`; only words that no preview had before are encoded. */
async function embeddingsOf(
  kept: Warm,
  words: readonly string[],
  { templates, session }: PreviewRegionRequest,
  { signal, report }: TaskContext,
): Promise<Float32Array> {
  const { embedding } = kept.pack.manifest.geometry;
  const key = (word: string) => `${templates} ${word}`;
  const missing = [...new Set(words)].filter((word) => !kept.words.has(key(word)));
  if (missing.length > 0) {
    const found = await embedWords(kept.pack, missing, templates, session.threads, signal, report);
    if (kept.words.size > 10_000) kept.words.clear();
    missing.forEach((word, i) => {
      kept.words.set(key(word), found.slice(i * embedding, (i + 1) * embedding));
    });
  }
  const all = new Float32Array(words.length * embedding);
  for (const [i, word] of words.entries()) {
    const known = kept.words.get(key(word));
    if (known) all.set(known, i * embedding);
    else
      all.set(await embedWords(kept.pack, [word], templates, session.threads, signal, report), i * embedding);
  }
  return all;
}

function keep(kept: Warm, key: string, window: EncodedWindow): void {
  const bytes = ({ tokens, cls }: EncodedWindow) => tokens.byteLength + cls.byteLength;
  if (kept.windows.delete(key)) kept.bytes -= bytes(window);
  kept.windows.set(key, window);
  kept.bytes += bytes(window);
  for (const [oldest, old] of kept.windows) {
    if (kept.bytes <= keptBytes) break;
    kept.windows.delete(oldest);
    kept.bytes -= bytes(old);
  }
}
