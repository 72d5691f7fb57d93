import { Problem } from '../report/problem.ts';
import { cleanPrompt } from './clean-prompt.ts';

export interface Tokenizer {
  /** Number of token ids. */
  readonly size: number;
  readonly startId: number;
  readonly endId: number;
  /** Ids per prompt. */
  readonly context: number;
  /**
   * `context` ids: start, the prompt's tokens, end, zeros. A prompt that is too long is cut and still ends in the end
   * token. The text feature is the one at the first end token.
   */
  encode(prompt: string): Int32Array;
  /** Tokens of the whole prompt with start and end, however long; more than `context` means that it gets cut. */
  countTokens(prompt: string): number;
}

/** CLIP's published vocabulary file lists more merges than CLIP uses. */
const clipSize = 49_408;
const sizeLimit = 1 << 20;
/** 256 bytes, each also at the end of a word; start and end. */
const singleTokens = 512;
const specialTokens = 2;

const startText = '<|startoftext|>';
const endText = '<|endoftext|>';

/**
 * Words of a cleaned prompt: special tokens, English clitics, letters, single digits, anything else but spaces. The
 * reference ignores case, which makes ſ an s and drops U+0345, a mark whose capital is a letter.
 */
const words =
  /<\|startoftext\|>|<\|endoftext\|>|'[sſ]|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|(?:(?!\u0345)[^ \p{L}\p{N}])+/gu;

/**
 * CLIP's byte-level BPE from the text of `bpe_simple_vocab_16e6.txt` or another vocabulary of the same layout: a
 * line of heading, then one merge of two tokens a line, most frequent first; `</w>` ends a word. Ids: the 256 bytes,
 * the bytes at a word's end, the merges in order, start, end. `size` says how many ids there are (default: CLIP's
 * 49,408, or what a shorter list gives). Throws `vocabulary/corrupt`.
 */
export function createTokenizer(
  vocabulary: string,
  { size: askedSize, context = 77 }: { size?: number; context?: number } = {},
): Tokenizer {
  const lines = mergeLines(vocabulary);
  const size = askedSize ?? Math.min(clipSize, singleTokens + lines.length + specialTokens);
  const merges = size - singleTokens - specialTokens;
  if (!Number.isInteger(size) || merges < 0 || size > sizeLimit || merges > lines.length)
    throw new Problem(
      'vocabulary/corrupt',
      `The vocabulary has ${lines.length} merges, but ${size} token ids need ${merges}.`,
      'Use the vocabulary that belongs to the checkpoint.',
    );
  const ids = tokenIds(lines, merges);
  const ranks = pairRanks(lines, merges, ids, size);
  const startId = size - 2;
  const endId = size - 1;

  /** Appends at most `limit` tokens of the prompt to `out`. */
  const tokenize = (prompt: string, out: number[], limit: number): void => {
    for (const [word] of cleanPrompt(prompt).matchAll(words)) {
      if (out.length >= limit) return;
      if (word === startText) out.push(startId);
      else if (word === endText) out.push(endId);
      else mergeWord(utf8.encode(word), ranks, size, out);
    }
  };
  return {
    size,
    startId,
    endId,
    context,
    encode: (prompt) => {
      const tokens: number[] = [startId];
      tokenize(prompt, tokens, context);
      tokens.push(endId);
      const out = new Int32Array(context);
      out.set(tokens.slice(0, context));
      if (tokens.length > context) out[context - 1] = endId;
      return out;
    },
    countTokens: (prompt) => {
      const tokens: number[] = [];
      tokenize(prompt, tokens, Number.POSITIVE_INFINITY);
      return tokens.length + specialTokens;
    },
  };
}

const utf8 = new TextEncoder();

function mergeLines(vocabulary: string): string[] {
  const lines = vocabulary.split('\n');
  lines.shift();
  while (lines.length > 0 && lines.at(-1)!.trim() === '') lines.pop();
  return lines;
}

/**
 * CLIP's order of the 256 bytes: those that are printable in Latin-1 first. In the file a printable byte stands for
 * itself, the others for the characters from U+0100 on.
 */
