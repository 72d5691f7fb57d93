import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClassEntry } from '../../../src/worker/classmap/class-entry.ts';
import { parseClasses } from '../../../src/worker/classmap/classes.ts';
import { decisionRule, RowDecider } from '../../../src/worker/classmap/decide.ts';

function decideRow(
  classes: readonly ClassEntry[],
  scores: readonly (readonly number[])[],
  threshold: number | number[] = 0,
  background: string | null = null,
  valid?: number[],
): { classes: number[]; confidence: number[] } {
  const rule = decisionRule(classes, threshold, background);
  const width = scores[0]!.length;
  const ids = new Uint16Array(width);
  const confidence = new Uint8Array(width);
  new RowDecider(rule, width).decide(
    Float32Array.from(scores.flat()),
    Uint8Array.from(valid ?? new Array<number>(width).fill(1)),
    ids,
    confidence,
    0,
  );
  return { classes: [...ids], confidence: [...confidence] };
}

describe('decision', () => {
  it('is the softmax over words, the class’s best word and the threshold', () => {
    const classes = parseClasses('building, roof; road; water, river, lake');
    const word = fc.float({ min: Math.fround(-1.3), max: Math.fround(1.3), noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(word, word, word, word, word, word), { minLength: 1, maxLength: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (pixels, threshold) => {
          const planes = [0, 1, 2, 3, 4, 5].map((index) => pixels.map((pixel) => Math.fround(pixel[index]!)));
          const decided = decideRow(classes, planes, threshold, 'road');
          pixels.forEach((_, column) => {
            const values = planes.map((plane) => plane[column]!);
            const most = Math.max(...values);
            const exponentials = values.map((value) => Math.exp(50 * (value - most)));
            const probability = 1 / exponentials.reduce((sum, value) => sum + value, 0);
            const winner = [1, 1, 2, 3, 3, 3][values.indexOf(most)]!;
            expect(Math.abs(decided.confidence[column]! - 255 * probability)).toBeLessThanOrEqual(0.5001);
            // Probabilities are of single precision, as the scores.
            if (Math.abs(probability - threshold) > 1e-6) {
              expect(decided.classes[column]).toBe(probability < threshold ? 2 : winner);
            }
          });
        },
      ),
    );
  });

  it('gives ties to the lower class', () => {
    expect(decideRow(parseClasses('a; b; c'), [[0.1], [0.2], [0.2]]).classes).toEqual([2]);
  });

  it('takes one threshold per class, and 0 without a background', () => {
    const classes = parseClasses('a; b');
    const scores = [
      [0.01, 0, 0.2],
      [0, 0.01, 0],
    ];
    expect(decideRow(classes, scores, [0.7, 0.5]).classes).toEqual([0, 2, 1]);
    expect(decideRow(classes, scores, [0.7, 0.5], ' B ').classes).toEqual([2, 2, 1]);
  });

  it('never classifies nodata, whatever its scores', () => {
    const { classes, confidence } = decideRow(
      parseClasses('a; b'),
      [
        [1, Number.NaN, 1],
        [0, 1, 0],
      ],
      0,
      'b',
      [0, 0, 1],
    );
    expect(classes).toEqual([0, 0, 1]);
    expect(confidence).toEqual([0, 0, 255]);
  });

  it('refuses scores that are not numbers', () => {
    const two = parseClasses('a; b');
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => decideRow(two, [[bad], [0]])).toThrow(/not numbers/);
      expect(() => decideRow(two, [[0], [bad]])).toThrow(/not numbers/);
    }
  });

  it('refuses thresholds and backgrounds that make no sense', () => {
    const two = parseClasses('a; b');
    expect(() => decisionRule(two, 1.5)).toThrow(/not a probability/);
    expect(() => decisionRule(two, [0.1, 0.2, 0.3])).toThrow(/3 thresholds were given for 2 classes/);
    expect(() => decisionRule(two, 0, 'c')).toThrow(/"c" is not among/);
  });
});
