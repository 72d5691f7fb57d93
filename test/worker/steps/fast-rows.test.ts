import { describe, expect, test } from 'vitest';
import type { Window } from '../../../src/worker/raster/grid.ts';
import { FastRows, type FastWorker } from '../../../src/worker/steps/fast-rows.ts';
import { MergedTokens } from '../../../src/worker/tile/merged-tokens.ts';
import { planTokenTiles, tokenTileAt } from '../../../src/worker/tile/token-tiles.ts';

const patch = 16;
const words = 2;
const embedding = 3;

function noise(a: number, b: number, salt: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(salt, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

/** Tokens that depend on place and window; scores that depend on tokens as far as a tile may look. */
const worker: FastWorker = {
  async encode(_, window) {
    const [rows, columns] = [window.height / patch, window.width / patch];
    const tokens = new Float32Array(rows * columns * embedding);
    for (let i = 0; i < tokens.length; i++) {
      const token = Math.floor(i / embedding);
      const x = window.column / patch + (token % columns);
      const y = window.row / patch + Math.floor(token / columns);
      tokens[i] = noise(x, y, i % embedding) + 0.1 * noise(window.column, window.row, 7);
    }
    return { tokens, global: Float32Array.of(noise(window.column, window.row, 1), 0.5) };
  },
  async label({ rows, columns, tokens, margin }, pixels) {
    const [height, width] = [rows * patch, columns * patch];
    const coreWidth = width - (margin.left + margin.right) * patch;
    const coreHeight = height - (margin.top + margin.bottom) * patch;
    const scores = new Float32Array(words * coreHeight * coreWidth);
    // The tokens four to the left and above, clamped to the tile: inside the scene they are always there.
    for (let word = 0; word < words; word++) {
      for (let y = 0; y < coreHeight; y++) {
        for (let x = 0; x < coreWidth; x++) {
          const row = Math.max(0, margin.top + Math.floor(y / patch) - 4);
          const column = Math.max(0, margin.left + Math.floor(x / patch) - 4);
          const at = (y + margin.top * patch) * width + x + margin.left * patch;
          scores[(word * coreHeight + y) * coreWidth + x] =
            tokens[(row * columns + column) * embedding + word]! + 0.01 * pixels[word * height * width + at]!;
        }
      }
    }
    return scores;
  },
};

/** Rows of a part: `[words, width]` of every row, and their validity. */
async function rowsOf(
  scene: { width: number; height: number },
  part: { column: number; width: number; first: number; end: number },
  workers = 1,
): Promise<{ means: Float32Array[]; valid: Uint8Array[] }> {
  const rows = new FastRows({
    tiles: planTokenTiles(scene.width, scene.height, 224, 112, patch),
    working: {
      async read({ column, row, width, height }: Window) {
        const pixels = new Float32Array(3 * width * height);
        const valid = new Uint8Array(width * height);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            if (column + x >= scene.width || row + y >= scene.height) continue;
            valid[y * width + x] = noise(column + x, row + y, 3) > 0.1 ? 1 : 0;
            for (let c = 0; c < 3; c++)
              pixels[(c * height + y) * width + x] = noise(column + x, row + y, 10 + c);
          }
        }
        return { pixels, valid };
      },
    },
    normalise: (pixels) => pixels,
    workers: Array.from({ length: workers }, () => worker),
    words,
    embedding,
  });
  const means = new Float32Array(words * part.width);
  const valid = new Uint8Array(part.width);
  const result: Awaited<ReturnType<typeof rowsOf>> = { means: [], valid: [] };
  let expected = part.first;
  for await (const row of rows.read(part, means, valid)) {
    expect(row).toBe(expected++);
    result.means.push(means.slice());
    result.valid.push(valid.slice());
  }
  expect(expected).toBe(part.end);
  return result;
}

describe('tiles of tokens', () => {
  test.each([
    [2000, 1000],
    [224, 224],
    [905, 460],
    [30, 1],
  ])('cores of a scene of %i × %i cover its tokens once', (width, height) => {
    const tiles = planTokenTiles(width, height, 224, 112, patch);
    const seen = new Uint8Array(tiles.rows * tiles.columns);
    for (let row = 0; row * tiles.tile.height < tiles.rows; row++) {
      for (let column = 0; column * tiles.tile.width < tiles.columns; column++) {
        const { core, around } = tokenTileAt(tiles, column, row);
        for (let y = core.row; y < core.row + core.height; y++)
          for (let x = core.column; x < core.column + core.width; x++) seen[y * tiles.columns + x]!++;
        expect(around.column).toBe(Math.max(0, core.column - tiles.reach));
        expect(around.row + around.height).toBe(Math.min(tiles.rows, core.row + core.height + tiles.reach));
      }
    }
    expect(seen.every((count) => count === 1)).toBe(true);
  });

  test('windows without a common grid are refused', () => {
    expect(() => planTokenTiles(1000, 1000, 224, 100, patch)).toThrow(/common grid of 16-pixel patches/);
  });
});

describe('fast rows', () => {
  const scene = { width: 1300, height: 700 };

  test('do not depend on the part asked for, nor on the number of workers', async () => {
    const whole = await rowsOf(scene, { column: 0, width: scene.width, first: 0, end: scene.height }, 2);
    const part = { column: 610, width: 500, first: 430, end: 480 };
    const { means, valid } = await rowsOf(scene, part);
    for (let row = 0; row < means.length; row++) {
      for (let word = 0; word < words; word++) {
        const from = word * scene.width + part.column;
        expect(means[row]!.subarray(word * part.width, (word + 1) * part.width)).toEqual(
          whole.means[part.first + row]!.subarray(from, from + part.width),
        );
      }
      expect(valid[row]).toEqual(
        whole.valid[part.first + row]!.subarray(part.column, part.column + part.width),
      );
    }
  });

  test('a scene smaller than a window is one window', async () => {
    const { means, valid } = await rowsOf(
      { width: 100, height: 50 },
      { column: 0, width: 100, first: 0, end: 50 },
    );
    const token = Math.fround(noise(0, 0, 0) + 0.1 * noise(0, 0, 7));
    const pixel = Math.fround(noise(33, 20, 10));
    expect(means[20]![33]).toBeCloseTo(token + 0.01 * pixel + noise(0, 0, 1), 6);
    expect(valid[20]![33]).toBe(noise(33, 20, 3) > 0.1 ? 1 : 0);
  });
});

test('merged tokens are the mean of the windows over each place, and 0 where none was', () => {
  const merged = new MergedTokens(1, 0, 4);
  merged.add(Float32Array.of(1, 2, 3, 4), { column: 0, row: 0, width: 2, height: 2 }, 0);
  merged.add(Float32Array.of(10, 20, 30, 40), { column: 1, row: 0, width: 2, height: 2 }, 0);
  expect([...merged.mean(0, 0, 4, 2)]).toEqual([1, 6, 20, 0, 3, 17, 40, 0]);
  merged.drop(1);
  expect([...merged.mean(0, 0, 4, 2)]).toEqual([0, 0, 0, 0, 3, 17, 40, 0]);
});
