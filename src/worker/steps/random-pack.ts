import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { upsamplerShapes } from '../net/upsampler.ts';
import { writePack } from '../pack/build-pack.ts';
import type { Manifest } from '../pack/manifest.ts';
import { formulaClip, formulaWeights } from '../weights/formula.ts';
import type { ClipGeometry } from '../weights/geometry.ts';
import type { TaskContext } from './task-context.ts';

/** The bytes, the bytes at a word's end, start and end: a vocabulary without merges. */
const byteVocabulary = 2 * 256 + 2;

const geometry: ClipGeometry = {
  embedding: 64,
  vision: { width: 128, layers: 4, heads: 2, hidden: 512, patch: 16, grid: 14, image: 224 },
  text: { width: 64, layers: 2, heads: 1, hidden: 256, context: 77, vocabulary: byteVocabulary },
};

/**
 * A small pack of weights that are a formula: it runs through every stage as a trained one does, and its labels mean
 * nothing. Makes no use of the network or of files from elsewhere.
 */
export async function buildRandomPack(
  out: string,
  overwrite: boolean,
  context: TaskContext,
): Promise<Manifest> {
  const folder = await mkdtemp(path.join(tmpdir(), 'landscribe-'));
  try {
    const vocabularyFile = path.join(folder, 'bytes.txt.gz');
    await writeFile(vocabularyFile, gzipSync('#version: 0.2\n'));
    return await writePack(
      {
        clip: formulaClip(geometry, 'demo'),
        upsampler: {
          kind: 'jbu_one',
          weights: formulaWeights(upsamplerShapes('jbu_one', geometry.embedding), 'demo'),
        },
        vocabularyFile,
        activation: 'quickgelu',
        name: 'random weights',
        sources: [{ role: 'formula', file: 'seed demo', sha256: '' }],
        finestResolution: 0.5,
      },
      out,
      { overwrite, signal: context.signal, onProgress: context.report },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
