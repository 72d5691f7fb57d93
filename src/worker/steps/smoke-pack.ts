import path from 'node:path';
import { Session } from '../infer/session.ts';
import { WordEncoder } from '../infer/words.ts';
import { variantName } from '../net/attention.ts';
import { createTokenizer } from '../net/tokenizer.ts';
import { readVocabulary } from '../net/vocabulary-file.ts';
import { openPack, type Pack } from '../pack/open-pack.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';

export interface SmokeRequest {
  folder: string;
  /** What a pack of this kind must do; null checks only that it runs. */
  expected: {
    geometry: {
      patch: number;
      image: number;
      width: number;
      layers: number;
      embedding: number;
      textWidth: number;
      textLayers: number;
    };
    activation: string;
    tokens: { prompt: string; ids: number[] }[];
    /** The first prompt's embedding is closer to the second's than to the third's. */
    closer: [string, string, string][];
  } | null;
  /** What the pack answered when it was installed. */
  recorded: SmokeReply | null;
}

/** A pack's answers to fixed questions, to be compared with later ones. */
export interface SmokeReply {
  /** Cosines of neighbouring fixed prompts. */
  textCosines: number[];
  /** Cosines of neighbouring tokens along the middle row of a fixed picture. */
  tokenCosines: number[];
}

const prompts = ['a photo of a building.', 'a photo of a river.', 'a satellite image of a forest.', 'road'];
/** Of cosines, between one machine's arithmetic and another's. */
const tolerance = 1e-3;

/**
 * Runs a pack once, text and picture, and compares what comes out with what is expected. Throws `pack/smoke` that
 * names the first difference.
 */
export async function smokePack(
  { folder, expected, recorded }: SmokeRequest,
  signal?: AbortSignal,
  onProgress?: ReportProgress,
): Promise<SmokeReply> {
  const pack = await openPack(folder);
  let done = 0;
  const step = () => {
    throwIfCancelled(signal);
    onProgress?.({ phase: 'trying out', done: ++done, total: 3, unit: 'steps' });
  };
  if (expected) await compareManifest(pack, expected);
  step();
  const textCosines = await tryText(pack, expected?.closer ?? []);
  step();
  const tokenCosines = await tryPicture(pack);
  const reply = { textCosines, tokenCosines };
  if (recorded) {
    compareAnswers(pack, 'text', textCosines, recorded.textCosines);
    compareAnswers(pack, 'picture', tokenCosines, recorded.tokenCosines);
  }
  step();
  return reply;
}

async function compareManifest(pack: Pack, expected: NonNullable<SmokeRequest['expected']>): Promise<void> {
  const { vision, text, embedding } = pack.manifest.geometry;
  const found = {
    patch: vision.patch,
    image: vision.image,
    width: vision.width,
    layers: vision.layers,
    embedding,
    textWidth: text.width,
    textLayers: text.layers,
  };
  for (const [name, value] of Object.entries(found)) {
    const wanted = expected.geometry[name as keyof typeof found];
    if (value !== wanted) throw fails(pack, `its ${name} is ${value} instead of ${wanted}`);
  }
  if (pack.manifest.activation !== expected.activation) {
    throw fails(pack, `its activation is ${pack.manifest.activation} instead of ${expected.activation}`);
  }
  const tokenizer = createTokenizer(
    await readVocabulary(path.join(pack.folder, pack.manifest.text.vocabulary)),
    { size: text.vocabulary, context: text.context },
  );
  for (const { prompt, ids } of expected.tokens) {
    const got = [...tokenizer.encode(prompt)].slice(0, tokenizer.countTokens(prompt));
    if (String(got) !== String(ids)) throw fails(pack, `"${prompt}" becomes tokens ${got} instead of ${ids}`);
  }
}

