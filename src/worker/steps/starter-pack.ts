import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { concepts } from '../dataset/concepts.ts';
import { writePack } from '../pack/build-pack.ts';
import type { Manifest } from '../pack/manifest.ts';
import { describeSources } from '../pack/open-pack.ts';
import { savedWeights } from './train-config.ts';

export interface StarterPackRequest {
  /** Files that the training runs left. */
  clip: string;
  vocabulary: string;
  upsampler: string | null;
  sar: string | null;
  activation: 'quickgelu' | 'gelu';
  /** Metres per pixel. */
  finestResolution: number;
  name: string;
  out: string;
}

/** Writes the trained parts as a pack of half-precision weights that knows the concepts' words; replaces an older one. */
export async function writeStarterPack(request: StarterPackRequest, signal?: AbortSignal): Promise<Manifest> {
  const sources = [
    { role: 'checkpoint', file: request.clip },
    ...(request.upsampler === null ? [] : [{ role: 'upsampler', file: request.upsampler }]),
    ...(request.sar === null ? [] : [{ role: 'SAR encoder', file: request.sar }]),
    { role: 'vocabulary', file: request.vocabulary },
  ];
  const card = path.join(request.out, 'README.md');
  const text = await readFile(card, 'utf8').catch(() => null);
  const manifest = await writePack(
    {
      clip: await savedWeights(request.clip),
      sar: request.sar === null ? null : await savedWeights(request.sar),
      upsampler:
        request.upsampler === null
          ? null
          : { kind: 'jbu_one', weights: await savedWeights(request.upsampler) },
      vocabularyFile: request.vocabulary,
      activation: request.activation,
      storage: 'float16',
      name: request.name,
      finestResolution: request.finestResolution,
      knownWords: concepts.map(({ words }) => [...words]),
      sources: await describeSources(sources),
    },
    request.out,
    { overwrite: true, signal },
  );
  // The model card is written by people and outlives the pack it was written for.
  if (text !== null) await writeFile(card, text);
  return manifest;
}