const byteOrder: readonly number[] = (() => {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  return [...bytes.filter(isPrintable), ...bytes.filter((byte) => !isPrintable(byte))];
})();

const printableCount = 188;

/** Id of each byte within a word; at its end, 256 more. */
const byteIds: Uint16Array = (() => {
  const ids = new Uint16Array(256);
  byteOrder.forEach((byte, index) => {
    ids[byte] = index;
  });
  return ids;
})();

function tokenIds(lines: string[], merges: number): Map<string, number> {
  const ids = new Map<string, number>();
  byteOrder.forEach((byte, index) => {
    const letter = String.fromCharCode(index < printableCount ? byte : 256 + index - printableCount);
    ids.set(letter, index);
    ids.set(`${letter}</w>`, 256 + index);
  });
  // Two merges may spell the same token; it has the later one's id.
  for (let merge = 0; merge < merges; merge++) ids.set(lines[merge]!.replace(' ', ''), singleTokens + merge);
  return ids;
}

/** `first * size + second` → `rank * size + result`: which pairs merge, how early, and to which token. */
function pairRanks(
  lines: string[],
  merges: number,
  ids: Map<string, number>,
  size: number,
): Map<number, number> {
  const ranks = new Map<number, number>();
  for (let merge = 0; merge < merges; merge++) {
    const [first, second, ...more] = lines[merge]!.split(' ');
    const firstId = ids.get(first ?? '');
    const secondId = ids.get(second ?? '');
    if (firstId === undefined || secondId === undefined || more.length > 0)
      throw new Problem(
        'vocabulary/corrupt',
        `Merge ${merge + 1} of the vocabulary is ${JSON.stringify(lines[merge]!.slice(0, 80))}, not two known tokens.`,
        'Use the vocabulary that belongs to the checkpoint, bpe_simple_vocab_16e6.txt.gz for CLIP.',
      );
    ranks.set(firstId * size + secondId, merge * size + ids.get(first! + second!)!);
  }
  return ranks;
}

/**
 * Merges a word's bytes, the earliest listed pair first and from the left, and appends the tokens. A heap of pairs
 * over a linked list: n log n, where rescanning after each merge would take n².
 */
function mergeWord(bytes: Uint8Array, ranks: Map<number, number>, size: number, out: number[]): void {
  const count = bytes.length;
  const token = new Int32Array(count);
  for (let i = 0; i < count; i++) token[i] = byteIds[bytes[i]!]! + (i === count - 1 ? 256 : 0);
  const next = new Int32Array(count);
  const previous = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  // A pair's key orders by rank, then by position.
  const heap = new PairHeap();
  const offer = (left: number): void => {
    const right = left < 0 ? count : next[left]!;
    if (right >= count) return;
    const found = ranks.get(token[left]! * size + token[right]!);
    if (found !== undefined) heap.push(Math.floor(found / size) * count + left);
  };
  for (let i = 0; i + 1 < count; i++) offer(i);
  for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
    const left = key % count;
    const right = next[left]!;
    if (token[left]! < 0 || right >= count) continue;
    const found = ranks.get(token[left]! * size + token[right]!);
    // The pair that was offered may have been merged away since.
    if (found === undefined || Math.floor(found / size) !== Math.floor(key / count)) continue;
    token[left] = found % size;
    token[right] = -1;
    next[left] = next[right]!;
    if (next[left]! < count) previous[next[left]!] = left;
    offer(previous[left]!);
    offer(left);
  }
  for (let i = 0; i < count; i = next[i]!) out.push(token[i]!);
}

/** A binary heap of numbers, least first. */
class PairHeap {
  readonly #keys: number[] = [];

  push(key: number): void {
    const keys = this.#keys;
    let at = keys.length;
    keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      at = parent;
    }
    keys[at] = key;
  }

  pop(): number | undefined {
    const keys = this.#keys;
    const least = keys[0];
    const last = keys.pop();
    if (least === undefined || last === undefined || keys.length === 0) return least;
    let at = 0;
    for (let child = 1; child < keys.length; child = 2 * at + 1) {
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= last) break;
      keys[at] = keys[child]!;
      at = child;
    }
    keys[at] = last;
    return least;
  }
}
