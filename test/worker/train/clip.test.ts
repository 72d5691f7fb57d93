import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ClipBatch,
  type ClipBatchShape,
  type ClipGeometry,
  clipFeeds,
  clipStepGraph,
} from '../../../src/worker/train/clip.ts';
import { initialClip } from '../../../src/worker/train/clip-parameters.ts';
import { trainingLoop, warmCosine } from '../../../src/worker/train/loop.ts';
import type { OptimiserOptions } from '../../../src/worker/train/optimiser.ts';
import { uniformNumbers } from '../../../src/worker/train/random.ts';
import { Stepper } from '../../../src/worker/train/step.ts';
import { inferGeometry } from '../../../src/worker/weights/geometry.ts';

const geometry: ClipGeometry = {
  vision: { width: 64, layers: 2, heads: 1, hidden: 256, patch: 4, grid: 4, image: 16 },
  text: { width: 64, layers: 1, heads: 1, hidden: 256, context: 6, vocabulary: 8 },
  embedding: 16,
  activation: 'quickgelu',
};
const shape: ClipBatchShape = { images: 6, side: 16, words: 3, labels: 3, length: 4 };
const optimiser: OptimiserOptions = {
  kind: 'adamw',
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-6,
  weightDecay: 0.01,
  averageDecay: 0.9,
};

/**
 * Images of coloured quarters. Ids 1, 2, 3 are red, green, blue; 5 starts and 6 ends a text. Every second image has
 * the legend "red; anything else", with the second label standing for two words.
 */
function coloured(step: number): ClipBatch {
  const random = uniformNumbers(`batch ${step}`);
  const { images, side, words, labels, length } = shape;
  const batch: ClipBatch = {
    images: new Float32Array(images * 3 * side * side),
    targets: new Float32Array(images * 16 * labels),
    membership: new Float32Array(images * labels * words),
    alleviation: new Float32Array(images),
    promptIds: BigInt64Array.from(
      [1, 2, 3].flatMap((colour) => [5, colour, 6, 0]),
      BigInt,
    ),
    promptEnds: new BigInt64Array(words).fill(2n),
    captionIds: new BigInt64Array(images * length),
    captionEnds: new BigInt64Array(images).fill(2n),
  };
  for (let image = 0; image < images; image++) {
    const coarse = image % 2 === 1;
    const quarters = Array.from({ length: 4 }, () => Math.floor(random() * 3));
    const counts = [0, 0, 0];
    for (let patch = 0; patch < 16; patch++) {
      const quarter = quarters[Math.floor(patch / 8) * 2 + Math.floor((patch % 4) / 2)]!;
      counts[quarter]!++;
      const label = coarse ? Math.min(quarter, 1) : quarter;
      batch.targets[(image * 16 + patch) * labels + label] = 1;
      for (let pixel = 0; pixel < 16; pixel++) {
        const y = Math.floor(patch / 4) * 4 + Math.floor(pixel / 4);
        const x = (patch % 4) * 4 + (pixel % 4);
        for (let band = 0; band < 3; band++)
          batch.images[((image * 3 + band) * side + y) * side + x] =
            (band === quarter ? 1 : -1) + 4 * (random() - 0.5);
      }
    }
    const membership = coarse ? [1, 0, 0, 0, 1, 1, 0, 0, 0] : [1, 0, 0, 0, 1, 0, 0, 0, 1];
    batch.membership.set(membership, image * labels * words);
    const most = counts.indexOf(Math.max(...counts));
    batch.captionIds.set([5n, BigInt(most + 1), 6n, 0n], image * length);
  }
  return batch;
}

const loss = { denseScale: 50, denseWeight: 1, captionWeight: 0.2 };
const batchOf = async (step: number) => clipFeeds(shape, coloured(step));
const stepper = () =>
  Stepper.create(clipStepGraph(geometry, shape, loss, optimiser), initialClip(geometry, 4), 1);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'train-'));
});
afterAll(() => rm(folder, { recursive: true }));

const options = (name: string, steps: number) => ({
  folder: path.join(folder, name),
  steps,
  learningRate: () => 2e-3,
  gradientLimit: () => 1,
  recipe: 'toy',
  checkpointSeconds: 1000,
  shown: ['loss', 'dense'],
});

describe('training a CLIP', () => {
  it('learns three colours by their words from scratch', async () => {
    const trained = await stepper();
    const rate = warmCosine(3e-3, 10);
    const history = await trainingLoop(trained, batchOf, { ...options('toy', 150), learningRate: rate });
    const dense = history.columns.indexOf('dense');
    const mean = (rows: number[][]) => rows.reduce((sum, row) => sum + row[dense]!, 0) / rows.length;
    // Guessing costs ln 3, or less where two words are one label.
    expect(mean(history.rows.slice(0, 2))).toBeGreaterThan(0.5);
    expect(mean(history.rows.slice(-10))).toBeLessThan(0.05);
    // What comes out is a checkpoint that a pack can be built from.
    const { activation: _, ...expected } = geometry;
    expect(inferGeometry(trained.weights('trained'))).toEqual(expected);
    expect(inferGeometry(trained.weights('trained', 'average'))).toEqual(expected);
    await trained.release();
  });

  it('resumes bit for bit on one thread, also after a cancel', async () => {
    const whole = await stepper();
    const expected = await trainingLoop(whole, batchOf, options('whole', 9));

    const cancel = new AbortController();
    const first = await stepper();
    const stopped = trainingLoop(first, batchOf, {
      ...options('parts', 9),
      signal: cancel.signal,
      onStep: (step) => step === 4 && cancel.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    const second = await stepper();
    const resumed = await trainingLoop(second, batchOf, options('parts', 9));

    expect(resumed.rows).toEqual(expected.rows);
    for (const [name, { values }] of whole.state())
      expect(second.state().get(name)!.values, name).toEqual(values);
    const table = (run: string) => readFile(path.join(folder, run, 'loss.csv'), 'utf8');
    expect(await table('parts')).toBe(await table('whole'));

    const other = trainingLoop(second, batchOf, { ...options('parts', 9), recipe: 'other' });
    await expect(other).rejects.toMatchObject({ code: 'training/other-recipe' });
  });
});
