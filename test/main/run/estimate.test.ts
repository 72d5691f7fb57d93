import { describe, expect, it } from 'vitest';
import { starterPack } from '../../../src/main/packs/starter.ts';
import { durationOf, type Workload, workloadOf } from '../../../src/main/run/estimate.ts';
import { checkSegmentRequest, type SegmentInput } from '../../../src/main/run/segment-request.ts';
import { parseClasses } from '../../../src/worker/classmap/classes.ts';
import { openPack } from '../../../src/worker/pack/open-pack.ts';
import type { Speed } from '../../../src/worker/steps/measure-speed.ts';

const pack = await openPack(starterPack);

function work(width: number, height: number, asked: Partial<SegmentInput> = {}): Workload {
  const classes = parseClasses('building, roof; road; water');
  const common = { scene: 'none', out: 'none', pack: starterPack, classes, threads: 2, memory: 4e9 };
  const request = checkSegmentRequest({ ...common, ...asked } as SegmentInput);
  return workloadOf(request, pack, { width, height, transform: [0, 1, 0, 0, 0, -1], crs: null }, null);
}

/** Of a session; labelling costs three windows' encoding, a tile half of that. */
const speed: Speed = {
  open: 0.1,
  encode: 0.1,
  label: { upsampled: { fixed: 0.3, word: 0.01 }, plain: { fixed: 0.01, word: 0.01 } },
  tile: { fixed: 0.15, word: 0.005, margin: 0.05 },
  stitch: 0.001,
  word: 0.02,
};
const seconds = (of: Workload, at = speed) => durationOf(of, at, 2).seconds;

describe('the estimate of a run', () => {
  it('counts windows, tiles, words and pixels', () => {
    // (1000 - 224) / 112 and a last one shifted back: 8 by 8 windows.
    expect(work(1000, 1000)).toMatchObject({ windows: 64, windowArea: 64, words: 4, lanes: 2, coreArea: 0 });
    const fast = work(1000, 1000, { mode: 'fast' });
    expect(fast.windows).toBe(64);
    expect(fast.coreArea).toBeCloseTo(1000 ** 2 / 224 ** 2, 1);
    expect(fast.marginArea).toBeGreaterThan(0);
    const part = work(1000, 1000, { extent: { unit: 'pixels', box: [0, 0, 200, 100] } });
    expect(part.windows).toBeLessThan(10);
    expect(part.outArea).toBeCloseTo(20_000 / 224 ** 2, 6);
  });

  it('grows with the scene, the words and the window’s cost, and shrinks with sessions', () => {
    const small = seconds(work(2000, 2000));
    const opening = seconds(work(1, 1));
    // Four times the pixels: windows at the border weigh less.
    const growth = (seconds(work(4000, 4000)) - opening) / (small - opening);
    expect(growth).toBeGreaterThan(4);
    expect(growth).toBeLessThan(4.5);
    const many = parseClasses(Array.from({ length: 40 }, (_, i) => `class ${i}`).join(';'));
    expect(seconds(work(2000, 2000, { classes: many }))).toBeGreaterThan(small);
    expect(seconds(work(2000, 2000, { threads: 1 }))).toBeGreaterThan(1.5 * small);
    expect(seconds(work(2000, 2000), { ...speed, encode: 0.2 })).toBeGreaterThan(small);
  });

  it('knows what is left out: the upsampler, the encoder’s overlap in the fast mode', () => {
    const reference = seconds(work(3000, 3000));
    const fast = seconds(work(3000, 3000, { mode: 'fast' }));
    const plain = seconds(work(3000, 3000, { upsampler: 'none' }));
    expect(fast).toBeLessThan(0.6 * reference);
    expect(plain).toBeLessThan(0.6 * reference);
  });

  it('lets one session of a graphics card do the work alone', () => {
    const card = work(2000, 2000, { provider: 'webgpu' });
    expect(card).toMatchObject({ lanes: 1, onProcessor: false });
    const lane = card.windowArea * (0.1 + 0.3 + 0.04) + 4 * 0.02;
    expect(seconds(card)).toBeCloseTo(1.2 + 0.2 + lane, 1);
  });
});
