import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { writePack } from '../pack/build-pack.ts';
import type { Manifest } from '../pack/manifest.ts';
import { formulaClip, formulaWeights } from '../weights/formula.ts';
import type { ClipGeometry } from '../weights/geometry.ts';
import type { TaskContext } from './task-context.ts';

/** The bytes, the bytes at a word's end, start and end: a vocabulary without merges. */
const byteVocabulary = 2 * 256 + 2;
const radius = 5;
const keyWidth = 32;

const geometry: ClipGeometry = {
  embedding: 64,
  vision: { width: 128, layers: 4, heads: 2, hidden: 512, patch: 16, grid: 14, image: 224 },
  text: { width: 64, layers: 2, heads: 1, hidden: 256, context: 77, vocabulary: byteVocabulary },
};

/** Name and shape of every tensor of a SimFeatUp upsampler (JBU_One). */
function upsamplerShapes(channels: number): Map<string, number[]> {
  const taps = (2 * radius + 1) ** 2;
  return new Map([
    ['up.range_temp', []],
    ['up.sigma_spatial', []],
    ['up.range_proj.0.weight', [keyWidth, 3, 1, 1]],
    ['up.range_proj.0.bias', [keyWidth]],
    ['up.range_proj.1.weight', [keyWidth, keyWidth, 1, 1]],
    ['up.range_proj.1.bias', [keyWidth]],
    ['up.fixup_proj.0.weight', [taps, taps + 3, 1, 1]],
    ['up.fixup_proj.0.bias', [taps]],
    ['up.fixup_proj.1.weight', [taps, taps, 1, 1]],
    ['up.fixup_proj.1.bias', [taps]],
    ['fixup_proj.weight', [channels, channels, 1, 1]],
    ['fixup_proj.bias', [channels]],
  ]);
}

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
        upsampler: { kind: 'jbu_one', weights: formulaWeights(upsamplerShapes(geometry.embedding), 'demo') },
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
