import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { ClassEntry } from '../../worker/classmap/class-entry.ts';
import { plainWords } from '../../worker/classmap/class-words.ts';
import { hasCoordinates } from '../../worker/features/coordinate-store.ts';
import type { Example } from '../../worker/features/example.ts';
import { checkKnownWords } from '../../worker/pack/known-words.ts';
import { openPack, type Pack, verifyPack } from '../../worker/pack/open-pack.ts';
import type { RadarRecipe } from '../../worker/prep/sar/recipe.ts';
import type { Grid } from '../../worker/raster/grid.ts';
import { Cancelled, Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { ReportProgress } from '../../worker/report/progress.ts';
import { stackedFiles } from '../../worker/scene/band-stack.ts';
import type { ConductPiece, ConductReply } from '../../worker/steps/conduct.ts';
import { coordinateLabeller } from '../../worker/steps/coordinate-labeller.ts';
import { unpackFeatures } from '../../worker/steps/feature-batch.ts';
import { type Examples, queriesOf } from '../../worker/steps/queries.ts';
import type { Modality, RadarPreparation } from '../../worker/steps/radar-preparation.ts';
import { type PicturePart, reducedGrid } from '../../worker/steps/reduce-strip.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { Lanes } from '../engine/lanes.ts';
import type { StagedOutput } from '../export/layer-writer.ts';
import { writeLayers } from '../export/layer-writers.ts';
import { publishAll } from '../export/staged-file.ts';
import { packFolder } from '../packs/home.ts';
import { program, version } from '../program.ts';
import { type LanePlan, planLanes } from './lanes.ts';
import {
  diskWarning,
  lockPartial,
  type OutputPlan,
  planOutputs,
  prepareOutputs,
  releasePartial,
  removePartial,
} from './output-plan.ts';
import { checkSegmentRequest, type SegmentInput, type SegmentRequest } from './segment-request.ts';

export interface RunOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ReportProgress | undefined;
  /** A sentence for the person who watches. */
  onNote?: ((text: string) => void) | undefined;
}

export interface SegmentOptions extends RunOptions {
  /** Is told of finished strips, as a picture that grows. */
  picture?: RunPicture | undefined;
}

/** Somebody who watches a run's map appear. */
export interface RunPicture {
  /** Pixels along the picture's longest side, at most. */
  longestSide: number;
  begin(grid: Grid, classes: readonly ClassEntry[]): void;
  add(part: PicturePart): void;
}

/** What a run made: the object of `--json`. */
export interface SegmentSummary {
  scene: string;
  pack: string;
  /** Files to open, absolute. */
  outputs: string[];
  /** Size of the result. */
  width: number;
  height: number;
  crs: string | null;
  /** Metres per working pixel, or null without a CRS. */
  workingResolution: number | null;
  classes: {
    id: number;
    name: string;
    pixels: number;
    /** Of its polygons, m² (pixels² without a CRS); null where no polygons were asked for. */
    area: number | null;
  }[];
  /** Pixels of class 0: unclassified or nodata. */
  unclassified: number;
  pixels: number;
  /** Null where none were asked for. */
  polygons: number | null;
  windows: number;
  provider: string;
  /** What the image encoder computed in. */
  precision: string;
  lanes: number;
  threadsPerLane: number;
  /** Whether strips of an earlier run were taken over. */
  resumed: boolean;
  notes: string[];
  seconds: number;
}

/** Bytes that reading and stitching may take, of what the whole run may. */
export interface MemoryPlan {
  cacheBytes: number;
  stitchBytes: number;
  /** All but the lanes, the program itself included. */
  reservedBytes: number;
}

const megabyte = 2 ** 20;

export function planMemory(memory: number): MemoryPlan {
  const cacheBytes = Math.min(256 * megabyte, Math.floor(memory / 8));
  const stitchBytes = Math.min(1024 * megabyte, Math.floor(memory / 4));
  return { cacheBytes, stitchBytes, reservedBytes: cacheBytes + stitchBytes + 200 * megabyte };
}

