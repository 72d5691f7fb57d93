import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import sharp from 'sharp';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import { glyphHeight, glyphRows, glyphWidth, printable } from './font.ts';

/** Red, green, blue, 0-255. */
export type Colour = readonly [number, number, number];

/** Pixels `[height, width, 3]` to draw on. Text uses a built-in bitmap font, so that it is legible where no fonts are installed. */
export interface Picture {
  width: number;
  height: number;
  pixels: Uint8Array;
}

/** Pixels of a picture are kept in memory; diagrams and previews stay far below this. */
const mostPixels = 64 * 1024 * 1024;

export function createPicture(width: number, height: number, background: Colour): Picture {
  if (!(width > 0 && height > 0 && width * height <= mostPixels)) {
    throw new Problem(
      'picture/size',
      `A picture of ${width} × ${height} pixels cannot be drawn.`,
      'Show fewer classes or a smaller part.',
    );
  }
  const picture = { width, height, pixels: new Uint8Array(3 * width * height) };
  fillRectangle(picture, 0, 0, width, height, background);
  return picture;
}

/** Fills pixels [x, x + width) × [y, y + height), cut to the picture. */
export function fillRectangle(
  picture: Picture,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: Colour,
): void {
  const right = Math.min(picture.width, x + width);
  const bottom = Math.min(picture.height, y + height);
  for (let row = Math.max(0, y); row < bottom; row++) {
    for (let column = Math.max(0, x); column < right; column++) setPixel(picture, column, row, colour);
  }
}

/** Width in pixels of a line of text at a whole-numbered scale. */
export function textWidth(text: string, scale: number): number {
  return Math.max(0, printable(text).length * (glyphWidth + 1) - 1) * scale;
}

/** Height in pixels of a line of text, descenders included. */
export function textHeight(scale: number): number {
  return glyphHeight * scale;
}

/** Draws one line of text with its top left corner at (x, y), cut to the picture. */
export function drawText(
  picture: Picture,
  x: number,
  y: number,
  text: string,
  colour: Colour,
  scale: number,
): void {
  let left = x;
  for (const character of printable(text)) {
    const rows = glyphRows(character);
    for (let row = 0; row < glyphHeight; row++) {
      for (let column = 0; column < glyphWidth; column++) {
        if ((rows[row]! >> (glyphWidth - 1 - column)) & 1) {
          fillRectangle(picture, left + column * scale, y + row * scale, scale, scale, colour);
        }
      }
    }
    left += (glyphWidth + 1) * scale;
  }
}

/** The text itself, or its beginning and `...` where it is wider than `width` pixels. */
export function fitText(text: string, width: number, scale: number): string {
  if (textWidth(text, scale) <= width) return text;
  const room = Math.floor(width / scale / (glyphWidth + 1)) - 3;
  return room > 0 ? `${printable(text).slice(0, room).trimEnd()}...` : '';
}

/** Writes a picture as PNG, whole or not at all. Throws `Problem`. */
export async function writePicture(picture: Picture, path: string): Promise<void> {
  const part = `${path}.${randomUUID().slice(0, 8)}.part`;
  const { width, height, pixels } = picture;
  try {
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png({ compressionLevel: 9 })
      .toFile(part);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw storageFailure(error, path);
  }
}

/** libvips reports failed writes in words only. */
function storageFailure(error: unknown, path: string): Problem {
  if (error instanceof Error && !('code' in error)) {
    return new Problem(
      'picture/not-written',
      `${path} could not be written: ${error.message.split('\n')[0]}`,
      'Check that the folder exists, that you may write to it, and that the disk is not full.',
      error,
    );
  }
  return asProblem(error);
}

function setPixel(picture: Picture, x: number, y: number, colour: Colour): void {
  const i = 3 * (y * picture.width + x);
  picture.pixels[i] = colour[0];
  picture.pixels[i + 1] = colour[1];
  picture.pixels[i + 2] = colour[2];
}
