import fc from 'fast-check';
import { expect, it } from 'vitest';
import { countClasses } from '../../../src/worker/classmap/count-classes.ts';

it('counts what one would count by hand, in bytes and in wider ids', () => {
  const few = (ids: number[]) => fc.array(fc.constantFrom(...ids), { maxLength: 300 });
  fc.assert(
    fc.property(
      few([0, 1, 3, 255]).map((ids) => Uint8Array.from(ids)),
      few([0, 2, 300, 65_535]).map((ids) => Uint16Array.from(ids)),
      (bytes, wide) => {
        for (const [classes, highest] of [
          [bytes, 255],
          [wide, 65_535],
        ] as const) {
          const seen = [...new Set(classes)].sort((a, b) => a - b);
          expect(countClasses(classes, highest)).toEqual(
            seen.map((id) => [id, classes.filter((other) => other === id).length]),
          );
        }
      },
    ),
  );
});

it('counts more pixels than it copies at once', () => {
  const classes = Uint8Array.from({ length: 200_001 }, (_, i) => (i % 3 === 0 ? 2 : 0));
  expect(countClasses(classes, 2)).toEqual([
    [0, 133_334],
    [2, 66_667],
  ]);
});
