import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PackScorer, type ScorerSettings } from '../../../src/worker/infer/pack-scorer.ts';
import { Session } from '../../../src/worker/infer/session.ts';
import {
  kernelRadius,
  type UpsamplerKind,
  upsamplerShapes,
  upsamplerSteps,
} from '../../../src/worker/net/upsampler.ts';
import { writePack } from '../../../src/worker/pack/build-pack.ts';
import { openPack, type Pack } from '../../../src/worker/pack/open-pack.ts';
import { formulaClip, formulaWeights } from '../../../src/worker/weights/formula.ts';
import type { NamedWeights } from '../../../src/worker/weights/named-weights.ts';

const options = { provider: 'cpu', threads: 1 } as const;
const settings: ScorerSettings = {
  modality: 'optical',
  attention: 'segearth',
  lastLayers: 1,
  lambda: -0.3,
  upsample: true,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-scorer-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Weights of the upsampler as the tests' packs hold them. */
const upsamplerOf = (kind: UpsamplerKind, embedding: number): NamedWeights =>
  formulaWeights(upsamplerShapes(kind, embedding), 'upsampler');

async function packOf(kind: UpsamplerKind, patch: number, embedding: number): Promise<Pack> {
  const vocabularyFile = path.join(folder, 'vocabulary.gz');
  await writeFile(vocabularyFile, gzipSync('#\n'));
  const out = path.join(folder, `${kind}-${patch}-${embedding}`);
  await writePack(
    {
      clip: formulaClip(
        {
          embedding,
          vision: { width: 64, layers: 2, heads: 1, hidden: 128, patch, grid: 7, image: 7 * patch },
          text: { width: 64, layers: 1, heads: 1, hidden: 64, context: 77, vocabulary: 514 },
        },
        'scorer',
      ),
      upsampler: { kind, weights: upsamplerOf(kind, embedding) },
      vocabularyFile,
      activation: 'gelu',
      name: kind,
      sources: [],
    },
    out,
    { overwrite: true },
  );
  return openPack(out);
}

/** Smooth colours with some texture, normalised: `[3, height, width]`. */
function picture(height: number, width: number): Float32Array {
  const values = new Float32Array(3 * height * width);
  for (let band = 0; band < 3; band++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        values[(band * height + row) * width + column] =
          Math.sin(row / (7 + band)) * Math.cos(column / (5 + 2 * band)) +
          (((row * 31 + column * 17) % 13) - 6) / 20;
      }
    }
  }
  return values;
}

/** Rows of unit length from a fixed sequence. */
function directions(count: number, size: number): Float32Array {
  const rows = new Float32Array(count * size);
  for (let row = 0; row < count; row++) {
    let squares = 0;
    for (let i = 0; i < size; i++) {
      const value = Math.sin(1 + row * 12.9898 + i * 78.233) * 43758.5453;
      rows[row * size + i] = value - Math.floor(value) - 0.5;
      squares += rows[row * size + i]! ** 2;
    }
    for (let i = 0; i < size; i++) rows[row * size + i]! /= Math.sqrt(squares);
  }
  return rows;
}

const reflect = (at: number, size: number): number => {
  const folded = Math.abs(at);
  return size - 1 - Math.abs(size - 1 - folded);
};

const cubic = (distance: number): number => {
  const a = -0.75;
  const x = Math.abs(distance);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  if (x < 2) return a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a;
  return 0;
};

/** erf by its series and continued behaviour is not needed to better than 1e-7 here (Abramowitz & Stegun 7.1.26 is too coarse). */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
const gelu = (x: number): number => (x * (1 + erf(x / Math.SQRT2))) / 2;

