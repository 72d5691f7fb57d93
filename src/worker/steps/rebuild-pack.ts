import path from 'node:path';
import type { AttentionName } from '../net/attention.ts';
import { writePack } from '../pack/build-pack.ts';
import { type Manifest, upsamplerGraphs } from '../pack/manifest.ts';
import { openPack, verifyPack } from '../pack/open-pack.ts';
import { openPackWeights, type PackWeights } from '../pack/pack-weights.ts';
import type { Precision } from '../pack/precision.ts';
import type { ReportProgress } from '../report/progress.ts';

export interface RebuildPackRequest {
  /** Folder of a pack whose weights are float32 or float16. */
  pack: string;
  out: string;
  precision: Precision;
  overwrite: boolean;
  /** Default: the pack's own name and the precision. */
  name?: string;
}

/** Builds a pack of another precision from a pack's own weights; returns its manifest. */
export async function rebuildPack(
  request: RebuildPackRequest,
  signal?: AbortSignal,
  onProgress?: ReportProgress,
): Promise<Manifest> {
  const pack = await openPack(request.pack);
  await verifyPack(pack, signal);
  const { encoders, text, upsampler, ...facts } = pack.manifest;
  const opened: PackWeights[] = [];
  const open = async (graphs: readonly string[]): Promise<PackWeights> => {
    const weights = await openPackWeights(pack, graphs);
    opened.push(weights);
    return weights;
  };
  try {
    const optical = Object.values(encoders.optical.graphs);
    const clip = await open([...optical, text.graph]);
    const own = Object.values(encoders.sar?.graphs ?? {});
    const sar = own.length === 0 ? null : String(own) === String(optical) ? clip : await open(own);
    return await writePack(
      {
        clip,
        sar,
        upsampler: upsampler && {
          kind: upsampler.kind,
          weights: await open(upsamplerGraphs(upsampler)),
        },
        vocabularyFile: path.join(pack.folder, text.vocabulary),
        activation: facts.activation,
        name: request.name ?? `${facts.name} ${request.precision}`,
        sources: facts.sources,
        precision: request.precision,
        // What was float16 gains nothing as float32.
        ...(facts.storage === 'float16' && { storage: facts.storage }),
        normalisation: facts.normalisation,
        finestResolution: facts.finestResolution,
        knownWords: facts.knownWords,
        defaults: {
          attention: encoders.optical.attention as AttentionName,
          lastLayers: encoders.optical.lastLayers,
        },
      },
      request.out,
      { overwrite: request.overwrite, signal, onProgress },
    );
  } finally {
    for (const weights of opened) await weights.close();
  }
}