/** What a lane may take: weights once more than on disk where the runtime packs them, and a window's activations. */
export function laneBytes(pack: Pack, request: SegmentRequest, words: number, encoder: string): number {
  const { files } = pack.manifest;
  const weights = (files[`${encoder}.weights`]?.bytes ?? 0) + (files['upsampler.weights']?.bytes ?? 0);
  const side = request.window === 0 ? 1024 : request.window;
  const activations = side * side * 4 * (3 * 121 + 4 * words);
  return weights * 2 + activations + 150 * megabyte;
}

/** The inference sessions that a run will have. */
export function lanesOf(request: SegmentRequest, pack: Pack): LanePlan {
  const words = request.classes.reduce((sum, entry) => sum + entry.words.length, 0);
  return planLanes(
    request.threads,
    request.memory,
    planMemory(request.memory).reservedBytes,
    laneBytes(pack, request, words, 'vision'),
    request.provider,
  );
}

/**
 * Settings of the scorers with the pack's own where the request leaves them open; a pack without an encoder for SAR looks
 * with its optical one. Throws `Problem`.
 */
export function scoringOf(request: SegmentRequest, pack: Pack, modality: Modality = 'optical') {
  const { encoders, upsampler, name } = pack.manifest;
  const kinds = { simfeatup: 'jbu_one', featup: 'jbu_stack' } as const;
  const asked = request.upsampler;
  if (asked !== null && asked !== 'none' && upsampler?.kind !== kinds[asked]) {
    throw new Problem(
      'pack/no-upsampler',
      `Pack ${name} has no ${asked} upsampler${upsampler ? `, but ${upsampler.kind === 'jbu_one' ? 'simfeatup' : 'featup'}` : ''}.`,
      'Leave --upsampler out to use what the pack has, or use none.',
    );
  }
  const sees = modality === 'sar' && encoders.sar ? ('sar' as const) : ('optical' as const);
  const encoder = encoders[sees] ?? encoders.optical;
  return {
    modality: sees,
    attention: request.attention ?? (encoder.attention as NonNullable<SegmentRequest['attention']>),
    lastLayers: request.lastLayers ?? encoder.lastLayers,
    lambda: request.lambda,
    upsample: asked !== 'none' && upsampler !== null,
  };
}

/** Segments a scene from file to files. Throws `Problem`; leaves no output on failure, and what can be resumed beside it. */
export async function runSegment(input: SegmentInput, options: SegmentOptions = {}): Promise<SegmentSummary> {
  const started = performance.now();
  const checked = checkSegmentRequest(input);
  const request = { ...checked, pack: await packFolder(checked.pack) };
  const plan = planOutputs(request.out, request.formats);
  const pack = await openPack(request.pack);
  checkKnownWords(pack.manifest, plainWords(request.classes.flatMap((entry) => entry.words)));
  await verifyPack(pack, options.signal);
  const stacked = await stackedFiles(request.scene);
  if (stacked === null && !(await stat(request.scene).catch(() => null))) {
    throw new Problem('scene/missing', `${request.scene} does not exist.`, 'Check the name and the folder.');
  }
  await prepareOutputs(plan, request.scene, request.overwrite);
  await lockPartial(plan);
  const words = request.classes.flatMap((entry) => entry.words);
  const memory = planMemory(request.memory);
  const lanePlan = lanesOf(request, pack);
  const notes: string[] = [];
  const note = (text: string) => {
    notes.push(text);
    options.onNote?.(text);
  };
  const conductor = new EngineThread('conductor');
  try {
    const preparation = await conductor.run('planRadarPreparation', request, { signal: options.signal });
    const scoring = scoringOf(request, pack, preparation.modality);
    for (const text of preparationNotes(preparation, scoring, pack)) note(text);
    const examples = await examplesOf(
      conductor,
      request,
      scoring,
      preparation.recipe,
      memory,
      words,
      options,
    );
    const reply = await classify(
      conductor,
      request,
      examples,
      plan,
      pack,
      scoring,
      preparation.recipe,
      words,
      memory,
      lanePlan,
      {
        ...options,
        onNote: note,
      },
    );
    const { classPixels, polygons } = await write(conductor, request, plan, memory, reply, {
      ...options,
      onNote: note,
    });
    await removePartial(plan);
    const { grid } = reply;
    return {
      scene: request.scene,
      pack: pack.manifest.name,
      outputs: [
        ...plan.formats.map((format) => plan.files[format]!),
        ...(plan.confidence ? [plan.confidence] : []),
      ],
      width: grid.width,
      height: grid.height,
      crs: grid.crs === null ? null : grid.crs.epsg === null ? grid.crs.name : `EPSG:${grid.crs.epsg}`,
      workingResolution: reply.workingResolution,
      classes: request.classes.map(({ id, name }) => ({
        id,
        name,
        pixels: classPixels[id] ?? 0,
        area: polygons === null ? null : (polygons.areas[id] ?? 0),
      })),
      unclassified: classPixels[0] ?? 0,
      pixels: grid.width * grid.height,
      polygons: polygons === null ? null : polygons.count,
      windows: reply.windows,
      provider: request.provider,
      precision: pack.manifest.precision,
      ...lanePlan,
      resumed: reply.resumed,
      notes,
      seconds: Math.round(performance.now() - started) / 1000,
    };
  } catch (error) {
    throw await withRemains(asProblem(error), plan);
  } finally {
    await conductor.close();
  }
}

