import { describe, expect, it } from 'vitest';
import { fill, languages } from '../../../src/renderer/texts/catalogue.ts';
import { german } from '../../../src/renderer/texts/de.ts';
import { english } from '../../../src/renderer/texts/en.ts';

const slots = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort();
const keys = Object.keys(english) as (keyof typeof english)[];

describe('the texts', () => {
  it('are in every language, none empty', () => {
    for (const [language, texts] of Object.entries(languages)) {
      expect(Object.keys(texts).sort(), language).toEqual([...keys].sort());
      for (const key of keys) expect(texts[key].trim(), `${language} ${key}`).not.toBe('');
    }
  });

  it('take the same values in every language', () => {
    for (const key of keys) expect(slots(german[key]), key).toEqual(slots(english[key]));
  });

  it('fill in values, and leave what has none', () => {
    expect(fill('{a} of {b}', { a: 1, b: 'x' })).toBe('1 of x');
    expect(fill('{a} of {b}', { a: 0 })).toBe('0 of {b}');
    expect(fill('{a}', { a: '{b}', b: 2 })).toBe('{b}');
  });
});
