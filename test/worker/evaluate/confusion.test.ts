import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Confusion } from '../../../src/worker/evaluate/confusion.ts';

/** Labels 0-based, predictions 1-based with 0 unclassified, as the class documents. */
function confusionOf(names: string[], labels: number[], predictions: number[], ignore: number | null = null) {
  const confusion = new Confusion(names, ignore);
  confusion.add(Uint8Array.from(labels), Uint8Array.from(predictions), 'image.png');
  return confusion;
}

describe('confusion', () => {
  it('scores a matrix worked out by hand', () => {
    //                label 0: 3 right, 1 as b; label 1: 2 right, 1 as a, 1 unclassified; value 9 ignored
    const confusion = confusionOf(['a', 'b'], [0, 0, 0, 0, 1, 1, 1, 1, 9], [1, 1, 1, 2, 2, 2, 1, 0, 1], 9);
    expect([...confusion.counts]).toEqual([3, 1, 0, 1, 2, 1]);
    const scores = confusion.scores();
    expect(scores.classes[0]!.iou).toBeCloseTo(3 / 5, 12);
    expect(scores.classes[1]!.iou).toBeCloseTo(2 / 5, 12);
    expect(scores.mIoU).toBeCloseTo(0.5, 12);
    expect(scores.pixelAccuracy).toBeCloseTo(5 / 8, 12);
    expect(scores.classes[1]!.recall).toBeCloseTo(2 / 4, 12);
    expect(scores.classes[1]!.precision).toBeCloseTo(2 / 3, 12);
    expect(scores).toMatchObject({ pixels: 8, ignoredPixels: 1 });
  });

  it('leaves a class that occurs nowhere out of the mean, and counts one that is only predicted', () => {
    const scores = confusionOf(['a', 'b', 'c'], [0, 0], [1, 2]).scores();
    expect(scores.classes.map(({ iou }) => iou)).toEqual([0.5, 0, null]);
    expect(scores.mIoU).toBe(0.25);
  });

  it('has no scores without labelled pixels', () => {
    const scores = confusionOf(['a'], [3], [1], 3).scores();
    expect(scores).toMatchObject({ mIoU: null, pixelAccuracy: null, pixels: 0 });
  });

  it('names the file, the value and the way out for a label that is no class, and stays as it was', () => {
    const confusion = confusionOf(['a', 'b'], [0, 1], [1, 2]);
    expect(() => confusion.add(Uint8Array.of(0, 7), Uint8Array.of(1, 1), 'field.png')).toThrow(
      /field\.png: label value 7, but the 2 classes are values 0 to 1/,
    );
    expect([...confusion.counts]).toEqual([1, 0, 0, 0, 1, 0]);
    expect(() => confusion.add(Uint8Array.of(0), Uint8Array.of(3), 'field.png')).toThrow(
      /class 3 was predicted/,
    );
    expect(() => confusion.add(Uint8Array.of(0), Uint8Array.of(1, 1), 'field.png')).toThrow(
      /2 pixels .* 1 labels/,
    );
  });

  it('is the same in one piece and in many, and agrees with IoU by set definition', () => {
    const pixels = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 4 })), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(pixels, fc.integer({ min: 0, max: 60 }), (list, cut) => {
        const names = ['a', 'b', 'c', 'd'];
        const whole = confusionOf(
          names,
          list.map(([label]) => label),
          list.map(([, id]) => id),
        );
        const pieces = new Confusion(names);
        for (const part of [list.slice(0, cut), list.slice(cut)]) {
          pieces.add(
            Uint8Array.from(part, ([label]) => label),
            Uint8Array.from(part, ([, id]) => id),
            'image.png',
          );
        }
        expect(pieces.counts).toEqual(whole.counts);
        const scores = whole.scores();
        names.forEach((_, c) => {
          const both = list.filter(([label, id]) => label === c && id === c + 1).length;
          const either = list.filter(([label, id]) => label === c || id === c + 1).length;
          if (either === 0) expect(scores.classes[c]!.iou).toBeNull();
          else expect(scores.classes[c]!.iou).toBeCloseTo(both / either, 12);
        });
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});
