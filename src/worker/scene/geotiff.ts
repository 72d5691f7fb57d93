import { open } from 'node:fs/promises';
import type { Bands, Samples } from '../raster/bands.ts';
import type { Grid, Window } from '../raster/grid.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { type BandMetadata, parseBandMetadata, roleOfName } from './band-metadata.ts';
import { BlockCache } from './block-cache.ts';
import { type BlockImage, gather } from './block-image.ts';
import { checkBands } from './check-bands.ts';
import { type Georeference, georeferenceOf } from './georeference.ts';
import { groundSampleDistance } from './ground-sample-distance.ts';
import { bytesPerElement, rowBytes, samplesOf, sampleType } from './sample-layout.ts';
import type { BandHeader, Scene, SceneHeader } from './scene.ts';
import { compressionName, decodeBlock, unreadableReason } from './tiff-codec.ts';
import { type ByteSource, bytesOfFile, readTiff, type TiffFile, type TiffImage } from './tiff-file.ts';
import { clearNodata, markInside } from './validity.ts';

export interface GeoTiffOptions {
  /** Bound of the decoded blocks kept, bytes. */
  cacheBytes: number;
  /** Opens a file that is cut short, too: its header can be shown, and reading a missing block is a Problem. */
  allowIncomplete: boolean;
  /** Whether a palette raster reads as its three colours (default) or as one band of palette indices. */
  paletteAs?: 'colours' | 'indices';
}

export interface GeoTiffScene extends Scene {
  /** Pixels that are decoded at once: a tile, or as many rows of a strip. */
  readonly blockSize?: { readonly width: number; readonly height: number };
  /** Of a palette raster: 8-bit reds, greens and blues by index; else null. */
  readonly palette?: readonly Uint8Array[] | null;
  /** Blocks decoded so far. */
  blockReads(): number;
}

/** One resolution of the scene: its samples, and the mask stored beside them. */
interface Level {
  image: BlockImage;
  mask: BlockImage | null;
}

const largestBlock = 512 * 2 ** 20;
/** Uncompressed strips are read in pieces of about this size, so that a file of one huge strip costs no more. */
const pieceBytes = 2 ** 20;

/** Opens a TIFF, GeoTIFF, COG or BigTIFF file. `.ovr` and `.msk` files beside it are used too. */
export async function openGeoTiff(path: string, options: GeoTiffOptions): Promise<GeoTiffScene> {
  const sources: ByteSource[] = [];
  const source = await sourceOf(path);
  sources.push(source);
  try {
    const file = await readTiff(source, path);
    const georeference = await georeferenceOf(file.tags, path);
    const extra: { file: TiffFile; source: ByteSource; ending: string }[] = [];
    for (const ending of ['.ovr', '.msk']) {
      const beside = await sourceOf(path + ending).catch(() => null);
      if (beside === null) continue;
      sources.push(beside);
      const besideFile = await readTiff(beside, path + ending).catch(() => null);
      if (besideFile !== null) extra.push({ file: besideFile, source: beside, ending });
    }
    return tiffScene(path, file, source, georeference, extra, sources, options);
  } catch (failure) {
    for (const opened of sources) await opened.close();
    throw failure;
  }
}

async function sourceOf(path: string): Promise<ByteSource> {
  const handle = await open(path, 'r');
  const { size } = await handle.stat();
  return bytesOfFile(handle, size);
}

