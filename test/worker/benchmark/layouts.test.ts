import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { measureSet, setScore } from '../../../src/worker/benchmark/measure-set.ts';
import { findSamples } from '../../../src/worker/benchmark/samples.ts';
import { findSet, readBenchmarkSets } from '../../../src/worker/benchmark/sets.ts';
import { everyLayout, obey, scoresByHand, writeMiniature } from './miniature-sets.ts';

const sets = await readBenchmarkSets();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-benchmark-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('miniature sets in every layout', () => {
  it.each(everyLayout(sets))('$title: scores as counted by hand', async ({ set, layout }) => {
    const written = await writeMiniature(folder, layout);
    const found = await findSamples({ ...set, layouts: [layout] }, [folder]);
    expect(found.samples.length).toBe(written);
    const measured = await measureSet(set, found, obey, path.join(folder, 'partial.ndjson'));
    await measured.finished();
    const scores = measured.confusion.scores();
    const { class0, class1 } = scoresByHand(layout);
    expect(scores.classes[0]!.iou).toBeCloseTo(class0, 12);
    expect(scores.classes[1]!.iou).toBeCloseTo(class1, 12);
    for (const other of scores.classes.slice(2)) expect(other.iou).toBeNull();
    const expected = set.metric === 'IoU' ? class1 : (class0 + class1) / 2;
    expect(setScore(set, scores)).toBeCloseTo(100 * expected, 10);
  });

  it('prefers the first layout that holds pictures', async () => {
    const set = findSet(sets, 'loveda');
    await mkdir(path.join(folder, set.layouts[0]!.images), { recursive: true });
    await mkdir(path.join(folder, set.layouts[0]!.labels), { recursive: true });
    await writeMiniature(folder, set.layouts[1]!);
    expect((await findSamples(set, [path.join(folder, 'elsewhere'), folder])).layout).toBe(set.layouts[1]);
  });

  it('sorts pictures by name, whatever the folder says', async () => {
    const set = findSet(sets, 'LoveDA');
    await writeMiniature(folder, set.layouts[1]!);
    const { samples } = await findSamples(set, [folder]);
    expect(samples.map(({ name }) => name)).toEqual(['east/b_1', 'east/c', 'west/a']);
  });
});

describe('sets that are not whole', () => {
  it('says where files were looked for', async () => {
    await expect(findSamples(findSet(sets, 'FUSAR-Map'), [folder])).rejects.toMatchObject({
      code: 'benchmark/no-data',
      hint: expect.stringContaining('sar + label + test.txt'),
    });
  });

  it('names a picture without labels', async () => {
    const set = findSet(sets, 'VDD');
    await writeMiniature(folder, set.layouts[0]!);
    await rm(path.join(folder, 'test/gt/a.png'));
    await expect(findSamples(set, [folder])).rejects.toMatchObject({
      code: 'benchmark/unlabelled',
      message: expect.stringContaining('a.JPG'),
    });
  });

  it('names what the list has and the folder has not', async () => {
    const set = findSet(sets, 'PIE-SAR');
    await writeMiniature(folder, set.layouts[0]!);
    await writeFile(path.join(folder, 'val.txt'), 'a\nmissing_7\n');
    await expect(findSamples(set, [folder])).rejects.toMatchObject({
      code: 'benchmark/missing-picture',
      message: expect.stringContaining('missing_7'),
    });
    await rm(path.join(folder, 'val.txt'));
    await expect(findSamples(set, [folder])).rejects.toMatchObject({
      code: 'benchmark/no-list',
      message: expect.stringContaining('val.txt'),
    });
  });

  it('names labels of another size and values that are no class', async () => {
    const set = findSet(sets, 'UDD5');
    await writeMiniature(folder, set.layouts[0]!);
    const found = await findSamples(set, [folder]);
    const partial = path.join(folder, 'partial.ndjson');
    const swapped = found.samples.map((sample) => ({ ...sample, labels: path.join(folder, 'labels.png') }));
    const { default: sharp } = await import('sharp');
    const labels = (width: number, value: number) =>
      sharp(new Uint8Array(width * 64).fill(value), { raw: { width, height: 64, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(path.join(folder, 'labels.png'));
    await labels(63, 0);
    await expect(measureSet(set, { ...found, samples: swapped }, obey, partial)).rejects.toMatchObject({
      code: 'evaluate/size',
      message: expect.stringContaining('63 × 64'),
    });
    await labels(64, 5);
    await expect(measureSet(set, { ...found, samples: swapped }, obey, partial)).rejects.toMatchObject({
      code: 'evaluate/label-value',
      message: expect.stringContaining('labels.png: label value 5'),
    });
  });
});