/** What the person who watches should know of how a scene is looked at; nothing of optical scenes. */
export function preparationNotes(
  { modality, reason }: RadarPreparation,
  scoring: ReturnType<typeof scoringOf>,
  pack: Pack,
): string[] {
  if (modality === 'optical') return reason.startsWith('Optical') ? [] : [reason];
  return [reason, encoderNote(scoring, pack)];
}

/** Which encoder looks at a radar scene. */
export function encoderNote(scoring: ReturnType<typeof scoringOf>, pack: Pack): string {
  const { name } = pack.manifest;
  return scoring.modality === 'sar'
    ? `Encoder for SAR of ${name}: ${scoring.attention} attention in the last ${scoring.lastLayers === 1 ? 'layer' : `${scoring.lastLayers} layers`}.`
    : `warning: pack ${name} has no encoder for SAR; it looks with its optical one, which has not learnt radar.`;
}

/** What the request's examples ask of a feature: those of places are looked at first. */
async function examplesOf(
  conductor: EngineThread,
  request: SegmentRequest,
  scoring: ReturnType<typeof scoringOf>,
  radar: RadarRecipe | null,
  memory: MemoryPlan,
  words: readonly string[],
  { signal, onProgress }: SegmentOptions,
): Promise<Examples> {
  const known: Record<string, Example> = {};
  const points: Record<string, [number, number][]> = {};
  for (const [name, example] of Object.entries(request.examples)) {
    if ('direction' in example) known[name] = example;
    else points[name] = example.points;
  }
  if (Object.keys(points).length === 0) return known;
  const { scene, pack, provider, threads, templates, bands, resolution, window, stride } = request;
  const found = await conductor.run(
    'learnExamples',
    {
      scene,
      pack,
      encoder: scoring,
      upsample: scoring.upsample,
      session: { provider, threads },
      templates,
      bands,
      resolution,
      radar,
      window,
      stride,
      cacheBytes: memory.cacheBytes,
      points,
      words: plainWords(words),
    },
    { signal, onProgress },
  );
  return { ...known, ...found };
}

/** SHA-256 of each example, for what a result depends on. */
function digestsOf(examples: Examples): Record<string, string> {
  return Object.fromEntries(
    Object.entries(examples).map(([name, { feature, direction }]) => {
      const numbers = Float32Array.from([...Array.from(feature), ...Array.from(direction)]);
      return [name, createHash('sha256').update(new Uint8Array(numbers.buffer)).digest('hex')];
    }),
  );
}

