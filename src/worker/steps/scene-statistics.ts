import { percentile, sampleBands } from '../prep/stretch.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { Scene } from '../scene/scene.ts';

/** Of a sample of one band's valid values; all 0 for a band without any. */
export interface BandStatistics {
  /** 0-based. */
  band: number;
  name: string;
  minimum: number;
  maximum: number;
  mean: number;
  /** Standard deviation. */
  deviation: number;
  /** Values at 2 and 98 % of the sample. */
  low: number;
  high: number;
  /** Counts in 64 equal bins from `minimum` to `maximum`; a flat band fills the first. */
  histogram: number[];
}

const bins = 64;

/** Statistics of bands (0-based) over `sampleBands`. Throws `prep/bad-bands`. */
export async function sceneStatistics(
  scene: Pick<Scene, 'header' | 'read'>,
  bands: readonly number[],
  signal?: AbortSignal,
): Promise<BandStatistics[]> {
  const { header } = scene;
  for (const band of bands) {
    if (header.bands[band] !== undefined) continue;
    throw new Problem(
      'prep/bad-bands',
      `${header.path} has no band ${band + 1}.`,
      `It has ${header.bands.length} bands, numbered from 1.`,
    );
  }
  const samples = await sampleBands(scene, bands, signal);
  const found: BandStatistics[] = [];
  for (const [index, band] of bands.entries()) {
    // Tiles of the same thread come first: sorting a million values takes as long as drawing ten.
    await new Promise((resolve) => setImmediate(resolve));
    throwIfCancelled(signal);
    const values = finite(samples[index]!).sort();
    found.push({ band, name: header.bands[band]!.name, ...statistics(values) });
  }
  return found;
}

/** The finite ones, moved to the front of `values`. */
function finite(values: Float64Array): Float64Array {
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value)) values[count++] = value;
  }
  return values.subarray(0, count);
}

/** @param values ascending */
function statistics(values: Float64Array): Omit<BandStatistics, 'band' | 'name'> {
  const histogram = Array<number>(bins).fill(0);
  const count = values.length;
  if (count === 0) return { minimum: 0, maximum: 0, mean: 0, deviation: 0, low: 0, high: 0, histogram };
  const minimum = values[0]!;
  const maximum = values[count - 1]!;
  const width = maximum - minimum;
  let sum = 0;
  for (const value of values) {
    sum += value;
    const bin = width > 0 ? Math.min(bins - 1, Math.floor(((value - minimum) / width) * bins)) : 0;
    histogram[bin] = histogram[bin]! + 1;
  }
  const mean = sum / count;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const deviation = Math.sqrt(squares / count);
  const low = percentile(values, 0.02);
  return { minimum, maximum, mean, deviation, low, high: percentile(values, 0.98), histogram };
}
