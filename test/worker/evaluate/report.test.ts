import { describe, expect, it } from 'vitest';
import { Confusion } from '../../../src/worker/evaluate/confusion.ts';
import { confusionCsv, drawConfusion, scoresJson, scoresTable } from '../../../src/worker/evaluate/report.ts';

const confusion = new Confusion(['house, "flat"', 'road', 'sea']);
confusion.add(Uint8Array.of(0, 0, 0, 1), Uint8Array.of(1, 1, 2, 2), 'a.png');

describe('reports', () => {
  it('gives fractions as JSON, null for what does not occur', () => {
    expect(scoresJson(confusion.scores())).toEqual({
      mIoU: (2 / 3 + 1 / 2) / 2,
      pixelAccuracy: 0.75,
      classes: [
        { name: 'house, "flat"', iou: 2 / 3 },
        { name: 'road', iou: 0.5 },
        { name: 'sea', iou: null },
      ],
    });
  });

  it('aligns the table and shows baselines beside', () => {
    const table = scoresTable(confusion.scores(), [{ name: 'majority', scores: confusion.scores() }]);
    expect(table).toMatchInlineSnapshot(`
      "class           IoU %  recall %  precision %  pixels  majority IoU %
      --------------  -----  --------  -----------  ------  --------------
      house, "flat"    66.7      66.7        100.0       3            66.7
      road             50.0     100.0         50.0       1            50.0
      sea                 -         -            -       0               -
      --------------  -----  --------  -----------  ------  --------------
      mean             58.3                              4            58.3
      pixel accuracy   75.0                                           75.0"
    `);
  });

  it('quotes CSV cells by RFC 4180', () => {
    const lines = confusionCsv(confusion).split('\r\n');
    expect(lines[0]).toBe('label,"house, ""flat""",road,sea,unclassified,iou,recall,precision');
    expect(lines[2]).toBe('road,0,1,0,0,0.5,1,0.5');
    expect(lines[3]).toBe('sea,0,0,0,0,,,');
    expect(lines).toHaveLength(5);
  });

  it('shades each cell of the picture by its share', () => {
    const picture = drawConfusion(confusion);
    // Cells are found by their colour: two thirds of the first row are right, the whole of the second.
    const colours = new Map<string, number>();
    for (let i = 0; i < picture.pixels.length; i += 3) {
      const key = picture.pixels.subarray(i, i + 3).join();
      colours.set(key, (colours.get(key) ?? 0) + 1);
    }
    const shade = (share: number): string =>
      [255 - 255 * share, 255 - 141 * share, 255 - 77 * share].map(Math.round).join();
    for (const share of [2 / 3, 1 / 3, 1])
      expect(colours.get(shade(share)) ?? 0, `share ${share}`).toBeGreaterThan(1000);
  });

  it('draws a thousand classes without growing beyond 40', () => {
    const many = new Confusion(Array.from({ length: 1000 }, (_, i) => `class ${i}`));
    const picture = drawConfusion(many);
    expect(picture.width).toBeLessThan(4000);
    expect(picture.height).toBeLessThan(2000);
  });
});
