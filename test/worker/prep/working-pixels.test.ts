import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openWorkingPixels, type WorkingPixels } from '../../../src/worker/prep/working-pixels.ts';
import { memoryScene, randomNumbers } from './memory-scene.ts';

interface Case {
  width: number;
  height: number;
  scale: number;
  planes: Float64Array[];
  valid: Uint8Array;
}

const stretch = [0, 1, 2].map((band) => ({ band, low: 0, high: 255, method: 'as stored' }));

function randomCase(seed: number, width: number, height: number, scale: number, holes: number): Case {
  const next = randomNumbers(seed);
  const size = width * height;
  const valid = new Uint8Array(size);
  for (let at = 0; at < size; at++) valid[at] = next() < holes ? 0 : 1;
  // Invalid samples are NaN or far off: any bleeding shows.
  const planes = [0, 1, 2].map(() => {
    const plane = new Float64Array(size);
    for (let at = 0; at < size; at++)
      plane[at] = valid[at] === 1 ? next() * 255 : next() < 0.5 ? Number.NaN : 1e9;
    return plane;
  });
  return { width, height, scale, planes, valid };
}

function open(input: Case): { working: WorkingPixels; width: number; height: number } {
  const width = Math.max(1, Math.ceil(input.width / input.scale - 1e-6));
  const height = Math.max(1, Math.ceil(input.height / input.scale - 1e-6));
  const scene = memoryScene(input.width, input.height, input.planes, input.valid, 'float64');
  const grid = { width, height, scale: input.scale };
  return { working: openWorkingPixels(scene, { grid, bands: [0, 1, 2], stretch }), width, height };
}

/** Straight from the definition: mean over the covered area, or bilinear between centres. */
function expected(
  input: Case,
  channel: number,
  column: number,
  row: number,
): { value: number; valid: boolean } {
  const { width, height, scale, planes, valid } = input;
  const plane = planes[channel]!;
  if (scale >= 1) {
    let sum = 0;
    let area = 0;
    for (let y = 0; y < height; y++) {
      const tall = Math.min(y + 1, (row + 1) * scale) - Math.max(y, row * scale);
      if (tall <= 0) continue;
      for (let x = 0; x < width; x++) {
        const wide = Math.min(x + 1, (column + 1) * scale) - Math.max(x, column * scale);
        if (wide <= 0 || valid[y * width + x] === 0) continue;
        sum += plane[y * width + x]! * wide * tall;
        area += wide * tall;
      }
    }
    return { value: area > 0 ? sum / area : 0, valid: area > 0 };
  }
  const px = Math.min(Math.max((column + 0.5) * scale - 0.5, 0), width - 1);
  const py = Math.min(Math.max((row + 0.5) * scale - 0.5, 0), height - 1);
  let sum = 0;
  let area = 0;
  for (let y = 0; y < height; y++) {
    const tall = 1 - Math.abs(y - py);
    if (tall <= 0) continue;
    for (let x = 0; x < width; x++) {
      const wide = 1 - Math.abs(x - px);
      if (wide <= 0 || valid[y * width + x] === 0) continue;
      sum += plane[y * width + x]! * wide * tall;
      area += wide * tall;
    }
  }
  const fractionX = px - Math.floor(px);
  const fractionY = py - Math.floor(py);
  const nearest =
    (Math.floor(py) + (fractionY < 0.5 ? 0 : 1)) * width + Math.floor(px) + (fractionX < 0.5 ? 0 : 1);
  return valid[nearest] === 1 ? { value: sum / area, valid: true } : { value: 0, valid: false };
}

const scales = [1, 2, 3, 1.5, 1.0001, 2.71, 7.25, 0.5, 0.37, 0.9];

