import { describe, expect, it } from 'vitest';
import { drawClipBatch, drawImage, drawWordBatch } from '../../../src/worker/dataset/clip-batches.ts';
import { conceptPlace, concepts } from '../../../src/worker/dataset/concepts.ts';
import { type LabelledPicture, paintCell, pictureOf } from '../../../src/worker/dataset/picture.ts';
import type { PictureSource } from '../../../src/worker/dataset/sources.ts';
import { createTokenizer } from '../../../src/worker/net/tokenizer.ts';
import { Random } from '../../../src/worker/synthetic/random.ts';

/** Left half red and label 0, right half blue and label 1; the last row is ignored. */
function halves(width: number, height: number): LabelledPicture {
  const rgb = new Uint8Array(width * height * 3);
  const labels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const at = row * width + column;
      const right = column >= width / 2;
      rgb[at * 3 + (right ? 2 : 0)] = 200;
      labels[at] = row === height - 1 ? 9 : right ? 1 : 0;
    }
  return pictureOf('halves', width, height, rgb, labels);
}

const source: PictureSource = {
  config: {
    kind: 'folder',
    path: '.',
    share: 1,
    scale: [0.5, 2],
    ignore: 9,
    legend: [
      { value: 0, concepts: ['building'] },
      { value: 1, concepts: ['water'] },
    ],
  },
  pictures: [halves(200, 160)],
  weights: Float32Array.from({ length: 256 }, (_, value) => (value < 2 ? 1 : 0)),
};
const tokenizer = createTokenizer('#none\n', { context: 32 });
const shape = { images: 6, side: 32, words: concepts.length, labels: concepts.length, length: 16 };
const drawing = {
  seed: 5,
  patch: 8,
  mean: [0, 0, 0] as const,
  deviation: [1, 1, 1] as const,
  jitter: 0,
  alleviation: -0.3,
  alleviatedShare: 0.5,
};

describe('painting a picture into an image', () => {
  it('is the identity for an identical placing', () => {
    const side = 32;
    const picture = halves(side, side);
    const colours = new Float32Array(3 * side * side);
    const labels = new Uint8Array(side * side);
    const cell = { column: 0, row: 0, width: side, height: side };
    paintCell(picture, { c: 16, r: 16, a: 1, b: 0, d: 0, e: 1 }, cell, side, colours, labels);
    expect(labels).toEqual(picture.labels);
    for (let at = 0; at < side * side; at++)
      for (let band = 0; band < 3; band++)
        expect(colours[band * side * side + at]).toBe(picture.halves[0]![at * 3 + band]);
  });

  it('moves labels with colours under any placing', () => {
    const side = 24;
    const picture = halves(300, 300);
    for (let seed = 0; seed < 100; seed++) {
      const random = new Random(seed);
      const angle = random.range(0, 2 * Math.PI);
      const scale = random.range(0.5, 6);
      const colours = new Float32Array(3 * side * side);
      const labels = new Uint8Array(side * side);
      paintCell(
        picture,
        {
          c: random.range(-50, 350),
          r: random.range(0, 200),
          a: scale * Math.cos(angle),
          b: -scale * Math.sin(angle),
          d: scale * Math.sin(angle),
          e: scale * Math.cos(angle),
        },
        { column: 0, row: 0, width: side, height: side },
        side,
        colours,
        labels,
      );
      for (let at = 0; at < side * side; at++) {
        const red = colours[at]!;
        const blue = colours[2 * side * side + at]!;
        if (labels[at] === 9 || Math.min(red, blue) > 1) continue;
        expect(labels[at]).toBe(red > blue ? 0 : 1);
      }
    }
  });
});

describe('batches', () => {
  it('depend on seed and step alone', () => {
    const draw = (step: number) => drawClipBatch([source], tokenizer, shape, drawing, step);
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3).images).not.toEqual(draw(4).images);
    expect(drawImage([source], 32, drawing, 7)).toEqual(drawImage([source], 32, drawing, 7));
  });

  it('give each patch the shares of what it shows', () => {
    const { images, side, labels } = shape;
    for (let step = 0; step < 5; step++) {
      const batch = drawClipBatch([source], tokenizer, shape, drawing, step);
      for (let image = 0; image < images; image++)
        for (let patch = 0; patch < 16; patch++) {
          const shares = batch.targets.subarray(
            (image * 16 + patch) * labels,
            (image * 16 + patch + 1) * labels,
          );
          const total = shares.reduce((sum, share) => sum + share, 0);
          expect(total).toBeLessThanOrEqual(1 + 1e-5);
          const row = Math.floor(patch / 4) * 8;
          const column = (patch % 4) * 8;
          let red = 0;
          let blue = 0;
          for (let y = 0; y < 8; y++)
            for (let x = 0; x < 8; x++) {
              const at = image * 3 * side * side + (row + y) * side + column + x;
              red += batch.images[at]! / 200 / 64;
              blue += batch.images[at + 2 * side * side]! / 200 / 64;
            }
          // A reading may reorder labels; one of the two is always water.
          const wet = [0, 1].findIndex(
            (label) =>
              batch.membership[(image * labels + label) * concepts.length + conceptPlace('water')] === 1,
          );
          // Whole patches of one colour and no ignored pixel are wholly of one label.
          if (total > 0.999 && red > 0.999) expect(shares[1 - wet]).toBeGreaterThan(0.95);
          if (total > 0.999 && blue > 0.999) expect(shares[wet]).toBeGreaterThan(0.95);
        }
    }
  });

  it('end every prompt in the end token within the length', () => {
    const batch = drawClipBatch([source], tokenizer, shape, drawing, 1);
    const words = drawWordBatch(tokenizer, 3, 16, 1, 0);
    const check = (ids: BigInt64Array, ends: BigInt64Array) =>
      ends.forEach((end, row) => {
        expect(Number(end)).toBeLessThan(16);
        expect(ids[row * 16 + Number(end)]).toBe(BigInt(tokenizer.endId));
      });
    check(batch.promptIds, batch.promptEnds);
    check(batch.captionIds, batch.captionEnds);
    check(words.ids, words.ends);
    expect(words.meanings.length).toBe(3 * concepts.length);
  });
});
