import { Problem } from '../report/problem.ts';
import type { Manifest } from './manifest.ts';

/** Most suggestions for one word. */
const mostSuggestions = 3;

/**
 * Throws `pack/unknown-word` where a pack that knows a closed list of words is asked for another one: it would answer
 * all the same, and mean nothing by it. Case, spaces and hyphens do not matter, nor does a plural.
 */
export function checkKnownWords(
  { name, knownWords }: Pick<Manifest, 'name' | 'knownWords'>,
  asked: readonly string[],
): void {
  if (knownWords === null) return;
  const unknown = unknownWords(knownWords, asked);
  if (unknown.length === 0) return;
  const named = unknown.slice(0, 5).map((word) => {
    const near = nearestWords(knownWords, word);
    return `"${word}"${near.length > 0 ? ` (near it: ${near.join(', ')})` : ''}`;
  });
  const more = unknown.length > 5 ? ` and ${unknown.length - 5} more` : '';
  const groups = knownWords.map(([first]) => first).join(', ');
  throw new Problem(
    'pack/unknown-word',
    `The ${name} model does not know ${named.join(', ')}${more}; it knows ${groups} and words like them.`,
    'Use a word that it knows (landscribe pack info lists all), or a full pack, which knows any word: see landscribe pack build --help.',
  );
}

/** Those of the words that are not known, each once; case, spaces, hyphens and plurals do not matter. */
export function unknownWords(knownWords: readonly (readonly string[])[], asked: readonly string[]): string[] {
  const known = new Set(knownWords.flat().flatMap(spellings));
  return [...new Set(asked)].filter((word) => !spellings(word).some((spelling) => known.has(spelling)));
}

/** Known words nearest to `word`: those that share a word with it, else those of few changed letters. */
export function nearestWords(knownWords: readonly (readonly string[])[], word: string): string[] {
  const asked = plain(word);
  const parts = new Set(asked.split(' ').filter((part) => part.length > 2));
  const all = [...new Set(knownWords.flat())];
  return all
    .map((candidate, place) => {
      const own = plain(candidate);
      const shared = own.split(' ').filter((part) => parts.has(part)).length;
      const distance = editDistance(asked, own);
      const longest = Math.max(asked.length, own.length);
      const near = distance <= (longest < 5 ? 1 : Math.max(2, Math.floor(longest / 3)));
      return { candidate, place, rank: shared > 0 ? -shared : near ? distance : Number.POSITIVE_INFINITY };
    })
    .filter(({ rank }) => Number.isFinite(rank))
    .sort((a, b) => a.rank - b.rank || a.place - b.place)
    .slice(0, mostSuggestions)
    .map(({ candidate }) => candidate);
}

function plain(word: string): string {
  return word
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ')
    .trim();
}

/** A word as it may be written: itself, and without a plural's ending. */
function spellings(word: string): string[] {
  const own = plain(word);
  const out = [own];
  if (own.endsWith('s')) out.push(own.slice(0, -1));
  if (own.endsWith('es')) out.push(own.slice(0, -2));
  return out;
}

/** Letters to insert, delete or exchange (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
