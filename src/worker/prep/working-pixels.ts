import type { Samples } from '../raster/bands.ts';
import type { Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';
import type { Scene } from '../scene/scene.ts';
import { addRows, boxCoverage, emptySums } from './box-average.ts';
import type { BandStretch } from './stretch.ts';

/** Colours 0-255 `[3, height, width]` and validity `[height, width]` of a window of working pixels. */
export interface Pixels {
  pixels: Float32Array;
  valid: Uint8Array;
}

/**
 * A scene at its working resolution. Law: a working pixel depends on its position alone, bit for bit, never on the window
 * asked for; nodata takes no part in any value.
 */
export interface WorkingPixels {
  /** Window in working pixels; what lies outside the scene comes back invalid, value 0. */
  read(window: Window, signal?: AbortSignal): Promise<Pixels>;
  /** The scene's level that is read: 0, or n for overview n - 1. Chosen once, part of what a run depends on. */
  readonly level: number;
}

export interface WorkingPixelsOptions {
  grid: { width: number; height: number; scale: number };
  /** Red, green, blue: band indices, 0-based. */
  bands: readonly [number, number, number];
  /** One per entry of `bands`. */
  stretch: readonly BandStretch[];
  /** Bound of the resampled pixels kept, bytes; default 64 MiB. At scale 1 nothing is kept: the scene keeps its blocks. */
  cacheBytes?: number;
  /** Whether a scene far finer than the working pixels may be read from its overviews; default true. */
  overviews?: boolean;
}

/** Side of the squares in which resampled pixels are made and kept, working pixels. */
const side = 128;
/** Source pixels read at once while averaging. */
const slabPixels = 2 ** 20;
/** An overview serves where at least this many of its pixels along each axis go into one working pixel. */
const overviewPixels = 4;

/** Opens the working pixels of a scene. The scene stays the caller's to close. */
export function openWorkingPixels(
  scene: Pick<Scene, 'header' | 'read'>,
  options: WorkingPixelsOptions,
): WorkingPixels {
  const { scale } = options.grid;
  const { stretch } = options;
  // Grey scenes name one band three times: read it once.
  const distinct = [...new Set(options.bands)];
  const planeOf = options.bands.map((band) => distinct.indexOf(band));
  if (scale === 1) {
    return { level: 0, read: (window, signal) => copy(scene, distinct, planeOf, stretch, window, signal) };
  }
  const level = scale > 1 && options.overviews !== false ? overviewLevel(scene, scale) : 0;
  const source = level === 0 ? scene.header.grid : scene.header.overviews[level - 1]!;
  const scaleX = (scale * source.width) / scene.header.grid.width;
  const scaleY = (scale * source.height) / scene.header.grid.height;
  const cache = new SquareCache(options.cacheBytes ?? 64 * 2 ** 20);

  const make = async (squareColumn: number, squareRow: number): Promise<Pixels> => {
    const window = {
      column: squareColumn * side,
      row: squareRow * side,
      width: Math.min(side, options.grid.width - squareColumn * side),
      height: Math.min(side, options.grid.height - squareRow * side),
    };
    const place = {
      scene,
      level,
      width: source.width,
      height: source.height,
      scaleX,
      scaleY,
      bands: distinct,
    };
    const { planes, valid } = scale > 1 ? await average(place, window) : await interpolate(place, window);
    return stretched(planes, valid, planeOf, stretch);
  };

  async function read(window: Window, signal?: AbortSignal): Promise<Pixels> {
    const { width, height } = window;
    const size = width * height;
    const result: Pixels = { pixels: new Float32Array(3 * size), valid: new Uint8Array(size) };
    const left = Math.max(0, window.column);
    const top = Math.max(0, window.row);
    const right = Math.min(options.grid.width, window.column + width);
    const bottom = Math.min(options.grid.height, window.row + height);
    if (left >= right || top >= bottom) return result;
    for (let squareRow = Math.floor(top / side); squareRow * side < bottom; squareRow++) {
      for (let squareColumn = Math.floor(left / side); squareColumn * side < right; squareColumn++) {
        throwIfCancelled(signal);
        const square = await cache.get(`${squareRow}/${squareColumn}`, () => make(squareColumn, squareRow));
        const squareWidth = Math.min(side, options.grid.width - squareColumn * side);
        const squareSize = square.valid.length;
        const fromColumn = Math.max(left, squareColumn * side);
        const columns = Math.min(right, squareColumn * side + side) - fromColumn;
        const lastRow = Math.min(bottom, squareRow * side + side);
        for (let row = Math.max(top, squareRow * side); row < lastRow; row++) {
          const from = (row - squareRow * side) * squareWidth + (fromColumn - squareColumn * side);
          const to = (row - window.row) * width + (fromColumn - window.column);
          result.valid.set(square.valid.subarray(from, from + columns), to);
          for (let channel = 0; channel < 3; channel++) {
            const at = channel * squareSize + from;
            result.pixels.set(square.pixels.subarray(at, at + columns), channel * size + to);
          }
        }
      }
    }
    return result;
  }

  return { read, level };
}

function overviewLevel(scene: Pick<Scene, 'header'>, scale: number): number {
  const { grid, overviews } = scene.header;
  let level = 0;
  for (let index = 0; index < overviews.length; index++) {
    const { width, height } = overviews[index]!;
    if (scale * width >= overviewPixels * grid.width && scale * height >= overviewPixels * grid.height)
      level = index + 1;
  }
  return level;
}

async function copy(
  scene: Pick<Scene, 'read'>,
  bands: readonly number[],
  planeOf: readonly number[],
  stretch: readonly BandStretch[],
  window: Window,
  signal: AbortSignal | undefined,
): Promise<Pixels> {
  const { planes, valid } = await scene.read(window, bands, 0, signal);
  return stretched(planes, valid, planeOf, stretch);
}

/** Planes as three channels 0-255, 0 where invalid. */
function stretched(
  planes: readonly Samples[],
  valid: Uint8Array,
  planeOf: readonly number[],
  stretch: readonly BandStretch[],
): Pixels {
  const size = valid.length;
  const pixels = new Float32Array(3 * size);
  for (let channel = 0; channel < 3; channel++) {
    const plane = planes[planeOf[channel]!]!;
    const { low, high } = stretch[channel]!;
    const offset = channel * size;
    if (low === 0 && high === 255) {
      for (let at = 0; at < size; at++) if (valid[at] === 1) pixels[offset + at] = plane[at]!;
      continue;
    }
    const factor = 255 / (high - low);
    for (let at = 0; at < size; at++) {
      if (valid[at] === 0) continue;
      const value = (plane[at]! - low) * factor;
      pixels[offset + at] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
  }
  return { pixels, valid };
}

/** The level that is resampled, its size, and its pixels per working pixel. */
interface Place {
  scene: Pick<Scene, 'read'>;
  level: number;
  width: number;
  height: number;
  scaleX: number;
  scaleY: number;
  bands: readonly number[];
}

interface Resampled {
  planes: Float64Array[];
  valid: Uint8Array;
}

/** Means over the source area under each working pixel, valid pixels only; valid where any of that area is. */
async function average(place: Place, window: Window): Promise<Resampled> {
  const across = boxCoverage(window.column, window.width, place.scaleX, place.width);
  const down = boxCoverage(window.row, window.height, place.scaleY, place.height);
  const column = across.first[0]!;
  const columns = across.last[window.width - 1]! + 1 - column;
  const lastRow = down.last[window.height - 1]!;
  const step = Math.max(1, Math.floor(slabPixels / columns));
  const sums = emptySums(window.width, window.height, place.bands.length);
  for (let row = down.first[0]!; row <= lastRow; row += step) {
    const rows = Math.min(step, lastRow + 1 - row);
    const slab = await place.scene.read(
      { column, row, width: columns, height: rows },
      place.bands,
      place.level,
    );
    addRows(sums, slab.planes, slab.valid, column, row, rows, columns, across, down);
  }
  const valid = new Uint8Array(window.width * window.height);
  for (let at = 0; at < valid.length; at++) if (sums.weights[at]! > 0) valid[at] = 1;
  for (const plane of sums.sums) {
    for (let at = 0; at < valid.length; at++) if (valid[at] === 1) plane[at] = plane[at]! / sums.weights[at]!;
  }
  return { planes: sums.sums, valid };
}

/** Bilinear between source pixel centres, over valid neighbours only; valid where the nearest source pixel is. */
async function interpolate(place: Place, window: Window): Promise<Resampled> {
  const across = neighbours(window.column, window.width, place.scaleX, place.width);
  const down = neighbours(window.row, window.height, place.scaleY, place.height);
  const column = across.before[0]!;
  const row = down.before[0]!;
  const width = Math.min(across.before[window.width - 1]! + 2, place.width) - column;
  const height = Math.min(down.before[window.height - 1]! + 2, place.height) - row;
  const slab = await place.scene.read({ column, row, width, height }, place.bands, place.level);
  const source = slab.valid;
  const valid = new Uint8Array(window.width * window.height);
  const planes = slab.planes.map(() => new Float64Array(valid.length));
  for (let y = 0; y < window.height; y++) {
    const upper = (down.before[y]! - row) * width;
    const lower = Math.min(down.before[y]! - row + 1, height - 1) * width;
    const shareY = down.share[y]!;
    for (let x = 0; x < window.width; x++) {
      const left = across.before[x]! - column;
      const right = Math.min(left + 1, width - 1);
      const shareX = across.share[x]!;
      const nearest = (shareY < 0.5 ? upper : lower) + (shareX < 0.5 ? left : right);
      if (source[nearest] === 0) continue;
      const at = y * window.width + x;
      valid[at] = 1;
      const a = source[upper + left]! * (1 - shareX) * (1 - shareY);
      const b = source[upper + right]! * shareX * (1 - shareY);
      const c = source[lower + left]! * (1 - shareX) * shareY;
      const d = source[lower + right]! * shareX * shareY;
      const whole = a + b + c + d;
      for (let band = 0; band < planes.length; band++) {
        const plane = slab.planes[band]!;
        // Weight 0 alone would not silence a NaN.
        let sum = a === 0 ? 0 : a * plane[upper + left]!;
        if (b !== 0) sum += b * plane[upper + right]!;
        if (c !== 0) sum += c * plane[lower + left]!;
        if (d !== 0) sum += d * plane[lower + right]!;
        planes[band]![at] = sum / whole;
      }
    }
  }
  return { planes, valid };
}

/** For each working pixel's centre, the source pixel before it and the share of the one after. */
function neighbours(
  start: number,
  count: number,
  scale: number,
  size: number,
): { before: Int32Array; share: Float64Array } {
  const before = new Int32Array(count);
  const share = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const position = Math.min(Math.max((start + index + 0.5) * scale - 0.5, 0), size - 1);
    before[index] = Math.floor(position);
    share[index] = position - before[index]!;
  }
  return { before, share };
}

/** Finished squares, least recently used out first. They are shared, so no one caller's signal stops their making. */
class SquareCache {
  private readonly limit: number;
  private readonly squares = new Map<string, { bytes: number; square: Promise<Pixels> }>();
  private bytes = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get(key: string, make: () => Promise<Pixels>): Promise<Pixels> {
    const known = this.squares.get(key);
    if (known !== undefined) {
      this.squares.delete(key);
      this.squares.set(key, known);
      return known.square;
    }
    const entry = { bytes: 0, square: make() };
    this.squares.set(key, entry);
    entry.square.then(
      ({ pixels, valid }) => {
        entry.bytes = pixels.byteLength + valid.byteLength;
        this.bytes += entry.bytes;
        for (const [other, { bytes }] of this.squares) {
          if (this.bytes <= this.limit || this.bytes === bytes) break;
          if (bytes === 0) continue;
          this.squares.delete(other);
          this.bytes -= bytes;
        }
      },
      () => this.squares.delete(key),
    );
    return entry.square;
  }
}
