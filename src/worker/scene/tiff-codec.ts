import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { getDecoder } from 'geotiff';
import type { Samples } from '../raster/bands.ts';
import { readLercHeader } from './lerc-header.ts';
import { decodeLzw, decodePackBits } from './lzw.ts';
import { decodeSamples, rowBytes, undoPredictor } from './sample-layout.ts';
import type { TiffImage } from './tiff-file.ts';

const inflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflate);
const unzstd = promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress);

const names: Record<number, string> = {
  1: 'none',
  2: 'CCITT RLE',
  3: 'CCITT fax 3',
  4: 'CCITT fax 4',
  5: 'LZW',
  6: 'old-style JPEG',
  7: 'JPEG',
  8: 'Deflate',
  32773: 'PackBits',
  32946: 'Deflate',
  34661: 'JBIG',
  34712: 'JPEG 2000',
  34887: 'LERC',
  34925: 'LZMA',
  50000: 'Zstandard',
  50001: 'WebP',
  50002: 'JPEG XL',
};

const readable = new Set([1, 5, 7, 8, 32773, 32946, 34887, 50000, 50001]);

/** What people call a TIFF compression. */
export function compressionName(compression: number): string {
  return names[compression] ?? `unknown (${compression})`;
}

/** Why blocks of this image cannot be decoded, or null when they can. */
export function unreadableReason(image: TiffImage): string | null {
  if (!readable.has(image.compression)) return `compression ${compressionName(image.compression)}`;
  const colourCoded = image.photometric === 6 && image.compression !== 7;
  if (colourCoded) return `YCbCr colours with compression ${compressionName(image.compression)}`;
  const eightBit = image.layout.bits === 8 && image.layout.format === 'unsigned';
  if (image.compression === 7 && !eightBit) return `JPEG of ${image.layout.bits} bits`;
  if (image.compression === 50001 && !eightBit) return `WebP of ${image.layout.bits} bits`;
  return null;
}

/**
 * Samples of one compressed block of `rows` rows, interleaved as the file has them. Output is bounded by the block's own
 * size whatever the bytes claim. Throws an Error that says what is wrong with them.
 */
export async function decodeBlock(image: TiffImage, bytes: Uint8Array, rows: number): Promise<Samples> {
  const stride = image.separate ? 1 : image.samplesPerPixel;
  const row = rowBytes(image.layout, image.blockWidth * stride);
  const needed = row * rows;
  if (image.reversedBits) reverseBits(bytes);
  if (image.compression === 7) return jpegBlock(image, bytes, stride, rows);
  if (image.compression === 50001) return webpBlock(image, bytes, stride, rows);
  if (image.compression === 34887) {
    return decodeSamples(
      await lercBlock(image, bytes, needed, stride, rows),
      nativeLayout(image),
      (row * 8) / image.layout.bits,
      rows,
    );
  }
  const flat = await decompress(image, bytes, needed);
  if (flat.length < needed) throw new RangeError(`it ends after ${flat.length} of ${needed} bytes`);
  let layout = image.layout;
  if (image.predictor !== 1) {
    if (!undoPredictor(flat.subarray(0, needed), image.predictor, layout, image.blockWidth, stride)) {
      throw new RangeError(`predictor ${image.predictor} with ${layout.bits} bits`);
    }
    if (image.predictor === 3) layout = { ...layout, littleEndian: true };
  }
  return decodeSamples(flat, layout, image.blockWidth * stride, rows);
}

async function decompress(image: TiffImage, bytes: Uint8Array, needed: number): Promise<Uint8Array> {
  switch (image.compression) {
    case 1:
      return bytes;
    case 5: {
      const output = new Uint8Array(needed);
      const written = decodeLzw(bytes, output);
      if (written < 0) throw new RangeError('LZW code out of range');
      return output.subarray(0, written);
    }
    case 32773: {
      const output = new Uint8Array(needed);
      return output.subarray(0, decodePackBits(bytes, output));
    }
    case 50000:
      return unzstd(bytes, { maxOutputLength: ceiling(image) });
    default:
      return inflate(bytes, { maxOutputLength: ceiling(image) });
  }
}

/** The last strip may be stored whole although the image ends within it. */
function ceiling(image: TiffImage): number {
  const stride = image.separate ? 1 : image.samplesPerPixel;
  return rowBytes(image.layout, image.blockWidth * stride) * image.blockHeight + 65_536;
}

function reverseBits(bytes: Uint8Array): void {
  for (let index = 0; index < bytes.length; index++) {
    let byte = bytes[index]!;
    byte = ((byte & 0xf0) >> 4) | ((byte & 0x0f) << 4);
    byte = ((byte & 0xcc) >> 2) | ((byte & 0x33) << 2);
    bytes[index] = ((byte & 0xaa) >> 1) | ((byte & 0x55) << 1);
  }
}

