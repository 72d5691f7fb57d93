import type { MessagePort } from 'node:worker_threads';
import type { ClassEntry } from '../classmap/class-entry.ts';
import { decisionRule } from '../classmap/decide.ts';
import { CoordinateReader } from '../features/coordinate-store.ts';
import { FeatureReader } from '../features/feature-store.ts';
import { damagedStore } from '../features/record-log.ts';
import type { Precision } from '../features/window-codec.ts';
import type { RadarRecipe } from '../prep/sar/recipe.ts';
import { chooseWorkingGrid } from '../prep/working-grid.ts';
import type { Extent } from '../raster/extent.ts';
import type { Window } from '../raster/grid.ts';
import type { SceneHeader } from '../scene/scene.ts';
import { planWindows, windowNumber } from '../tile/plan.ts';
import { planTokenTiles } from '../tile/token-tiles.ts';
import { coordinateLabeller } from './coordinate-labeller.ts';
import type { DecidedSource } from './decided-source.ts';
import { FastRows, type FastWorker } from './fast-rows.ts';
import { LaneBands } from './lane-bands.ts';
import { normaliserOf, prepareScene } from './prepare-scene.ts';
import type { Provenance } from './provenance.ts';
import { openRunScene, runWindow } from './radar-preparation.ts';
import { type PicturePart, reduceStrip, reductionFor } from './reduce-strip.ts';
import { RemoteLane, RemoteScorer, type WindowQuestion } from './remote-lane.ts';
import type { RowSource } from './row-source.ts';
import { type FinishedStrip, type SegmentSceneResult, segmentScene } from './segment.ts';
import type { ResumePolicy, SegmentOutputs } from './segment-run.ts';
import { checkPixels } from './stored-pixels.ts';
import type { TaskContext } from './task-context.ts';
import { WindowRows } from './window-rows.ts';

/** What the conductor needs to know of a pack. */
export interface PackFacts {
  name: string;
  checksum: string;
  /** Metres per pixel. */
  finestResolution: number;
  mean: readonly number[];
  deviation: readonly number[];
}

export interface ConductRequest {
  scene: string;
  pack: PackFacts;
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
  /** Settings of the scorers: recorded, and part of what the result depends on. */
  scoring: Record<string, unknown>;
  /** Settings of what follows: recorded only. */
  recorded: Record<string, unknown>;
  program: string;
  version: string;
  outputs: SegmentOutputs;
  resume: ResumePolicy;
  /** Bytes of decoded blocks, and for stitching. */
  cacheBytes: number;
  memoryBytes: number;
  /** Longest side, pixels, of the picture whose parts tell of finished strips; null: none are sent. */
  pictureSide: number | null;
  /** Folder of stored features that take the encoder's place; null: windows are encoded. */
  features: string | null;
  /** Lanes decide the pixels by the stored features' coordinates. Null: windows are labelled. */
  coordinates: { lambda: number; upsample: boolean } | null;
  /** In the fast mode (`FastRows`); null in the reference mode, which scores every window by itself. */
  fast: { embedding: number; patch: number } | null;
  /** One end of each lane's channel; the other ends' threads need not run before `lanes-wanted`. */
  lanes: MessagePort[];
}

export type ConductPiece =
  /** The scene is open and the settings hold. */
  | { kind: 'prepared'; header: SceneHeader; region: Window; pixels: number; reason: string }
  /** A window waits to be scored. Does not come where an earlier run left nothing to do. `stored`: of the features. */
  | { kind: 'lanes-wanted'; stored: { precision: Precision; store: string } | null }
  /** A finished strip, reduced. */
  | { kind: 'strip'; part: PicturePart };

export interface ConductReply extends SegmentSceneResult {
  header: SceneHeader;
  workingResolution: number | null;
}

