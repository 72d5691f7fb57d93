import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { readClassLabels } from '../../../src/worker/benchmark/class-labels.ts';
import { cropLabels, cropPicture, cropWindows } from '../../../src/worker/benchmark/crops.ts';
import { readPictureFile } from '../../../src/worker/benchmark/picture-file.ts';
import { resizeLongSide } from '../../../src/worker/benchmark/resize.ts';
import { encodeBitmap } from './miniature-sets.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'landscribe-benchmark-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('resizing to the long side', () => {
  // Computed by cv2.resize(…, INTER_LINEAR) of OpenCV 5.0.0 from (37·column + 101·row + 59·band) mod 256, 7 × 5.
  const picture = {
    width: 7,
    height: 5,
    pixels: Uint8Array.from(
      { length: 105 },
      (_, i) => ((Math.floor(i / 3) % 7) * 37 + Math.floor(i / 21) * 101 + (i % 3) * 59) % 256,
    ),
  };
  const reduced =
    '47,106,133,112,160,145,177,151,60,156,109,104,216,19,78,25,84,143,89,148,207,154,213,112,128,187,75,171,81,130,87,146,119,98,125,184';
  const enlargedRow3 =
    '110,146,205,116,151,174,132,168,89,148,184,10,153,200,26,159,216,42,173,153,59,190,67,75,206,32,91,222,48,107,216,64,124,131,81,140,45,97,156,54,113,163,70,129,169,76,135,171';

  it('equals OpenCV to the bit', () => {
    const small = resizeLongSide(picture, 4);
    expect([small.width, small.height]).toEqual([4, 3]);
    expect(small.pixels.join()).toBe(reduced);
    const large = resizeLongSide(picture, 16);
    expect([large.width, large.height]).toEqual([16, 11]);
    expect(large.pixels.subarray(3 * 48, 4 * 48).join()).toBe(enlargedRow3);
  });

  it('keeps flat pictures flat and stays within its neighbours', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 0, max: 255 }),
        (width, height, longSide, value) => {
          const flat = { width, height, pixels: new Uint8Array(3 * width * height).fill(value) };
          const out = resizeLongSide(flat, longSide);
          expect(Math.max(out.width, out.height)).toBe(longSide);
          // Borders are weighed in two parts, each cut to whole numbers, so they may lose a level.
          expect(out.pixels.every((each) => each === value || each === value - 1)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('returns a picture of that size as it is', () => {
    expect(resizeLongSide(picture, 7)).toBe(picture);
  });
});

describe('crops', () => {
  it('cover every pixel, the last shifted back to the border', () => {
    fc.assert(
      fc.property(
        fc.record({
          width: fc.integer({ min: 1, max: 60 }),
          height: fc.integer({ min: 1, max: 60 }),
          cropWidth: fc.integer({ min: 1, max: 20 }),
          cropHeight: fc.integer({ min: 1, max: 20 }),
          across: fc.integer({ min: 1, max: 20 }),
          pad: fc.boolean(),
        }),
        ({ width, height, cropWidth, cropHeight, across, pad }) => {
          const rule = {
            width: cropWidth,
            height: cropHeight,
            across: Math.min(across, cropWidth),
            down: cropHeight,
            pad,
          };
          const labels = { width, height, values: new Uint8Array(width * height).fill(3) };
          const seen = new Uint8Array(width * height);
          for (const window of cropWindows(width, height, rule)) {
            if (pad) expect([window.width, window.height]).toEqual([cropWidth, cropHeight]);
            const cut = cropLabels(labels, window);
            let right = 0;
            for (let y = 0; y < window.height; y++) {
              for (let x = 0; x < window.width; x++) {
                const [column, row] = [window.column + x, window.row + y];
                const inside = column < width && row < height;
                if (cut.values[y * window.width + x] === (inside ? 3 : 255)) right++;
                if (inside) seen[row * width + column] = 1;
              }
            }
            expect(right).toBe(window.width * window.height);
          }
          expect(seen.every((each) => each === 1)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('give the published number of pictures', () => {
    const isprs = { width: 512, height: 512, across: 512, down: 512, pad: false };
    // 14 tiles of Potsdam: 2,016 pictures.
    expect(cropWindows(6000, 6000, isprs).length * 14).toBe(2016);
    expect(cropWindows(6000, 6000, isprs).at(-1)).toEqual({
      column: 5488,
      row: 5488,
      width: 512,
      height: 512,
    });
    const isaid = { width: 896, height: 896, across: 512, down: 512, pad: true };
    expect(cropWindows(1408, 1409, isaid).map(({ column, row }) => [column, row])).toEqual([
      [0, 0],
      [512, 0],
      [0, 512],
      [512, 512],
      [0, 513],
      [512, 513],
    ]);
    expect(cropWindows(6000, 6000, undefined)).toEqual([{ column: 0, row: 0, width: 6000, height: 6000 }]);
  });

  it('cut colours where they cut labels', () => {
    const picture = { width: 3, height: 2, pixels: Uint8Array.from({ length: 18 }, (_, i) => i + 1) };
    expect([...cropPicture(picture, { column: 2, row: 1, width: 2, height: 2 }).pixels]).toEqual([
      16, 17, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });
});

describe('label codes', () => {
  const file = path.join(folder, 'labels.png');
  const grey = (values: number[]) =>
    sharp(Uint8Array.from(values), { raw: { width: values.length, height: 1, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(file);

  it('follows the zero-label rule', async () => {
    await grey([0, 1, 2, 7, 255]);
    const { values } = await readClassLabels(file, { kind: 'values', reduceZeroLabel: true }, 7);
    expect([...values]).toEqual([255, 0, 1, 6, 255]);
  });

  it('keeps plain values and leaves 255 out', async () => {
    await grey([0, 1, 6, 255]);
    const codes = { kind: 'values', reduceZeroLabel: false } as const;
    expect([...(await readClassLabels(file, codes, 7)).values]).toEqual([0, 1, 6, 255]);
    await expect(readClassLabels(file, codes, 6)).rejects.toMatchObject({ code: 'evaluate/label-value' });
  });

  it('maps values, and refuses those that are not named', async () => {
    await grey([10, 30, 0, 20]);
    const codes = { kind: 'mapped' as const, values: [10, 20, 30], ignore: [0] };
    expect([...(await readClassLabels(file, codes, 3)).values]).toEqual([0, 2, 255, 1]);
    await grey([10, 11]);
    await expect(readClassLabels(file, codes, 3)).rejects.toMatchObject({
      message: expect.stringContaining('11'),
    });
  });

  it('knows classes by colour, also in a palette', async () => {
    const colours = Uint8Array.from([255, 255, 255, 0, 0, 255, 9, 9, 9, 0, 0, 0]);
    for (const palette of [false, true]) {
      await sharp(colours, { raw: { width: 4, height: 1, channels: 3 } })
        .png({ palette, quality: 100, dither: 0 })
        .toFile(file);
      const codes = {
        kind: 'colours' as const,
        colours: [
          { rgb: [255, 255, 255] as [number, number, number], class: 0 },
          { rgb: [0, 0, 255] as [number, number, number], class: 1 },
          { rgb: [0, 0, 0] as [number, number, number], class: null },
        ],
        otherwise: 1,
      };
      expect([...(await readClassLabels(file, codes, 2)).values]).toEqual([0, 1, 1, 255]);
      const strict = { ...codes, otherwise: null };
      expect([...(await readClassLabels(file, strict, 2)).values]).toEqual([0, 1, 255, 255]);
    }
  });

  it('cuts grey at the threshold', async () => {
    await grey([0, 1, 127, 128, 255]);
    const at = async (from: number) => [
      ...(await readClassLabels(file, { kind: 'threshold', from }, 2)).values,
    ];
    expect(await at(128)).toEqual([0, 0, 0, 1, 1]);
    expect(await at(1)).toEqual([0, 1, 1, 1, 1]);
  });
});

describe('bitmaps under other names', () => {
  const pixels = Uint8Array.from({ length: 3 * 5 * 3 }, (_, i) => (i * 71) % 256);
  const file = path.join(folder, 'bitmap.png');

  it('are read as what they are', async () => {
    await writeFile(file, encodeBitmap(pixels, 5, 3));
    expect(await readPictureFile(file)).toEqual({ width: 5, height: 3, pixels });
  });

  it('are refused by name when cut short or changed', async () => {
    const whole = encodeBitmap(pixels, 5, 3);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: whole.length - 1 }),
        fc.integer({ min: 14, max: 53 }),
        fc.integer({ min: 0, max: 255 }),
        async (length, at, value) => {
          await writeFile(file, whole.subarray(0, length));
          await expect(readPictureFile(file)).rejects.toMatchObject({
            code: 'evaluate/image-unreadable',
            message: expect.stringContaining('bitmap.png'),
          });
          const changed = Buffer.from(whole);
          changed[at] = value;
          await writeFile(file, changed);
          const read = await readPictureFile(file).catch((problem) => problem);
          if (read instanceof Error) expect(read).toMatchObject({ code: 'evaluate/image-unreadable' });
          else expect(read.pixels.length).toBe(3 * read.width * read.height);
        },
      ),
      { numRuns: 60 },
    );
  });
});
