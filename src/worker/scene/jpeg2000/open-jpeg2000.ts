import { open } from 'node:fs/promises';
import type { Samples } from '../../raster/bands.ts';
import type { Grid } from '../../raster/grid.ts';
import { Problem, throwIfCancelled } from '../../report/problem.ts';
import { BlockCache } from '../block-cache.ts';
import { type BlockImage, gather } from '../block-image.ts';
import { checkBands } from '../check-bands.ts';
import type { GeoTiffOptions, GeoTiffScene } from '../geotiff.ts';
import { groundSampleDistance } from '../ground-sample-distance.ts';
import type { BandHeader, SceneHeader } from '../scene.ts';
import { type ByteSource, bytesOfFile } from '../tiff-file.ts';
import { markInside } from '../validity.ts';
import { jp2Georeference, readBoxes } from './boxes.ts';
import { type Codestream, readCodestream, tileBox, tileStream, UnsupportedCodestream } from './codestream.ts';
import { decodeCodestream } from './decoder.ts';

/** Samples of the largest tile that is decoded: the decoder takes about 16 bytes for each. */
const largestTile = 64 * 2 ** 20;
/** Reduced images stop where one is at most this wide and high. */
const smallestOverview = 128;

/**
 * Opens a JPEG 2000 file (JP2 or bare codestream), decoded tile by tile. Its reduced resolutions are the overviews. No
 * nodata: the format has none.
 */
export async function openJpeg2000(path: string, options: GeoTiffOptions): Promise<GeoTiffScene> {
  const handle = await open(path, 'r');
  let source: ByteSource;
  try {
    source = bytesOfFile(handle, (await handle.stat()).size);
  } catch (failure) {
    await handle.close();
    throw failure;
  }
  return openJpeg2000From(path, source, options);
}

/** As `openJpeg2000`, of bytes that lie in an archive, perhaps; the scene closes them. `path` is what Problems name. */
export async function openJpeg2000From(
  path: string,
  source: ByteSource,
  options: GeoTiffOptions,
): Promise<GeoTiffScene> {
  try {
    const boxes = await readBoxes(source);
    const stream = await readCodestream(source, boxes.from, boxes.to);
    const missing = stream.parts.filter((parts) => !whole(parts, source)).length;
    const cut = new Problem(
      'scene/truncated',
      `${path} is cut short: ${missing} of its ${stream.parts.length} tiles are missing.`,
      'Copy or download the file again.',
    );
    if (missing > 0 && !options.allowIncomplete) throw cut;
    if (stream.tileWidth * stream.tileHeight * stream.components > largestTile) {
      throw new Problem(
        'scene/block-too-large',
        `${path} stores its pixels in tiles of ${stream.tileWidth} × ${stream.tileHeight}, too large to open piece by piece.`,
        'Convert it first, for example with gdal_translate -co TILED=YES -co COMPRESS=DEFLATE.',
      );
    }
    const { transform, crs, note } = await jp2Georeference(boxes, path);
    const grid: Grid = { width: stream.width, height: stream.height, transform, crs };
    const scene = sceneOf(path, source, stream, grid, options);
    if (note !== null) scene.header.details.georeference = note;
    if (missing > 0) scene.header.details.warning = cut.message;
    return scene;
  } catch (cause) {
    await source.close();
    if (cause instanceof Problem) throw cause;
    if (cause instanceof UnsupportedCodestream) {
      throw new Problem(
        'scene/unsupported',
        `${path}: JPEG 2000 with ${cause.message} cannot be read.`,
        'Convert it to GeoTIFF first, for example with gdal_translate.',
      );
    }
    throw new Problem(
      'scene/corrupt',
      `${path}: the JPEG 2000 header is damaged or cut short (${cause instanceof Error ? cause.message : String(cause)}).`,
      'Copy or download the file again.',
      cause,
    );
  }
}

function whole(parts: Codestream['parts'][number], source: ByteSource): boolean {
  return parts.length > 0 && parts.every(({ offset, length }) => offset + length <= source.size);
}

