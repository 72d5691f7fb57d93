import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BasisSample } from '../../../src/worker/features/basis.ts';
import { decodeBlock, encodeBlock } from '../../../src/worker/features/coordinate-block.ts';
import {
  CoordinateProjector,
  CoordinateRounder,
  emptyCoordinates,
  wordWeights,
} from '../../../src/worker/features/coordinates.ts';
import {
  choosePixelBasis,
  levelUnit,
  type PixelBasis,
  spreadOf,
} from '../../../src/worker/features/pixel-basis.ts';
import { coordinatesOfBlock, weighBlock } from '../../../src/worker/features/weigh-block.ts';

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
      // A unit word moves by no more than the feature does: half a unit along each direction, and the tail.
      const tail = 6 * spreadOf(spectrum.variances.subarray(basis.rank));
      expect(worst, `${words} words`).toBeLessThan((levelUnit / 2) * Math.sqrt(basis.rank) + tail + 1e-6);
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
});

describe('blocks of coordinates', () => {
  const basis: PixelBasis = {
    size,
    rank: 4,
    mean: new Float32Array(size),
    directions: new Float32Array(4 * size),
    step: levelUnit,
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

  /** Blocks of every kind of levels, the coarsest and the finest among them. */
  const cases = () => {
    const next = numbers(1);
    return [
      block(1, 1, () => -32767),
      block(5, 3, () => 0),
      block(17, 1, (_, i) => i - 8),
      block(1, 9, (k, i) => k * i),
      block(
        31,
        13,
        (k) => [0, Math.round(next() * 100), Math.round(next() * 32767), next() < 0 ? -32767 : 32767][k]!,
      ),
      // More than one stretch, few numbers of which are not 0, and far apart.
      block(90, 41, (k, i) => (i % 1400 === k ? 9000 * k : 0)),
      block(64, 40, (k, i) => Math.round(3000 * Math.sin(i / 90 + k)) + (i % 7)),
      block(12, 7, (k, i) => Math.round(200 * Math.sin(i / 9 + k)), 40),
    ];
  };

  it('come back to within what a step costs, whatever the levels', async () => {
    for (const step of [1, 20, 300]) {
      for (const before of cases()) {
        const coarse = { ...basis, step: step * levelUnit };
        const { width, height } = before;
        const record = (await encodeBlock({ ...before, basis: coarse }))!;
        const after = coordinatesOfBlock(decodeBlock(record, coarse, width, height, 'here'));
        expect(after.valid).toEqual(before.valid);
        let squares = 0;
        let worst = 0;
        before.levels.forEach((level, i) => {
          const at = Math.floor(i / (4 * width)) * width + (i % width);
          if (before.valid[at] === 0) {
            expect(after.levels[i]).toBe(0);
            return;
          }
          squares += (after.levels[i]! - level) ** 2;
          worst = Math.max(worst, Math.abs(after.levels[i]! - level));
        });
        // Bands' errors add up as squares, single ones as they are: at the borders, where they are mirrored, to a little more.
        const name = `${width} × ${height}, step ${step}`;
        expect(Math.sqrt(squares / before.levels.length), name).toBeLessThan(0.6 * step + 0.5);
        expect(worst, name).toBeLessThan(4 * step + 1);
      }
    }
  });

  it('are compared with words as their coordinates are', async () => {
    const directions = Float32Array.from({ length: 4 * size }, numbers(8));
    const mean = Float32Array.from({ length: size }, numbers(9));
    const embeddings = Float32Array.from({ length: 8 * size }, numbers(10));
    for (const before of cases()) {
      const own: PixelBasis = { ...basis, directions, mean, step: 7 * levelUnit };
      const { width, height } = before;
      const stored = decodeBlock((await encodeBlock({ ...before, basis: own }))!, own, width, height, 'here');
      const { constants, weights } = wordWeights(own, embeddings);
      const turned = Float32Array.from(
        { length: 8 * 4 },
        (_, i) => weights[(i % 8) * 4 + Math.floor(i / 8)]!,
      );
      const compared = weighBlock(stored, turned, Float32Array.from(constants)).map((plane) => plane.slice());
      const after = coordinatesOfBlock(stored);
      const projector = new CoordinateProjector(own, embeddings);
      const row = new Float32Array(8 * width);
      let worst = 0;
      for (let y = 0; y < height; y++) {
        projector.project(after.levels, y * 4 * width, width, width, row, 0, width);
        for (let x = 0; x < width; x++) {
          if (before.valid[y * width + x] === 0) continue;
          for (let word = 0; word < 8; word++) {
            const similarity = compared[word]![y * width + x]!;
            worst = Math.max(worst, Math.abs(similarity - row[word * width + x]!));
          }
        }
      }
      // Levels are rounded to whole units, along four directions that are not unit vectors here.
      expect(worst, `${width} × ${height}`).toBeLessThan(4 * levelUnit * size);
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
    const damaged = expect.objectContaining({ code: 'features/damaged' });
    for (const at of [0, 4, record.length >> 1, record.length - 1]) {
      const changed = Buffer.from(record);
      changed[at]! ^= 1;
      expect(() => read(changed), `byte ${at}`).toThrow(damaged);
    }
    expect(() => read(record.subarray(0, record.length - 1))).toThrow(damaged);
    expect(() => read(record.subarray(0, 3))).toThrow(damaged);
    expect(() => read(record, 13)).toThrow(damaged);
    expect(() => read(record, 11)).toThrow(damaged);
  });

  it('are refused, or are blocks, whatever the body says', async () => {
    const record = (await encodeBlock(block(40, 30, (k, i) => k * i)))!;
    const body = inflateRawSync(record.subarray(4));
    const next = numbers(5);
    for (let n = 0; n < 300; n++) {
      const changed = Buffer.from(body);
      changed[Math.floor(((next() + 1) / 2) * changed.length)] = Math.floor((next() + 1) * 128);
      const packed = deflateRawSync(changed);
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32(packed, 40 * 65_536 + 30));
      try {
        const read = decodeBlock(Buffer.concat([sum, packed]), basis, 40, 30, 'here');
        expect(coordinatesOfBlock(read).levels.length).toBe(40 * 30 * 4);
      } catch (error) {
        expect(error).toMatchObject({ code: 'features/damaged' });
      }
    }
  });
});