/** A scene over a TIFF that was already parsed; closing it closes `sources`. */
export function tiffScene(
  path: string,
  file: TiffFile,
  source: ByteSource,
  georeference: Georeference,
  extra: readonly { file: TiffFile; source: ByteSource; ending: string }[],
  sources: readonly ByteSource[],
  options: GeoTiffOptions,
): GeoTiffScene {
  const main = file.images[0]!;
  const type = sampleType(main.layout);
  if (type === null) {
    throw new Problem(
      'scene/unsupported',
      `${path}: samples of ${main.layout.bits} bits (${main.layout.format}) cannot be read.`,
      'Convert the file first, for example with gdal_translate -ot Float32.',
    );
  }
  const incomplete = missingBlocks(main, source, path);
  if (incomplete !== null && !options.allowIncomplete) throw incomplete;
  const nodata = parseNodata(file.tags.noData, type);
  const cache = new BlockCache(options.cacheBytes);
  const { levels, masked } = levelsOf(path, file, source, extra, nodata);
  const metadata = parseBandMetadata(file.tags.metadata);
  const alpha = alphaSample(main, metadata);
  const colourTable = main.photometric === 3 && main.colourMap !== null ? coloursOf(main) : null;
  const palette = options.paletteAs === 'indices' ? null : colourTable;
  const inverted =
    main.photometric === 0 && (type === 'uint8' || type === 'uint16') ? 2 ** main.layout.bits - 1 : null;
  const bands = palette !== null ? paletteBands() : bandsOf(metadata, main, type, nodata, alpha);
  const header = headerOf(path, file, georeference, bands, levels, masked, alpha, palette !== null);
  if (incomplete !== null) header.details.warning = incomplete.message;

  async function read(
    window: Window,
    wanted: readonly number[],
    level: number,
    signal?: AbortSignal,
  ): Promise<Bands> {
    throwIfCancelled(signal);
    const chosen = levels[level];
    if (chosen === undefined) throw new RangeError(`level ${level} of ${levels.length}`);
    checkBands(wanted, bands.length, path);
    const count = window.width * window.height;
    const valid = new Uint8Array(count);
    markInside(valid, window, chosen.image.width, chosen.image.height);
    const samples = palette !== null ? [0] : [...wanted];
    const planes: Samples[] = samples.map(() => samplesOf(type!, count));
    const all = alpha === null ? planes : [...planes, samplesOf(type!, count)];
    await gather(chosen.image, cache, window, alpha === null ? samples : [...samples, alpha], all, signal);
    if (chosen.mask !== null) {
      const mask = new Uint8Array(count);
      await gather(chosen.mask, cache, window, [0], [mask], signal);
      for (let at = 0; at < count; at++) if (mask[at] === 0) valid[at] = 0;
    }
    if (alpha !== null) {
      const opacity = all[planes.length]!;
      for (let at = 0; at < count; at++) if (!(opacity[at]! > 0)) valid[at] = 0;
    }
    const measured = samples.flatMap((sample, index) => (sample === alpha ? [] : [planes[index]!]));
    clearNodata(
      valid,
      measured,
      measured.map(() => nodata),
    );
    if (inverted !== null) {
      for (const plane of measured) for (let at = 0; at < count; at++) plane[at] = inverted - plane[at]!;
    }
    if (palette === null) return { width: window.width, height: window.height, planes, valid };
    const index = planes[0]!;
    const colours = wanted.map((band) => {
      const table = palette[band]!;
      const plane = new Uint8Array(count);
      for (let at = 0; at < count; at++) plane[at] = table[index[at]!]!;
      return plane;
    });
    return { width: window.width, height: window.height, planes: colours, valid };
  }

  return {
    header,
    read,
    blockSize: { width: levels[0]!.image.blockWidth, height: levels[0]!.image.blockHeight },
    palette: colourTable,
    blockReads: () => cache.reads,
    async close() {
      cache.clear();
      for (const opened of sources) await opened.close();
    },
  };
}

function blocksAcross(image: TiffImage): number {
  return Math.ceil(image.width / image.blockWidth);
}

function blocksDown(image: TiffImage): number {
  return Math.ceil(image.height / image.blockHeight);
}

function stride(image: TiffImage): number {
  return image.separate ? 1 : image.samplesPerPixel;
}

