import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { measureSet } from '../../../src/worker/benchmark/measure-set.ts';
import { PartialCounts } from '../../../src/worker/benchmark/partial-counts.ts';
import {
  appendResult,
  type ResultRow,
  readResults,
  resultsMarkdown,
} from '../../../src/worker/benchmark/results.ts';
import { findSamples } from '../../../src/worker/benchmark/samples.ts';
import { findSet, readBenchmarkSets } from '../../../src/worker/benchmark/sets.ts';
import { obey, scoresByHand, writeMiniature } from './miniature-sets.ts';

const sets = await readBenchmarkSets();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-benchmark-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const row = (change: Partial<ResultRow> = {}): ResultRow => ({
  date: '2026-01-01T00:00:00.000Z',
  set: 'LoveDA',
  metric: 'mIoU',
  score: '30.1',
  published: '36.9',
  against: 'segearth',
  supervised: '50.0',
  pictures: '3',
  method: 'segearth',
  attention: 'segearth',
  'last layers': '1',
  upsampler: 'none',
  lambda: '-0.3',
  encoder: 'optical',
  templates: 'imagenet',
  threshold: '0.3',
  'long side': '448',
  window: '224',
  stride: '112',
  pack: 'starter',
  'pack checksum': 'ab',
  layout: 'converted',
  'class IoU': 'road 1.0; water 2.0',
  program: 'Landscribe',
  run: '0123456789abcdef',
  ...change,
});

describe('the table', () => {
  it('keeps any text from one run to the next', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string(), fc.constantFrom('', 'a,b', '"', 'x\r\ny', '5')), {
          minLength: 1,
          maxLength: 4,
        }),
        async (texts) => {
          await rm(path.join(folder, 'results.csv'), { force: true });
          const rows = texts.map(([pack, score]) => row({ pack, score, run: score }));
          for (const each of rows) await appendResult(folder, each);
          expect(await readResults(folder)).toEqual(rows);
        },
      ),
      { numRuns: 60 },
    );
    expect((await readdir(folder)).sort()).toEqual(['results.csv', 'results.md']);
  });

  it('shows the score beside what was published', async () => {
    await appendResult(folder, row());
    await appendResult(
      folder,
      row({ set: 'Inria', metric: 'IoU', score: '50.0', published: '44.6', supervised: '' }),
    );
    const text = await readFile(path.join(folder, 'results.md'), 'utf8');
    const cells = (set: string) =>
      text
        .split('\n')
        .find((line) => line.startsWith(`| ${set}`))!
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, 8);
    expect(cells('LoveDA')).toEqual(['LoveDA', 'mIoU', '30.1', '36.9', '-6.8', '50.0', '3']);
    expect(cells('Inria')).toEqual(['Inria', 'IoU', '50.0', '44.6', '+5.4', '-', '3']);
    expect(resultsMarkdown([row({ pack: 'a|b' })])).toContain('a\\|b');
    expect(resultsMarkdown([row({ against: 'gem' })])).toContain('36.9 (gem)');
  });

  it('refuses a table of another kind instead of writing over it', async () => {
    await writeFile(path.join(folder, 'results.csv'), 'my,own,table\r\n1,2,3\r\n');
    await expect(appendResult(folder, row())).rejects.toMatchObject({ code: 'benchmark/results' });
    expect(await readFile(path.join(folder, 'results.csv'), 'utf8')).toContain('my,own,table');
  });
});

describe('a run that was killed', () => {
  it('goes on after its last finished picture, with the same counts', async () => {
    const set = findSet(sets, 'LoveDA');
    const layout = set.layouts[0]!;
    await writeMiniature(folder, layout);
    const found = await findSamples(set, [folder]);
    const partial = path.join(folder, 'partial', 'LoveDA.ndjson');
    let calls = 0;
    await expect(
      measureSet(
        set,
        found,
        async (picture) => {
          if (++calls === 2) throw new Error('killed');
          return obey(picture);
        },
        partial,
      ),
    ).rejects.toThrow('killed');
    // Half a record, as a power cut leaves it.
    await appendFile(partial, '{"name":"c","pictures":1,"igno');
    const again: number[] = [];
    const progress: number[] = [];
    const measured = await measureSet(
      set,
      found,
      async (picture) => {
        again.push(picture.width);
        return obey(picture);
      },
      partial,
      ({ done }) => progress.push(done),
    );
    expect(again.length).toBe(2);
    expect(progress).toEqual([1, 2, 3]);
    expect(measured.pictures).toBe(3);
    const whole = await measureSet(set, found, obey, path.join(folder, 'fresh.ndjson'));
    expect([...measured.confusion.counts]).toEqual([...whole.confusion.counts]);
    expect(measured.confusion.ignoredPixels).toBe(whole.confusion.ignoredPixels);
    expect(measured.confusion.scores().classes[1]!.iou).toBeCloseTo(scoresByHand(layout).class1, 12);
    await measured.finished();
    await whole.finished();
    expect(await readdir(path.join(folder, 'partial'))).toEqual([]);
  });

  it('believes no damaged record and nothing after it', async () => {
    const file = path.join(folder, 'counts.ndjson');
    const good = { name: 'a', pictures: 1, ignored: 2, counts: [[0, 2, 5]] };
    for (const bad of [
      '{',
      '[]',
      JSON.stringify({ ...good, name: 'b', counts: [[2, 0, 5]] }),
      JSON.stringify({ ...good, name: 'b', counts: [[0, 3, 5]] }),
      JSON.stringify({ ...good, name: 'b', counts: [[0, 0, -5]] }),
      JSON.stringify({ ...good, name: 'b', pictures: 0.5 }),
    ]) {
      await writeFile(file, `${JSON.stringify(good)}\n${bad}\n${JSON.stringify({ ...good, name: 'c' })}\n`);
      const counts = await PartialCounts.open(file, 2);
      expect([...counts.records.keys()]).toEqual(['a']);
      await counts.append({ ...good, name: 'd' } as never);
      await counts.close();
      expect(await readFile(file, 'utf8')).toBe(
        `${JSON.stringify(good)}\n${JSON.stringify({ ...good, name: 'd' })}\n`,
      );
    }
  });
});
