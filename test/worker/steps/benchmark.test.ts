import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelPicture } from '../../../src/worker/benchmark/label-picture.ts';
import { readPictureFile } from '../../../src/worker/benchmark/picture-file.ts';
import { readResults } from '../../../src/worker/benchmark/results.ts';
import { findSet, readBenchmarkSets } from '../../../src/worker/benchmark/sets.ts';
import { decisionRule } from '../../../src/worker/classmap/decide.ts';
import { PackScorer } from '../../../src/worker/infer/pack-scorer.ts';
import { embedWords } from '../../../src/worker/infer/words.ts';
import { openPack } from '../../../src/worker/pack/open-pack.ts';
import { type BenchmarkRequest, benchmark } from '../../../src/worker/steps/benchmark.ts';
import { buildRandomPack } from '../../../src/worker/steps/random-pack.ts';
import type { TaskContext } from '../../../src/worker/steps/task-context.ts';
import { runCli } from '../../main/cli/run-cli.ts';
import { side, writeMiniature } from '../benchmark/miniature-sets.ts';

const sets = await readBenchmarkSets();
const udd = findSet(sets, 'UDD5');
const korea = findSet(sets, 'DDHR-Korea');
let folder: string;
let request: BenchmarkRequest;
let notes: string[];
const context = (): TaskContext => {
  notes = [];
  return {
    signal: new AbortController().signal,
    report: () => {},
    note: (text) => notes.push(text),
    emit: async () => {},
  };
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-benchmark-'));
  await buildRandomPack(path.join(folder, 'pack'), false, context());
  await writeMiniature(path.join(folder, 'data/UDD5'), udd.layouts[0]!);
  await writeMiniature(path.join(folder, 'data/DDHRNet_DATA/korea/no_cloud'), korea.layouts[0]!);
  request = {
    sets: ['UDD5'],
    folder: path.join(folder, 'data'),
    pack: path.join(folder, 'pack'),
    method: 'segearth',
    lastLayers: null,
    upsampler: 'none',
    lambda: null,
    modality: null,
    templates: 'single',
    against: null,
    limit: null,
    session: { provider: 'cpu', threads: 1 },
    out: path.join(folder, 'results'),
    again: false,
    program: 'test',
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** mIoU in per cent of the pack's own labels, counted here pixel by pixel. */
async function scoreByHand(): Promise<number> {
  const pack = await openPack(request.pack);
  const words = udd.classes.flat();
  const scorer = await PackScorer.open(
    pack,
    await embedWords(pack, words, 'single', 1),
    { modality: 'optical', attention: 'segearth', lastLayers: 1, lambda: -0.3, upsample: false },
    request.session,
  );
  const classes = udd.classes.map((each, i) => ({
    id: i + 1,
    name: each[0]!,
    words: each,
    colour: '#000000',
  }));
  const both = new Float64Array(5);
  const either = new Float64Array(5);
  for (const stem of ['a', 'b_1', 'c']) {
    const picture = await readPictureFile(path.join(folder, `data/UDD5/val/src/${stem}.JPG`));
    const ids = await labelPicture(picture, scorer, {
      longSide: 448,
      window: 224,
      stride: 112,
      normalisation: pack.manifest.normalisation,
      rule: decisionRule(classes, 0.4, 'background'),
    });
    if (stem === 'c') continue; // Nothing of it is counted.
    ids.forEach((id, at) => {
      const label = stem === 'a' ? 1 : at % side < side / 2 ? 0 : 1;
      if (id - 1 === label) {
        both[label]!++;
        either[label]!++;
      } else {
        either[label]!++;
        either[id - 1]!++;
      }
    });
  }
  await scorer.close();
  const ious = [...both].map((hits, i) => hits / either[i]!).filter((iou) => !Number.isNaN(iou));
  return (100 * ious.reduce((sum, iou) => sum + iou, 0)) / ious.length;
}

describe('benchmark with a pack of random weights', () => {
  it('scores a set as counted by hand, beside the published score', async () => {
    const { results, table } = await benchmark(request, context());
    expect(results.length).toBe(1);
    const [row] = results;
    expect(row).toMatchObject({
      set: 'UDD5',
      metric: 'mIoU',
      published: '50.6',
      against: 'segearth',
      supervised: '56.5',
      pictures: '3',
      upsampler: 'none',
      lambda: '-0.3',
    });
    expect(row!.score).toBe((await scoreByHand()).toFixed(1));
    expect(table).toContain('| UDD5');
    expect(await readResults(request.out)).toEqual(results);
    expect(await readFile(path.join(request.out, 'results.md'), 'utf8')).toContain('50.6');
    expect(await readdir(path.join(request.out, 'partial'))).toEqual([]);
  });

  it('does not measure a finished set again, unless asked or changed', async () => {
    const first = await benchmark(request, context());
    expect(notes).toEqual(['UDD5 is in the results already.']);
    expect((await readResults(request.out)).length).toBe(1);
    expect((await benchmark({ ...request, again: true }, context())).results[0]!.score).toBe(
      first.results[0]!.score,
    );
    await benchmark({ ...request, lambda: 0 }, context());
    expect((await readResults(request.out)).map(({ lambda }) => lambda)).toEqual(['-0.3', '-0.3', '0']);
  });

  it('runs every method, with the published score of each', async () => {
    const scores = new Map<string, string>();
    for (const method of ['clip', 'maskclip', 'sclip', 'clearclip', 'gem'] as const) {
      const { results } = await benchmark({ ...request, method, limit: 1 }, context());
      expect(results[0]).toMatchObject({ attention: method, lambda: '0', upsampler: 'none', pictures: '1' });
      scores.set(method, results[0]!.published);
    }
    expect(Object.fromEntries(scores)).toEqual({
      clip: '9.5',
      maskclip: '32.4',
      sclip: '38.7',
      clearclip: '41.8',
      gem: '41.2',
    });
    const { results } = await benchmark({ ...request, against: 'skyclip-b32', limit: 1 }, context());
    expect(results[0]!.published).toBe('38.2');
    await expect(benchmark({ ...request, against: 'nobody' }, context())).rejects.toMatchObject({
      code: 'benchmark/against',
    });
  });

  it('goes through all sets: leaves out what is not there, reports what fails, keeps the rest', async () => {
    const broken = findSet(sets, 'VDD');
    const root = path.join(request.folder, 'VDD');
    await writeMiniature(root, broken.layouts[0]!);
    await writeFile(path.join(root, 'test/src/a.JPG'), 'no picture');
    const all = { ...request, sets: null, out: path.join(folder, 'all') };
    const { results, skipped, failed } = await benchmark(all, context());
    expect(results.map(({ set }) => set)).toEqual(['UDD5']);
    expect(failed.map(({ set, problem }) => [set, problem.code])).toEqual([
      ['VDD', 'evaluate/image-unreadable'],
    ]);
    expect(failed[0]!.problem.message).toContain('a.JPG');
    expect(skipped.length).toBe(23);
    expect(skipped.find(({ set }) => set === 'DDHR-Korea')!.reason).toContain('no SAR encoder');
    expect(skipped.find(({ set }) => set === 'LoveDA')!.reason).toContain('not found');
    await rm(root, { recursive: true });
    expect((await benchmark(all, context())).results).toEqual(results);
    expect(notes).toEqual(['UDD5 is in the results already.']);
  });

  it('names a folder of results that cannot be, before anything is measured', async () => {
    const out = path.join(folder, 'a file');
    await writeFile(out, '');
    await expect(benchmark({ ...request, sets: null, out }, context())).rejects.toMatchObject({
      message: expect.stringContaining('a file'),
    });
  });

  it('goes on after being killed outright', async () => {
    const out = path.join(folder, 'killed');
    const partial = path.join(out, 'partial');
    // Enough pictures that the signal comes before the last.
    const many = path.join(folder, 'many');
    for (let copy = 0; copy < 5; copy++) {
      for (const stem of ['a', 'b_1', 'c']) {
        const from = path.join(folder, 'data/UDD5/val');
        await cp(path.join(from, `src/${stem}.JPG`), path.join(many, `val/src/${stem}-${copy}.JPG`));
        await cp(path.join(from, `gt/${stem}.png`), path.join(many, `val/gt/${stem}-${copy}.png`));
      }
    }
    const args = ['benchmark', '--set', 'UDD5', '--data', many, '--pack', request.pack, '--out', out];
    const quick = ['--templates', 'single', '--threads', '1', '--upsampler', 'none'];
    const lines = (): string[] => {
      const [name] = existsSync(partial) ? readdirSync(partial) : [];
      if (name === undefined) return [];
      return readFileSync(path.join(partial, name), 'utf8').split('\n').slice(0, -1);
    };
    const killed = await runCli([...args, ...quick], {
      onStart: (child) => {
        const timer = setInterval(() => {
          if (lines().length > 0) child.kill('SIGKILL');
        }, 2);
        child.on('exit', () => clearInterval(timer));
      },
    });
    expect(killed.signal).toBe('SIGKILL');
    const kept = lines().length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(15);
    expect(await readResults(out)).toEqual([]);
    expect((await runCli([...args, ...quick, '--json'])).code).toBe(0);
    const whole = await benchmark({ ...request, folder: many, out: path.join(folder, 'whole') }, context());
    const [row] = await readResults(out);
    expect(row).toMatchObject({
      score: whole.results[0]!.score,
      'class IoU': whole.results[0]!['class IoU'],
      pictures: '15',
    });
  });

  it('takes the optical encoder for a SAR set when told to, one window a picture', async () => {
    await expect(benchmark({ ...request, sets: ['DDHR-Korea'] }, context())).rejects.toMatchObject({
      code: 'pack/no-sar',
    });
    const { results } = await benchmark(
      { ...request, sets: ['DDHR-Korea'], modality: 'optical', upsampler: 'simfeatup', limit: 1 },
      context(),
    );
    expect(results[0]).toMatchObject({
      encoder: 'optical',
      attention: 'sclip',
      'last layers': '2',
      window: '0',
    });
    expect(notes[0]).toContain('not published');
  });

  it('answers on the command line', async () => {
    const args = [
      'benchmark',
      '--data',
      request.folder,
      '--pack',
      request.pack,
      '--out',
      path.join(folder, 'cli'),
    ];
    const quick = ['--upsampler', 'none', '--templates', 'single', '--limit', '1', '--threads', '1'];
    const one = await runCli([...args, '--set', 'udd5', ...quick, '--json']);
    expect(one.stderr).toBe('');
    expect(JSON.parse(one.stdout)).toMatchObject({
      results: [{ set: 'UDD5', published: '50.6' }],
      skipped: [],
      failed: [],
    });
    const text = await runCli([...args, '--set', 'udd5', ...quick]);
    expect(text.stdout).toMatch(/\| UDD5 +\| mIoU +\|/);
    expect(text.stderr).toContain('in the results already');
    const list = await runCli(['benchmark', '--list']);
    expect(list.stdout).toContain('OpenEarthMap (optical, mIoU): segearth 40.3');
    for (const wrong of [
      args,
      [...args, '--all', '--set', 'UDD5'],
      ['benchmark', '--all'],
      [...args, '--set', 'x'],
    ]) {
      const { code, stdout, stderr } = await runCli(wrong);
      expect(code).not.toBe(0);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^landscribe: [^\n]+\n$/);
    }
  });
});
