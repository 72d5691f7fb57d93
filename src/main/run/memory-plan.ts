import type { Pack } from '../../worker/pack/open-pack.ts';
import { type LanePlan, planLanes } from './lanes.ts';
import type { SegmentRequest } from './segment-request.ts';

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
