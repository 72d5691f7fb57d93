import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { describeFeatures, type FeatureHeader, removeFeatures } from '../../worker/features/feature-store.ts';
import type { AttentionName } from '../../worker/net/attention.ts';
import { openPack, verifyPack } from '../../worker/pack/open-pack.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { EncodeReply } from '../../worker/steps/encode-scene.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { Lanes } from '../engine/lanes.ts';
import { packFolder } from '../packs/home.ts';
import { planLanes } from './lanes.ts';
import {
  laneBytes,
  planMemory,
  preparationNotes,
  type RunOptions,
  runSegment,
  type SegmentSummary,
  scoringOf,
} from './segment.ts';
import { checkSegmentRequest, type SegmentInput } from './segment-request.ts';

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
    | 'provider'
    | 'threads'
    | 'memory'
  > {
  /** Folder of the store. */
  out: string;
  /** `compact`: at most four bytes a working pixel. `exact`: the floats themselves. */
  precision: 'compact' | 'exact';
  /** Bytes that the store may take. */
  limit: number;
}

export interface EncodeSummary extends EncodeReply {
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
  { out, precision, limit, ...input }: EncodeInput,
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
  const channels = Array.from({ length: lanePlan.lanes }, () => new MessageChannel());
  const ports = channels.map(({ port1 }) => port1);
  const thread = new EngineThread('encode');
  const lanes = new Lanes();
  const failing = new AbortController();
  try {
    const preparation = await thread.run('planRadarPreparation', request, { signal });
    const scoring = scoringOf(request, pack, preparation.modality);
    for (const text of preparationNotes(preparation, scoring, pack)) onNote?.(text);
    const { modality, attention, lastLayers } = scoring;
    const encoder = { modality, attention, lastLayers };
    lanes.start(
      {
        words: [],
        templates: 'imagenet',
        lane: {
          pack: request.pack,
          session: { provider: request.provider, threads: lanePlan.threadsPerLane },
        },
        work: () => ({ kind: 'encode', settings: encoder }),
      },
      channels.map(({ port2 }) => port2),
      undefined,
      () => {},
      (problem) => failing.abort(problem),
    );
    const reply = await thread.run(
      'encodeScene',
      {
        scene: path.resolve(request.scene),
        pack: {
          name: manifest.name,
          checksum: pack.checksum,
          finestResolution: manifest.finestResolution,
          mean: manifest.normalisation.mean,
          deviation: manifest.normalisation.deviation,
        },
        packFolder: request.pack,
        embedding: manifest.geometry.embedding,
        encoder,
        bands: request.bands,
        resolution: request.resolution,
        radar: preparation.recipe,
        window: request.window,
        stride: request.stride,
        folder,
        precision,
        limitBytes: limit,
        cacheBytes: memory.cacheBytes,
        lanes: ports,
      },
      {
        signal: signal ? AbortSignal.any([signal, failing.signal]) : failing.signal,
        transfer: ports,
        onProgress,
        onNote,
      },
    );
    return {
      ...reply,
      scene: request.scene,
      pack: manifest.name,
      folder,
      bytesPerPixel: reply.bytes / reply.pixels,
      provider: request.provider,
      ...lanePlan,
      seconds: Math.round(performance.now() - started) / 1000,
    };
  } catch (error) {
    throw failing.signal.aborted ? failing.signal.reason : error;
  } finally {
    await lanes.close();
    for (const { port1, port2 } of channels) {
      port1.close();
      port2.close();
    }
    await thread.close();
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
  const { encoder, pixels, window, stride } = header.identity;
  return runSegment(
    {
      ...input,
      scene: header.scene,
      pack: header.packFolder,
      bands: pixels.bands as number[],
      resolution: pixels.resolution as number | 'native' | null,
      modality: pixels.radar ? 'sar' : (encoder.modality as 'optical' | 'sar'),
      radar: (pixels.radar ?? null) as Record<string, unknown> | null,
      window,
      stride,
      attention: encoder.attention as AttentionName,
      lastLayers: encoder.lastLayers as number,
      features: path.resolve(folder),
    } as SegmentInput,
    options,
  );
}

export interface StoredFeatures {
  folder: string;
  header: FeatureHeader;
  /** Windows that are stored. */
  finished: number;
  bytes: number;
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
