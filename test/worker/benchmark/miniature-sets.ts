import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import {
  type BenchmarkSet,
  ignored,
  type LabelCodes,
  type Layout,
} from '../../../src/worker/benchmark/sets.ts';
import type { ColourImage } from '../../../src/worker/evaluate/baseline.ts';

/** Side of a miniature's pictures. */
export const side = 64;

/** Levels of grey by which a picture says which class a predictor shall answer. */
const levels = 16;

/** A miniature's picture: class indices to be predicted and class indices of the labels, by pixel. */
interface Miniature {
  predicted(column: number, row: number): number;
  label(column: number, row: number): number;
}

const half = side / 2;
/** Labels 0 left and 1 right, predictions 0 above and 1 below: a quarter of the picture right for each class. */
const crossed: Miniature = {
  predicted: (_, row) => (row < half ? 0 : 1),
  label: (column) => (column < half ? 0 : 1),
};
/** Class 1 everywhere, and found. */
const found: Miniature = { predicted: () => 1, label: () => 1 };
/** Nothing counted, whatever is predicted; class 0 and found where labels cannot say so. */
const uncounted = (codes: LabelCodes): Miniature => ({
  predicted: () => (canIgnore(codes) ? 1 : 0),
  label: () => (canIgnore(codes) ? ignored : 0),
});
/** All wrong: pictures that a list leaves out. */
const wrong: Miniature = { predicted: () => 1, label: () => 0 };

function canIgnore(codes: LabelCodes): boolean {
  if (codes.kind === 'threshold') return false;
  return codes.kind !== 'colours' || codes.otherwise === null;
}

/**
 * Scores of a miniature set by hand. Class 0: a quarter of one picture is right; labels and predictions cover a half
 * each, so three quarters are either: 1/3. Class 1: 1/4 + 1 pictures right of 3/4 + 1: 5/7. Pictures all of class 0
 * that are found add to class 0's both.
 */
export function scoresByHand(layout: Layout): { class0: number; class1: number } {
  const extra = canIgnore(layout.codes) ? 0 : fillers(layout);
  return { class0: (1 / 4 + extra) / (3 / 4 + extra), class1: 5 / 7 };
}

/** Pictures beyond the first two that a split demands, at least one. */
function fillers(layout: Layout): number {
  return Math.max(1, (layout.stems?.length ?? 0) - 2);
}

/** Writes a set in one of its layouts below `root`, with decoys where the layout names its pictures. */
export async function writeMiniature(root: string, layout: Layout): Promise<number> {
  const stems = layout.stems ?? ['b_1', 'a', 'c'];
  const pictures: [string, Miniature][] = stems.map((stem, i) => [
    stem,
    i === 0 ? crossed : i === 1 ? found : uncounted(layout.codes),
  ]);
  const names = pictures.map(([stem]) => stem);
  if (layout.stems || layout.list !== undefined) pictures.push(['decoy', wrong]);
  if (layout.list !== undefined) {
    await mkdir(root, { recursive: true });
    await writeFile(
      path.join(root, layout.list),
      names.map((name, i) => `${name}${i === 0 ? layout.imageSuffixes[0]! : ''}\n`).join(''),
    );
  }
  for (const [index, [stem, miniature]] of pictures.entries()) {
    const place = (folder: string) => path.join(root, folder.replace('*', index % 2 === 0 ? 'east' : 'west'));
    await mkdir(place(layout.images), { recursive: true });
    await mkdir(place(layout.labels), { recursive: true });
    // Cameras write .JPG.
    const suffix = layout.imageSuffixes[0]!.replace(/\.jpg$/, '.JPG');
    await writePicture(
      path.join(place(layout.images), stem + suffix),
      miniature,
      layout.note?.includes('BMP') ?? false,
    );
    await writeLabels(
      path.join(place(layout.labels), stem + layout.labelSuffixes[0]!),
      miniature,
      layout.codes,
    );
  }
  return names.length;
}

async function writePicture(file: string, { predicted }: Miniature, bitmap: boolean): Promise<void> {
  const pixels = rgb((column, row) => {
    const grey = levels * predicted(column, row) + levels / 2;
    return [grey, grey, grey];
  });
  if (bitmap) await writeFile(file, encodeBitmap(pixels, side, side));
  else await writeRaw(file, pixels, 3);
}

async function writeLabels(file: string, { label }: Miniature, codes: LabelCodes): Promise<void> {
  if (codes.kind === 'colours') {
    const colourOf = (index: number) =>
      codes.colours.find((entry) => (entry.class ?? ignored) === index)!.rgb;
    await writeRaw(
      file,
      rgb((column, row) => colourOf(label(column, row))),
      3,
    );
    return;
  }
  const storedValue = (index: number): number => {
    if (codes.kind === 'threshold') return index === 0 ? codes.from - 1 : codes.from === 1 ? 1 : 255;
    if (codes.kind === 'mapped') return index === ignored ? codes.ignore[0]! : codes.values[index]!;
    if (index === ignored) return codes.reduceZeroLabel ? 0 : 255;
    return codes.reduceZeroLabel ? index + 1 : index;
  };
  const values = Uint8Array.from({ length: side * side }, (_, i) =>
    storedValue(label(i % side, Math.floor(i / side))),
  );
  await writeRaw(file, values, 1);
}

function rgb(colour: (column: number, row: number) => readonly number[]): Uint8Array {
  const pixels = new Uint8Array(3 * side * side);
  for (let i = 0; i < side * side; i++) pixels.set(colour(i % side, Math.floor(i / side)), 3 * i);
  return pixels;
}

async function writeRaw(file: string, values: Uint8Array, channels: 1 | 3): Promise<void> {
  let image = sharp(values, { raw: { width: side, height: side, channels } });
  if (channels === 1) image = image.toColourspace('b-w');
  const ending = path.extname(file).toLowerCase();
  await (ending === '.jpg'
    ? image.jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
    : ending === '.tif'
      ? image.tiff({ compression: 'lzw' })
      : image.png()
  ).toFile(file);
}

/** A 24-bit Windows bitmap, rows from the bottom. */
export function encodeBitmap(pixels: Uint8Array, width: number, height: number): Buffer {
  const rowBytes = Math.ceil((3 * width) / 4) * 4;
  const bytes = Buffer.alloc(54 + rowBytes * height);
  bytes.write('BM', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = 3 * (row * width + column);
      const to = 54 + (height - 1 - row) * rowBytes + 3 * column;
      for (let band = 0; band < 3; band++) bytes[to + band] = pixels[from + 2 - band]!;
    }
  }
  return bytes;
}

/** The class ids that a miniature's picture asks for. */
export async function obey({ pixels }: ColourImage): Promise<Uint8Array> {
  return Uint8Array.from({ length: pixels.length / 3 }, (_, i) => Math.floor(pixels[3 * i]! / levels) + 1);
}

/** Every set with each of its layouts. */
export function everyLayout(
  sets: readonly BenchmarkSet[],
): { title: string; set: BenchmarkSet; layout: Layout }[] {
  return sets.flatMap((set) =>
    set.layouts.map((layout) => ({ title: `${set.name}, ${layout.name}`, set, layout })),
  );
}
