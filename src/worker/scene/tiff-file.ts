import type { FileHandle } from 'node:fs/promises';
import { GeoTIFF, type ImageFileDirectory } from 'geotiff';
import { Problem } from '../report/problem.ts';
import type { GeoKeys } from './geokeys.ts';
import type { SampleLayout } from './sample-layout.ts';

/** Where a TIFF's bytes come from: a file, or a buffer that holds all of it. */
export interface ByteSource {
  size: number;
  /** Bytes [offset, offset + length), fewer at the end of the source. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

export function bytesOfFile(file: FileHandle, size: number): ByteSource {
  return {
    size,
    async read(offset, length) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = new Uint8Array(wanted);
      let done = 0;
      while (done < wanted) {
        const { bytesRead } = await file.read(bytes, done, wanted - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done === wanted ? bytes : bytes.slice(0, done);
    },
    close: () => file.close(),
  };
}

export function bytesOfBuffer(buffer: Uint8Array): ByteSource {
  return {
    size: buffer.length,
    read: async (offset, length) => new Uint8Array(buffer.subarray(offset, offset + length)),
    close: async () => {},
  };
}

/** One image of a TIFF: the tags that reading needs, checked and with TIFF's defaults filled in. */
export interface TiffImage {
  width: number;
  height: number;
  /** 0 a full image, bit 1 a reduced one, bit 4 a mask (TIFF's NewSubfileType). */
  subfileType: number;
  tiled: boolean;
  blockWidth: number;
  blockHeight: number;
  samplesPerPixel: number;
  /** Samples of a pixel lie in separate blocks. */
  separate: boolean;
  layout: SampleLayout;
  compression: number;
  photometric: number;
  predictor: number;
  reversedBits: boolean;
  /** Of each block, row-major, sample by sample where separate. */
  offsets: ArrayLike<number>;
  byteCounts: ArrayLike<number>;
  jpegTables: Uint8Array | null;
  /** Second entry of LERC's parameters: 0 plain, 1 deflate, 2 Zstandard on top. */
  lercCompression: number;
  /** 3 · 2^bits entries: all reds, all greens, all blues; 16 bits each. */
  colourMap: ArrayLike<number> | null;
  extraSamples: number[];
}

/** Georeferencing and metadata tags of the first image. */
export interface TiffTags {
  noData: string | null;
  metadata: string;
  geoKeys: GeoKeys | null;
  transformation: number[] | null;
  pixelScale: number[] | null;
  tiePoints: number[] | null;
}

export interface TiffFile {
  bigTiff: boolean;
  littleEndian: boolean;
  images: TiffImage[];
  tags: TiffTags;
}

/** More metadata than this in one tag is no raster we know of; it bounds what a damaged header can make us allocate. */
const largestTag = 64 * 2 ** 20;
/** Pyramids, masks and pages of real files stay far below this. */
const mostImages = 256;

/** Reads all directories of a TIFF; pixels are not touched. Throws `scene/corrupt` or `scene/truncated`. */
export async function readTiff(source: ByteSource, path: string): Promise<TiffFile> {
  const bounded = {
    fileSize: source.size,
    async fetch(slices: { offset: number; length: number }[]): Promise<ArrayBuffer[]> {
      return Promise.all(
        slices.map(async ({ offset, length }) => {
          if (!(offset >= 0) || offset >= source.size)
            throw new RangeError(`offset ${offset} beyond the file`);
          if (!(length >= 0) || length > largestTag) throw new RangeError(`a tag of ${length} bytes`);
          return (await source.read(offset, length)).buffer;
        }),
      );
    },
    async fetchSlice(slice: { offset: number; length: number }) {
      return { ...slice, data: (await this.fetch([slice]))[0]! };
    },
    close: async () => {},
  };
  try {
    const tiff = await GeoTIFF.fromSource(bounded);
    // Large arrays that the library would load piece by piece are read in the wrong byte order from big-endian files.
    tiff.parser.eager = true;
    const directories: ImageFileDirectory[] = [];
    const visited = new Set<number>();
    let offset = tiff.firstIFDOffset;
    while (offset !== 0 && !visited.has(offset) && directories.length < mostImages) {
      visited.add(offset);
      let directory: ImageFileDirectory;
      try {
        directory = await tiff.parser.parseFileDirectoryAt(offset);
      } catch (cause) {
        // A damaged further page costs that page, not the scene.
        if (directories.length > 0) break;
        throw cause;
      }
      directories.push(directory);
      offset = directory.nextIFDByteOffset;
    }
    const first = directories[0];
    if (first === undefined) throw new RangeError('no image in it');
    const images = [imageOf(first, tiff.littleEndian)];
    for (const directory of directories.slice(1)) {
      try {
        images.push(imageOf(directory, tiff.littleEndian));
      } catch {
        // As above: an overview that cannot be understood is left out.
      }
    }
    return { bigTiff: tiff.bigTiff, littleEndian: tiff.littleEndian, images, tags: tagsOf(first) };
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem(
      'scene/corrupt',
      `${path}: the TIFF header is damaged or cut short (${cause instanceof Error ? cause.message : String(cause)}).`,
      'Fetch the file again; gdalinfo shows whether other programs can read it.',
      cause,
    );
  }
}

type Tag = Parameters<ImageFileDirectory['hasTag']>[0];

function raw(directory: ImageFileDirectory, tag: Tag): unknown {
  return directory.hasTag(tag) ? directory.getValue(tag as 'ImageWidth') : undefined;
}

function array(directory: ImageFileDirectory, tag: Tag): ArrayLike<number> | null {
  const value = raw(directory, tag);
  if (typeof value === 'number') return [value];
  return Array.isArray(value) || ArrayBuffer.isView(value) ? (value as unknown as ArrayLike<number>) : null;
}

function number(directory: ImageFileDirectory, tag: Tag, fallback: number): number {
  const value = array(directory, tag)?.[0];
  return value === undefined ? fallback : Number(value);
}

function numbers(directory: ImageFileDirectory, tag: Tag): number[] | null {
  const values = array(directory, tag);
  return values === null ? null : Array.from(values, Number);
}

function text(directory: ImageFileDirectory, tag: Tag): string | null {
  const value = raw(directory, tag);
  return typeof value === 'string' ? value.split('\0')[0]!.trim() : null;
}

function tagsOf(directory: ImageFileDirectory): TiffTags {
  let geoKeys: GeoKeys | null = null;
  try {
    geoKeys = directory.parseGeoKeyDirectory();
  } catch {
    // Keys that point nowhere: the scene opens without a system.
  }
  return {
    noData: text(directory, 'GDAL_NODATA'),
    metadata: text(directory, 'GDAL_METADATA') ?? '',
    geoKeys,
    transformation: numbers(directory, 'ModelTransformation'),
    pixelScale: numbers(directory, 'ModelPixelScale'),
    tiePoints: numbers(directory, 'ModelTiepoint'),
  };
}

const formats: Record<number, SampleLayout['format']> = {
  1: 'unsigned',
  2: 'signed',
  3: 'float',
  4: 'unsigned',
  5: 'complex-integer',
  6: 'complex-float',
};

function imageOf(directory: ImageFileDirectory, littleEndian: boolean): TiffImage {
  const width = size(directory, 'ImageWidth', 0);
  const height = size(directory, 'ImageLength', 0);
  const samplesPerPixel = number(directory, 'SamplesPerPixel', 1);
  if (!Number.isInteger(samplesPerPixel) || samplesPerPixel < 1 || samplesPerPixel > 65_535) {
    throw new RangeError(`${samplesPerPixel} samples per pixel`);
  }
  const bits = same(directory, 'BitsPerSample', 1);
  if (!Number.isInteger(bits) || bits < 1 || bits > 128) throw new RangeError(`${bits} bits per sample`);
  const format = formats[same(directory, 'SampleFormat', 1)];
  if (format === undefined) throw new RangeError(`sample format ${same(directory, 'SampleFormat', 1)}`);
  const tiled = directory.hasTag('TileOffsets') || directory.hasTag('TileWidth');
  const compression = number(directory, 'Compression', 1);
  const blockWidth = tiled ? size(directory, 'TileWidth', 0) : width;
  const rowsPerStrip = number(directory, 'RowsPerStrip', height);
  const blockHeight = tiled ? size(directory, 'TileLength', 0) : Math.min(height, Math.max(1, rowsPerStrip));
  const separate = number(directory, 'PlanarConfiguration', 1) === 2 && samplesPerPixel > 1;
  const tables = array(directory, 'JPEGTables');
  return {
    width,
    height,
    subfileType: number(directory, 'NewSubfileType', 0),
    tiled,
    blockWidth,
    blockHeight,
    samplesPerPixel,
    separate,
    layout: { bits, format, littleEndian },
    compression,
    photometric: number(directory, 'PhotometricInterpretation', 1),
    predictor: number(directory, 'Predictor', 1),
    reversedBits: number(directory, 'FillOrder', 1) === 2,
    offsets: array(directory, tiled ? 'TileOffsets' : 'StripOffsets') ?? [],
    byteCounts: array(directory, tiled ? 'TileByteCounts' : 'StripByteCounts') ?? [],
    jpegTables: tables === null ? null : Uint8Array.from(tables),
    lercCompression: numbers(directory, 'LercParameters')?.[1] ?? 0,
    colourMap: array(directory, 'ColorMap'),
    extraSamples: numbers(directory, 'ExtraSamples') ?? [],
  };
}

function size(directory: ImageFileDirectory, tag: Tag, fallback: number): number {
  const value = number(directory, tag, fallback);
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) throw new RangeError(`${tag} ${value}`);
  return value;
}

/** The value that all samples share; images that mix types are not read. */
function same(directory: ImageFileDirectory, tag: Tag, fallback: number): number {
  const values = array(directory, tag);
  if (values === null || values.length === 0) return fallback;
  for (let index = 1; index < values.length; index++) {
    if (values[index] !== values[0]) throw new RangeError(`samples that differ in ${tag}`);
  }
  return values[0]!;
}
