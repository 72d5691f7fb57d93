import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanPrompt } from '../../../src/worker/net/clean-prompt.ts';
import { fillTemplate, templateSets } from '../../../src/worker/net/templates.ts';
import { createTokenizer, type Tokenizer } from '../../../src/worker/net/tokenizer.ts';
import { readVocabulary } from '../../../src/worker/net/vocabulary-file.ts';
import { openCheckpoint } from '../../../src/worker/weights/open-checkpoint.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const fixtures = path.resolve(root, process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const clip = path.resolve(root, '../shared/fixtures/clip');
const vocabularyFile = path.join(clip, 'bpe_simple_vocab_16e6.txt.gz');
const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A vocabulary of the same layout that knows a few merges. */
const merges = [
  'a b',
  'ab c</w>',
  'a a',
  'aa aa',
  'b c',
  'c c</w>',
  'bc c',
  'e r</w>',
  'w a',
  'wa t',
  'wat er</w>',
  't er</w>',
];
const small = `#version: 0.2\n${merges.join('\n')}\n`;

/** The algorithm as Sennrich et al. (arXiv 1508.07909) state it: merge the earliest listed pair everywhere, repeat. */
function tokensBySpecification(word: string): string[] {
  let tokens = [...word].map((letter, index) => (index === word.length - 1 ? `${letter}</w>` : letter));
  for (;;) {
    const pairs = tokens.slice(1).map((token, index) => `${tokens[index]} ${token}`);
    const best = merges.find((merge) => pairs.includes(merge));
    if (best === undefined) return tokens;
    const merged: string[] = [];
    for (let at = 0; at < tokens.length; at++) {
      if (at + 1 < tokens.length && `${tokens[at]} ${tokens[at + 1]}` === best)
        merged.push(tokens[at]! + tokens[++at]!);
      else merged.push(tokens[at]!);
    }
    tokens = merged;
  }
}

