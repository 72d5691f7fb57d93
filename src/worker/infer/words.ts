import path from 'node:path';
import { fillTemplate, type TemplateSetName, templateSets } from '../net/templates.ts';
import { createTokenizer, type Tokenizer } from '../net/tokenizer.ts';
import { readVocabulary } from '../net/vocabulary-file.ts';
import type { Pack } from '../pack/open-pack.ts';
import { throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { Session } from './session.ts';

/** Encodes prompts with a pack's text tower. */
export class WordEncoder {
  readonly tokenizer: Tokenizer;
  readonly #session: Session;
  readonly #embedding: number;

  private constructor(tokenizer: Tokenizer, session: Session, embedding: number) {
    this.tokenizer = tokenizer;
    this.#session = session;
    this.#embedding = embedding;
  }

  static async open(pack: Pack, threads: number): Promise<WordEncoder> {
    const { text, geometry } = pack.manifest;
    const vocabulary = await readVocabulary(path.join(pack.folder, text.vocabulary));
    const tokenizer = createTokenizer(vocabulary, {
      size: geometry.text.vocabulary,
      context: geometry.text.context,
    });
    const session = await Session.open(pack, text.graph, { provider: 'cpu', threads });
    return new WordEncoder(tokenizer, session, geometry.embedding);
  }

  /** Embeddings of whole prompts as they leave the projection, not normalised: `[prompts, embedding]`. */
  async encodePrompts(prompts: readonly string[]): Promise<Float32Array> {
    const encoded = prompts.map((prompt) => this.tokenizer.encode(prompt));
    const ends = encoded.map((ids) => ids.indexOf(this.tokenizer.endId));
    // The mask is causal: what follows a prompt's end token changes nothing.
    const length = Math.max(...ends) + 1;
    const ids = new BigInt64Array(prompts.length * length);
    encoded.forEach((prompt, i) => {
      for (let at = 0; at < length; at++) ids[i * length + at] = BigInt(prompt[at]!);
    });
    const { embedding } = await this.#session.run({
      ids: { values: ids, shape: [prompts.length, length] },
      end: { values: BigInt64Array.from(ends, BigInt), shape: [prompts.length] },
    });
    return embedding!.values as Float32Array;
  }

  /**
   * The embedding of each word: its templates' embeddings, each normalised, averaged and normalised again
   * (CLIP's zero-shot classifier): `[words, embedding]`.
   */
  async encodeWords(
    words: readonly string[],
    templates: readonly string[],
    signal?: AbortSignal,
    onProgress?: ReportProgress,
  ): Promise<Float32Array> {
    const size = this.#embedding;
    const known = new Map<string, Float32Array>();
    const out = new Float32Array(words.length * size);
    for (let i = 0; i < words.length; i++) {
      throwIfCancelled(signal);
      const word = words[i]!;
      let embedding = known.get(word);
      if (!embedding) {
        embedding = meanDirection(
          await this.encodePrompts(templates.map((template) => fillTemplate(template, word))),
          size,
        );
        known.set(word, embedding);
      }
      out.set(embedding, i * size);
      onProgress?.({ phase: 'reading words', done: i + 1, total: words.length, unit: 'words' });
    }
    return out;
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

/** Embeddings `[words, embedding]` of words in the sentences of a template set. */
export async function embedWords(
  pack: Pack,
  words: readonly string[],
  set: TemplateSetName,
  threads: number,
  signal?: AbortSignal,
  onProgress?: ReportProgress,
): Promise<Float32Array> {
  const encoder = await WordEncoder.open(pack, threads);
  try {
    return await encoder.encodeWords(words, templateSets[set].templates, signal, onProgress);
  } finally {
    await encoder.close();
  }
}

/** Mean of the rows' directions, as a direction. */
function meanDirection(rows: Float32Array, size: number): Float32Array {
  const mean = new Float64Array(size);
  for (let start = 0; start < rows.length; start += size) {
    const norm = rowNorm(rows, start, size);
    for (let i = 0; i < size; i++) mean[i]! += rows[start + i]! / norm;
  }
  const norm = Math.hypot(...mean);
  return Float32Array.from(mean, (value) => value / norm);
}

function rowNorm(rows: Float32Array, start: number, size: number): number {
  let sum = 0;
  for (let i = start; i < start + size; i++) sum += rows[i]! * rows[i]!;
  return Math.sqrt(sum);
}
