import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { createTokenizer } from '../net/tokenizer.ts';
import type { Activation } from '../net/transformer.ts';
import { readVocabulary } from '../net/vocabulary-file.ts';
import { type PackContents, writePack } from '../pack/build-pack.ts';
import type { Manifest } from '../pack/manifest.ts';
import { describeSources } from '../pack/open-pack.ts';
import type { Precision } from '../pack/precision.ts';
import { Problem } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { unpackMember } from '../weights/archive-member.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { inferGeometry } from '../weights/geometry.ts';
import { openClipCheckpoint, upsamplerCheckpoint } from '../weights/names.ts';
import { openCheckpoint } from '../weights/open-checkpoint.ts';
import { detectUpsampler } from '../weights/upsampler-names.ts';

export interface BuildPackRequest {
  checkpoint: string;
  upsampler: string | null;
  vocabulary: string;
  out: string;
  activation: Activation;
  overwrite: boolean;
  storage?: 'float32' | 'float16';
  precision?: Precision;
  /** Default: the name of the folder. */
  name?: string;
  /** `checkpoint` is a zip archive that holds the checkpoint under this name. */
  member?: string | null;
  /** Whether the image encoder is for SAR images. */
  sar?: boolean;
  /** Attention and opened layers that its authors use; default: SegEarth's, one layer. */
  defaults?: PackContents['defaults'];
  normalisation?: Manifest['normalisation'];
}

/** Builds a pack from checkpoint files; returns its manifest. */
export async function buildPack(
  request: BuildPackRequest,
  signal?: AbortSignal,
  onProgress?: ReportProgress,
): Promise<Manifest> {
  const opened: Checkpoint[] = [];
  const open = async (file: string): Promise<Checkpoint> => {
    const checkpoint = await openCheckpoint(file);
    opened.push(checkpoint);
    return checkpoint;
  };
  let unpacked: string | null = null;
  try {
    let { checkpoint } = request;
    if (request.member) {
      const out = path.resolve(request.out);
      await mkdir(path.dirname(out), { recursive: true });
      unpacked = await mkdtemp(`${out}.unpacked-`);
      checkpoint = path.join(unpacked, request.member);
      await unpackMember(request.checkpoint, request.member, checkpoint, signal, (done, total) =>
        onProgress?.({ phase: 'unpacking', done, total, unit: 'bytes' }),
      );
    }
    const clip = openClipCheckpoint(await open(checkpoint));
    await checkVocabulary(request.vocabulary, inferGeometry(clip).text.vocabulary);
    const upsampler = request.upsampler === null ? null : upsamplerCheckpoint(await open(request.upsampler));
    const sources = [
      { role: 'checkpoint', file: request.checkpoint },
      ...(request.upsampler === null ? [] : [{ role: 'upsampler', file: request.upsampler }]),
      { role: 'vocabulary', file: request.vocabulary },
    ];
    return await writePack(
      {
        clip,
        sar: request.sar ? clip : null,
        upsampler: upsampler && { kind: detectUpsampler(upsampler.names())!, weights: upsampler },
        vocabularyFile: request.vocabulary,
        activation: request.activation,
        ...(request.storage && { storage: request.storage }),
        ...(request.precision && { precision: request.precision }),
        ...(request.defaults && { defaults: request.defaults }),
        ...(request.normalisation && { normalisation: request.normalisation }),
        name: request.name ?? path.basename(path.resolve(request.out)),
        sources: await describeSources(sources),
      },
      request.out,
      { overwrite: request.overwrite, signal, onProgress },
    );
  } finally {
    for (const checkpoint of opened) await checkpoint.close();
    if (unpacked !== null) await rm(unpacked, { recursive: true, force: true });
  }
}

/** The text tower has one embedding per token id, so its length must be the vocabulary's. */
async function checkVocabulary(file: string, size: number): Promise<void> {
  const tokenizer = createTokenizer(await readVocabulary(file));
  if (tokenizer.size === size) return;
  throw new Problem(
    'pack/vocabulary',
    `${file}: has ${tokenizer.size} tokens, but the checkpoint was trained with ${size}.`,
    'Give the vocabulary that belongs to the checkpoint.',
  );
}