/** Class map and confidence in the partial folder, by the conductor in its thread and lanes in theirs. */
async function classify(
  conductor: EngineThread,
  request: SegmentRequest,
  examples: Examples,
  plan: OutputPlan,
  pack: Pack,
  scoring: ReturnType<typeof scoringOf>,
  radar: RadarRecipe | null,
  words: string[],
  memory: MemoryPlan,
  { lanes: laneCount, threadsPerLane }: LanePlan,
  { signal, onProgress, onNote, picture }: SegmentOptions,
): Promise<ConductReply> {
  const channels = Array.from({ length: laneCount }, () => new MessageChannel());
  const ports = channels.map(({ port1 }) => port1);
  const lanes = new Lanes();
  const failing = new AbortController();
  let laneProblem: Problem | null = null;
  let encoding = false;
  const session = { provider: request.provider, threads: threadsPerLane };
  const startLanes = ({ stored }: Extract<ConductPiece, { kind: 'lanes-wanted' }>) => {
    encoding = true;
    lanes.start(
      {
        words,
        examples,
        templates: request.templates,
        lane: { pack: request.pack, session },
        work: (embeddings) =>
          stored === null
            ? { kind: request.mode === 'fast' ? 'fast' : 'score', embeddings, settings: scoring }
            : { kind: 'label', embeddings, settings: scoring, ...stored },
      },
      channels.map(({ port2 }) => port2),
      onProgress,
      () => {
        encoding = false;
      },
      (problem) => {
        laneProblem ??= problem;
        failing.abort(problem);
      },
    );
  };
  const { manifest } = pack;
  try {
    const { lambda, upsample } = scoring;
    const known =
      request.features !== null &&
      request.from === 'coordinates' &&
      (await hasCoordinates(request.features, coordinateLabeller(upsample)));
    const texts = known
      ? await conductor.run(
          'embed',
          {
            pack: request.pack,
            words: plainWords(words),
            templates: request.templates,
            threads: request.threads,
          },
          { signal, onProgress },
        )
      : null;
    const embeddings = texts && queriesOf(words, texts, examples, manifest.geometry.embedding);
    return await conductor.run(
      'conduct',
      {
        scene: request.scene,
        pack: {
          name: manifest.name,
          checksum: pack.checksum,
          finestResolution: manifest.finestResolution,
          mean: manifest.normalisation.mean,
          deviation: manifest.normalisation.deviation,
        },
        classes: request.classes,
        threshold: request.threshold,
        background: request.background,
        bands: request.bands,
        resolution: request.resolution,
        radar,
        extent: request.extent,
        window: request.window,
        stride: request.stride,
        scoring: {
          ...scoring,
          templates: request.templates,
          ...(Object.keys(examples).length > 0 && { examples: digestsOf(examples) }),
        },
        recorded: {
          provider: request.provider,
          precision: manifest.precision,
          minArea: request.minArea,
          simplify: request.simplify,
        },
        program,
        version,
        outputs: rastersOf(plan),
        resume: request.overwrite ? 'replace' : 'continue',
        cacheBytes: memory.cacheBytes,
        memoryBytes: memory.stitchBytes,
        pictureSide: picture?.longestSide ?? null,
        features: request.features,
        coordinates: embeddings && { embeddings, lambda, upsample },
        fast:
          request.mode === 'fast'
            ? { embedding: manifest.geometry.embedding, patch: manifest.geometry.vision.patch }
            : null,
        lanes: ports,
      },
      {
        signal: signal ? AbortSignal.any([signal, failing.signal]) : failing.signal,
        transfer: ports,
        onProgress(progress) {
          if (!encoding) onProgress?.(progress);
        },
        async onPiece(piece: ConductPiece) {
          if (piece.kind === 'lanes-wanted') startLanes(piece);
          else if (piece.kind === 'strip') picture?.add(piece.part);
          else {
            const { header, region } = piece;
            if (picture)
              picture.begin(reducedGrid(header.grid, region, picture.longestSide), request.classes);
            onNote?.(piece.reason);
            const bytes = request.classes.length > 255 ? 2 : 1;
            const warning = await diskWarning(plan, piece.pixels, bytes);
            if (warning) onNote?.(`warning: ${warning}`);
          }
        },
      },
    );
  } catch (error) {
    // A lane's own failure says more than the conductor's, who only sees that it is gone.
    await lanes.close();
    throw laneProblem ?? error;
  } finally {
    await lanes.close();
    for (const { port1, port2 } of channels) {
      port1.close();
      port2.close();
    }
  }
}

