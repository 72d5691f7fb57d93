import { describe, expect, it } from 'vitest';
import { BasisSample } from '../../../src/worker/features/basis.ts';
import { decodeBlock, encodeBlock } from '../../../src/worker/features/coordinate-block.ts';
import {
  CoordinateProjector,
  CoordinateRounder,
  emptyCoordinates,
  featureAt,
} from '../../../src/worker/features/coordinates.ts';
import { choosePixelBasis, type PixelBasis, spreadOf } from '../../../src/worker/features/pixel-basis.ts';

const size = 24;

/** Numbers in [-1, 1), the same each time (Park and Miller's generator). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  };
}

/** Unit features `[pixels, size]` that differ in few directions, as a scene's do. */
function features(pixels: number, seed: number): Float32Array {
  const next = numbers(seed);
  const directions = Array.from({ length: 5 }, () => Float64Array.from({ length: size }, next));
  const out = new Float32Array(pixels * size);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const values = new Float64Array(size).fill(1);
    directions.forEach((direction, k) => {
      const weight = next() / (k + 1) ** 2;
      direction.forEach((value, i) => {
        values[i]! += weight * value;
      });
    });
    for (let i = 0; i < size; i++) values[i]! += 1e-3 * next();
    const norm = Math.hypot(...values);
    for (let i = 0; i < size; i++) out[pixel * size + i] = values[i]! / norm;
  }
  return out;
}

function spectrumOf(values: Float32Array) {
  const sample = new BasisSample(size);
  sample.add(values);
  return sample.spectrum();
}

/** Coordinates of features `[height · width, size]`, by way of products with the directions. */
function coordinatesOf(
  values: Float32Array,
  basis: PixelBasis,
  width: number,
  height: number,
  valid: Uint8Array,
) {
  const coordinates = emptyCoordinates(basis, width, height);
  const rounder = new CoordinateRounder(basis);
  const products = new Float32Array(basis.rank * width);
  for (let row = 0; row < height; row++) {
    for (let k = 0; k < basis.rank; k++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let i = 0; i < size; i++)
          sum += values[(row * width + x) * size + i]! * basis.directions[k * size + i]!;
        products[k * width + x] = sum;
      }
    }
    rounder.round(products, valid.subarray(row * width, (row + 1) * width), 0, coordinates, row);
  }
  return coordinates;
}

describe('coordinates of pixels', () => {
  it('keep similarities with any word within the rounding of their directions and what the rest can hold', () => {
    const [width, height] = [37, 11];
    const values = features(width * height, 7);
    const spectrum = spectrumOf(values);
    const basis = choosePixelBasis(spectrum, 0.01);
    expect(basis.rank).toBeGreaterThanOrEqual(5);
    expect(basis.rank).toBeLessThan(size);
    const valid = new Uint8Array(width * height).fill(1);
    valid[5] = 0;
    const coordinates = coordinatesOf(values, basis, width, height, valid);
    const next = numbers(3);
    for (const words of [1, 3, 4, 6, 9]) {
      const embeddings = Float32Array.from({ length: words * size }, next);
      for (let word = 0; word < words; word++) {
        const norm = Math.hypot(...embeddings.subarray(word * size, (word + 1) * size));
        for (let i = 0; i < size; i++) embeddings[word * size + i]! /= norm;
      }
      const projector = new CoordinateProjector(basis, embeddings);
      const out = new Float32Array(words * width);
      let worst = 0;
      for (let row = 0; row < height; row++) {
        projector.project(coordinates.levels, row * basis.rank * width, width, width, out, 0, width);
        for (let x = 0; x < width; x++) {
          if (valid[row * width + x] === 0) continue;
          for (let word = 0; word < words; word++) {
            let direct = 0;
            for (let i = 0; i < size; i++)
              direct += values[(row * width + x) * size + i]! * embeddings[word * size + i]!;
            worst = Math.max(worst, Math.abs(out[word * width + x]! - direct));
          }
        }
      }
      // A unit word moves by no more than the feature does: half a step along each direction, and the tail.
      const tail = 6 * spreadOf(spectrum.variances.subarray(basis.rank));
      expect(worst, `${words} words`).toBeLessThan((basis.step / 2) * Math.sqrt(basis.rank) + tail + 1e-6);
    }
  });

  it('leave out directions that vary less than rounding does, and no others', () => {
    const spectrum = spectrumOf(features(500, 11));
    for (const share of [0.3, 0.05, 0.01, 0.001]) {
      const { rank, step } = choosePixelBasis(spectrum, share);
      expect(step).toBeCloseTo(share * spreadOf(spectrum.variances), 9);
      spectrum.variances.forEach((variance, k) => {
        if (k === 0) return;
        expect(variance > step ** 2 / 12, `direction ${k} at ${share}`).toBe(k < rank);
      });
    }
  });

  it('give a pixel its feature back, and none where nothing was measured', () => {
    const [width, height] = [9, 4];
    const values = features(width * height, 5);
    const basis = choosePixelBasis(spectrumOf(values), 0.002);
    const valid = new Uint8Array(width * height).fill(1);
    valid[width + 2] = 0;
    const coordinates = coordinatesOf(values, basis, width, height, valid);
    expect(featureAt(coordinates, 2, 1)).toBeNull();
    const feature = featureAt(coordinates, 8, 3)!;
    const worst = feature.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - values[(3 * width + 8) * size + i]!)),
      0,
    );
    expect(worst).toBeLessThan(5e-3);
    expect(() => featureAt(coordinates, 9, 0)).toThrow(RangeError);
  });
});

