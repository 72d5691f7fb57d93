import type { AttentionName } from '../net/attention.ts';
import type { BenchmarkSet } from './sets.ts';

/**
 * Rows of the papers' tables. `segearth` takes the attention, the layers and the bias alleviation that were published
 * for the set, and the pack's upsampler; the others are what SegEarth-OV was compared with: their own attention in the
 * last layer, no upsampler, no bias alleviation, the set's own threshold.
 */
const methodNames = ['segearth', 'clip', 'maskclip', 'sclip', 'clearclip', 'gem'] as const;
export type MethodName = (typeof methodNames)[number];

/** What a run may change of its method; null leaves the method's own. */
export interface MethodChanges {
  lastLayers: number | null;
  upsample: boolean | null;
  lambda: number | null;
  modality: 'optical' | 'sar' | null;
}

export interface MethodSettings {
  modality: 'optical' | 'sar';
  attention: AttentionName;
  lastLayers: number;
  lambda: number;
  upsample: boolean;
}

export function methodSettings(
  method: MethodName,
  set: Pick<BenchmarkSet, 'modality' | 'attention' | 'lastLayers' | 'clsTokenLambda'>,
  changes: MethodChanges,
): MethodSettings {
  const own = method === 'segearth';
  return {
    modality: changes.modality ?? set.modality,
    attention: own ? set.attention : method,
    lastLayers: changes.lastLayers ?? (own ? set.lastLayers : 1),
    lambda: changes.lambda ?? (own ? set.clsTokenLambda : 0),
    upsample: changes.upsample ?? own,
  };
}
