import { throwIfCancelled } from '../report/problem.ts';
import type { Scene } from '../scene/scene.ts';

/** How one band's values become 0-255: linearly from `low` to `high`, clamped. Plain JSON, recorded with the run. */
export interface BandStretch {
  /** 0-based. */
  band: number;
  low: number;
  high: number;
  /** `as stored` for 8-bit bands, else `2-98 % of N sampled pixels`. */
  method: string;
}

const lowShare = 0.02;
const highShare = 0.98;
/** Scenes and overviews up to this many pixels are read whole. */
const wholePixels = 2 ** 20;
/** Elsewhere, this many windows along each axis … */
const windowsPerAxis = 8;
/** … of this side, pixels. */
const windowSide = 128;

/**
 * Stretches for `bands`: 8-bit bands stay as they are; of others the 2nd and 98th percentile over the valid pixels of a
 * fixed sample (the whole scene where small, else a small overview, else windows spread evenly). Reads at most about a
 * million pixels per band. A band without any valid pixel gets 0 to 1.
 */
export async function measureStretch(
  scene: Pick<Scene, 'header' | 'read'>,
  bands: readonly number[],
  signal?: AbortSignal,
): Promise<BandStretch[]> {
  const { header } = scene;
  const distinct = [...new Set(bands)];
  const measured = distinct.filter((band) => header.bands[band]!.type !== 'uint8');
  const ranges = await measureRange(scene, measured, [lowShare, highShare], signal);
  return bands.map((band) => {
    const index = measured.indexOf(band);
    if (index < 0) return { band, low: 0, high: 255, method: 'as stored' };
    const { low, high, count } = ranges[index]!;
    return { band, low, high, method: `2-98 % of ${count} sampled pixels` };
  });
}

/**
 * Values of each band below which the two shares of the valid pixels of `measureStretch`'s sample lie, low before high;
 * shares 0 and 1 give the least and the greatest. `count` is the pixels sampled; without any, the range is 0 to 1.
 */
export async function measureRange(
  scene: Pick<Scene, 'header' | 'read'>,
  bands: readonly number[],
  shares: readonly [number, number],
  signal?: AbortSignal,
): Promise<{ low: number; high: number; count: number }[]> {
  const samples = await sampleBands(scene, bands, signal);
  return samples.map((sampled) => {
    const values = sampled.sort();
    const count = values.length;
    if (count === 0) return { low: 0, high: 1, count };
    const low = percentile(values, shares[0]);
    const high = percentile(values, shares[1]);
    // A flat band has no contrast to stretch: it becomes mid-grey.
    return low < high ? { low, high, count } : { low: low - 0.5, high: low + 0.5, count };
  });
}

/** Linear interpolation between order statistics of ascending `values`; 0 for none. */
export function percentile(values: Float64Array, share: number): number {
  if (values.length === 0) return 0;
  const position = share * (values.length - 1);
  const before = Math.floor(position);
  const after = Math.min(before + 1, values.length - 1);
  return values[before]! + (values[after]! - values[before]!) * (position - before);
}

/**
 * Values of each band at the valid pixels of a fixed sample of the scene, the same pixels for all bands: the whole scene
 * where small, else a small overview, else windows spread evenly; at most about a million each.
 */
export async function sampleBands(
  scene: Pick<Scene, 'header' | 'read'>,
  bands: readonly number[],
  signal?: AbortSignal,
): Promise<Float64Array[]> {
  if (bands.length === 0) return [];
  const { level, width, height } = sampledLevel(scene);
  const windows =
    width * height <= wholePixels
      ? rowsOf(width, height)
      : [...Array(windowsPerAxis ** 2).keys()].map((index) => ({
          column: place(index % windowsPerAxis, width),
          row: place(Math.floor(index / windowsPerAxis), height),
          width: Math.min(windowSide, width),
          height: Math.min(windowSide, height),
        }));
  const total = windows.reduce((sum, window) => sum + window.width * window.height, 0);
  const values = bands.map(() => new Float64Array(total));
  let count = 0;
  for (const window of windows) {
    throwIfCancelled(signal);
    const { planes, valid } = await scene.read(window, bands, level, signal);
    for (let at = 0; at < valid.length; at++) {
      if (valid[at] === 0) continue;
      for (let band = 0; band < bands.length; band++) values[band]![count] = planes[band]![at]!;
      count++;
    }
  }
  return values.map((array) => array.subarray(0, count));
}

function place(index: number, size: number): number {
  return Math.floor((index / (windowsPerAxis - 1)) * Math.max(0, size - windowSide));
}

function sampledLevel(scene: Pick<Scene, 'header'>): { level: number; width: number; height: number } {
  const { grid, overviews } = scene.header;
  const levels = [grid, ...overviews];
  // The largest image that can be read whole; overviews below a few thousand pixels say too little.
  for (let level = 0; level < levels.length; level++) {
    const { width, height } = levels[level]!;
    if (width * height <= wholePixels && (level === 0 || width * height >= 16_384))
      return { level, width, height };
  }
  return { level: 0, width: grid.width, height: grid.height };
}

function rowsOf(
  width: number,
  height: number,
): { column: number; row: number; width: number; height: number }[] {
  const step = Math.max(1, Math.floor(wholePixels / 4 / width));
  const windows = [];
  for (let row = 0; row < height; row += step) {
    windows.push({ column: 0, row, width, height: Math.min(step, height - row) });
  }
  return windows;
}
