import { describe, expect, test } from 'vitest';
import { exampleNamed, plainWords } from '../../../src/worker/classmap/class-words.ts';
import { parseClasses } from '../../../src/worker/classmap/classes.ts';
import { BasisSample } from '../../../src/worker/features/basis.ts';
import { exampleOf, nearestEmbedding } from '../../../src/worker/features/example.ts';
import { queriesOf } from '../../../src/worker/steps/queries.ts';

const size = 12;

function noise(length: number, salt: number): Float32Array {
  return Float32Array.from(
    { length },
    (_, i) => ((Math.imul(i * 31 + salt + 1, 2654435761) >>> 8) & 65535) / 32768 - 1,
  );
}

function product(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Features as encoders give them: a large part in common, and some of their own; every fiftieth is of an odd kind. */
function features(count: number): Float32Array {
  const common = noise(size, 99);
  const out = noise(count * size, 7);
  for (let i = 0; i < out.length; i++) out[i] = 0.2 * out[i]! * (1 + (i % 3)) + 2 * common[i % size]!;
  const odd = noise(size, 55);
  for (let at = 5; at < count; at += 50) for (let i = 0; i < size; i++) out[at * size + i]! += odd[i]!;
  return out;
}

describe('examples', () => {
  const all = features(500);
  const sample = new BasisSample(size);
  sample.add(all);
  const spread = sample.spectrum();
  const words = noise(4 * size, 3);
  const own = all.slice(5 * size, 6 * size);
  const example = exampleOf(own, spread, words);

  test('beats the word that fits best at its own place, and loses to it at the scene’s mean', () => {
    const [query] = [queriesOf(['@mine'], words, { mine: example }, size)];
    const word = nearestEmbedding(words, own)!;
    const ahead = product(query, own) - product(word, own);
    const behind = product(query, spread.mean) - product(word, spread.mean);
    expect(ahead).toBeGreaterThan(0);
    expect(behind).toBeLessThan(0);
  });

  test('wins where features are of its kind, and nearly nowhere else', () => {
    const query = queriesOf(['@mine'], words, { mine: example }, size);
    const word = nearestEmbedding(words, own)!;
    let kind = 0;
    let others = 0;
    for (let at = 0; at < 500; at++) {
      const feature = all.subarray(at * size, (at + 1) * size);
      if (product(query, feature) <= product(word, feature)) continue;
      if (at % 50 === 5) kind++;
      else others++;
    }
    expect(kind).toBeGreaterThan(5);
    expect(others).toBeLessThan(5);
  });

  test('stands among words in their order; a missing or foreign one is named', () => {
    const texts = words.subarray(0, 2 * size);
    const queries = queriesOf(['roof', '@mine', 'road'], texts, { mine: example }, size);
    expect(queries.subarray(0, size)).toEqual(texts.subarray(0, size));
    expect(queries.subarray(2 * size)).toEqual(texts.subarray(size));
    expect(() => queriesOf(['@other'], texts, { mine: example }, size)).toThrow(/example @other/);
    expect(() => queriesOf(['@mine'], noise(16, 1), { mine: example }, 16)).toThrow(/another pack/);
  });

  test('a class may be an example alone, named without its mark', () => {
    const [, pool] = parseClasses('building, roof; @pool, water');
    expect(pool).toMatchObject({ name: 'pool', words: ['@pool', 'water'] });
    expect(plainWords(pool!.words)).toEqual(['water']);
    expect(exampleNamed('@pool')).toBe('pool');
    expect(exampleNamed('pool')).toBeNull();
  });
});
