import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsamplerShapes } from '../../../src/worker/net/upsampler.ts';
import { trainAlignEarth } from '../../../src/worker/train/alignearth-trainer.ts';
import type { ClipGeometry } from '../../../src/worker/train/clip.ts';
import { initialClip } from '../../../src/worker/train/clip-parameters.ts';
import { FrozenEncoder } from '../../../src/worker/train/frozen-encoder.ts';
import { drawJitter, jitterMatrices, jitterPlanes } from '../../../src/worker/train/jitter.ts';
import { uniformNumbers } from '../../../src/worker/train/random.ts';
import { initialSimFeatUp } from '../../../src/worker/train/simfeatup.ts';
import { trainSimFeatUp } from '../../../src/worker/train/simfeatup-trainer.ts';
import { weightsInMemory } from '../../../src/worker/weights/named-weights.ts';

const geometry: ClipGeometry = {
  vision: { width: 64, layers: 2, heads: 1, hidden: 256, patch: 4, grid: 4, image: 16 },
  text: { width: 64, layers: 1, heads: 1, hidden: 256, context: 6, vocabulary: 8 },
  embedding: 16,
  activation: 'gelu',
};
const side = 16;

/** An image of coloured quarters with a little noise. */
function quarters(seed: string): Float32Array {
  const random = uniformNumbers(seed);
  const colours = Array.from({ length: 12 }, () => 2 * random() - 1);
  return Float32Array.from({ length: 3 * side * side }, (_, at) => {
    const band = Math.floor(at / (side * side));
    const row = Math.floor(at / side) % side;
    const quarter = 2 * Math.floor(row / 8) + Math.floor((at % side) / 8);
    return colours[4 * band + quarter]! + 0.1 * random();
  });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'distil-'));
});
afterAll(() => rm(folder, { recursive: true }));

const loop = (name: string, steps: number, rate: number) => ({
  folder: path.join(folder, name),
  steps,
  learningRate: () => rate,
  recipe: name,
  checkpointSeconds: 1000,
});