async function tryText(pack: Pack, closer: [string, string, string][]): Promise<number[]> {
  const encoder = await WordEncoder.open(pack, 2);
  try {
    const size = pack.manifest.geometry.embedding;
    const cosines = neighbourCosines(pack, await encoder.encodePrompts(prompts), prompts.length, size);
    for (const [a, b, c] of closer) {
      const [near, far] = neighbourCosines(pack, await encoder.encodePrompts([b, a, c]), 3, size);
      if (!(near! > far!)) {
        throw fails(
          pack,
          `it finds "${a}" no closer to "${b}" (${near!.toFixed(3)}) than to "${c}" (${far!.toFixed(3)})`,
        );
      }
    }
    return cosines;
  } finally {
    await encoder.close();
  }
}

async function tryPicture(pack: Pack): Promise<number[]> {
  const { geometry, encoders } = pack.manifest;
  const encoder = encoders.sar ?? encoders.optical;
  const variant = variantName(encoder.attention as Parameters<typeof variantName>[0], encoder.lastLayers);
  const graph = encoder.graphs[variant];
  if (!graph) throw fails(pack, `it has no graph for its own default ${variant}`);
  const side = geometry.vision.image;
  const session = await Session.open(pack, graph, { provider: 'cpu', threads: 2 });
  try {
    const outputs = await session.run({ image: { values: fixedPicture(side), shape: [1, 3, side, side] } });
    const row = geometry.vision.grid;
    const tokens = outputs.tokens!.values as Float32Array;
    if (tokens.length !== row * row * geometry.embedding) {
      throw fails(
        pack,
        `its picture has ${tokens.length / geometry.embedding} tokens instead of ${row * row}`,
      );
    }
    const middle = Math.floor(row / 2) * row * geometry.embedding;
    const cosines = neighbourCosines(
      pack,
      tokens.subarray(middle, middle + row * geometry.embedding),
      row,
      geometry.embedding,
    );
    for (const value of tokens) if (!Number.isFinite(value)) throw fails(pack, 'its tokens are not finite');
    return cosines;
  } finally {
    await session.close();
  }
}

/** Normalised planes of slow waves and a fine check, different in every channel. */
function fixedPicture(side: number): Float32Array {
  const picture = new Float32Array(3 * side * side);
  for (let channel = 0, at = 0; channel < 3; channel++) {
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++, at++) {
        const wave = Math.sin((row * (channel + 1)) / 23) + Math.cos((column * (3 - channel)) / 31);
        picture[at] =
          wave + ((row >> 3) + (column >> 3)) * (channel - 1) * 0.02 * (((row ^ column) >> 4) & 1);
      }
    }
  }
  return picture;
}

/** Cosines of each row with the next. Throws where rows are not finite, are zero, or are all the same. */
function neighbourCosines(pack: Pack, rows: Float32Array, count: number, size: number): number[] {
  const cosines: number[] = [];
  for (let i = 0; i + 1 < count; i++) {
    let dot = 0;
    let left = 0;
    let right = 0;
    for (let k = 0; k < size; k++) {
      const a = rows[i * size + k]!;
      const b = rows[(i + 1) * size + k]!;
      dot += a * b;
      left += a * a;
      right += b * b;
    }
    const cosine = dot / Math.sqrt(left * right);
    if (!Number.isFinite(cosine)) throw fails(pack, 'what it computes is zero or not finite');
    cosines.push(cosine);
  }
  if (cosines.every((cosine) => cosine > 0.999999)) throw fails(pack, 'it tells nothing apart');
  return cosines;
}

function compareAnswers(pack: Pack, what: string, found: number[], recorded: number[]): void {
  if (found.length !== recorded.length) throw fails(pack, `it answers the ${what} questions in another form`);
  let worst = 0;
  for (let i = 0; i < found.length; i++) worst = Math.max(worst, Math.abs(found[i]! - recorded[i]!));
  if (!(worst <= tolerance)) {
    throw fails(
      pack,
      `its ${what} answers differ by ${worst.toExponential(1)} from those at its installation`,
    );
  }
}

function fails(pack: Pack, what: string): Problem {
  return new Problem(
    'pack/smoke',
    `${pack.folder}: does not work as this model should: ${what}.`,
    'Remove it and install it again; if it stays so, the published file is of another kind than expected.',
  );
}