/** A file that ends before its last block would fail after hours of work: refuse it at once. */
function missingBlocks(image: TiffImage, source: ByteSource, path: string): Problem | null {
  const blocks = blocksAcross(image) * blocksDown(image) * (image.separate ? image.samplesPerPixel : 1);
  const { offsets, byteCounts } = image;
  const row = rowBytes(image.layout, image.blockWidth * stride(image));
  let missing = Math.max(0, blocks - offsets.length);
  const known = Math.min(blocks, offsets.length);
  for (let block = 0; block < known; block++) {
    const offset = Number(offsets[block]);
    if (offset === 0) continue;
    const stored = Number(byteCounts[block] ?? 1);
    const rows = image.tiled
      ? image.blockHeight
      : Math.min(image.blockHeight, image.height - (block % blocksDown(image)) * image.blockHeight);
    const needed = image.compression === 1 ? Math.min(stored, row * rows) : stored;
    if (offset + needed > source.size) missing++;
  }
  if (missing === 0) return null;
  return new Problem(
    'scene/truncated',
    `${path} is cut short: ${missing} of its ${blocks} blocks of pixels are missing.`,
    'Copy or download the file again.',
  );
}

function levelsOf(
  path: string,
  file: TiffFile,
  source: ByteSource,
  extra: readonly { file: TiffFile; source: ByteSource; ending: string }[],
  nodata: number | null,
): { levels: Level[]; masked: boolean } {
  const main = file.images[0]!;
  const candidates = [
    ...file.images
      .slice(1)
      .map((image) => ({ image, source, reduced: (image.subfileType & 1) !== 0, mask: false })),
    ...extra.flatMap((beside) =>
      beside.file.images.map((image) => ({
        image,
        source: beside.source,
        reduced: beside.ending === '.ovr',
        mask: beside.ending === '.msk',
      })),
    ),
  ].map((candidate) => ({ ...candidate, mask: candidate.mask || (candidate.image.subfileType & 4) !== 0 }));
  const masks = candidates.filter(
    ({ image, mask }) => mask && image.samplesPerPixel === 1 && image.layout.bits <= 8,
  );
  const levelOf = (image: TiffImage, from: ByteSource, index: number): Level => {
    const mask = masks.find(
      (entry) => entry.image.width === image.width && entry.image.height === image.height,
    );
    return {
      image: blockImage(`${index}`, image, from, path, nodata ?? 0),
      mask: mask === undefined ? null : blockImage(`mask ${index}`, mask.image, mask.source, path, 0),
    };
  };
  const levels = [levelOf(main, source, 0)];
  const masked = levels[0]!.mask !== null;
  const overviews = candidates
    .filter(
      ({ image, reduced, mask }) => reduced && !mask && image.width < main.width && sameSamples(image, main),
    )
    .sort((a, b) => b.image.width - a.image.width);
  for (const { image, source: from } of overviews) {
    const level = levelOf(image, from, levels.length);
    // An overview that lost its mask would show filled-in pixels as measurements.
    if (masked && level.mask === null) continue;
    if (levels.some((other) => other.image.width === image.width)) continue;
    levels.push(level);
  }
  return { levels, masked };
}

function sameSamples(a: TiffImage, b: TiffImage): boolean {
  return (
    a.samplesPerPixel === b.samplesPerPixel &&
    a.layout.bits === b.layout.bits &&
    a.layout.format === b.layout.format &&
    (a.photometric === 3) === (b.photometric === 3)
  );
}

