import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { estimateNote } from '../../../src/main/cli/estimate-note.ts';
import { duration } from '../../../src/main/cli/progress.ts';
import { starterPack } from '../../../src/main/packs/starter.ts';
import { durationOf, type Workload } from '../../../src/main/run/estimate.ts';
import { openPack } from '../../../src/worker/pack/open-pack.ts';

const work = {
  windows: 6000,
  windowArea: 6000,
  coreArea: 0,
  marginArea: 0,
  outArea: 1500,
  words: 4,
  mode: 'reference',
  upsample: true,
  onProcessor: true,
  lanes: 2,
  threadsPerLane: 1,
} as Workload;

afterEach(() => vi.unstubAllEnvs());

describe('the note before a run', () => {
  it('says how long it takes on a machine whose speed is known, and nothing of short runs where it is not', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-test-'));
    try {
      vi.stubEnv('LANDSCRIBE_HOME', folder);
      const notes: string[] = [];
      const note = estimateNote('starter', 'cpu', { onNote: (text) => notes.push(text) });
      await note({ ...work, windows: 10 });
      expect(notes).toEqual([]);
      const { checksum } = await openPack(starterPack);
      const cost = { fixed: 0.3, word: 0 };
      const speed = {
        open: 0,
        encode: 0.1,
        label: { upsampled: cost, plain: cost },
        tile: null,
        stitch: 0,
        word: 0,
      };
      const key = `${checksum.slice(0, 16)} cpu ${availableParallelism()}`;
      writeFileSync(
        path.join(folder, 'speeds.json'),
        JSON.stringify({ [key]: { speed, measured: '2026-11-21' } }),
      );
      await note({ ...work, lanes: availableParallelism() });
      const { seconds } = durationOf({ ...work, lanes: availableParallelism() }, speed);
      expect(notes).toEqual([
        `About ${duration(1000 * seconds)}: 6,000 windows, reference mode, ${availableParallelism()} ${availableParallelism() === 1 ? 'session' : 'sessions'} on cpu.`,
      ]);
      // What cannot be measured costs the estimate, not the run.
      const other = estimateNote('starter', 'none such', { onNote: (text) => notes.push(text) });
      await other({ ...work, windows: 100 });
      expect(notes[1]).toMatch(/^warning: how long it will take is not known: /);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
