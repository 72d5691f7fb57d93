import path from 'node:path';
import { drawPairs, type PairSourceConfig, readPairs } from '../dataset/pairs.ts';
import { PackScorer } from '../infer/pack-scorer.ts';
import { embedWords } from '../infer/words.ts';
import type { AttentionName } from '../net/attention.ts';
import { openPack } from '../pack/open-pack.ts';
import { Problem } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { alignmentConfiguration } from './train-alignearth.ts';
import { readConfig } from './train-config.ts';

export interface SarAgreementRequest {
  /** A pack with a SAR encoder. */
  pack: string;
  /** Configuration of the encoder's training, whose `heldOut` pairs are used. */
  config: string;
  /** Words of each class. */
  classes: readonly (readonly string[])[];
  crops: number;
  /** Side of the crops, pixels. */
  side: number;
  lambda: number;
  threads: number;
}

/** Shares of pixels that get the class that the optical encoder gives their optical twin. */
export interface SarAgreement {
  sarEncoder: number;
  /** The optical encoder applied to SAR, which the SAR encoder must beat. */
  opticalEncoder: number;
  /** Always the class that is most frequent in the optical predictions. */
  mostFrequent: number;
  /** Each class' share of the pixels: by the optical encoder on the twins, the SAR encoder, the optical one on SAR. */
  shares: [number[], number[], number[]];
  pixels: number;
}

/** Measures a SAR encoder on held-out pairs against what the optical encoder sees in their optical twins. */
export async function sarAgreement(
  request: SarAgreementRequest,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<SarAgreement> {
  const { classes, crops, side, lambda, threads } = request;
  const config = await readConfig(request.config, alignmentConfiguration);
  if (config.heldOut.length === 0)
    throw new Problem('config/field', `${request.config}: heldOut is empty.`, 'Hold some pairs out.');
  const sources = await readPairs(
    config.heldOut as PairSourceConfig[],
    path.dirname(request.config),
    report,
    signal,
  );
  const pack = await openPack(request.pack);
  const words = classes.flat();
  const classOf = classes.flatMap((own, at) => own.map(() => at));
  const embeddings = await embedWords(pack, words, 'remote-sensing', threads, signal);
  const session = { provider: 'cpu', threads } as const;
  const open = (modality: 'optical' | 'sar') => {
    const encoder = pack.manifest.encoders[modality];
    return PackScorer.open(
      pack,
      embeddings,
      {
        modality,
        attention: (encoder?.attention ?? 'segearth') as AttentionName,
        lastLayers: encoder?.lastLayers ?? 1,
        lambda,
        upsample: pack.manifest.upsampler !== null,
      },
      session,
    );
  };
  const sar = await open('sar');
  const optical = await open('optical');
  try {
    const drawing = { seed: 1, ...pack.manifest.normalisation };
    const counts = [0, 1, 2].map(() => new Float64Array(classes.length));
    let bySar = 0;
    let byOptical = 0;
    for (let crop = 0; crop < crops; crop++) {
      const pair = drawPairs(sources, side, 1, drawing, crop);
      const seen = winners(await optical.score(pair.optical, side, side, signal), classOf, side * side);
      const own = winners(await sar.score(pair.sar, side, side, signal), classOf, side * side);
      const crossed = winners(await optical.score(pair.sar, side, side, signal), classOf, side * side);
      for (let at = 0; at < seen.length; at++) {
        counts[0]![seen[at]!]!++;
        counts[1]![own[at]!]!++;
        counts[2]![crossed[at]!]!++;
        if (own[at] === seen[at]) bySar++;
        if (crossed[at] === seen[at]) byOptical++;
      }
      report?.({ phase: 'comparing', done: crop + 1, total: crops, unit: 'crops' });
    }
    const pixels = crops * side * side;
    const shares = counts.map((own) => Array.from(own, (count) => count / pixels));
    return {
      sarEncoder: bySar / pixels,
      opticalEncoder: byOptical / pixels,
      mostFrequent: Math.max(...shares[0]!),
      shares: shares as [number[], number[], number[]],
      pixels,
    };
  } finally {
    await sar.close();
    await optical.close();
  }
}

/** The class of each pixel's best word. */
function winners(scores: Float32Array, classOf: readonly number[], pixels: number): Uint8Array {
  const out = new Uint8Array(pixels);
  for (let at = 0; at < pixels; at++) {
    let best = 0;
    for (let word = 1; word < classOf.length; word++)
      if (scores[word * pixels + at]! > scores[best * pixels + at]!) best = word;
    out[at] = classOf[best]!;
  }
  return out;
}