function blockImage(
  key: string,
  image: TiffImage,
  source: ByteSource,
  path: string,
  fill: number,
): BlockImage {
  const across = blocksAcross(image);
  const down = blocksDown(image);
  const row = rowBytes(image.layout, image.blockWidth * stride(image));
  const pieceHeight = piecesOf(image, row);
  const elements = stride(image) * image.blockWidth;
  const decodedBytes = elements * pieceHeight * bytesPerElement(sampleType(image.layout) ?? 'float64');
  const reason = unreadableReason(image);

  async function load(plane: number, pieceRow: number, blockColumn: number): Promise<Samples | null> {
    const firstRow = pieceRow * pieceHeight;
    const blockRow = Math.floor(firstRow / image.blockHeight);
    const block = plane * across * down + blockRow * across + blockColumn;
    const offset = Number(image.offsets[block] ?? 0);
    const stored = Number(image.byteCounts[block] ?? (image.compression === 1 ? row * image.blockHeight : 0));
    if (offset === 0 || stored === 0) return null;
    if (reason !== null) {
      throw new Problem(
        'scene/unsupported',
        `${path}: ${reason} cannot be read.`,
        'Convert the file first, for example with gdal_translate -co COMPRESS=DEFLATE.',
      );
    }
    if (decodedBytes > largestBlock || row * pieceHeight > largestBlock) {
      throw new Problem(
        'scene/block-too-large',
        `${path} stores its pixels in compressed blocks of ${image.blockWidth} × ${image.blockHeight} pixels, too large to open piece by piece.`,
        'Store it in tiles first, for example with gdal_translate -co TILED=YES -co COMPRESS=DEFLATE.',
      );
    }
    const skipped = (firstRow - blockRow * image.blockHeight) * row;
    const rows = image.tiled ? image.blockHeight : Math.min(pieceHeight, image.height - firstRow);
    // A block never needs much more than its plain size, whatever its byte count says.
    const most = image.compression === 1 ? row * rows : 2 * row * image.blockHeight + 65_536;
    try {
      const bytes = await source.read(offset + skipped, Math.min(stored - skipped, most));
      return await decodeBlock(image, bytes, rows);
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      const text = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
      throw new Problem(
        'scene/corrupt',
        `${path}: the block of pixels at column ${blockColumn * image.blockWidth}, row ${firstRow} is damaged (${text}).`,
        'Copy or download the file again.',
        cause,
      );
    }
  }

  return {
    key,
    width: image.width,
    height: image.height,
    blockWidth: image.blockWidth,
    blockHeight: pieceHeight,
    interleaved: stride(image),
    fill,
    load,
  };
}

/** Rows read at a time: a block, or an equal part of a large uncompressed strip. */
function piecesOf(image: TiffImage, row: number): number {
  if (image.tiled || image.compression !== 1 || row * image.blockHeight <= pieceBytes)
    return image.blockHeight;
  const wanted = Math.max(1, Math.floor(pieceBytes / row));
  if (image.blockHeight >= image.height) return wanted;
  // Pieces must not straddle strips, which need not follow each other in the file.
  for (let rows = wanted; rows > 1; rows--) if (image.blockHeight % rows === 0) return rows;
  return 1;
}

const ranges: Partial<Record<BandHeader['type'], readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** The nodata value, null where there is none or where no sample of this type can hold it. */
function parseNodata(text: string | null, type: BandHeader['type']): number | null {
  if (text === null || text === '') return null;
  const value = /^[+-]?nan$/i.test(text)
    ? Number.NaN
    : Number(text.replace(/^([+-]?)inf(inity)?$/i, '$1Infinity'));
  if (Number.isNaN(value) && !/nan/i.test(text)) return null;
  const range = ranges[type];
  if (range === undefined) return value;
  return Number.isInteger(value) && value >= range[0] && value <= range[1] ? value : null;
}

/** GDAL's own interpretation, where it was written down, overrules the TIFF tag. */
function alphaSample(image: TiffImage, metadata: BandMetadata): number | null {
  for (const [sample, interpretation] of metadata.interpretations) {
    if (interpretation === 'alpha' && sample > 0 && sample < image.samplesPerPixel) return sample;
  }
  const colours = image.samplesPerPixel - image.extraSamples.length;
  for (let extra = 0; extra < image.extraSamples.length; extra++) {
    const kind = image.extraSamples[extra];
    const declared = (kind === 1 || kind === 2) && colours + extra > 0;
    if (declared && !metadata.interpretations.has(colours + extra)) return colours + extra;
  }
  return null;
}

function paletteBands(): BandHeader[] {
  return ['red', 'green', 'blue'].map((role) => ({ name: role, role, type: 'uint8', nodata: null }));
}