async function jpegBlock(
  image: TiffImage,
  bytes: Uint8Array,
  stride: number,
  rows: number,
): Promise<Samples> {
  const stream = wholeJpeg(image, bytes, stride);
  const size = jpegSize(stream);
  if (size === null) throw new RangeError('no JPEG frame in it');
  if (size.width !== image.blockWidth || size.height < rows || size.height > image.blockHeight) {
    throw new RangeError(`a JPEG of ${size.width} × ${size.height} pixels`);
  }
  if (size.components !== stride) throw new RangeError(`a JPEG of ${size.components} components`);
  if (stride === 1 || stride === 3) {
    const { default: sharp } = await import('sharp');
    const { data } = await sharp(stream, {
      failOn: 'error',
      limitInputPixels: size.width * size.height,
      ignoreIcc: true,
    })
      .toColourspace(stride === 1 ? 'b-w' : 'srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (data.length < image.blockWidth * stride * rows)
      throw new RangeError(`${data.length} bytes of pixels`);
    return data.subarray(0, image.blockWidth * stride * rows);
  }
  // Other numbers of components are plain measurements, which sharp would take for CMYK.
  const decoder = await getDecoder(7, {
    tileWidth: image.blockWidth,
    tileHeight: rows,
    predictor: 1,
    bitsPerSample: 8,
    planarConfiguration: 1,
  });
  return new Uint8Array(await decoder.decode(Uint8Array.from(stream).buffer)).subarray(
    0,
    image.blockWidth * stride * rows,
  );
}

/** A block's stream with the shared tables in front, and a marker that says whether three components are YCbCr or RGB. */
function wholeJpeg(image: TiffImage, bytes: Uint8Array, stride: number): Uint8Array {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new RangeError('no JPEG stream');
  const pieces: Uint8Array[] = [Uint8Array.of(0xff, 0xd8)];
  if (stride === 3) {
    const transform = image.photometric === 6 ? 1 : 0;
    pieces.push(
      Uint8Array.of(0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform),
    );
  }
  const tables = image.jpegTables;
  if (tables !== null && tables.length > 4) {
    const ended = tables[tables.length - 2] === 0xff && tables[tables.length - 1] === 0xd9;
    pieces.push(tables.subarray(2, ended ? tables.length - 2 : tables.length));
  }
  pieces.push(bytes.subarray(2));
  return Buffer.concat(pieces);
}

/** Size and components in the frame header of a JPEG stream (ITU-T T.81 B.2.2), null where there is none. */
function jpegSize(stream: Uint8Array): { width: number; height: number; components: number } | null {
  let at = 2;
  while (at + 9 < stream.length) {
    if (stream[at] !== 0xff) return null;
    const marker = stream[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) {
      return {
        height: (stream[at + 5]! << 8) | stream[at + 6]!,
        width: (stream[at + 7]! << 8) | stream[at + 8]!,
        components: stream[at + 9]!,
      };
    }
    if (marker === 0xda || marker === 0xd9) return null;
    at += 2 + ((stream[at + 2]! << 8) | stream[at + 3]!);
  }
  return null;
}

async function webpBlock(
  image: TiffImage,
  bytes: Uint8Array,
  stride: number,
  rows: number,
): Promise<Samples> {
  if (stride !== 3 && stride !== 4) throw new RangeError(`WebP with ${stride} samples`);
  const limit = image.blockWidth * image.blockHeight;
  const { default: sharp } = await import('sharp');
  const picture = sharp(bytes, { failOn: 'error', limitInputPixels: limit, ignoreIcc: true });
  const { data, info } = await (stride === 4 ? picture.ensureAlpha() : picture.removeAlpha())
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.width !== image.blockWidth || info.height < rows || info.channels !== stride) {
    throw new RangeError(`a WebP of ${info.width} × ${info.height} pixels`);
  }
  return data.subarray(0, image.blockWidth * stride * rows);
}

function nativeLayout(image: TiffImage): TiffImage['layout'] {
  return { ...image.layout, littleEndian: new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 };
}

async function lercBlock(
  image: TiffImage,
  bytes: Uint8Array,
  needed: number,
  stride: number,
  rows: number,
): Promise<Uint8Array> {
  // LERC keeps its own header and mask beside the samples; the allowance covers both.
  const limit = { maxOutputLength: needed * 2 + 65_536 };
  const plain =
    image.lercCompression === 1
      ? await inflate(bytes, limit)
      : image.lercCompression === 2
        ? await unzstd(bytes, limit)
        : bytes;
  const header = readLercHeader(plain);
  const fits = header.height >= rows && header.height <= image.blockHeight && header.samples <= stride;
  if (header.width !== image.blockWidth || !fits) {
    throw new RangeError(`a LERC block of ${header.width} × ${header.height} pixels`);
  }
  const decoder = await getDecoder(34887, {
    tileWidth: image.blockWidth,
    tileHeight: rows,
    predictor: 1,
    bitsPerSample: image.layout.bits,
    planarConfiguration: stride === 1 ? 2 : 1,
    LercParameters: [0, 0],
  } as Parameters<typeof getDecoder>[1]);
  const samples = await decoder.decode(Uint8Array.from(plain).buffer);
  // GDAL stores NaN as pixels outside LERC's mask, which decode as 0.
  if (image.layout.format === 'float' && header.outside !== null) {
    const values = image.layout.bits === 64 ? new Float64Array(samples) : new Float32Array(samples);
    for (let at = 0; at < values.length; at++) {
      const pixel = Math.floor(at / header.samples);
      if (header.outside[pixel] === 1) values[at] = Number.NaN;
    }
  }
  return new Uint8Array(samples);
}
