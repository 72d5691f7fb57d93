import { mkdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { describeFeatures, type FeatureHeader, removeFeatures } from '../../worker/features/feature-store.ts';
import type { AttentionName } from '../../worker/net/attention.ts';
import { openPack, verifyPack } from '../../worker/pack/open-pack.ts';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { EncodeReply } from '../../worker/steps/encode-scene.ts';
import type { LaneWork } from '../../worker/steps/lane.ts';
import { packFactsOf } from '../../worker/steps/pack-facts.ts';
import { claim, claimantOf } from '../engine/claim.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { Lanes, type LanesRequest } from '../engine/lanes.ts';
import { packFolder } from '../packs/home.ts';
import { planLanes } from './lanes.ts';
import { laneBytes, planMemory } from './memory-plan.ts';
import { preparationNotes, scoringOf } from './scoring.ts';
import { runSegment, type SegmentSummary } from './segment.ts';
import { checkSegmentRequest, type SegmentInput } from './segment-request.ts';
import type { RunOptions } from './watch.ts';

/** What `encode` may be asked. */
export interface EncodeInput
  extends Pick<
    SegmentInput,
    | 'scene'
    | 'pack'
    | 'bands'
    | 'resolution'
    | 'modality'
    | 'radar'
    | 'window'
    | 'stride'
    | 'attention'
    | 'lastLayers'
    | 'upsampler'
    | 'provider'
    | 'threads'
    | 'memory'
  > {
  /** Folder of the store. */
  out: string;
  /** Whether coordinates of all pixels are stored too, so that prompts need neither upsampler nor picture. */
  coordinates: boolean;
  /** `compact`: at most four bytes a working pixel. `exact`: the floats themselves. */
  precision: 'compact' | 'exact';
  /** Bytes that the store may take. */
  limit: number;
}

export interface EncodeSummary extends EncodeReply {
  /** Directions and rounding of the coordinates; null where none were asked for. */
  coordinates: { rank: number; step: number } | null;
  scene: string;
  pack: string;
  folder: string;
  bytesPerPixel: number;
  provider: string;
  lanes: number;
  threadsPerLane: number;
  seconds: number;
}

/** Encodes a scene once, so that any words can be asked later without the encoder. Throws `Problem`. */
export async function runEncode(
  { out, precision, coordinates, limit, ...input }: EncodeInput,
  { signal, onProgress, onNote }: RunOptions = {},
): Promise<EncodeSummary> {
  const started = performance.now();
  // Words play no part in it.
  const nothing = { id: 1, name: 'nothing', words: ['nothing'], colour: '#000000' };
  const checked = checkSegmentRequest({ ...input, classes: [nothing], out });
  const request = { ...checked, pack: await packFolder(checked.pack) };
  const pack = await openPack(request.pack);
  await verifyPack(pack, signal);
  const memory = planMemory(request.memory);
  const lanePlan = planLanes(
    request.threads,
    request.memory,
    memory.reservedBytes,
    laneBytes(pack, request, 1, 'vision'),
    request.provider,
  );
  const { manifest } = pack;
  const folder = path.resolve(out);
  const unlock = await lockStore(folder);
  const thread = new EngineThread('encode');
  try {
    await checkPrecision(folder, precision);
    const preparation = await thread.run('planRadarPreparation', request, { signal });
    const scoring = scoringOf(request, pack, preparation.modality);
    for (const text of preparationNotes(preparation, scoring, pack)) onNote?.(text);
    const { modality, attention, lastLayers, upsample } = scoring;
    const encoder = { modality, attention, lastLayers };
    const common = {
      scene: path.resolve(request.scene),
      pack: packFactsOf(pack),
      packFolder: request.pack,
      bands: request.bands,
      resolution: request.resolution,
      radar: preparation.recipe,
      window: request.window,
      stride: request.stride,
      folder,
      cacheBytes: memory.cacheBytes,
    };
    const session = { provider: request.provider, threads: lanePlan.threadsPerLane };
    const lane = { pack: request.pack, session };
    const reply = await withLanes(lanePlan.lanes, lane, signal, (lanes, ports, stop) => {
      lanes({ kind: 'encode', settings: encoder });
      return thread.run(
        'encodeScene',
        {
          ...common,
          embedding: manifest.geometry.embedding,
          encoder,
          precision,
          bytesPerPixel: coordinates ? besideCoordinates : bytesPerPixel,
          limitBytes: limit,
          lanes: ports,
        },
        { signal: stop, transfer: ports, onProgress, onNote },
      );
    });
    const placed = coordinates
      ? await withLanes(lanePlan.lanes, lane, signal, (lanes, ports, stop) =>
          thread.run(
            'encodeCoordinates',
            {
              ...common,
              upsample,
              session: { provider: request.provider, threads: request.threads },
              bytesPerPixel: precision === 'compact' ? bytesPerPixel : null,
              limitBytes: Math.max(0, limit - reply.bytes),
              memoryBytes: memory.stitchBytes,
              lanes: ports,
            },
            {
              signal: stop,
              transfer: ports,
              onProgress,
              onNote,
              onPiece: ({ directions, stored }) =>
                lanes({
                  kind: 'label',
                  embeddings: directions,
                  settings: { lambda: 0, upsample },
                  ...stored,
                }),
            },
          ),
        )
      : null;
    const bytes = reply.bytes + (placed?.bytes ?? 0);
    return {
      ...reply,
      bytes,
      resumed: reply.resumed || (placed?.resumed ?? false),
      coordinates: placed && { rank: placed.rank, step: placed.step },
      scene: request.scene,
      pack: manifest.name,
      folder,
      bytesPerPixel: bytes / reply.pixels,
      provider: request.provider,
      ...lanePlan,
      seconds: Math.round(performance.now() - started) / 1000,
    };
  } finally {
    await thread.close();
    await unlock();
  }
}

const lockOf = (folder: string) => path.join(folder, 'in-use');

function storeInUse(folder: string, process: number): Problem {
  return new Problem(
    'features/in-use',
    `${folder}: process ${process} is encoding into this folder now.`,
    `Wait for it, choose another folder, or delete ${lockOf(folder)} if there is no such process.`,
  );
}

/**
 * Makes the folder and keeps other programs from writing there; returns what gives it free, and removes it where it is
 * empty.
 */
async function lockStore(folder: string): Promise<() => Promise<void>> {
  let other: number | null;
  try {
    await mkdir(folder, { recursive: true });
    other = await claim(lockOf(folder));
  } catch (error) {
    throw asProblem(error, folder);
  }
  if (other !== null) throw storeInUse(folder, other);
  return async () => {
    await rm(lockOf(folder), { force: true }).catch(() => {});
    await rmdir(folder).catch(() => {});
  };
}

/** What is stored in one precision is not gone on with in the other. Throws `features/other`. */
async function checkPrecision(folder: string, asked: EncodeInput['precision']): Promise<void> {
  const stored = (await describeFeatures(folder))?.header.precision.kind;
  if (stored === undefined || stored === asked) return;
  throw new Problem(
    'features/other',
    `${folder} holds features of the ${stored} precision.`,
    `Give --precision ${stored}, remove them, or choose another folder.`,
  );
}

/** Removes stored features, unless another program is making them. Throws `Problem`. */
export async function removeStored(folder: string): Promise<void> {
  const other = await claimantOf(lockOf(folder));
  if (other !== null && other !== process.pid) throw storeInUse(folder, other);
  if ((await describeFeatures(folder)) !== null) await rm(lockOf(folder), { force: true }).catch(() => {});
  await removeFeatures(folder);
}

/** Bytes a working pixel that a compact store keeps within, and those of them that windows may take beside coordinates. */
const bytesPerPixel = 4;
const besideCoordinates = 1.5;

/**
 * Runs `work` beside lanes: it starts them with what they shall do, behind the ports given. A lane's own failure outranks
 * what `work` sees of it.
 */
async function withLanes<Reply>(
  count: number,
  lane: LanesRequest['lane'],
  signal: AbortSignal | undefined,
  work: (start: (work: LaneWork) => void, ports: MessagePort[], stop: AbortSignal) => Promise<Reply>,
): Promise<Reply> {
  const channels = Array.from({ length: count }, () => new MessageChannel());
  const lanes = new Lanes();
  const failing = new AbortController();
  try {
    return await work(
      (task) =>
        lanes.start(
          { words: [], examples: {}, templates: 'imagenet', lane, work: () => task },
          channels.map(({ port2 }) => port2),
          undefined,
          () => {},
          (problem) => failing.abort(problem),
        ),
      channels.map(({ port1 }) => port1),
      signal ? AbortSignal.any([signal, failing.signal]) : failing.signal,
    );
  } catch (error) {
    throw failing.signal.aborted ? failing.signal.reason : error;
  } finally {
    // A conductor that was never asked has not taken its ends, and lanes wait for them.
    for (const { port1 } of channels) port1.close();
    await lanes.close();
    for (const { port2 } of channels) port2.close();
  }
}

/** What `prompt` may be asked: a run's settings without those that the encoding has settled. */
export type PromptInput = Omit<
  SegmentInput,
  | 'scene'
  | 'pack'
  | 'bands'
  | 'resolution'
  | 'modality'
  | 'radar'
  | 'window'
  | 'stride'
  | 'attention'
  | 'lastLayers'
  | 'features'
>;

/** Labels a scene whose features were stored in `folder`; the encoder does not run. Throws `Problem`. */
export async function runPrompt(
  folder: string,
  input: PromptInput,
  options: RunOptions = {},
): Promise<SegmentSummary> {
  const { header } = await features(folder);
  return runSegment({ ...input, scene: header.scene, ...settledBy(folder, header) } as SegmentInput, options);
}

/** Settings of a run that labels stored features: what their encoding has settled. */
export function settledBy(folder: string, { identity, packFolder: pack }: FeatureHeader) {
  const { encoder, pixels, window, stride } = identity;
  return {
    pack,
    bands: pixels.bands as number[],
    resolution: pixels.resolution as number | 'native' | null,
    modality: pixels.radar ? ('sar' as const) : (encoder.modality as 'optical' | 'sar'),
    radar: (pixels.radar ?? null) as Record<string, unknown> | null,
    window,
    stride,
    attention: encoder.attention as AttentionName,
    lastLayers: encoder.lastLayers as number,
    features: path.resolve(folder),
  };
}

export interface StoredFeatures {
  folder: string;
  header: FeatureHeader;
  /** Windows that are stored. */
  finished: number;
  bytes: number;
  /** Share of the scene whose pixels have coordinates. */
  coordinates: number;
}

/** What a folder of features says of itself. Throws `features/none`. */
export async function features(folder: string): Promise<StoredFeatures> {
  const found = await describeFeatures(folder);
  if (!found) {
    throw new Problem(
      'features/none',
      `${folder} holds no stored features.`,
      'landscribe encode SCENE makes them; name the folder it printed.',
    );
  }
  return { folder, ...found };
}

export { removeFeatures };
