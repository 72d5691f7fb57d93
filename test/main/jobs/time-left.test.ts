import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimeLeft } from '../../../src/main/jobs/time-left.ts';

const at = (done: number, total: number, phase = 'segmenting') => ({ phase, done, total, unit: 'windows' });

test('work at a constant rate: the guess is what is left over the rate, and counts down in between', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 5000 }),
      fc.integer({ min: 200, max: 3000 }),
      fc.integer({ min: 0, max: 1e9 }),
      (total, step, start) => {
        const left = new TimeLeft();
        for (let done = 0; done <= Math.min(total, 100); done++) {
          const now = start + done * step;
          left.report(at(done, total), now);
          const guess = left.at(now);
          if (done * step < 1000) expect(guess).toBeNull();
          else {
            const expected = (total - done) * step;
            // atol 1e-3 ms, rtol 1e-9: sums of fading weights.
            expect(Math.abs(guess! - expected)).toBeLessThanOrEqual(1e-3 + 1e-9 * expected);
            expect(left.at(now + 50)).toBeCloseTo(Math.max(0, guess! - 50), 6);
          }
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('a rate that changes takes over; a new phase begins anew; no work, no guess', () => {
  const left = new TimeLeft();
  for (let i = 0; i <= 60; i++) left.report(at(i, 1000), i * 1000);
  expect(left.at(60_000)! / 1000).toBeCloseTo(940, 3);
  // Ten times faster for a minute and a half: six half lives.
  for (let i = 1; i <= 90; i++) left.report(at(60 + i * 10, 2000), 60_000 + i * 1000);
  const expected = (2000 - 960) / 10;
  expect(left.at(150_000)! / 1000 / expected).toBeGreaterThan(0.99);
  expect(left.at(150_000)! / 1000 / expected).toBeLessThan(1.05);
  left.report(at(0, 10, 'tracing'), 151_000);
  expect(left.at(151_000)).toBeNull();
  left.report(at(0, 10, 'tracing'), 171_000);
  expect(left.at(171_000)).toBeNull();
});
