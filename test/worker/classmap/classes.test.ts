import { describe, expect, it } from 'vitest';
import { classEntries, parseClasses, parseClassesFile } from '../../../src/worker/classmap/classes.ts';
import { classColours, colourChannels, nextColour } from '../../../src/worker/classmap/palette.ts';

describe('classes', () => {
  it('come from semicolons and commas', () => {
    expect(parseClasses('building, roof ,house; road;water,river')).toEqual([
      { id: 1, name: 'building', words: ['building', 'roof', 'house'], colour: '#d55e00' },
      { id: 2, name: 'road', words: ['road'], colour: '#404040' },
      { id: 3, name: 'water', words: ['water', 'river'], colour: '#0072b2' },
    ]);
    expect(parseClasses('road;').map(({ name }) => name)).toEqual(['road']);
    expect(parseClasses('road, road').map(({ words }) => words)).toEqual([['road']]);
  });

  it('come from lines, with comments', () => {
    const text = '\uFEFF# my classes\r\nbuilding, roof # flat ones too\r\n\r\n  C#-court\nGrünfläche\n';
    expect(parseClassesFile(text).map(({ words }) => words)).toEqual([
      ['building', 'roof'],
      ['C#-court'],
      ['Grünfläche'],
    ]);
  });

  it('refuse what cannot be meant, in one line', () => {
    const cases: [string, RegExp][] = [
      ['', /No class/],
      [' ; ', /empty word/],
      ['a;;b', /Class 2 has an empty word/],
      ['a,,b', /empty word/],
      ['road; Road', /Classes 1 and 2 are both called "Road"/],
      ['@', /Class 1 has an @ without the name/],
      ['road, @ ', /Class 1 has an @ without the name/],
      ['x'.repeat(10_000), /has 10000 characters/],
    ];
    for (const [text, message] of cases) {
      expect(() => parseClasses(text)).toThrow(message);
      try {
        parseClasses(text);
      } catch (error) {
        expect((error as Error).message).not.toContain('\n');
        expect((error as Error).message.length).toBeLessThan(200);
      }
    }
    expect(() => parseClassesFile('# nothing\n')).toThrow(/No class/);
    // What belongs to --classes would be one class with a strange name.
    expect(() => parseClassesFile('water\nbuilding,roof; road\n')).toThrow(
      /"building,roof; road".*semicolon/,
    );
    expect(parseClassesFile('water # lakes; rivers\n')).toHaveLength(1);
    expect(() => classEntries(Array.from({ length: 65_536 }, (_, index) => [`c${index}`]))).toThrow(
      /65536 classes/,
    );
  });

  it('work with 300 and with 65,535', () => {
    for (const count of [300, 65_535]) {
      const classes = classEntries(Array.from({ length: count }, (_, index) => [`class ${index}`]));
      expect(classes.at(-1)!.id).toBe(count);
      expect(new Set(classes.map(({ colour }) => colour)).size).toBe(count);
    }
  });
});

describe('palette', () => {
  it('is stable, well-formed and grows at the end', () => {
    const many = classColours(Array.from({ length: 5000 }, (_, i) => [`class ${i}`]));
    expect(new Set(many).size).toBe(5000);
    for (const colour of many) expect(colour).toMatch(/^#[0-9a-f]{6}$/);
    expect(classColours(Array.from({ length: 20 }, () => ['class']))).toEqual(many.slice(0, 20));
    expect(colourChannels('#0a80ff')).toEqual([10, 128, 255]);
  });

  it('paints what is familiar as maps do, by the last word of a phrase, and nothing else', () => {
    const [river, road, lawns, thing] = classColours([['big river'], ['forest road'], ['Lawns'], ['thing']]);
    expect([river, road, lawns]).toEqual(['#0072b2', '#404040', '#8fce4a']);
    expect(thing).toBe('#e69f00');
    expect(nextColour([], ['rest house', 'lake'])).toBe('#d55e00');
    expect(nextColour(['#0072B2'], ['water'])).toBe('#e69f00');
    expect(new Set(classColours([['lake'], ['river'], ['sea']])).size).toBe(3);
  });
});