describe('a small vocabulary', () => {
  const tokenizer = createTokenizer(small);
  const idOf = (token: string): number => {
    const merge = merges.findIndex((line) => line.replace(' ', '') === token);
    // Printable ASCII starts at '!' with id 0.
    return merge >= 0 ? 512 + merge : token.charCodeAt(0) - 33 + (token.endsWith('</w>') ? 256 : 0);
  };

  it('has 256 bytes twice, its merges, start and end', () => {
    expect(tokenizer).toMatchObject({ size: 514 + merges.length, context: 77 });
    expect(tokenizer).toMatchObject({ startId: 512 + merges.length, endId: 513 + merges.length });
  });

  it('merges as the specification says', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'abcwater'), minLength: 1, maxLength: 60 }),
        (word) => {
          const expected = tokensBySpecification(word).map(idOf);
          const ids = [...tokenizer.encode(word)];
          expect(ids.slice(1, 1 + expected.length)).toEqual(expected);
          expect(tokenizer.countTokens(word)).toBe(expected.length + 2);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('every prompt begins with start, has one end, then zeros, in 77 ids below the size', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (prompt) => {
        fc.pre(!cleanPrompt(prompt).includes('<|'));
        const ids = tokenizer.encode(prompt);
        const end = ids.indexOf(tokenizer.endId);
        expect(ids.length).toBe(77);
        expect(ids[0]).toBe(tokenizer.startId);
        expect(end).toBe(Math.min(tokenizer.countTokens(prompt), 77) - 1);
        expect(ids.subarray(end + 1).every((id) => id === 0)).toBe(true);
        expect(ids.every((id) => id >= 0 && id < tokenizer.size)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('may be used in part and with another context', () => {
    const part = createTokenizer(small, { size: 515, context: 5 });
    expect([...part.encode('abc')]).toEqual([513, 512, 'c'.charCodeAt(0) - 33 + 256, 514, 0]);
    expect([...part.encode('c c c c c c')]).toEqual([513, 322, 322, 322, 514]);
  });

  it.each<[string, string, number | undefined, string]>([
    ['an unknown token', '#\na b\nzz q\n', undefined, 'Merge 2'],
    ['three tokens', '#\na b c\n', undefined, 'Merge 1'],
    ['one token', '#\nab\n', undefined, 'Merge 1'],
    ['too few merges', small, 600, `${merges.length} merges`],
    ['a size without room', small, 100, 'merges'],
    ['binary rubbish', `\0\u{ffff}\n\0`, undefined, 'Merge 1'],
  ])('refuses %s', (_, text, size, reason) => {
    expect(() => createTokenizer(text, size === undefined ? {} : { size })).toThrow(
      expect.objectContaining({ code: 'vocabulary/corrupt', message: expect.stringContaining(reason) }),
    );
  });
});

describe('cleaning', () => {
  it.each([
    ['  Store \t\n Tank ', 'store tank'],
    ['farmer&#39;s &amp; co', "farmer's & co"],
    ['&amp;lt;b&amp;gt;', '<b>'],
    ['caf&eacute; &eacuteX', 'café éx'],
    ['&notanentity; &#0; &#xD800; &#x110000;', '¬anentity; \ufffd \ufffd \ufffd'],
    ['&#1;&#x80;', '€'],
    ['a\u00a0b\u3000c\u0085d', 'a b c d'],
    ['\u2018quoted\u2019', '\u2018quoted\u2019'],
    ['', ''],
  ])('%j becomes %j', (prompt, cleaned) => {
    expect(cleanPrompt(prompt)).toBe(cleaned);
  });
});

describe('the vocabulary file', () => {
  const put = (name: string, bytes: Uint8Array | string): string => {
    writeFileSync(path.join(folder, name), bytes);
    return path.join(folder, name);
  };

  it('may be gzipped or plain', async () => {
    expect(await readVocabulary(put('plain.txt', small))).toBe(small);
    expect(await readVocabulary(put('packed.txt.gz', gzipSync(small)))).toBe(small);
  });

  it.each<[string, Uint8Array, string]>([
    ['a bomb', gzipSync(Buffer.alloc(64 << 20)), 'swells'],
    ['a cut file', gzipSync(small).subarray(0, 40), 'damaged'],
    ['a file of 17 MiB', Buffer.alloc(17 << 20), 'bytes'],
  ])('refuses %s', async (_, bytes, reason) => {
    const file = put('bad.gz', bytes);
    await expect(readVocabulary(file)).rejects.toMatchObject({
      code: 'vocabulary/corrupt',
      message: expect.stringMatching(`^${file}: .*${reason}`),
    });
  });

  it('says when there is none', async () => {
    await expect(readVocabulary(path.join(folder, 'absent'))).rejects.toMatchObject({
      code: 'vocabulary/not-found',
    });
    await expect(readVocabulary(folder)).rejects.toMatchObject({ code: 'vocabulary/unreadable' });
  });
});

describe.skipIf(!existsSync(vocabularyFile))('CLIP’s vocabulary', () => {
  let loaded: Promise<Tokenizer> | undefined;
  const tokenizer = () => (loaded ??= readVocabulary(vocabularyFile).then((text) => createTokenizer(text)));

  it('has CLIP’s ids', async () => {
    expect(await tokenizer()).toMatchObject({ size: 49408, startId: 49406, endId: 49407 });
  });

  it.skipIf(!existsSync(fixtures))('gives the reference’s ids for every prompt', async () => {
    const { prompts } = JSON.parse(readFileSync(path.join(fixtures, 'tiny/text.json'), 'utf8')) as {
      prompts: string[];
    };
    const reference = await openCheckpoint(path.join(fixtures, 'tiny/text.safetensors'));
    const [rows, context] = reference.header('tokens').shape;
    const expected = await reference.read('tokens');
    await reference.close();
    expect(rows).toBe(prompts.length);
    const { encode } = await tokenizer();
    for (const [row, prompt] of prompts.entries())
      expect([...encode(prompt)], prompt).toEqual([
        ...expected.subarray(row * context!, (row + 1) * context!),
      ]);
  });

  it('takes a prompt of 10,000 characters', async () => {
    const { encode, countTokens, endId } = await tokenizer();
    for (const unit of ['x', 'water', '🌲', '& ', ' ', '1', '&amp;', "'s", 'ab-'])
      expect(encode(unit.repeat(10_000 / unit.length))[76]).toBe(unit === ' ' ? 0 : endId);
    expect(countTokens('water '.repeat(1000))).toBe(1002);
  });

  it('holds the 80 sentences of its ImageNet set', async () => {
    const file = path.join(clip, 'imagenet-templates.json');
    const { templates } = JSON.parse(readFileSync(file, 'utf8')) as { templates: string[] };
    expect(templateSets.imagenet.templates).toEqual(templates);
  });
});

it('templates take any word as it is', () => {
  expect(fillTemplate('a photo of a {}.', "$& {} $'")).toBe("a photo of a $& {} $'.");
  for (const { templates } of Object.values(templateSets))
    for (const template of templates) expect(template.split('{}').length, template).toBe(2);
});
