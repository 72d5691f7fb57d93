import { describe, expect, test } from 'vitest';
import type { Padded } from '../../../../src/worker/prep/sar/local-statistics.ts';
import type { SpeckleSettings } from '../../../../src/worker/prep/sar/recipe.ts';
import { filterSpeckle, speckleRadius } from '../../../../src/worker/prep/sar/speckle.ts';
import { randomNumbers } from '../memory-scene.ts';

const looks = 4;
const filters: Record<string, SpeckleSettings> = {
  boxcar: { filter: 'boxcar', side: 7 },
  lee: { filter: 'lee', side: 7, looks },
  'refined-lee': { filter: 'refined-lee', looks },
  frost: { filter: 'frost', side: 7, damping: 2 },
  'gamma-map': { filter: 'gamma-map', side: 7, looks },
};

/** Gamma-distributed speckle of mean 1 and whole looks: the mean of as many exponentials. */
function speckle(count: number, seed: number): Float64Array {
  const random = randomNumbers(seed);
  return Float64Array.from({ length: count }, () => {
    let product = 1;
    for (let look = 0; look < looks; look++) product *= 1 - random();
    return -Math.log(product) / looks;
  });
}

function padded(width: number, height: number, values: Float64Array): Padded {
  return { width, height, values, valid: new Uint8Array(width * height).fill(1) };
}

function moments(values: Float64Array): { mean: number; looks: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, looks: (mean * mean) / variance };
}

/** Least equivalent number of looks on homogeneous ground (4 before); greatest error of a 1 : 8 step in its second pixel. */
const figures: Record<string, { looks: number; edge: number }> = {
  boxcar: { looks: 180, edge: 2.2 },
  lee: { looks: 110, edge: 0.7 },
  'refined-lee': { looks: 110, edge: 0.02 },
  frost: { looks: 130, edge: 0.12 },
  'gamma-map': { looks: 110, edge: 0.05 },
};

describe.each(Object.entries(filters))('%s', (name, settings) => {
  const radius = speckleRadius(settings);

  test('homogeneous ground: more looks, the same mean', () => {
    const side = 406;
    const input = speckle(side * side, 11);
    const before = moments(input);
    expect(before.looks).toBeGreaterThan(3.9);
    expect(before.looks).toBeLessThan(4.1);
    const after = moments(filterSpeckle(padded(side, side, input), settings));
    expect(Math.abs(after.mean / before.mean - 1), `mean ${after.mean}, ${after.looks} looks`).toBeLessThan(
      0.01,
    );
    expect(after.looks).toBeGreaterThan(figures[name]!.looks);
  });

  test('a step edge stays', () => {
    const width = 46;
    const height = 2006;
    const noise = speckle(width * height, 12);
    const middle = width / 2;
    const input = noise.map((value, at) => (at % width < middle ? value : 8 * value));
    const output = filterSpeckle(padded(width, height, input), settings);
    const across = width - 2 * radius;
    const profile = Array.from({ length: across }, (_, column) => {
      let sum = 0;
      for (let at = column; at < output.length; at += across) sum += output[at]!;
      return sum / (height - 2 * radius);
    });
    // Relative error of the mean in the second pixel from the edge on either side.
    const dark = Math.abs(profile[middle - radius - 2]! - 1);
    const bright = Math.abs(profile[middle - radius + 1]! / 8 - 1);
    expect(Math.max(dark, bright)).toBeLessThan(figures[name]!.edge);
  });

  test('without speckle a flat scene stays flat, invalid pixels take no part', () => {
    const side = 20;
    const scene = padded(side, side, new Float64Array(side * side).fill(0.25));
    for (let at = 0; at < side * side; at += 7) {
      scene.valid[at] = 0;
      scene.values[at] = Number.NaN;
    }
    const output = filterSpeckle(scene, settings);
    const across = side - 2 * radius;
    for (let at = 0; at < output.length; at++) {
      const from = (Math.floor(at / across) + radius) * side + (at % across) + radius;
      if (scene.valid[from] === 1) expect(output[at]).toBeCloseTo(0.25, 12);
    }
  });
});

test('lee against its formula, gamma-MAP at its borders', () => {
  const side = 3;
  const values = Float64Array.of(1, 2, 1, 3, 8, 1, 2, 1, 2);
  const mean = 21 / 9;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 8;
  const scene = (variance - mean ** 2 / 4) / 1.25;
  const [lee] = filterSpeckle(padded(3, 3, values), { filter: 'lee', side, looks: 4 });
  expect(lee).toBeCloseTo(mean + (scene / variance) * (8 - mean), 12);
  // (σ/μ)² is 0.94: a point target for 4 looks, speckle alone for 1.
  const map = (n: number): number =>
    filterSpeckle(padded(3, 3, values), { filter: 'gamma-map', side, looks: n })[0]!;
  expect(map(4)).toBe(8);
  expect(map(1)).toBeCloseTo(mean, 12);
  // Between them the posterior's stationary point: x² α + x μ (L + 1 - α) - L z μ = 0.
  const n = 2;
  const x = map(n);
  const relative = variance / mean ** 2;
  const alpha = (1 + 1 / n) / (relative - 1 / n);
  expect(alpha * x * x + x * mean * (n + 1 - alpha) - n * 8 * mean).toBeCloseTo(0, 9);
});
