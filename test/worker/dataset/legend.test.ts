import { describe, expect, it } from 'vitest';
import { conceptPlace, concepts, narrowConcepts } from '../../../src/worker/dataset/concepts.ts';
import {
  checkLegend,
  drawReading,
  type LegendEntry,
  legendValues,
} from '../../../src/worker/dataset/legend.ts';
import { Random } from '../../../src/worker/synthetic/random.ts';

const city: LegendEntry[] = [
  { value: 0, concepts: ['building'] },
  { value: 1, concepts: ['bare soil', 'sand'], wide: 'land' },
  { value: 2, concepts: ['road', 'pavement'] },
  { value: [3, 4], concepts: ['tree', 'shrub', 'grass', 'cropland'], wide: 'vegetation' },
  { value: 7, concepts: ['water'] },
];
const mask: LegendEntry[] = [
  { value: 0, not: ['building'], wide: 'background' },
  { value: 1, concepts: ['building'] },
];

describe('concepts', () => {
  it('give every word one meaning', () => {
    const all = concepts.flatMap(({ words }) => words);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(250);
    for (const word of all) expect(word).toMatch(/^[a-z][a-z -]*$/);
  });

  it('cover only narrow ones', () => {
    for (const { covers } of concepts)
      for (const name of covers) expect(narrowConcepts).toContain(conceptPlace(name));
  });
});

describe('readings of a legend', () => {
  for (const [name, legend] of [['city', city] as const, ['mask', mask] as const])
    it(`keep the laws of labels and concepts: ${name}`, () => {
      const values = new Set(legend.flatMap(legendValues));
      for (let seed = 0; seed < 500; seed++) {
        const { labelOf, members } = drawReading(legend, new Random(seed));
        const wrong = labelOf.findIndex((label, value) =>
          values.has(value) ? label >= members.length : label !== 255,
        );
        expect(wrong, 'a value with a wrong label').toBe(-1);
        const used = members.flat();
        expect(new Set(used).size, 'a concept in two labels').toBe(used.length);
        expect(members.length).toBeGreaterThan(1);
        for (const places of members) expect(places.length).toBeGreaterThan(0);
        // A wide concept never competes with one that it covers.
        for (const place of used)
          expect(concepts[place]!.covers.filter((part) => used.includes(conceptPlace(part)))).toEqual([]);
      }
    });

  it('name wide labels both ways, and at times only one thing and the rest', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 400; seed++) {
      const { labelOf, members } = drawReading(city, new Random(seed));
      seen.add(members[labelOf[3]!]!.map((place) => concepts[place]!.name).join('+'));
    }
    expect([...seen].sort()).toEqual(['background', 'tree+shrub+grass+cropland', 'vegetation']);
  });

  it('take a label for its like at times, and only where that is asked for by itself', () => {
    const yard: LegendEntry = { value: 5, concepts: ['pavement'], like: 'road' };
    const streets: LegendEntry[] = [
      { value: 0, concepts: ['building'] },
      { value: 2, concepts: ['road'] },
      yard,
      { value: 7, concepts: ['water'] },
    ];
    const told = { apart: 0, together: 0 };
    for (let seed = 0; seed < 300; seed++) {
      const { labelOf, members } = drawReading(streets, new Random(seed));
      for (const value of [0, 2, 5, 7]) expect(members[labelOf[value]!]!.length).toBeGreaterThan(0);
      const [meaning] = members[labelOf[5]!]!;
      if (meaning === conceptPlace('road')) {
        expect(labelOf[5]).toBe(labelOf[2]);
        told.together++;
      }
      if (meaning === conceptPlace('pavement')) {
        expect(labelOf[5]).not.toBe(labelOf[2]);
        told.apart++;
      }
      const withoutRoad = drawReading([streets[0]!, yard, streets[3]!], new Random(seed));
      expect(withoutRoad.members.flat()).not.toContain(conceptPlace('road'));
    }
    expect(told.apart).toBeGreaterThan(60);
    expect(told.together).toBeGreaterThan(40);
    expect(() => checkLegend([{ ...yard, like: 'no such thing' }], 'here')).toThrow('no such thing');
  });

  it('refuse contradictions by name', () => {
    const bad = (legend: LegendEntry[], text: string) =>
      expect(() => checkLegend(legend, 'set'), text).toThrow(text);
    bad([{ value: 300, concepts: ['water'] }], '300 is no label value');
    bad(
      [
        { value: 1, concepts: ['water'] },
        { value: 1, concepts: ['tree'] },
      ],
      'label 1 occurs twice',
    );
    bad(
      [
        { value: 1, concepts: ['water'] },
        { value: 2, not: ['tree'] },
      ],
      'both stand for water',
    );
    bad([{ value: 1 }], 'stands for nothing');
    bad([{ value: 1, concepts: ['lava'] }], 'There is no concept "lava"');
  });
});