describe('blocks of coordinates', () => {
  const basis: PixelBasis = {
    size,
    rank: 4,
    mean: new Float32Array(size),
    directions: new Float32Array(4 * size),
    step: 1,
  };
  const block = (width: number, height: number, level: (k: number, i: number) => number, hole = -1) => {
    const coordinates = emptyCoordinates(basis, width, height);
    coordinates.valid.fill(1);
    if (hole >= 0) coordinates.valid[hole] = 0;
    for (let row = 0; row < height; row++)
      for (let k = 0; k < 4; k++)
        for (let x = 0; x < width; x++)
          coordinates.levels[(row * 4 + k) * width + x] = level(k, row * width + x);
    return coordinates;
  };

  it('come back as they were, whatever the levels', async () => {
    const next = numbers(1);
    const cases = [
      block(1, 1, () => -32767),
      block(5, 3, () => 0),
      block(17, 1, (_, i) => i - 8),
      block(1, 9, (k, i) => k * i),
      block(
        31,
        13,
        (k) => [0, Math.round(next() * 100), Math.round(next() * 32767), next() < 0 ? -32767 : 32767][k]!,
      ),
      // Few levels need more bits than the others.
      block(41, 9, (k, i) => (i % 37 === k ? 50 * k : i % 2)),
      block(40, 9, (k, i) => (i % 50 === 0 ? 90 : (i + k) % 5)),
      block(12, 7, (k, i) => Math.round(200 * Math.sin(i / 9 + k)), 40),
    ];
    for (const before of cases) {
      const record = (await encodeBlock(before))!;
      const after = await decodeBlock(record, basis, before.width, before.height, 'here');
      expect(after.valid).toEqual(before.valid);
      expect(after.levels).toEqual(before.levels);
    }
  });

  it('are nothing where there is no measurement', async () => {
    const empty = block(6, 6, () => 3);
    empty.valid.fill(0);
    expect(await encodeBlock(empty)).toBeNull();
  });

  it('are refused when a byte has changed, is missing, or the size is another', async () => {
    const record = (await encodeBlock(block(12, 7, (k, i) => k * i)))!;
    const read = (bytes: Uint8Array, width = 12) => decodeBlock(bytes, basis, width, 7, 'here');
    for (const at of [0, 4, record.length >> 1, record.length - 1]) {
      const changed = Buffer.from(record);
      changed[at]! ^= 1;
      await expect(read(changed), `byte ${at}`).rejects.toMatchObject({ code: 'features/damaged' });
    }
    await expect(read(record.subarray(0, record.length - 1))).rejects.toMatchObject({
      code: 'features/damaged',
    });
    await expect(read(record.subarray(0, 3))).rejects.toMatchObject({ code: 'features/damaged' });
    await expect(read(record, 13)).rejects.toMatchObject({ code: 'features/damaged' });
    await expect(read(record, 11)).rejects.toMatchObject({ code: 'features/damaged' });
  });
});
