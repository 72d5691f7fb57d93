import { describe, expect, it } from 'vitest';
import type { ClipGeometry } from '../../../src/worker/train/clip.ts';
import { initialClip } from '../../../src/worker/train/clip-parameters.ts';
import { FrozenEncoder } from '../../../src/worker/train/frozen-encoder.ts';
import { normalNumbers } from '../../../src/worker/train/random.ts';
import {
  growLayers,
  mixedWeights,
  regridPositions,
  startingClip,
} from '../../../src/worker/train/starting-weights.ts';
import { trainWords, type WordBatch } from '../../../src/worker/train/words.ts';

const geometry = (layers: number, grid = 4): ClipGeometry => ({
  vision: { width: 64, layers, heads: 1, hidden: 256, patch: 8, grid, image: 8 * grid },
  text: { width: 64, layers: 1, heads: 1, hidden: 256, context: 8, vocabulary: 40 },
  embedding: 32,
  activation: 'quickgelu',
});
const sample = normalNumbers(2 * 3 * 32 * 32, 1, 'sample');

describe('starting weights', () => {
  it('embed patches by kernels of equal strength over the sample', async () => {
    const weights = await startingClip(geometry(1), 1, sample);
    const kernels = await weights.read('visual.conv1.weight');
    const size = 3 * 64;
    const spreads = Array.from({ length: 64 }, (_, kernel) => {
      let squares = 0;
      for (let image = 0; image < 2; image++)
        for (let row = 0; row < 4; row++)
          for (let column = 0; column < 4; column++) {
            let sum = 0;
            for (let band = 0; band < 3; band++)
              for (let y = 0; y < 8; y++)
                for (let x = 0; x < 8; x++)
                  sum +=
                    kernels[kernel * size + band * 64 + y * 8 + x]! *
                    sample[(image * 3 + band) * 1024 + (row * 8 + y) * 32 + column * 8 + x]!;
            squares += sum * sum;
          }
      return Math.sqrt(squares / 32);
    });
    for (const spread of spreads) expect(Math.abs(spread - 1)).toBeLessThan(1e-3);
  });

  it('grow to more layers without a change of the tokens', async () => {
    const shallow = await startingClip(geometry(2), 3, sample);
    const deep = await growLayers(shallow, geometry(5), 4);
    const tokens = async (layers: number, weights: typeof shallow) => {
      const encoder = await FrozenEncoder.open(geometry(layers), weights, 'dense', 1, 1);
      try {
        return (await encoder.encode(sample)).tokens;
      } finally {
        await encoder.release();
      }
    };
    const before = await tokens(2, shallow);
    const after = await tokens(5, deep);
    const worst = before.reduce((most, value, at) => Math.max(most, Math.abs(value - after[at]!)), 0);
    expect(worst).toBeLessThan(1e-5);
    expect(before.some((value) => Math.abs(value) > 0.1)).toBe(true);
  });

  it('keep positions on the same grid, and spread them over another', async () => {
    const weights = initialClip(geometry(1), 1);
    const name = 'visual.positional_embedding';
    expect(await (await regridPositions(weights, 4)).read(name)).toEqual(await weights.read(name));
    const wide = await regridPositions(weights, 8);
    expect(wide.shape(name)).toEqual([65, 64]);
    const back = await (await regridPositions(wide, 4)).read(name);
    // Class position untouched; a corner of the wide grid is the old corner.
    expect(back.subarray(0, 64)).toEqual((await weights.read(name)).subarray(0, 64));
    expect((await wide.read(name)).subarray(64, 128)).toEqual((await weights.read(name)).subarray(64, 128));
  });
});

describe('training words alone', () => {
  it('brings synonyms together to the least possible loss', async () => {
    // Four meanings of three words: ids 1-12 between start 38 and end 39.
    const words = Array.from({ length: 12 }, (_, word) => word);
    const batch: WordBatch = {
      ids: BigInt64Array.from(words.flatMap((word) => [38n, BigInt(word + 1), 39n, 0n])),
      ends: BigInt64Array.from(words, () => 2n),
      meanings: words.map((word) => Math.floor(word / 3)),
    };
    let last = Number.POSITIVE_INFINITY;
    const start = initialClip(geometry(1), 1);
    const trained = await trainWords(
      geometry(1),
      start,
      { prompts: 12, length: 4, steps: 60, learningRate: 2e-3, threads: 1 },
      () => batch,
      (_, loss) => {
        last = loss;
      },
    );
    // Each word has two synonyms to share its probability with: ln 2.
    expect(last).toBeLessThan(Math.log(2) + 0.02);
    const kept = 'visual.proj';
    expect(await trained.read(kept)).toEqual(await start.read(kept));
    expect(await trained.read('token_embedding.weight')).not.toEqual(
      await start.read('token_embedding.weight'),
    );
  });

  it('mix with what came of them, tensor by tensor', async () => {
    const [before, trained] = [initialClip(geometry(1), 1), initialClip(geometry(1), 2)];
    const mixed = await mixedWeights(trained, before, 0.25);
    expect(mixed.names()).toEqual(trained.names());
    for (const name of mixed.names()) {
      const [a, b, m] = [await before.read(name), await trained.read(name), await mixed.read(name)];
      expect(mixed.shape(name)).toEqual(trained.shape(name));
      let worst = 0;
      for (let at = 0; at < m.length; at++)
        worst = Math.max(worst, Math.abs(m[at]! - 0.25 * a[at]! - 0.75 * b[at]!));
      expect(worst, name).toBeLessThan(1e-6);
    }
    await expect(mixedWeights(initialClip(geometry(2), 1), before, 0.5)).rejects.toThrow(/resblocks/);
  });
});