function sceneOf(
  path: string,
  source: ByteSource,
  stream: Codestream,
  grid: Grid,
  options: GeoTiffOptions,
): GeoTiffScene {
  const cache = new BlockCache(options.cacheBytes);
  const images = [imageOf(path, source, stream, 0)];
  for (let level = 1; level <= stream.levels; level++) {
    const { width, height } = images[level - 1]!;
    const step = 2 ** level;
    const several = stream.parts.length > 1;
    // Tiles must meet at whole pixels of the reduced image.
    if (several && (stream.tileWidth % step !== 0 || stream.tileHeight % step !== 0)) break;
    if (width <= smallestOverview && height <= smallestOverview) break;
    images.push(imageOf(path, source, stream, level));
  }
  const bands = bandsOf(stream);
  const header: SceneHeader = {
    path,
    format: 'JPEG 2000',
    grid,
    bands,
    overviews: images.slice(1).map(({ width, height }) => ({ width, height })),
    groundSampleDistance: groundSampleDistance(grid),
    details: {
      compression: 'JPEG 2000',
      layout: `tiles of ${stream.tileWidth} × ${stream.tileHeight}`,
    },
  };
  if (stream.bits % 8 !== 0) header.details['bits per sample'] = String(stream.bits);
  return {
    header,
    blockSize: { width: stream.tileWidth, height: stream.tileHeight },
    palette: null,
    async read(window, wanted, level, signal) {
      throwIfCancelled(signal);
      const image = images[level];
      if (image === undefined) throw new RangeError(`level ${level} of ${images.length}`);
      checkBands(wanted, bands.length, path);
      const count = window.width * window.height;
      const valid = new Uint8Array(count);
      markInside(valid, window, image.width, image.height);
      const planes = wanted.map(() => samplesOf(stream, count));
      await gather(image, cache, window, wanted, planes, signal);
      return { width: window.width, height: window.height, planes, valid };
    },
    blockReads: () => cache.reads,
    async close() {
      cache.clear();
      await source.close();
    },
  };
}

function samplesOf({ bits, signed }: Codestream, count: number): Samples {
  if (bits <= 8) return signed ? new Int8Array(count) : new Uint8Array(count);
  return signed ? new Int16Array(count) : new Uint16Array(count);
}

function bandsOf(stream: Codestream): BandHeader[] {
  const type = stream.bits <= 8 ? (stream.signed ? 'int8' : 'uint8') : stream.signed ? 'int16' : 'uint16';
  const colours = ['red', 'green', 'blue'];
  return Array.from({ length: stream.components }, (_, band): BandHeader => {
    const role = stream.components === 1 ? 'grey' : stream.components === 3 ? colours[band]! : null;
    return { name: `band ${band + 1}`, role, type, nodata: null };
  });
}

/** The image at 1/2^level of its size; its blocks are the codestream's tiles. */
function imageOf(path: string, source: ByteSource, stream: Codestream, level: number): BlockImage {
  const step = 2 ** level;
  const blockWidth = Math.ceil(stream.tileWidth / step);
  const blockHeight = Math.ceil(stream.tileHeight / step);
  const across = Math.ceil(stream.width / stream.tileWidth);
  const { components } = stream;
  const bytesPerSample = stream.bits <= 8 ? 1 : 2;

  async function load(_: number, blockRow: number, blockColumn: number): Promise<Samples> {
    const tile = blockRow * across + blockColumn;
    const box = tileBox(stream, tile);
    const width = Math.ceil(box.right / step) - Math.ceil(box.left / step);
    const height = Math.ceil(box.bottom / step) - Math.ceil(box.top / step);
    const block = samplesOf(stream, blockWidth * blockHeight * components);
    let decoded: Samples;
    try {
      const stored = stream.parts[tile]!.reduce((sum, { length }) => sum + length, 0);
      const plain = (box.right - box.left) * (box.bottom - box.top) * components * bytesPerSample;
      if (stored > 2 * plain + 2 ** 20) throw new RangeError(`${stored} bytes for ${plain}`);
      const bytes = await decodeCodestream(
        await tileStream(source, stream, tile),
        level,
        width * height * components * bytesPerSample,
      );
      decoded = typed(stream, bytes.buffer);
    } catch (cause) {
      throw new Problem(
        'scene/corrupt',
        `${path}: the tile of pixels at column ${box.left}, row ${box.top} is damaged (${cause instanceof Error ? cause.message : String(cause)}).`,
        'Copy or download the file again.',
        cause,
      );
    }
    const row = width * components;
    for (let line = 0; line < height; line++)
      block.set(decoded.subarray(line * row, (line + 1) * row), line * blockWidth * components);
    return block;
  }

  return {
    key: `level ${level}`,
    width: Math.ceil(stream.width / step),
    height: Math.ceil(stream.height / step),
    blockWidth,
    blockHeight,
    interleaved: components,
    fill: 0,
    load,
  };
}

function typed({ bits, signed }: Codestream, buffer: ArrayBuffer): Samples {
  if (bits <= 8) return signed ? new Int8Array(buffer) : new Uint8Array(buffer);
  return signed ? new Int16Array(buffer) : new Uint16Array(buffer);
}