/** Reads, stitches and decides a scene in this thread, while lanes in other threads score its windows. */
export async function conduct(request: ConductRequest, context: TaskContext): Promise<ConductReply> {
  const { signal } = context;
  const { pack, classes } = request;
  const opened = await openRunScene(request.scene, request.radar, request.cacheBytes, signal);
  const { scene } = opened;
  let features: FeatureReader | null = null;
  let coordinates: CoordinateReader | null = null;
  try {
    const { header } = scene;
    const region = runWindow(opened, request.extent);
    const workingGrid = chooseWorkingGrid(
      header.grid,
      header.groundSampleDistance,
      request.resolution ?? undefined,
      pack.finestResolution,
    );
    const rule = decisionRule(classes, request.threshold, request.background);
    await context.emit({
      kind: 'prepared',
      header,
      region,
      pixels: region.width * region.height,
      reason: workingGrid.reason,
    } satisfies ConductPiece);
    const { bands, stretch, working, sceneFingerprint } = await prepareScene(
      scene,
      request,
      workingGrid,
      signal,
    );
    if (request.features !== null) {
      features = await FeatureReader.open(request.features, {
        sceneFingerprint,
        packChecksum: pack.checksum,
      });
      checkPixels(features, { bands, stretch, grid: workingGrid, radar: request.radar });
    }
    const plan = planWindows(workingGrid.width, workingGrid.height, request.window, request.stride);
    if (features && request.coordinates) {
      coordinates = await CoordinateReader.open(
        features.folder,
        coordinateLabeller(request.coordinates.upsample),
      );
      if (coordinates === null) throw damagedStore(features.folder);
    }
    const provenance: Provenance = {
      program: request.program,
      version: request.version,
      date: new Date().toISOString(),
      scene: request.scene,
      sceneFingerprint,
      pack: pack.name,
      packChecksum: pack.checksum,
      classes,
      settings: {
        ...request.scoring,
        mode: request.fast ? 'fast' : 'reference',
        window: request.window,
        stride: request.stride,
        threshold: request.threshold,
        background: request.background,
        bands: bands.map((band) => band + 1),
        stretch,
        radar: request.radar,
        workingResolution: workingGrid.resolution,
        extent: request.extent === null ? null : region,
        ...request.recorded,
      },
    };
    let wanted: Promise<void> | null = null;
    const stored = features && { precision: features.codec.precision, store: features.folder };
    const ask = async (lane: RemoteScorer, question: WindowQuestion) => {
      wanted ??= context.emit({ kind: 'lanes-wanted', stored } satisfies ConductPiece);
      await wanted;
      return lane.ask(question, signal);
    };
    const normalise = normaliserOf(pack);
    const rowSource = (): RowSource | DecidedSource => {
      if (request.coordinates) {
        const own = request.lanes.map((port) => new RemoteLane<Uint8Array<ArrayBuffer>>(port));
        const { lambda } = request.coordinates;
        return new LaneBands(own, { plan, scale: workingGrid.scale, rule, lambda });
      }
      const scorers = request.lanes.map((port) => new RemoteScorer(port, rule.wordClasses.length));
      if (request.fast) {
        const { embedding, patch } = request.fast;
        return new FastRows({
          tiles: planTokenTiles(workingGrid.width, workingGrid.height, request.window, request.stride, patch),
          working,
          normalise,
          workers: scorers.map((lane) => fastWorker((question) => ask(lane, question), lane.words)),
          words: rule.wordClasses.length,
          embedding,
        });
      }
      return new WindowRows({
        plan,
        working,
        normalise,
        scorers: scorers.map((lane) => ({
          words: lane.words,
          async score(pixels, height, width, _, window) {
            const record = features && window && (await features.record(windowNumber(plan, window)));
            return ask(lane, { pixels, height, width, ...(record && { record }) });
          },
        })),
        memoryBytes: request.memoryBytes,
      });
    };
    const result = await segmentScene({
      scene,
      bands,
      workingGrid,
      rows: rowSource(),
      window: request.window,
      stride: request.stride,
      extent: request.extent === null ? null : region,
      ...(request.pictureSide !== null && { onStrip: teller(region, request.pictureSide, context) }),
      rule,
      provenance,
      identity: {
        ...request.scoring,
        stretch,
        level: working.level,
        ...(request.radar && { radar: request.radar }),
        ...(request.fast && { mode: 'fast' }),
        ...(coordinates && { coordinates: { rank: coordinates.header.rank, step: coordinates.header.step } }),
      },
      outputs: request.outputs,
      resume: request.resume,
      memoryBytes: request.memoryBytes,
      signal,
      report: context.report,
    });
    return { ...result, header, workingResolution: workingGrid.resolution };
  } finally {
    await coordinates?.close();
    await features?.close();
    await opened.close();
  }
}

/** A lane of the fast mode, as it is asked. */
function fastWorker(ask: (question: WindowQuestion) => Promise<Float32Array>, words: number): FastWorker {
  return {
    async encode(pixels, { height, width }) {
      const answer = await ask({ pixels, height, width });
      const split = answer.length - words;
      return { tokens: answer.subarray(0, split), global: answer.subarray(split) };
    },
    label: (tile, pixels) => ask({ pixels, height: 0, width: 0, tile }),
  };
}

/** Sends each strip on, reduced to a picture of the region. */
function teller(region: Window, longest: number, context: TaskContext) {
  const factor = reductionFor(region.width, region.height, longest);
  return async (strip: FinishedStrip): Promise<void> => {
    const part = reduceStrip(strip, factor);
    // A cancelled run's last strip is kept, but nobody waits to see it.
    if (!part || context.signal.aborted) return;
    const piece: ConductPiece = { kind: 'strip', part };
    await context.emit(piece, [part.classes.buffer, part.confidence.buffer]).catch(() => {});
  };
}