/** One joint bilateral step, pixel by pixel from the formulas: `source` `[C, h, w]` to `[C, 2h, 2w]`. */
async function referenceStep(
  weights: NamedWeights,
  step: string,
  radius: number,
  image: Float32Array,
  imageHeight: number,
  imageWidth: number,
  source: Float32Array,
  h: number,
  w: number,
): Promise<Float32Array> {
  const channels = source.length / (h * w);
  const height = 2 * h;
  const width = 2 * w;
  const diameter = 2 * radius + 1;
  const taps = diameter * diameter;
  const tensor = (name: string) => weights.read(`${step}.${name}`);
  const linear = (weight: Float32Array, bias: Float32Array, x: number[]): number[] =>
    Array.from(bias, (value, o) => x.reduce((sum, xi, i) => sum + weight[o * x.length + i]! * xi, value));
  const [k0, b0, k1, b1] = await Promise.all(
    ['range_proj.0.weight', 'range_proj.0.bias', 'range_proj.1.weight', 'range_proj.1.bias'].map(tensor),
  );
  const [f0, c0, f1, c1] = await Promise.all(
    ['fixup_proj.0.weight', 'fixup_proj.0.bias', 'fixup_proj.1.weight', 'fixup_proj.1.bias'].map(tensor),
  );
  const temperature = Math.min(1e4, Math.max(1e-4, Math.exp((await tensor('range_temp'))[0]!)));
  const sigma = (await tensor('sigma_spatial'))[0]!;

  const guidance: number[][] = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [top, bottom] = [
        Math.floor((row * imageHeight) / height),
        Math.ceil(((row + 1) * imageHeight) / height),
      ];
      const [left, right] = [
        Math.floor((column * imageWidth) / width),
        Math.ceil(((column + 1) * imageWidth) / width),
      ];
      guidance.push(
        [0, 1, 2].map((band) => {
          let sum = 0;
          for (let y = top; y < bottom; y++) {
            for (let x = left; x < right; x++) sum += image[(band * imageHeight + y) * imageWidth + x]!;
          }
          return sum / ((bottom - top) * (right - left));
        }),
      );
    }
  }
  const keys = guidance.map((colour) => linear(k1!, b1!, linear(k0!, b0!, colour).map(gelu)));

  const doubled = new Float64Array(channels * height * width);
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const y = row / 2 - 0.25;
        const x = column / 2 - 0.25;
        let sum = 0;
        for (let j = Math.floor(y) - 1; j <= Math.floor(y) + 2; j++) {
          for (let i = Math.floor(x) - 1; i <= Math.floor(x) + 2; i++) {
            const from = Math.min(h - 1, Math.max(0, j)) * w + Math.min(w - 1, Math.max(0, i));
            sum += cubic(y - j) * cubic(x - i) * source[channel * h * w + from]!;
          }
        }
        doubled[(channel * height + row) * width + column] = sum;
      }
    }
  }

  const out = new Float32Array(channels * height * width);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const at = row * width + column;
      const near: number[] = [];
      for (let u = -radius; u <= radius; u++) {
        for (let v = -radius; v <= radius; v++)
          near.push(reflect(row + u, height) * width + reflect(column + v, width));
      }
      const range = near.map(
        (n) => temperature * keys[n]!.reduce((sum, key, i) => sum + key * keys[at]![i]!, 0),
      );
      const most = Math.max(...range);
      const exponentials = range.map((value) => Math.exp(value - most));
      const total = exponentials.reduce((sum, value) => sum + value, 0);
      const spatial = (tap: number) => {
        const u = Math.floor(tap / diameter) / radius - 1;
        const v = (tap % diameter) / radius - 1;
        return Math.exp(-(u * u + v * v) / (2 * sigma * sigma));
      };
      const product = exponentials.map((value, tap) => (value / total) * spatial(tap));
      const sum = Math.max(
        1e-7,
        product.reduce((all, value) => all + value, 0),
      );
      const kernel = product.map((value) => value / sum);
      const fixup = linear(f1!, c1!, linear(f0!, c0!, [...kernel, ...guidance[at]!]).map(gelu));
      for (let channel = 0; channel < channels; channel++) {
        let value = 0;
        for (let tap = 0; tap < taps; tap++) {
          value += (kernel[tap]! + 0.1 * fixup[tap]!) * doubled[channel * height * width + near[tap]!]!;
        }
        out[(channel * height + row) * width + column] = value;
      }
    }
  }
  return out;
}

