import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const sheet = readFileSync(
  path.resolve(import.meta.dirname, '../../../src/renderer/layout/theme.css'),
  'utf8',
);

function tokens(selector: string): Map<string, string> {
  const block = sheet.slice(sheet.indexOf(`${selector} {`)).split('}')[0]!;
  return new Map(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]),
  );
}
const themes = { light: tokens(':root'), dark: tokens(':root[data-theme="dark"]') };

/** WCAG 2.1: relative luminance of an sRGB colour. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** WCAG 2.1: contrast ratio, 1 to 21. */
function contrast(one: string, other: string): number {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (bright + 0.05) / (dark + 0.05);
}

/** Foregrounds, the grounds that they stand on, and the least contrast: 4.5 for text, 3 for edges of controls. */
const pairs: [string[], string[], number][] = [
  [['text', 'quiet'], ['ground', 'panel', 'hover', 'chosen', 'warn-ground', 'map'], 4.5],
  [['warn', 'accent'], ['ground', 'panel', 'hover', 'chosen', 'warn-ground'], 4.5],
  [['accent-text'], ['accent'], 4.5],
  [['edge', 'accent'], ['ground', 'panel'], 3],
];

describe('the colours of both themes', () => {
  it('are measured as the guidelines measure', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 9);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.478, 3);
  });

  for (const [theme, colours] of Object.entries(themes)) {
    it(`are told apart as WCAG 2.1 AA asks: ${theme}`, () => {
      for (const [foregrounds, grounds, least] of pairs)
        for (const foreground of foregrounds)
          for (const ground of grounds)
            expect(
              contrast(colours.get(foreground)!, colours.get(ground)!),
              `${foreground} on ${ground}`,
            ).toBeGreaterThanOrEqual(least);
    });
  }

  it('are all named in both themes', () => {
    expect([...themes.dark.keys()].sort()).toEqual([...themes.light.keys()].sort());
    expect(themes.light.size).toBeGreaterThan(10);
  });
});
