import { describe, expect, it } from 'vitest';
import { measureApart } from '../../../bench/memory.ts';

describe('memory of a run', () => {
  it('does not grow with the scene', () => {
    const small = measureApart(2048, 4);
    const large = measureApart(6144, 4);
    // Whole-scene sums alone would take 600 MB; what grows here is the panel's width and the collector's slack.
    expect(large.windows).toBeGreaterThan(8 * small.windows);
    expect(large.residentMiB - small.residentMiB).toBeLessThan(150);
    expect(large.residentMiB).toBeLessThan(600);
  });
});