describe('upsampler graphs against the formulas, pixel by pixel', () => {
  test.each([
    { kind: 'jbu_one' as const, patch: 4 },
    { kind: 'jbu_stack' as const, patch: 16 },
    { kind: 'jbu_one' as const, patch: 7 },
  ])('$kind for patches of $patch', async ({ kind, patch }) => {
    const rows = 3;
    const columns = kind === 'jbu_stack' ? 3 : 4;
    const channels = 5;
    const pack = await packOf(kind, patch, channels);
    const [height, width] = [rows * patch, columns * patch];
    const image = picture(height, width);
    const tokens = directions(rows * columns, channels);
    const session = await Session.open(pack, pack.manifest.upsampler!.features, options);
    const { features } = await session.run({
      image: { values: image, shape: [1, 3, height, width] },
      tokens: { values: tokens, shape: [rows * columns, channels] },
    });
    await session.close();

    const weights = upsamplerOf(kind, channels);
    let [h, w] = [rows, columns];
    let planes: Float32Array = new Float32Array(tokens.length);
    for (let token = 0; token < h * w; token++) {
      for (let channel = 0; channel < channels; channel++)
        planes[channel * h * w + token] = tokens[token * channels + channel]!;
    }
    for (const step of upsamplerSteps(kind, patch)) {
      planes = await referenceStep(weights, step, kernelRadius(kind), image, height, width, planes, h, w);
      [h, w] = [2 * h, 2 * w];
    }
    const map = await weights.read('fixup_proj.weight');
    const shift = await weights.read('fixup_proj.bias');
    let worst = 0;
    for (let pixel = 0; pixel < h * w; pixel++) {
      for (let channel = 0; channel < channels; channel++) {
        let value = planes[channel * h * w + pixel]! + 0.1 * shift[channel]!;
        for (let from = 0; from < channels; from++)
          value += 0.1 * map[channel * channels + from]! * planes[from * h * w + pixel]!;
        worst = Math.max(worst, Math.abs(value - (features!.values[pixel * channels + channel] as number)));
      }
    }
    expect(worst).toBeLessThan(2e-5);
  });
});

describe('scores of a window', () => {
  test.each([
    { embedding: 300, what: 'more dimensions than tokens' },
    { embedding: 20, what: 'fewer dimensions than tokens' },
  ])('with $what equal normalised features times words', async ({ embedding }) => {
    const pack = await packOf('jbu_one', 16, embedding);
    const words = directions(4, embedding);
    const [rows, columns] = [6, 5];
    const [height, width] = [rows * 16, columns * 16];
    const image = picture(height, width);
    const scorer = await PackScorer.open(pack, words, settings, options);
    const scores = await scorer.score(image, height, width);
    await scorer.close();

    const vision = await Session.open(pack, pack.manifest.encoders.optical.graphs['segearth-1']!, options);
    const { tokens, cls } = await vision.run({ image: { values: image, shape: [1, 3, height, width] } });
    await vision.close();
    const upsampler = await Session.open(pack, pack.manifest.upsampler!.features, options);
    const { features } = await upsampler.run({
      image: { values: image, shape: [1, 3, height, width] },
      tokens: { values: tokens!.values, shape: [rows * columns, embedding] },
    });
    await upsampler.close();
    const dot = (a: ArrayLike<number>, from: number, word: number) => {
      let sum = 0;
      let squares = 0;
      for (let i = 0; i < embedding; i++) {
        sum += a[from + i]! * words[word * embedding + i]!;
        squares += a[from + i]! ** 2;
      }
      return sum / Math.sqrt(squares);
    };
    let worst = 0;
    for (let word = 0; word < 4; word++) {
      const global = -0.3 * dot(cls!.values as Float32Array, 0, word);
      for (let pixel = 0; pixel < height * width; pixel++) {
        const expected = dot(features!.values as Float32Array, pixel * embedding, word) + global;
        worst = Math.max(worst, Math.abs(expected - scores[word * height * width + pixel]!));
      }
    }
    expect(worst).toBeLessThan(2e-5);
  });

  test.each([
    { kind: 'jbu_one' as const, patch: 16 },
    { kind: 'jbu_one' as const, patch: 14 },
    { kind: 'jbu_one' as const, patch: 32 },
    { kind: 'jbu_stack' as const, patch: 14 },
    { kind: 'jbu_stack' as const, patch: 32 },
  ])('of any size come back at that size ($kind, /$patch)', async ({ kind, patch }) => {
    const pack = await packOf(kind, patch, 12);
    for (const upsample of [true, false]) {
      const scorer = await PackScorer.open(pack, directions(3, 12), { ...settings, upsample }, options);
      for (const [height, width] of [
        [1, 1],
        [45, 130],
        [112, 96],
      ] as const) {
        const scores = await scorer.score(picture(height, width), height, width);
        expect(scores.length).toBe(3 * height * width);
        // A cosine, and 0.3 of another.
        expect(scores.every((score) => Math.abs(score) <= 1.3 + 1e-5)).toBe(true);
      }
      await scorer.close();
    }
  });

  test('are the same bits whatever the number of threads', async () => {
    const pack = await packOf('jbu_one', 16, 12);
    const image = picture(112, 96);
    const results: Float32Array[] = [];
    for (const threads of [1, 2, 3]) {
      const scorer = await PackScorer.open(pack, directions(3, 12), settings, { provider: 'cpu', threads });
      results.push(await scorer.score(image, 112, 96));
      await scorer.close();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});
