import { stat } from 'node:fs/promises';
import { MessageChannel } from 'node:worker_threads';
import type { ClassEntry } from '../../worker/classmap/class-entry.ts';
import { plainWords } from '../../worker/classmap/class-words.ts';
import { hasCoordinates } from '../../worker/features/coordinate-store.ts';
import { checkKnownWords } from '../../worker/pack/known-words.ts';
import { openPack, type Pack, verifyPack } from '../../worker/pack/open-pack.ts';
import type { RadarRecipe } from '../../worker/prep/sar/recipe.ts';
import type { Grid } from '../../worker/raster/grid.ts';
import { Cancelled, Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { stackedFiles } from '../../worker/scene/band-stack.ts';
import type { ConductPiece, ConductReply } from '../../worker/steps/conduct.ts';
import { conductorLimits } from '../../worker/steps/conductor-limits.ts';
import { coordinateLabeller } from '../../worker/steps/coordinate-labeller.ts';
import { packFactsOf } from '../../worker/steps/pack-facts.ts';
import { type Examples, queriesOf } from '../../worker/steps/queries.ts';
import { type PicturePart, reducedGrid } from '../../worker/steps/reduce-strip.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { Lanes } from '../engine/lanes.ts';
import { packFolder } from '../packs/home.ts';
import { program, version } from '../program.ts';
import { workloadOf } from './estimate.ts';
import { digestsOf, examplesOf } from './examples.ts';
import type { LanePlan } from './lanes.ts';
import { lanesOf, type MemoryPlan, planMemory } from './memory-plan.ts';
import {
  diskWarning,
  lockPartial,
  type OutputPlan,
  planOutputs,
  prepareOutputs,
  releasePartial,
  removePartial,
} from './output-plan.ts';
import { publish, rastersOf } from './publish.ts';
import { preparationNotes, scoringOf } from './scoring.ts';
import { checkSegmentRequest, type SegmentInput, type SegmentRequest } from './segment-request.ts';
import type { RunOptions } from './watch.ts';

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
  const conductor = new EngineThread('conductor', undefined, conductorLimits);
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
    const { classPixels, polygons } = await publish(conductor, request, plan, memory, reply, {
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
  { signal, onProgress, onNote, onWorkload, picture }: SegmentOptions,
): Promise<ConductReply> {
  const channels = Array.from({ length: laneCount }, () => new MessageChannel());
  const ports = channels.map(({ port1 }) => port1);
  const lanes = new Lanes();
  const failing = new AbortController();
  let laneProblem: Problem | null = null;
  let encoding = false;
  const session = { provider: request.provider, threads: threadsPerLane };
  const closeLanes = async () => {
    // A conductor that was never asked has not taken its ends, and lanes wait for them.
    for (const { port1 } of channels) port1.close();
    await lanes.close();
    for (const { port2 } of channels) port2.close();
  };
  const onFailure = (problem: Problem) => {
    laneProblem ??= problem;
    failing.abort(problem);
  };
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
      onFailure,
    );
  };
  const { manifest } = pack;
  try {
    const { lambda, upsample } = scoring;
    const known =
      request.features !== null &&
      request.from === 'coordinates' &&
      (await hasCoordinates(request.features, coordinateLabeller(upsample)));
    const embedded = async () => {
      const texts = await conductor.run(
        'embed',
        {
          pack: request.pack,
          words: plainWords(words),
          templates: request.templates,
          threads: request.threads,
        },
        { signal, onProgress },
      );
      return queriesOf(words, texts, examples, manifest.geometry.embedding);
    };
    const embedding = known ? embedded() : null;
    if (embedding && request.features !== null)
      lanes.decide(
        { folder: request.features, upsample },
        embedding,
        channels.map(({ port2 }) => port2),
        onFailure,
      );
    await embedding;
    return await conductor.run(
      'conduct',
      {
        scene: request.scene,
        pack: packFactsOf(pack),
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
          // Labels of stored features may differ from those of the windows themselves.
          ...(request.features !== null && { features: known ? 'coordinates' : 'windows' }),
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
        coordinates: known ? { lambda, upsample } : null,
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
            if (request.features === null)
              await onWorkload?.(workloadOf(request, pack, header.grid, header.groundSampleDistance, region));
            const bytes = request.classes.length > 255 ? 2 : 1;
            const warning = await diskWarning(plan, piece.pixels, bytes);
            if (warning) onNote?.(`warning: ${warning}`);
          }
        },
      },
    );
  } catch (error) {
    await closeLanes();
    // A lane's own failure says more than the conductor's, who only sees that it is gone.
    throw laneProblem ?? error;
  } finally {
    await closeLanes();
  }
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
