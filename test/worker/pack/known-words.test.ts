import { describe, expect, it } from 'vitest';
import { checkKnownWords, nearestWords } from '../../../src/worker/pack/known-words.ts';
import { Problem } from '../../../src/worker/report/problem.ts';

const knownWords = [
  ['building', 'house', 'parking garage'],
  ['water', 'river', 'bodies of water'],
  ['bare soil', 'built-up'],
];
const pack = { name: 'starter', knownWords };

function problemOf(words: string[]): Problem {
  try {
    checkKnownWords(pack, words);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('no problem');
}

describe('words that a pack knows', () => {
  it('takes every known word, whatever its case, hyphens and number', () => {
    for (const word of [...knownWords.flat(), 'Buildings', ' HOUSE ', 'Built up', 'bare-soil', 'rivers'])
      expect(() => checkKnownWords(pack, [word]), word).not.toThrow();
  });

  it('takes anything where a pack has no list', () => {
    expect(() => checkKnownWords({ name: 'b16', knownWords: null }, ['flying saucer'])).not.toThrow();
  });

  it('names the word, the nearest known ones and the way out in one line', () => {
    const problem = problemOf(['building', 'watre', 'flying saucer']);
    expect(problem.code).toBe('pack/unknown-word');
    expect(problem.message).toBe(
      'The starter model does not know "watre" (near it: water), "flying saucer"; it knows building, water, bare soil and words like them.',
    );
    expect(problem.hint).toContain('full pack');
  });

  it('suggests words that share a word before words of similar letters', () => {
    expect(nearestWords(knownWords, 'garage')).toEqual(['parking garage']);
    expect(nearestWords(knownWords, 'hause')).toEqual(['house']);
    expect(nearestWords(knownWords, 'xyz')).toEqual([]);
  });
});
