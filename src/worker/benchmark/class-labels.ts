import { labelOutOfRange } from '../evaluate/confusion.ts';
import { readLabelImage } from '../evaluate/label-image.ts';
import { readPictureFile } from './picture-file.ts';
import { ignored, type LabelCodes } from './sets.ts';

/** Class indices of a picture, `[height · width]`, 255 where nothing is counted. */
export interface ClassLabels {
  width: number;
  height: number;
  values: Uint8Array;
}

/** Reads a label image by the set's codes. Throws `Problem` that names the file, also for a value that is no class. */
export async function readClassLabels(
  file: string,
  codes: LabelCodes,
  classes: number,
): Promise<ClassLabels> {
  if (codes.kind === 'colours' || codes.kind === 'threshold') {
    const { width, height, pixels } = await readPictureFile(file);
    const values =
      codes.kind === 'threshold' ? thresholded(pixels, codes.from) : classesOfColours(pixels, codes);
    return { width, height, values };
  }
  const { width, height, values } = await readLabelImage(file);
  const table = codes.kind === 'values' ? plainTable(codes.reduceZeroLabel, classes) : mappedTable(codes);
  const out = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = table.get(values[i]!);
    if (value === undefined) throw labelOutOfRange(file, values[i]!, classes);
    out[i] = value;
  }
  return { width, height, values: out };
}

/** Class index by stored value. The zero-label rule of mmsegmentation: 0 is left out, the rest moves down by one. */
function plainTable(reduceZeroLabel: boolean, classes: number): Map<number, number> {
  const table = new Map([[ignored, ignored]]);
  if (reduceZeroLabel) table.set(0, ignored);
  for (let index = 0; index < classes; index++) table.set(reduceZeroLabel ? index + 1 : index, index);
  return table;
}

function mappedTable({ values, ignore }: Extract<LabelCodes, { kind: 'mapped' }>): Map<number, number> {
  const table = new Map(values.map((value, index) => [value, index]));
  for (const value of ignore) table.set(value, ignored);
  return table;
}

function classesOfColours(
  pixels: Uint8Array,
  { colours, otherwise }: Extract<LabelCodes, { kind: 'colours' }>,
): Uint8Array {
  const table = new Map(
    colours.map(({ rgb: [red, green, blue], class: index }) => [
      (red << 16) | (green << 8) | blue,
      index ?? ignored,
    ]),
  );
  const rest = otherwise ?? ignored;
  const out = new Uint8Array(pixels.length / 3);
  for (let i = 0, from = 0; i < out.length; i++, from += 3) {
    const colour = (pixels[from]! << 16) | (pixels[from + 1]! << 8) | pixels[from + 2]!;
    out[i] = table.get(colour) ?? rest;
  }
  return out;
}

/** 1 where the grey value (ITU-R BT.601 luma, rounded) is at least `from`, else 0. */
function thresholded(pixels: Uint8Array, from: number): Uint8Array {
  const out = new Uint8Array(pixels.length / 3);
  for (let i = 0, at = 0; i < out.length; i++, at += 3) {
    const grey = (299 * pixels[at]! + 587 * pixels[at + 1]! + 114 * pixels[at + 2]! + 500) / 1000;
    out[i] = grey >= from ? 1 : 0;
  }
  return out;
}