const mean = (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

describe('jitter', () => {
  it('is margin, zoom, crop and mirror, one after the other', () => {
    const random = uniformNumbers('jitter');
    for (let turn = 0; turn < 40; turn++) {
      const jitter = drawJitter(random, side);
      const { margin, zoom } = jitter;
      const image = Float32Array.from({ length: side * side }, () => random());
      const reflect = (at: number) => {
        const inside = Math.abs(at - margin);
        return inside < side ? inside : 2 * (side - 1) - inside;
      };
      const padded = (row: number, column: number) => image[reflect(row) * side + reflect(column)]!;
      const last = side + 2 * margin - 1;
      const along = (at: number) => {
        const source = zoom > 1 ? Math.max(0, (at + 0.5) / zoom - 0.5) : at;
        const low = Math.min(Math.floor(source), last);
        return { low, high: Math.min(low + 1, last), share: source - low };
      };
      const moved = jitterPlanes(image, jitterMatrices(jitter, side), side);
      for (let row = 0; row < side; row++)
        for (let column = 0; column < side; column++) {
          const y = along(jitter.row + row);
          const x = along(jitter.column + (jitter.mirrored ? side - 1 - column : column));
          const upper = padded(y.low, x.low) * (1 - x.share) + padded(y.low, x.high) * x.share;
          const lower = padded(y.high, x.low) * (1 - x.share) + padded(y.high, x.high) * x.share;
          const expected = upper * (1 - y.share) + lower * y.share;
          expect(Math.abs(moved[row * side + column]! - expected)).toBeLessThan(1e-5);
        }
    }
  });
});

describe('SimFeatUp’s trainer', () => {
  it('lowers both losses and gives an upsampler’s tensors', async () => {
    const losses: { reconstruction: number; image: number }[] = [];
    const trained = await trainSimFeatUp({
      clip: geometry,
      weights: initialClip(geometry, 1),
      tokens: 'block-input',
      images: 2,
      views: 2,
      pictures: 1,
      projected: 6,
      seed: 1,
      threads: 1,
      imageAt: async (index) => quarters(`image ${index}`),
      loop: {
        ...loop('simfeatup', 60, 3e-3),
        onStep: (_, { reconstruction, image }) =>
          losses.push({ reconstruction: reconstruction!, image: image! }),
      },
    });
    const of = (name: 'reconstruction' | 'image', part: typeof losses) => mean(part.map((row) => row[name]));
    expect(of('reconstruction', losses.slice(-10))).toBeLessThan(
      0.6 * of('reconstruction', losses.slice(0, 10)),
    );
    expect(of('image', losses.slice(-10))).toBeLessThan(0.7 * of('image', losses.slice(0, 10)));
    const expected = upsamplerShapes('jbu_one', geometry.embedding);
    expect(trained.names().sort()).toEqual([...expected.keys()].sort());
    for (const [name, shape] of expected) expect(trained.shape(name), name).toEqual([...shape]);
  });
});

describe('SimFeatUp’s bilateral start', () => {
  it('weighs neighbours by the distance of their colours', async () => {
    const start = initialSimFeatUp(
      { side: 32, patch: 8, embedding: 16, views: 1, pictures: 1, projected: 2 },
      1,
      { sigma: 0.5, rangeTemperature: 2, bilateral: true },
    );
    const [hidden, hiddenBias, output, outputBias] = await Promise.all(
      ['0.weight', '0.bias', '1.weight', '1.bias'].map((name) => start.read(`up.range_proj.${name}`)),
    );
    // erf by its series, which converges for the arguments met here.
    const erf = (x: number) => {
      let term = x;
      let sum = x;
      for (let n = 1; n < 60; n++) {
        term *= (-x * x) / n;
        sum += term / (2 * n + 1);
      }
      return (2 / Math.sqrt(Math.PI)) * sum;
    };
    const project = (colour: readonly number[]) => {
      const units = Array.from(hiddenBias!, (bias, unit) => {
        const x = colour.reduce((sum, value, band) => sum + hidden![3 * unit + band]! * value, bias);
        return 0.5 * x * (1 + erf(x / Math.SQRT2));
      });
      return Array.from(outputBias!, (bias, channel) =>
        units.reduce((sum, value, unit) => sum + output![channel * units.length + unit]! * value, bias),
      );
    };
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const random = uniformNumbers('colours');
    for (let round = 0; round < 60; round++) {
      const centre = [0, 1, 2].map(() => 2 * random() - 1);
      const direction = [0, 1, 2].map(() => 2 * random() - 1);
      const length = Math.hypot(...direction);
      // Products fall as the neighbour's colour moves away, as a bilateral filter's range kernel does.
      const products = [0, 0.8, 1.6].map((distance) => {
        const colour = centre.map((value, band) => value + (distance * direction[band]!) / length);
        return dot(project(centre), project(colour));
      });
      expect(products[1], `${centre} → ${direction}`).toBeLessThan(products[0]!);
      expect(products[2], `${centre} → ${direction}`).toBeLessThan(products[1]!);
    }
    for (const name of ['up.fixup_proj.1.weight', 'up.fixup_proj.1.bias'])
      expect(Math.max(...(await start.read(name)).map(Math.abs)), name).toBe(0);
  });
});

describe('AlignEarth’s trainer', () => {
  it('brings another sensor’s images to the optical encoder’s embedding', async () => {
    // The other sensor sees the negative, in one band.
    const sarOf = (optical: Float32Array) =>
      optical.map((_, at) => -optical[at % (side * side)]! - optical[side * side + (at % (side * side))]!);
    const pairs = (step: number) => {
      const images = Array.from({ length: 6 }, (_, at) => quarters(`pair ${step} ${at}`));
      const join = (parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));
      return { optical: join(images), sar: join(images.map(sarOf)) };
    };
    const weights = initialClip(geometry, 2);
    const student = await trainAlignEarth({
      clip: geometry,
      weights,
      images: 6,
      attention: 'sclip',
      lastLayers: 2,
      regions: 2,
      weightDecay: 0.01,
      gradientLimit: 1,
      threads: 1,
      pairsAt: async (step) => pairs(step),
      loop: loop('alignearth', 120, 2e-3),
    });

    // On images never trained on, cosines of CLS with the optical twin's: the student's against the teacher's own.
    const held = pairs(1e6);
    const text = initialClip(geometry, 2);
    const whole = new Map<string, { shape: number[]; values: Float32Array }>();
    for (const name of text.names()) {
      const source = student.names().includes(name) ? student : text;
      whole.set(name, { shape: source.shape(name), values: await source.read(name) });
    }
    const teacher = await FrozenEncoder.open(geometry, weights, 'dense', 1, 1);
    const trained = await FrozenEncoder.open(geometry, weightsInMemory('student', whole), 'dense', 2, 1);
    const target = (await teacher.encode(held.optical)).cls;
    const cosine = (a: Float32Array) => {
      const each = Array.from({ length: 6 }, (_, image) => {
        let [product, own, other] = [0, 0, 0];
        for (let i = image * 16; i < (image + 1) * 16; i++) {
          product += a[i]! * target[i]!;
          own += a[i]! ** 2;
          other += target[i]! ** 2;
        }
        return product / Math.sqrt(own * other);
      });
      return mean(each);
    };
    const before = cosine((await teacher.encode(held.sar)).cls);
    const after = cosine((await trained.encode(held.sar)).cls);
    expect(1 - after).toBeLessThan(0.75 * (1 - before));
    await teacher.release();
    await trained.release();
  });
});
