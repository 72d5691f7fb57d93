import { cleanPrompt } from '../net/clean-prompt.ts';

const printable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** The letters that stand for bytes in a vocabulary file, see `net/tokenizer.ts`. */
const letters: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

/**
 * Learns a byte-pair vocabulary in CLIP's file layout from weighted texts: at each step the pair that occurs most often
 * becomes a token (Sennrich et al., arXiv 1508.07909); of equals, the one that comes first in code-unit order. Ends
 * at `merges` or when no pair occurs twice.
 */
export function trainVocabulary(texts: ReadonlyMap<string, number>, merges: number, heading: string): string {
  const counts = new Map<string, number>();
  for (const [text, weight] of texts) {
    for (const [word] of cleanPrompt(text).matchAll(/\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu))
      counts.set(word, (counts.get(word) ?? 0) + weight);
  }
  const words = [...counts].map(([word, count]) => {
    const tokens = [...new TextEncoder().encode(word)].map((byte) => letters[byte]!);
    tokens[tokens.length - 1] += '</w>';
    return { tokens, count };
  });
  const lines = [`#${heading}`];
  while (lines.length <= merges) {
    const pairs = new Map<string, number>();
    for (const { tokens, count } of words)
      for (let i = 0; i + 1 < tokens.length; i++) {
        const pair = `${tokens[i]} ${tokens[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    let best: string | null = null;
    let most = 1;
    for (const [pair, count] of pairs)
      if (count > most || (count === most && best !== null && pair < best)) {
        best = pair;
        most = count;
      }
    if (best === null) break;
    lines.push(best);
    const [first, second] = best.split(' ') as [string, string];
    for (const word of words) {
      const { tokens } = word;
      const merged: string[] = [];
      for (let i = 0; i < tokens.length; i++) {
        if (tokens[i] === first && tokens[i + 1] === second) {
          merged.push(first + second);
          i++;
        } else merged.push(tokens[i]!);
      }
      word.tokens = merged;
    }
  }
  return `${lines.join('\n')}\n`;
}