describe('working pixels', () => {
  for (const scale of scales) {
    test(`scale ${scale}: every pixel is what the definition says (atol 1e-3, rtol 1e-6)`, async () => {
      const input = randomCase(Math.round(scale * 1000), 61, 43, scale, 0.15);
      const { working, width, height } = open(input);
      const { pixels, valid } = await working.read({ column: 0, row: 0, width, height });
      let worst = 0;
      let where = '';
      for (let channel = 0; channel < 3; channel++) {
        for (let at = 0; at < width * height; at++) {
          const truth = expected(input, channel, at % width, Math.floor(at / width));
          expect(valid[at], `validity of pixel ${at}`).toBe(truth.valid ? 1 : 0);
          const got = pixels[channel * width * height + at]!;
          const error = Math.abs(got - truth.value) / (1e-3 + 1e-6 * Math.abs(truth.value));
          if (!(error <= worst)) {
            worst = error;
            where = `channel ${channel}, pixel ${at}: ${got} instead of ${truth.value}`;
          }
        }
      }
      expect(worst, where).toBeLessThanOrEqual(1);
    });
  }

  test('law: a pixel is the same bit for bit in every window', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.constantFrom(...scales),
        fc.integer({ min: 150, max: 330 }),
        fc.constantFrom(0, 0.2, 0.9),
        async (seed, scale, sceneWidth, holes) => {
          const input = randomCase(seed, sceneWidth, 190, scale, holes);
          const whole = open(input);
          const all = await whole.working.read({
            column: 0,
            row: 0,
            width: whole.width,
            height: whole.height,
          });
          const next = randomNumbers(seed + 1);
          for (let trial = 0; trial < 6; trial++) {
            const column = Math.floor(next() * (whole.width + 20)) - 10;
            const row = Math.floor(next() * (whole.height + 20)) - 10;
            const width = 1 + Math.floor(next() * whole.width);
            const height = 1 + Math.floor(next() * whole.height);
            const fresh = trial % 2 === 0 ? whole.working : open(input).working;
            const part = await fresh.read({ column, row, width, height });
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++) {
                const inside =
                  column + x >= 0 && column + x < whole.width && row + y >= 0 && row + y < whole.height;
                const at = (row + y) * whole.width + column + x;
                const here = y * width + x;
                if (part.valid[here] !== (inside ? all.valid[at] : 0))
                  throw new Error(`validity at ${x}, ${y}`);
                for (let channel = 0; channel < 3; channel++) {
                  const truth = inside ? all.pixels[channel * whole.width * whole.height + at]! : 0;
                  if (!Object.is(part.pixels[channel * width * height + here], truth)) {
                    throw new Error(`channel ${channel} at ${x}, ${y} of a window at ${column}, ${row}`);
                  }
                }
              }
            }
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  test('law: what invalid samples hold never shows', async () => {
    for (const scale of [1, 2, 3.3, 0.6]) {
      const input = randomCase(7, 97, 71, scale, 0.5);
      const other = {
        ...input,
        planes: input.planes.map((plane) => plane.map((v, at) => (input.valid[at] === 1 ? v : -5))),
      };
      const a = open(input);
      const b = open(other);
      const window = { column: 0, row: 0, width: a.width, height: a.height };
      expect((await a.working.read(window)).pixels).toEqual((await b.working.read(window)).pixels);
    }
  });

  test('law: averaging keeps the mean where scale divides the size', async () => {
    const input = randomCase(3, 120, 96, 4, 0);
    const { working, width, height } = open(input);
    const { pixels } = await working.read({ column: 0, row: 0, width, height });
    for (let channel = 0; channel < 3; channel++) {
      const before =
        input.planes[channel]!.reduce((sum, value) => sum + value, 0) / input.planes[channel]!.length;
      const plane = pixels.subarray(channel * width * height, (channel + 1) * width * height);
      expect(plane.reduce((sum, value) => sum + value, 0) / plane.length).toBeCloseTo(before, 4);
    }
  });

  test('a cache of nothing gives the same pixels', async () => {
    const input = randomCase(11, 700, 300, 2.5, 0.1);
    const scene = memoryScene(input.width, input.height, input.planes, input.valid, 'float64');
    const grid = { width: 280, height: 120, scale: 2.5 };
    const window = { column: 3, row: 5, width: 270, height: 110 };
    const small = openWorkingPixels(scene, { grid, bands: [2, 1, 0], stretch, cacheBytes: 0 });
    const large = openWorkingPixels(scene, { grid, bands: [2, 1, 0], stretch });
    expect(await small.read(window)).toEqual(await large.read(window));
  });

  test('the stretch is applied after averaging and clamped to 0-255', async () => {
    const plane = Float64Array.of(-10, 0, 50, 100, 150, 200);
    const scene = memoryScene(6, 1, [plane], new Uint8Array(6).fill(1), 'float64');
    const bands = [0, 0, 0] as const;
    const grey = bands.map((band) => ({ band, low: 0, high: 100, method: '' }));
    const native = openWorkingPixels(scene, {
      grid: { width: 6, height: 1, scale: 1 },
      bands,
      stretch: grey,
    });
    const { pixels } = await native.read({ column: 0, row: 0, width: 6, height: 1 });
    expect(Array.from(pixels.subarray(0, 6))).toEqual([0, 0, 127.5, 255, 255, 255]);
    expect(pixels.subarray(12)).toEqual(pixels.subarray(0, 6));
    const halved = openWorkingPixels(scene, {
      grid: { width: 3, height: 1, scale: 2 },
      bands,
      stretch: grey,
    });
    const means = (await halved.read({ column: 0, row: 0, width: 3, height: 1 })).pixels;
    expect(Array.from(means.subarray(0, 3))).toEqual([0, 191.25, 255]);
  });

  test('a fired signal stops the reading', async () => {
    const { working } = open(randomCase(1, 50, 50, 2, 0));
    const stop = AbortSignal.abort();
    await expect(working.read({ column: 0, row: 0, width: 5, height: 5 }, stop)).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});
