import { exampleNamed } from '../classmap/class-words.ts';
import { type Example, nearestEmbedding } from '../features/example.ts';
import { Problem } from '../report/problem.ts';

/** Examples by name. */
export type Examples = Readonly<Record<string, Example>>;

/**
 * What words and examples ask for, `[words, size]`, in their order. `texts` are the embeddings of the plain words among
 * them, `[plain words, size]`. Throws `classes/no-example` for an example that is not there, `classes/foreign-example`
 * for one of another pack.
 */
export function queriesOf(
  words: readonly string[],
  texts: Float32Array,
  examples: Examples,
  size: number,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(words.length * size);
  let text = 0;
  for (const [at, word] of words.entries()) {
    const name = exampleNamed(word);
    if (name === null) {
      out.set(texts.subarray(text * size, (text + 1) * size), at * size);
      text++;
      continue;
    }
    const example = examples[name];
    if (!example) {
      throw new Problem(
        'classes/no-example',
        `The classes name the example ${word}, and there is none of that name.`,
        'Give it with --example NAME=X,Y, or draw it on the map.',
      );
    }
    if (example.direction.length !== size || example.feature.length !== size) {
      throw new Problem(
        'classes/foreign-example',
        `The example ${word} was made with another pack.`,
        'Make it again with this one.',
      );
    }
    const base = nearestEmbedding(texts, example.feature);
    for (let i = 0; i < size; i++) out[at * size + i] = (base?.[i] ?? 0) + example.direction[i]!;
  }
  return out;
}
