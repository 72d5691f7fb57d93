import { open, readFile } from 'node:fs/promises';
import { type ColourImage, readColourImage } from '../evaluate/baseline.ts';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';

const mostPixels = 400_000_000;

/**
 * A picture's colours whatever its ending says: several published sets hold BMP images under names that end in .png.
 * Throws `Problem` that names the file.
 */
export async function readPictureFile(path: string): Promise<ColourImage> {
  const magic = Buffer.alloc(2);
  try {
    const file = await open(path);
    try {
      await file.read(magic, 0, 2, 0);
    } finally {
      await file.close();
    }
    if (magic.toString('latin1') !== 'BM') return await readColourImage(path);
    return decodeBitmap(await readFile(path), path);
  } catch (error) {
    throw asProblem(error);
  }
}

/** Uncompressed Windows bitmaps of 24 or 32 bits, rows from the bottom or from the top (BITMAPINFOHEADER). */
function decodeBitmap(bytes: Buffer, path: string): ColourImage {
  const refuse = (what: string): Problem =>
    new Problem('evaluate/image-unreadable', `${path}: ${what}.`, 'Save it as PNG.');
  if (bytes.length < 54) throw refuse('is shorter than the header of a bitmap');
  const start = bytes.readUInt32LE(10);
  const width = bytes.readInt32LE(18);
  const signedHeight = bytes.readInt32LE(22);
  const height = Math.abs(signedHeight);
  const bits = bytes.readUInt16LE(28);
  const compression = bytes.readUInt32LE(30);
  if (bytes.readUInt32LE(14) < 40 || (bits !== 24 && bits !== 32) || compression !== 0)
    throw refuse(`is a bitmap of ${bits} bits, compression ${compression}; 24 and 32 without are read`);
  if (width < 1 || height < 1 || width * height > mostPixels) throw refuse(`has ${width} × ${height} pixels`);
  const step = bits >> 3;
  const rowBytes = (width * step + 3) & ~3;
  if (start + rowBytes * height > bytes.length) throw refuse('ends before its last row');
  const pixels = new Uint8Array(3 * width * height);
  for (let row = 0, at = 0; row < height; row++) {
    let from = start + rowBytes * (signedHeight > 0 ? height - 1 - row : row);
    for (let column = 0; column < width; column++, from += step, at += 3) {
      pixels[at] = bytes[from + 2]!;
      pixels[at + 1] = bytes[from + 1]!;
      pixels[at + 2] = bytes[from]!;
    }
  }
  return { width, height, pixels };
}
