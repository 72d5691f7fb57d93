import { readFile, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';

export interface LabelImage {
  width: number;
  height: number;
  /** Stored values, `[height · width]`: of a palette image its indices, never its colours. */
  values: Uint8Array | Uint16Array;
}

const mostPixels = 400_000_000;
const mostBytes = 2 ** 31 - 1;

/**
 * Reads a PNG or TIFF of class values: grey of 1 to 16 bits, palette, or grey saved in three equal channels. Colours, JPEG
 * and images above 400 megapixels are refused. Throws `Problem` that names the file.
 */
export async function readLabelImage(path: string): Promise<LabelImage> {
  let bytes: Buffer;
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw tooLarge(path);
    bytes = await readFile(path);
  } catch (error) {
    throw asProblem(error);
  }
  let bits = 8;
  try {
    if (isPng(bytes)) ({ bytes, bits } = greyPng(bytes));
    else if (isTiff(bytes)) ({ bytes, bits } = greyTiff(bytes));
    else {
      throw new Problem(
        'evaluate/label-format',
        `${path} is neither PNG nor TIFF.`,
        'Save label images without loss, as PNG or TIFF.',
      );
    }
    const image = sharp(bytes, { failOn: 'error', limitInputPixels: false, ignoreIcc: true });
    const { width, height, channels, depth } = await image.metadata();
    if (width * height > mostPixels) throw tooLarge(path);
    if (channels === 3 && depth === 'uchar')
      return { width, height, values: await greyOfColours(image, path) };
    if (channels !== 1 || (depth !== 'uchar' && depth !== 'ushort')) {
      throw notOneValue(path, channels === 1 ? `${depth} values` : `${channels} channels`);
    }
    if (depth === 'ushort') {
      const { data } = await image
        .toColourspace('grey16')
        .raw({ depth: 'ushort' })
        .toBuffer({ resolveWithObject: true });
      return { width, height, values: new Uint16Array(new Uint8Array(data).buffer) };
    }
    const { data } = await image.toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
    const values = new Uint8Array(data);
    if (bits < 8) {
      // Decoders spread fewer bits over 0-255.
      const step = 255 / (2 ** bits - 1);
      for (let i = 0; i < values.length; i++) values[i] = Math.round(values[i]! / step);
    }
    return { width, height, values };
  } catch (error) {
    if (error instanceof Problem) throw error;
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Problem(
      'evaluate/label-unreadable',
      `${path} cannot be read: ${reason}`,
      'The file is damaged or not an image: save it again.',
      error,
    );
  }
}

/** The values of a grey picture that was saved in three equal channels. */
async function greyOfColours(image: Sharp, path: string): Promise<Uint8Array> {
  const data = await image.raw().toBuffer();
  const values = new Uint8Array(data.length / 3);
  for (let i = 0; i < values.length; i++) {
    const value = data[3 * i]!;
    if (value !== data[3 * i + 1] || value !== data[3 * i + 2]) throw notOneValue(path, 'colours');
    values[i] = value;
  }
  return values;
}

function notOneValue(path: string, what: string): Problem {
  return new Problem(
    'evaluate/label-format',
    `${path} holds ${what}, not one class value per pixel.`,
    'Save labels as grey or palette images of 8 or 16 bits.',
  );
}

function tooLarge(path: string): Problem {
  return new Problem(
    'evaluate/label-size',
    `${path} is larger than ${mostPixels / 1e6} megapixels.`,
    'Cut the image and its labels into smaller pieces.',
  );
}

function isPng(bytes: Buffer): boolean {
  return (
    bytes.length > 33 && bytes.readUInt32BE(0) === 0x89504e47 && bytes.toString('latin1', 12, 16) === 'IHDR'
  );
}

/**
 * The same PNG with a palette declared as grey, so that decoders hand out indices: colour type 3 becomes 0, and the
 * palette and its transparency are left out (PNG, third edition, section 11.2).
 */
function greyPng(bytes: Buffer): { bytes: Buffer; bits: number } {
  const bits = bytes[24]!;
  const palette = bytes[25] === 3;
  if (!palette) return { bytes, bits };
  const chunks: Buffer[] = [bytes.subarray(0, 8)];
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    const end = at + 12 + length;
    if (end > bytes.length) break;
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'IHDR') {
      const header = Buffer.from(bytes.subarray(at, end));
      header[17] = 0;
      header.writeUInt32BE(crc32(header.subarray(4, 8 + length)), 8 + length);
      chunks.push(header);
    } else if (type === 'IDAT' || type === 'IEND') {
      chunks.push(bytes.subarray(at, end));
    }
    at = end;
  }
  return { bytes: Buffer.concat(chunks), bits };
}

function isTiff(bytes: Buffer): boolean {
  if (bytes.length < 8) return false;
  const order = bytes.toString('latin1', 0, 2);
  const magic = order === 'II' ? bytes.readUInt16LE(2) : order === 'MM' ? bytes.readUInt16BE(2) : 0;
  return magic === 42 || magic === 43;
}

/** The same TIFF with a palette (photometric interpretation 3) or inverted grey (0) declared as grey (1) in its first directory. */
function greyTiff(bytes: Buffer): { bytes: Buffer; bits: number } {
  const little = bytes[0] === 0x49;
  const u16 = (at: number): number => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const u64 = (at: number): number => Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  const big = u16(2) === 43;
  const directory = big ? u64(8) : u32(4);
  const count = big ? u64(directory) : u16(directory);
  const first = directory + (big ? 8 : 2);
  const entrySize = big ? 20 : 12;
  let bits = 1;
  let photometric = -1;
  for (let entry = 0; entry < Math.min(count, 4096); entry++) {
    const at = first + entry * entrySize;
    const tag = u16(at);
    if (tag === 258) bits = u16(at + (big ? 12 : 8));
    if (tag === 262) photometric = at + (big ? 12 : 8);
  }
  if (photometric < 0 || (u16(photometric) !== 3 && u16(photometric) !== 0)) return { bytes, bits };
  const changed = Buffer.from(bytes);
  if (little) changed.writeUInt16LE(1, photometric);
  else changed.writeUInt16BE(1, photometric);
  return { bytes: changed, bits };
}
