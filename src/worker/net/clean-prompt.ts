import { decodeHTML } from 'entities';

/** White space of Unicode. `\s` is not the same: it has U+FEFF and lacks U+0085. */
const runs = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

/**
 * A prompt as CLIP's tokenizer wants it: HTML entities decoded twice (`&amp;lt;` is `<`), white space folded and
 * trimmed, lower case. Unicode stays as typed: no repair of curly quotes.
 */
export function cleanPrompt(prompt: string): string {
  const folded = decodeEntities(decodeEntities(prompt)).replace(runs, ' ');
  let begin = 0;
  let end = folded.length;
  while (begin < end && isTrimmed(folded.charCodeAt(begin))) begin++;
  while (end > begin && isTrimmed(folded.charCodeAt(end - 1))) end--;
  return folded.slice(begin, end).toLowerCase();
}

/** A space, or one of the four separators that the reference trims but does not fold. */
function isTrimmed(code: number): boolean {
  return code === 0x20 || (code >= 0x1c && code <= 0x1f);
}

const entity = /&(?:#([0-9]+);?|#[xX]([0-9a-fA-F]+);?|[^\t\n\f <&#;]{1,32};?)/g;

/** Character references as in HTML 5, also those that lack their semicolon. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(entity, (match, decimal?: string, hexadecimal?: string) => {
    if (decimal !== undefined) return decodeNumber(Number.parseInt(decimal, 10), match);
    if (hexadecimal !== undefined) return decodeNumber(Number.parseInt(hexadecimal, 16), match);
    return decodeHTML(match);
  });
}

function decodeNumber(code: number, match: string): string {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '\ufffd';
  // HTML 5 reads 0 and the C1 range by a table; the library has it.
  if (code === 0 || code === 13 || (code >= 0x80 && code <= 0x9f)) return decodeHTML(match);
  return isNoCharacter(code) ? '' : String.fromCodePoint(code);
}

/** Control characters and noncharacters, which references must not name. */
function isNoCharacter(code: number): boolean {
  const control = code < 0x20 ? code !== 9 && code !== 10 && code !== 12 : code === 0x7f;
  return control || (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
}
