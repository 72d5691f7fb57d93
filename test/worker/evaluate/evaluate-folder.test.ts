import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { evaluateFolder, type PredictedImage } from '../../../src/worker/steps/evaluate.ts';

let folder: string;
let images: string;
let labels: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'landscribe-evaluate-'));
  images = join(folder, 'images');
  labels = join(folder, 'labels');
  mkdirSync(images);
  mkdirSync(labels);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const names = ['dark', 'bright'];

/** A picture whose left part is black (label 0) and right part white (label 1), from column `edge` on. */
async function addPair(stem: string, edge: number, width = 6, height = 4): Promise<void> {
  const values = Uint8Array.from({ length: width * height }, (_, i) => (i % width < edge ? 0 : 1));
  const colours = Uint8Array.from(
    { length: 3 * width * height },
    (_, i) => values[Math.floor(i / 3)]! * 230 + 10,
  );
  await sharp(colours, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(join(images, `${stem}.png`));
  await sharp(values, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(join(labels, `${stem}.png`));
}

/** Says `id` everywhere. */
const always =
  (id: number, width = 6, height = 4) =>
  async (): Promise<PredictedImage> => ({ width, height, ids: new Uint8Array(width * height).fill(id) });

describe('evaluating a folder', () => {
  it('adds all images to one matrix and measures the baselines beside', async () => {
    await addPair('b', 2);
    await addPair('a', 4);
    const seen: string[] = [];
    const phases: string[] = [];
    const result = await evaluateFolder(
      {
        imageFolder: images,
        labelFolder: labels,
        classNames: names,
        ignore: null,
        predict: async (path) => {
          seen.push(path);
          return always(1)();
        },
        baseline: { training: null },
      },
      ({ phase, done, total }) => phases.push(`${phase} ${done}/${total}`),
    );
    expect(seen).toEqual([join(images, 'a.png'), join(images, 'b.png')]);
    // 12 × 2 pixels each: half are dark, all are called dark.
    expect(result.scores).toMatchObject({ mIoU: 0.25, pixelAccuracy: 0.5, pixels: 48 });
    expect(result.baselines.map(({ name }) => name)).toEqual(['majority class', 'nearest mean colour']);
    expect(result.baselines[0]!.scores.pixelAccuracy).toBe(0.5);
    expect(result.baselines[1]!.scores.mIoU).toBe(1);
    expect(phases).toEqual([
      'checking labels 1/2',
      'checking labels 2/2',
      'fitting baselines 1/2',
      'fitting baselines 2/2',
      'evaluating 1/2',
      'evaluating 2/2',
    ]);
  });

  it('fits baselines on a training folder where one is given, and needs no model', async () => {
    await addPair('a', 5);
    const training = { imageFolder: join(folder, 'ti'), labelFolder: join(folder, 'tl') };
    mkdirSync(training.imageFolder);
    mkdirSync(training.labelFolder);
    // The other way round: bright pixels are labelled dark, so the nearest colour must be wrong everywhere.
    const inverse = { raw: { width: 2, height: 1, channels: 3 } } as const;
    await sharp(Uint8Array.of(255, 255, 255, 0, 0, 0), inverse)
      .png()
      .toFile(join(training.imageFolder, 'x.png'));
    await sharp(Uint8Array.of(0, 1), { raw: { width: 2, height: 1, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(join(training.labelFolder, 'x.png'));
    const request = {
      imageFolder: images,
      labelFolder: labels,
      classNames: names,
      ignore: null,
      predict: null,
    };
    const result = await evaluateFolder({ ...request, baseline: { training } });
    expect(result.scores).toBeNull();
    expect(result.baselines[1]!.scores.pixelAccuracy).toBe(0);
  });

  it('leaves the ignored value out', async () => {
    await addPair('a', 3);
    const result = await evaluateFolder({
      imageFolder: images,
      labelFolder: labels,
      classNames: ['dark'],
      ignore: 1,
      predict: always(1),
    });
    expect(result.scores).toMatchObject({ mIoU: 1, pixels: 12, ignoredPixels: 12 });
  });

  it('takes other label values for the classes, and counts a part of each picture alone', async () => {
    await addPair('a', 3);
    // Value 1 is the first class, 0 the second: all that is called the first is right in the right half.
    const request = {
      imageFolder: images,
      labelFolder: labels,
      classNames: ['bright', 'dark'],
      labelValues: [1, 0],
      ignore: null,
      predict: always(1),
    };
    const whole = await evaluateFolder(request);
    expect(whole.scores).toMatchObject({ pixelAccuracy: 0.5, pixels: 24, ignoredPixels: 0 });
    expect(whole.scores!.classes[0]).toMatchObject({ name: 'bright', recall: 1, pixels: 12 });
    const right = await evaluateFolder({ ...request, part: [0.5, 0.25, 1, 1] });
    expect(right.scores).toMatchObject({ pixelAccuracy: 1, pixels: 9, ignoredPixels: 15 });
    const refused = (change: object) => evaluateFolder({ ...request, ...change });
    await expect(refused({ labelValues: [1] })).rejects.toMatchObject({ code: 'evaluate/label-values' });
    await expect(refused({ labelValues: [1, 1] })).rejects.toMatchObject({ code: 'evaluate/label-values' });
    await expect(refused({ labelValues: [1, 70_000] })).rejects.toMatchObject({
      code: 'evaluate/label-values',
    });
    await expect(refused({ labelValues: [1, 4] })).rejects.toMatchObject({
      message: expect.stringMatching(/a\.png: label value 0, but the 2 classes are values 1, 4/),
    });
    await expect(refused({ part: [0.5, 0, 0.5, 1] })).rejects.toMatchObject({ code: 'evaluate/part' });
  });

  it('shows the baselines what it is told to', async () => {
    await addPair('a', 3);
    const result = await evaluateFolder({
      imageFolder: images,
      labelFolder: labels,
      classNames: names,
      ignore: null,
      predict: null,
      baseline: { training: null },
      // The same grey everywhere: nothing to tell the classes apart by.
      readColours: async () => ({ width: 6, height: 4, pixels: new Uint8Array(72).fill(9) }),
    });
    expect(result.baselines[1]!.scores.pixelAccuracy).toBe(0.5);
  });

  const failures: [string, string, RegExp, () => Promise<void>][] = [
    [
      'a label value that is no class',
      'evaluate/label-value',
      /b\.png: label value 1/,
      () => addPair('b', 2),
    ],
    [
      'labels of another size',
      'evaluate/size',
      /c\.png has 5 × 4 pixels.*6 × 4/,
      async () => {
        await addPair('c', 6);
        await sharp({ create: { width: 5, height: 4, channels: 3, background: '#000' } })
          .toColourspace('b-w')
          .png()
          .toFile(join(labels, 'c.png'));
      },
    ],
    [
      'a picture without labels',
      'evaluate/unpaired',
      /d\.jpg has no label image/,
      async () => writeFileSync(join(images, 'd.jpg'), ''),
    ],
    [
      'labels without a picture',
      'evaluate/unpaired',
      /e\.png has no picture/,
      async () => writeFileSync(join(labels, 'e.png'), ''),
    ],
    [
      'two pictures of one name',
      'evaluate/ambiguous',
      /a\.tif have the same name/,
      async () => writeFileSync(join(images, 'a.tif'), ''),
    ],
  ];
  for (const [what, code, message, spoil] of failures) {
    it(`refuses ${what} before the first prediction`, async () => {
      await addPair('a', 6);
      await spoil();
      let predictions = 0;
      const run = evaluateFolder({
        imageFolder: images,
        labelFolder: labels,
        classNames: ['dark'],
        ignore: null,
        predict: async () => {
          predictions++;
          return always(1)();
        },
      });
      await expect(run).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      expect(predictions).toBe(0);
    });
  }

  it('refuses empty and missing folders, and a prediction of another size', async () => {
    const request = {
      imageFolder: images,
      labelFolder: labels,
      classNames: names,
      ignore: null,
      predict: always(1, 3, 3),
    };
    await expect(evaluateFolder(request)).rejects.toMatchObject({ code: 'evaluate/no-images' });
    await expect(evaluateFolder({ ...request, labelFolder: join(folder, 'none') })).rejects.toMatchObject({
      code: 'file/missing',
    });
    await addPair('a', 3);
    await expect(evaluateFolder(request)).rejects.toMatchObject({ code: 'evaluate/size' });
  });

  it('stops when cancelled', async () => {
    await addPair('a', 3);
    const stop = new AbortController();
    const run = evaluateFolder(
      { imageFolder: images, labelFolder: labels, classNames: names, ignore: null, predict: always(1) },
      () => stop.abort(),
      stop.signal,
    );
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
  });
});
