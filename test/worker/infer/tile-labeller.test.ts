import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TileLabeller, type TokenTile } from '../../../src/worker/infer/tile-labeller.ts';
import { WindowLabeller } from '../../../src/worker/infer/window-labeller.ts';
import { openPack, type Pack } from '../../../src/worker/pack/open-pack.ts';
import { buildRandomPack } from '../../../src/worker/steps/random-pack.ts';

const options = { provider: 'cpu', threads: 1 } as const;
const none = { top: 0, left: 0, bottom: 0, right: 0 };

let folder: string;
let pack: Pack;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-tile-'));
  const out = path.join(folder, 'pack');
  await buildRandomPack(out, false, {
    signal: new AbortController().signal,
    report() {},
    note() {},
    async emit() {},
  });
  pack = await openPack(out);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Numbers from -1 to 1. */
function noise(length: number, salt: number): Float32Array {
  return Float32Array.from(
    { length },
    (_, i) => ((Math.imul(i * 31 + salt + 1, 2654435761) >>> 8) & 65535) / 32768 - 1,
  );
}

function embeddingsOf(words: number): Float32Array {
  const { embedding } = pack.manifest.geometry;
  const out = noise(words * embedding, 5);
  for (let word = 0; word < words; word++) {
    const own = out.subarray(word * embedding, (word + 1) * embedding);
    const norm = Math.hypot(...own);
    own.forEach((value, i) => {
      own[i] = value / norm;
    });
  }
  return out;
}

function tileOf(rows: number, columns: number): { tile: TokenTile; pixels: Float32Array } {
  const { embedding, vision } = pack.manifest.geometry;
  return {
    tile: { rows, columns, tokens: noise(rows * columns * embedding, 9), margin: none },
    pixels: noise(3 * rows * columns * vision.patch ** 2, 2),
  };
}

/** The largest difference and where it is. */
function worst(a: Float32Array, b: Float32Array): { difference: number; at: number } {
  expect(a.length).toBe(b.length);
  let at = 0;
  for (let i = 0; i < a.length; i++) if (Math.abs(a[i]! - b[i]!) > Math.abs(a[at]! - b[at]!)) at = i;
  return { difference: Math.abs(a[at]! - b[at]!), at };
}

describe('tile labeller', () => {
  test('a tile that is one window scores as the window does, but for the bias', async () => {
    const embeddings = embeddingsOf(3);
    const { tile, pixels } = tileOf(9, 10);
    const { embedding, vision } = pack.manifest.geometry;
    const labeller = await TileLabeller.open(pack, embeddings, true, options);
    const reference = await WindowLabeller.open(pack, embeddings, { lambda: 0, upsample: true }, options);
    const [height, width] = [9 * vision.patch, 10 * vision.patch];
    const fast = await labeller.label(tile, pixels);
    const exact = await reference.label(
      { rows: 9, columns: 10, tokens: tile.tokens, cls: noise(embedding, 1) },
      pixels,
      height,
      width,
    );
    // The norm may lose a thousandth of the tokens' energy, which is more of what is left where tokens that are pure
    // noise cancel out: atol 0.02 at worst, 0.002 in the mean, of scores up to 1.
    const { difference, at } = worst(fast, exact);
    expect(difference, `worst at ${at}`).toBeLessThan(0.02);
    const mean = fast.reduce((sum, value, i) => sum + Math.abs(value - exact[i]!), 0) / fast.length;
    expect(mean).toBeLessThan(0.002);
    await labeller.close();
    await reference.close();
  });

  test.each([
    true,
    false,
  ])('what is left out is cut off and nothing else (upsampler: %s)', async (upsample) => {
    const labeller = await TileLabeller.open(pack, embeddingsOf(2), upsample, options);
    const { patch } = pack.manifest.geometry.vision;
    const { tile, pixels } = tileOf(10, 12);
    const whole = await labeller.label(tile, pixels);
    const margin = { top: 2, left: 3, bottom: 1, right: 2 };
    const core = await labeller.label({ ...tile, margin }, pixels);
    const [height, width] = [10 * patch, 12 * patch];
    const [coreHeight, coreWidth] = [7 * patch, 7 * patch];
    const cut = new Float32Array(core.length);
    for (let word = 0; word < 2; word++)
      for (let y = 0; y < coreHeight; y++)
        for (let x = 0; x < coreWidth; x++)
          cut[(word * coreHeight + y) * coreWidth + x] =
            whole[(word * height + y + margin.top * patch) * width + x + margin.left * patch]!;
    const { difference, at } = worst(core, cut);
    expect(difference, `worst at ${at}`).toBeLessThan(1e-5);
    await labeller.close();
  });

  test('beyond the reach of 64 pixels, the border of a tile is not felt', async () => {
    const labeller = await TileLabeller.open(pack, embeddingsOf(2), true, options);
    const { patch } = pack.manifest.geometry.vision;
    const { embedding } = pack.manifest.geometry;
    const { tile, pixels } = tileOf(16, 16);
    const inner = 64 / patch;
    const wide = { top: 8, left: 8, bottom: 4, right: 4 };
    const whole = await labeller.label({ ...tile, margin: wide }, pixels);
    // The same core with no more than the reach around it.
    const off = 8 - inner;
    const [rows, columns] = [4 + 2 * inner, 4 + 2 * inner];
    const tokens = new Float32Array(rows * columns * embedding);
    for (let y = 0; y < rows; y++)
      tokens.set(
        tile.tokens.subarray(
          ((y + off) * 16 + off) * embedding,
          ((y + off) * 16 + off + columns) * embedding,
        ),
        y * columns * embedding,
      );
    const cut = new Float32Array(3 * rows * columns * patch ** 2);
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < rows * patch; y++) {
        const from = (c * 16 * patch + y + off * patch) * 16 * patch + off * patch;
        cut.set(pixels.subarray(from, from + columns * patch), (c * rows * patch + y) * columns * patch);
      }
    const margin = { top: inner, left: inner, bottom: inner, right: inner };
    const near = await labeller.label({ rows, columns, tokens, margin }, cut);
    // Unlike tokens, kernels by a formula: a harder case than trained ones. atol 0.02 of scores up to 1.
    const { difference, at } = worst(whole, near);
    expect(difference, `worst at ${at}`).toBeLessThan(0.02);
    await labeller.close();
  });
});
