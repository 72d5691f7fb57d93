import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { upsamplerShapes } from '../../src/worker/net/upsampler.ts';
import { writePack } from '../../src/worker/pack/build-pack.ts';
import { openPack, type Pack } from '../../src/worker/pack/open-pack.ts';
import { formulaClip, formulaWeights } from '../../src/worker/weights/formula.ts';

/**
 * A pack of ViT-B/16's geometry with weights by a formula, kept between runs in the folder that git ignores. Remove the
 * folder when graphs change.
 */
export async function fullSizePack(): Promise<Pack> {
  const folder = path.resolve(import.meta.dirname, '../../.cache/bench-vit-b-16');
  const known = await openPack(folder).catch(() => null);
  if (known) return known;
  await mkdir(path.dirname(folder), { recursive: true });
  const vocabularyFile = path.join(path.dirname(folder), 'bytes.txt.gz');
  await writeFile(vocabularyFile, gzipSync('#\n'));
  const embedding = 512;
  await writePack(
    {
      clip: formulaClip(
        {
          embedding,
          vision: { width: 768, layers: 12, heads: 12, hidden: 3072, patch: 16, grid: 14, image: 224 },
          text: { width: 64, layers: 1, heads: 1, hidden: 64, context: 77, vocabulary: 514 },
        },
        'bench',
      ),
      upsampler: {
        kind: 'jbu_one',
        weights: formulaWeights(upsamplerShapes('jbu_one', embedding), 'bench'),
      },
      vocabularyFile,
      activation: 'quickgelu',
      name: 'bench',
      sources: [],
    },
    folder,
    { overwrite: true },
  );
  return openPack(folder);
}

/** The papers' way to look at optical scenes. */
export const papersSettings = {
  modality: 'optical',
  attention: 'segearth',
  lastLayers: 1,
  lambda: -0.3,
  upsample: true,
} as const;

/** Words that point along axes `[words, embedding]`: speed does not depend on what they mean. */
export function axes(words: number, embedding: number): Float32Array {
  const embeddings = new Float32Array(words * embedding);
  for (let word = 0; word < words; word++) embeddings[word * embedding + word * 7] = 1;
  return embeddings;
}
