import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { glyphHeight, glyphRows, glyphWidth, printable } from '../../../src/worker/picture/font.ts';
import {
  createPicture,
  drawText,
  fitText,
  textWidth,
  writePicture,
} from '../../../src/worker/picture/picture.ts';

const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));

describe('font', () => {
  it('has a glyph of its own for every printable ASCII character', () => {
    const shapes = new Map(ascii.map((character) => [[...glyphRows(character)].join(), character]));
    expect(shapes.size).toBe(ascii.length);
    for (const character of ascii.slice(1)) {
      const rows = glyphRows(character);
      expect(rows, character).toHaveLength(glyphHeight);
      expect(Math.max(...rows), character).toBeGreaterThan(0);
      expect(Math.max(...rows), character).toBeLessThan(2 ** glyphWidth);
    }
  });

  it('shows accents without them and the rest as ?', () => {
    expect(printable('Straße, café, m², 水')).toBe('Strasse, cafe, m2, ?');
  });
});

describe('pictures', () => {
  it('draws exactly the dots of the glyphs, scaled', () => {
    const scale = 3;
    const text = 'Hg!';
    const picture = createPicture(textWidth(text, scale), glyphHeight * scale, [255, 255, 255]);
    drawText(picture, 0, 0, text, [0, 0, 0], scale);
    for (let y = 0; y < picture.height; y++) {
      for (let x = 0; x < picture.width; x++) {
        const column = Math.floor(x / scale) % (glyphWidth + 1);
        const glyph = glyphRows(text[Math.floor(x / scale / (glyphWidth + 1))]!);
        const dot = column < glyphWidth && (glyph[Math.floor(y / scale)]! >> (glyphWidth - 1 - column)) & 1;
        expect(picture.pixels[3 * (y * picture.width + x)], `${x}, ${y}`).toBe(dot ? 0 : 255);
      }
    }
  });

  it('cuts text to a width, and drawing to the picture', () => {
    expect(fitText('building', textWidth('building', 2), 2)).toBe('building');
    const cut = fitText('a very long name of a class', 120, 2);
    expect(cut).toMatch(/^a very?\.\.\.$|^a ver?y?\.\.\.$/);
    expect(textWidth(cut, 2)).toBeLessThanOrEqual(120);
    const picture = createPicture(4, 4, [1, 2, 3]);
    expect(() => drawText(picture, -20, 2, 'WWWWWW', [9, 9, 9], 2)).not.toThrow();
  });

  it('writes PNG whole or not at all', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'landscribe-picture-'));
    try {
      const picture = createPicture(7, 3, [10, 20, 30]);
      await writePicture(picture, join(folder, 'a.png'));
      const { data, info } = await sharp(join(folder, 'a.png')).raw().toBuffer({ resolveWithObject: true });
      expect(info).toMatchObject({ width: 7, height: 3, channels: 3 });
      expect([...data.subarray(0, 3)]).toEqual([10, 20, 30]);
      await expect(writePicture(picture, join(folder, 'none', 'b.png'))).rejects.toMatchObject({
        name: 'Problem',
      });
      expect(readdirSync(folder)).toEqual(['a.png']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
