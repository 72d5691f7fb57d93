import { describe, expect, it } from 'vitest';
import { labelPicture } from '../../../src/worker/benchmark/label-picture.ts';
import { resizeLongSide } from '../../../src/worker/benchmark/resize.ts';
import type { DecisionRule } from '../../../src/worker/classmap/decide.ts';
import type { ColourImage } from '../../../src/worker/evaluate/baseline.ts';
import type { WindowScorer } from '../../../src/worker/tile/window-scorer.ts';

const normalisation = { mean: [120, 110, 100], deviation: [70, 60, 50] };

/** Scores that depend on the pixel and on its place in the window, so that overlaps matter. */
const words = 4;
const mixture = [
  [0.9, -0.4, 0.1],
  [-0.5, 0.8, 0.2],
  [0.1, 0.3, -0.7],
  [0.4, 0.2, 0.5],
];
const scoreOf = (word: number, colour: readonly number[], x: number, y: number): number =>
  0.02 * mixture[word]!.reduce((sum, weight, band) => sum + weight * colour[band]!, 0) +
  0.01 * Math.sin(word + x / 5) * Math.cos(y / 7);
const scorer: WindowScorer = {
  words,
  async score(pixels, height, width) {
    const plane = height * width;
    return Float32Array.from({ length: words * plane }, (_, i) => {
      const at = i % plane;
      const colour = [0, 1, 2].map((band) => pixels[band * plane + at]!);
      return scoreOf(Math.floor(i / plane), colour, at % width, Math.floor(at / width));
    });
  },
};

function randomPicture(width: number, height: number, seed: number): ColourImage {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
  return { width, height, pixels: Uint8Array.from({ length: 3 * width * height }, next) };
}

interface Expected {
  id: number;
  /** How far the decision is from falling otherwise. */
  margin: number;
}

/** The method in double precision, straight from its description: windows, mean, bilinear, softmax, threshold. */
function byDescription(
  picture: ColourImage,
  longSide: number,
  window: number,
  stride: number,
  rule: DecisionRule,
): Expected[] {
  const small = resizeLongSide(picture, longSide);
  const starts = (size: number): number[] => {
    const extent = window === 0 ? size : Math.min(window, size);
    const out: number[] = [];
    for (let at = 0; ; at += stride) {
      out.push(Math.min(at, size - extent));
      if (at >= size - extent) return out;
    }
  };
  const sums = new Float64Array(words * small.width * small.height);
  const counts = new Float64Array(small.width * small.height);
  for (const top of starts(small.height)) {
    for (const left of starts(small.width)) {
      const right = window === 0 ? small.width : Math.min(left + window, small.width);
      const bottom = window === 0 ? small.height : Math.min(top + window, small.height);
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          const at = y * small.width + x;
          counts[at]!++;
          const colour = [0, 1, 2].map(
            (band) =>
              (small.pixels[3 * at + band]! - normalisation.mean[band]!) / normalisation.deviation[band]!,
          );
          for (let word = 0; word < words; word++)
            sums[word * counts.length + at]! += scoreOf(word, colour, x - left, y - top);
        }
      }
    }
  }
  const sample = (word: number, x: number, y: number): number => {
    const place = (target: number, size: number, full: number): [number, number, number] => {
      const position = Math.max(0, ((target + 0.5) * size) / full - 0.5);
      const before = Math.min(Math.floor(position), size - 1);
      return [before, Math.min(before + 1, size - 1), position - before];
    };
    const [x0, x1, across] = place(x, small.width, picture.width);
    const [y0, y1, down] = place(y, small.height, picture.height);
    const mean = (column: number, row: number) => {
      const at = row * small.width + column;
      return sums[word * counts.length + at]! / counts[at]!;
    };
    return (
      (1 - down) * ((1 - across) * mean(x0, y0) + across * mean(x1, y0)) +
      down * ((1 - across) * mean(x0, y1) + across * mean(x1, y1))
    );
  };
  return Array.from({ length: picture.width * picture.height }, (_, at) => {
    const scores = Array.from({ length: words }, (_, word) =>
      sample(word, at % picture.width, Math.floor(at / picture.width)),
    );
    const powers = scores.map((score) => Math.exp(50 * score));
    const total = powers.reduce((sum, power) => sum + power, 0);
    const byClass = new Map<number, number>();
    powers.forEach((power, word) => {
      const id = rule.wordClasses[word]!;
      byClass.set(id, Math.max(byClass.get(id) ?? 0, power / total));
    });
    const ranked = [...byClass].sort((a, b) => b[1] - a[1]);
    const [best, second] = [ranked[0]!, ranked[1]!];
    const threshold = rule.thresholds[best[0]]!;
    return {
      id: best[1] < threshold ? rule.background : best[0],
      margin: Math.min(best[1] - second[1], Math.abs(best[1] - threshold)),
    };
  });
}

const rule: DecisionRule = {
  wordClasses: Uint16Array.of(1, 2, 2, 3),
  thresholds: Float64Array.of(0, 0.45, 0.45, 0.45),
  background: 3,
  logitScale: 50,
};

describe('labels of a picture', () => {
  it.each([
    { width: 90, height: 61, longSide: 70, window: 32, stride: 16 },
    { width: 40, height: 75, longSide: 96, window: 40, stride: 24 },
    { width: 33, height: 50, longSide: 50, window: 20, stride: 20 },
    { width: 64, height: 47, longSide: 32, window: 0, stride: 0 },
    { width: 20, height: 9, longSide: 48, window: 64, stride: 32 },
  ])('follow the description: $width × $height at $longSide, window $window', async (one) => {
    const picture = randomPicture(one.width, one.height, one.width * one.longSide);
    const ids = await labelPicture(picture, scorer, { ...one, normalisation, rule });
    const expected = byDescription(picture, one.longSide, one.window, Math.max(1, one.stride), rule);
    // Single precision may turn a decision whose probabilities are this close.
    const wrong = expected.findIndex(({ id, margin }, at) => ids[at] !== id && margin > 1e-4);
    expect(wrong === -1 ? null : { at: wrong, got: ids[wrong], ...expected[wrong] }).toBeNull();
    expect(new Set(ids).size).toBe(3);
  });

  it('stops when asked to', async () => {
    const controller = new AbortController();
    controller.abort();
    const stopping: WindowScorer = {
      words,
      score: async (pixels, height, width, signal) => {
        signal?.throwIfAborted();
        return scorer.score(pixels, height, width);
      },
    };
    const settings = { longSide: 32, window: 0, stride: 0, normalisation, rule };
    await expect(
      labelPicture(randomPicture(32, 32, 1), stopping, settings, controller.signal),
    ).rejects.toThrow();
  });
});
