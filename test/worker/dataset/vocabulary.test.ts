import { describe, expect, it } from 'vitest';
import { concepts } from '../../../src/worker/dataset/concepts.ts';
import { vocabularyTexts } from '../../../src/worker/dataset/prompts.ts';
import { trainVocabulary } from '../../../src/worker/dataset/train-vocabulary.ts';
import { createTokenizer } from '../../../src/worker/net/tokenizer.ts';

describe('a trained vocabulary', () => {
  it('merges the most frequent pair first, ties by code unit', () => {
    const texts = new Map([
      ['abab', 2],
      ['xy', 3],
    ]);
    // ab: once inside and once at the end of "abab" are different pairs: a+b and a+b</w>.
    expect(trainVocabulary(texts, 3, 'test').split('\n')).toEqual(['#test', 'x y</w>', 'a b', 'a b</w>', '']);
  });

  it('ends when no pair occurs twice', () => {
    expect(trainVocabulary(new Map([['word', 1]]), 100, 'test')).toBe('#test\n');
  });

  it('reads every land-cover word in few tokens, and anything else byte by byte', () => {
    const tokenizer = createTokenizer(trainVocabulary(vocabularyTexts(), 1400, 'test'), { context: 32 });
    for (const word of concepts.flatMap(({ words }) => words)) {
      const pieces = word.split(/[ -]/).length + (word.includes('-') ? 1 : 0);
      expect(tokenizer.countTokens(word), word).toBeLessThanOrEqual(2 + 2 * pieces);
    }
    expect(tokenizer.countTokens('building')).toBe(3);
    expect(tokenizer.countTokens('ξ')).toBe(4);
  });
});