/** 8-bit red, green and blue of every index. */
function coloursOf(image: TiffImage): Uint8Array[] {
  const map = image.colourMap!;
  const size = Math.floor(map.length / 3);
  let largest = 0;
  for (let at = 0; at < map.length; at++) largest = Math.max(largest, map[at]!);
  // Some writers put 8-bit colours into the 16-bit table.
  const divisor = largest > 255 ? 257 : 1;
  return [0, 1, 2].map((channel) => {
    const table = new Uint8Array(size);
    for (let at = 0; at < size; at++) table[at] = Math.floor((map[channel * size + at] ?? 0) / divisor);
    return table;
  });
}

function bandsOf(
  metadata: BandMetadata,
  image: TiffImage,
  type: BandHeader['type'],
  nodata: number | null,
  alpha: number | null,
): BandHeader[] {
  const colour = (image.photometric === 2 || image.photometric === 6) && image.samplesPerPixel >= 3;
  const bands: BandHeader[] = [];
  for (let sample = 0; sample < image.samplesPerPixel; sample++) {
    const name = metadata.names.get(sample) ?? `band ${sample + 1}`;
    const interpretation = metadata.interpretations.get(sample);
    let role = roleOfName(interpretation ?? '') ?? roleOfName(name);
    if (role === null && interpretation === undefined && colour && sample < 3)
      role = ['red', 'green', 'blue'][sample]!;
    if (role === null && image.samplesPerPixel - (alpha === null ? 0 : 1) === 1) role = 'grey';
    if (sample === alpha) role = 'alpha';
    bands.push({ name, role, type, nodata: sample === alpha ? null : nodata });
  }
  return bands;
}

function headerOf(
  path: string,
  file: TiffFile,
  georeference: Georeference,
  bands: BandHeader[],
  levels: readonly Level[],
  masked: boolean,
  alpha: number | null,
  palette: boolean,
): SceneHeader {
  const image = file.images[0]!;
  const grid: Grid = {
    width: image.width,
    height: image.height,
    transform: georeference.transform,
    crs: georeference.crs,
  };
  if (georeference.groundControl !== undefined) grid.groundControl = georeference.groundControl;
  const details: Record<string, string> = {
    compression: compressionName(image.compression),
    layout: image.tiled
      ? `tiles of ${image.blockWidth} × ${image.blockHeight}`
      : `strips of ${image.blockHeight} ${image.blockHeight === 1 ? 'row' : 'rows'}`,
  };
  if (image.samplesPerPixel > 1) details.interleaving = image.separate ? 'band by band' : 'by pixel';
  if (image.predictor !== 1) details.predictor = String(image.predictor);
  if (image.layout.bits % 8 !== 0) details['bits per sample'] = String(image.layout.bits);
  if (!file.littleEndian) details['byte order'] = 'big-endian';
  if (palette) details.colours = 'from a palette';
  const colourModel: Record<number, string> = {
    0: 'white is zero, inverted',
    5: 'CMYK, read as it is',
    8: 'CIE Lab, read as it is',
  };
  if (colourModel[image.photometric] !== undefined) details.colours = colourModel[image.photometric]!;
  if (masked) details.mask = 'in the file';
  if (alpha !== null) details.alpha = `band ${alpha + 1}`;
  if (georeference.note !== null) details.georeference = georeference.note;
  if (file.tags.geoKeys?.GTRasterTypeGeoKey === 2) details.pixels = 'are points';
  if (bands[0]!.type === 'complex') details.samples = 'complex, read as their magnitude';
  if (parseBandMetadata(file.tags.metadata).scaled.length > 0)
    details.scaling = 'scale and offset in the file, not applied';
  const pages = file.images.filter((page, index) => index > 0 && page.subfileType === 0).length;
  if (pages > 0) details.pages = `${pages + 1}, the first is read`;
  const reason = unreadableReason(image);
  if (reason !== null) details.warning = `${reason} cannot be read`;
  return {
    path,
    format: file.bigTiff ? 'BigTIFF' : 'GeoTIFF',
    grid,
    bands,
    overviews: levels.slice(1).map((level) => ({ width: level.image.width, height: level.image.height })),
    groundSampleDistance: groundSampleDistance(grid),
    details,
  };
}