interface Written {
  /** Pixels per class id, after merging. */
  classPixels: number[];
  /** Null where no polygons were asked for; areas per class id. */
  polygons: { count: number; areas: number[] } | null;
}

/** Small pieces merged, polygons into every layer asked for; layers and rasters get their names together. */
async function write(
  conductor: EngineThread,
  request: SegmentRequest,
  plan: OutputPlan,
  memory: MemoryPlan,
  { grid, header, provenance, classPixels: decided }: ConductReply,
  { signal, onProgress, onNote }: RunOptions,
): Promise<Written> {
  const rasters = rastersOf(plan);
  const { overwrite, classes } = request;
  const metres = header.groundSampleDistance ?? 1;
  const minAreaPixels = Math.ceil(request.minArea / (metres * metres));
  let { classMap } = rasters;
  let classPixels = decided;
  if (minAreaPixels > 1) {
    const merged = path.join(plan.partial, 'merged.tif');
    classPixels = await conductor.run(
      'merge',
      { classMap, merged, grid, classes, provenance, minAreaPixels, memoryLimit: memory.stitchBytes },
      { signal, onProgress },
    );
    classMap = merged;
  }
  const also: StagedOutput[] = [];
  if (plan.files.tif && plan.confidence) {
    also.push(...(await withSidecar(rasters.confidence, plan.confidence)));
    also.push(...(await withSidecar(classMap, plan.files.tif)));
  }
  const layers = plan.formats.filter((format) => format !== 'tif');
  if (layers.length === 0) {
    await publishAll(also, { overwrite });
    return { classPixels, polygons: null };
  }
  const batches = conductor.stream(
    'trace',
    { classMap, confidence: rasters.confidence, grid, classes, simplifyPixels: request.simplify / metres },
    { signal, onProgress },
  );
  const areas = new Array<number>(classes.length + 1).fill(0);
  let count = 0;
  async function* features(): AsyncGenerator<PolygonFeature[]> {
    for await (const batch of batches) {
      const list = unpackFeatures(batch);
      for (const { classId, area } of list) areas[classId] = areas[classId]! + area;
      count += list.length;
      yield list;
    }
  }
  const reports = await writeLayers(
    features(),
    layers,
    path.resolve(request.out),
    {
      name: path.basename(plan.base),
      crs: grid.crs,
      classes,
      provenance,
      groundSampleDistance: header.groundSampleDistance,
    },
    { overwrite, also, ...(signal && { signal }) },
  );
  for (const report of reports) for (const text of report.notes) onNote?.(text);
  return { classPixels, polygons: { count, areas } };
}

/** A raster of the partial folder and, where it has one, the file of names and CRS beside it. */
async function withSidecar(temporary: string, target: string): Promise<StagedOutput[]> {
  const sidecar = await stat(`${temporary}.aux.xml`).catch(() => null);
  const beside = { temporary: `${temporary}.aux.xml`, target: `${target}.aux.xml` };
  return [...(sidecar ? [beside] : []), { temporary, target }];
}

function rastersOf(plan: OutputPlan) {
  return {
    classMap: path.join(plan.partial, 'classes.tif'),
    confidence: path.join(plan.partial, 'confidence.tif'),
    partFolder: plan.partial,
  };
}

/** The problem, with word of what is kept for resuming; an empty partial folder goes. */
async function withRemains(problem: Problem, plan: OutputPlan): Promise<Problem> {
  const gone = await releasePartial(plan);
  if (gone || problem.code === 'segment/other-run') return problem;
  const kept = `What is finished is kept in ${plan.partial}: the same command resumes.`;
  return problem instanceof Cancelled
    ? new Cancelled(problem.message, kept)
    : new Problem(problem.code, problem.message, `${problem.hint} ${kept}`.trim(), problem);
}
