import path from 'node:path';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { openScene } from '../scene/open-scene.ts';
import { generateScene } from '../synthetic/generate-scene.ts';
import { Random } from '../synthetic/random.ts';
import { randomStyle } from '../synthetic/style.ts';
import { type LabelledPicture, paintCell, pictureOf } from './picture.ts';
import { simulateSar } from './simulated-sar.ts';

/** Where pairs of an optical and a SAR picture on one grid come from. Paths are relative to the configuration's file. */
export type PairSourceConfig =
  | {
      kind: 'rasters';
      optical: string;
      opticalBands: [number, number, number];
      sar: string;
      sarBand: number;
      /** Left, top, right and bottom of the part that is used, as shares of width and height; all of it without. */
      part?: [number, number, number, number];
      share: number;
      /** Least and most source pixels per training pixel. */
      scale: [number, number];
    }
  /** Synthetic scenes and what a radar might see of them. */
  | {
      kind: 'synthetic';
      share: number;
      scale: [number, number];
      seed: number;
      scenes: number;
      size: number;
      /** Metres per pixel. */
      resolution: [number, number];
    };

export interface PairSource {
  readonly config: PairSourceConfig;
  readonly pairs: readonly { optical: LabelledPicture; sar: LabelledPicture }[];
}

/** Reads every set. Throws `dataset/…` problems that name the file. */
export async function readPairs(
  configs: readonly PairSourceConfig[],
  base: string,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<PairSource[]> {
  const sources: PairSource[] = [];
  for (const [index, config] of configs.entries()) {
    throwIfCancelled(signal);
    const pairs =
      config.kind === 'rasters'
        ? [await rasterPair(config, base, signal)]
        : await syntheticPairs(config, signal);
    sources.push({ config, pairs });
    report?.({ phase: 'reading pairs', done: index + 1, total: configs.length, unit: 'sets' });
  }
  return sources;
}

async function rasterPair(
  config: Extract<PairSourceConfig, { kind: 'rasters' }>,
  base: string,
  signal: AbortSignal | undefined,
): Promise<PairSource['pairs'][number]> {
  const optical = await readBands(path.resolve(base, config.optical), config.opticalBands, signal);
  const sar = await readBands(path.resolve(base, config.sar), [config.sarBand], signal);
  if (optical.width !== sar.width || optical.height !== sar.height)
    throw new Problem(
      'dataset/size-mismatch',
      `${config.sar} has ${sar.width} × ${sar.height} pixels, but ${config.optical} has ${optical.width} × ${optical.height}.`,
      'Bring both onto one grid.',
    );
  const part = config.part ?? [0, 0, 1, 1];
  return { optical: cut(optical, part), sar: cut(sar, part) };
}

function cut(picture: LabelledPicture, [left, top, right, bottom]: readonly number[]): LabelledPicture {
  const { name, width, height } = picture;
  const column = Math.round(left! * width);
  const row = Math.round(top! * height);
  const columns = Math.round(right! * width) - column;
  const rows = Math.round(bottom! * height) - row;
  if (columns === width && rows === height) return picture;
  if (columns < 1 || rows < 1)
    throw new Problem(
      'config/field',
      `${name}: its part has no pixels.`,
      'Give part as left, top, right and bottom between 0 and 1, right after left and bottom after top.',
    );
  const rgb = new Uint8Array(3 * columns * rows);
  for (let y = 0; y < rows; y++) {
    const from = 3 * ((row + y) * width + column);
    rgb.set(picture.halves[0]!.subarray(from, from + 3 * columns), 3 * y * columns);
  }
  return pictureOf(name, columns, rows, rgb, null);
}

/** A raster's bands as a picture, stretched between their 2nd and 98th of a hundred; 8-bit values stay as they are. */
async function readBands(
  file: string,
  bands: readonly number[],
  signal: AbortSignal | undefined,
): Promise<LabelledPicture> {
  const scene = await openScene(file, signal);
  try {
    const { width, height } = scene.header.grid;
    const { planes, valid } = await scene.read({ column: 0, row: 0, width, height }, [...bands], 0, signal);
    const grey = planes.map((plane) => (plane instanceof Uint8Array ? plane : stretched(plane, valid)));
    return pictureOf(file, width, height, interleaved(grey, width * height), null);
  } finally {
    await scene.close();
  }
}

function stretched(plane: ArrayLike<number>, valid: Uint8Array | null): Uint8Array {
  const values: number[] = [];
  for (let at = 0; at < plane.length; at += 3) if (!valid || valid[at]) values.push(plane[at]!);
  values.sort((a, b) => a - b);
  const low = values[Math.floor(values.length * 0.02)] ?? 0;
  const high = Math.max(low + 1e-6, values[Math.floor(values.length * 0.98)] ?? 1);
  return Uint8Array.from({ length: plane.length }, (_, at) =>
    Math.max(0, Math.min(255, Math.round(((plane[at]! - low) / (high - low)) * 255))),
  );
}

/** One or three planes as red, green, blue by pixel. */
function interleaved(planes: readonly Uint8Array[], count: number): Uint8Array {
  const rgb = new Uint8Array(3 * count);
  for (let band = 0; band < 3; band++) {
    const plane = planes[Math.min(band, planes.length - 1)]!;
    for (let at = 0; at < count; at++) rgb[3 * at + band] = plane[at]!;
  }
  return rgb;
}

async function syntheticPairs(
  config: Extract<PairSourceConfig, { kind: 'synthetic' }>,
  signal: AbortSignal | undefined,
): Promise<PairSource['pairs']> {
  const { size } = config;
  const [finest, coarsest] = config.resolution;
  const pairs: PairSource['pairs'][number][] = [];
  for (let index = 0; index < config.scenes; index++) {
    throwIfCancelled(signal);
    const seed = config.seed * 100_003 + index;
    const resolution = finest * (coarsest / finest) ** new Random(seed).fork('resolution').next();
    const scene = generateScene({ seed, width: size, height: size, resolution, style: randomStyle(seed) });
    const planes = [0, 1, 2].map((band) =>
      scene.pixels.subarray(band * size * size, (band + 1) * size * size),
    );
    const decibels = simulateSar(scene.kinds, size, size, seed);
    pairs.push({
      optical: pictureOf(`synthetic scene ${seed}`, size, size, interleaved(planes, size * size), null),
      sar: pictureOf(
        `radar view of synthetic scene ${seed}`,
        size,
        size,
        interleaved([stretched(decibels, null)], size * size),
        null,
      ),
    });
    // Generating a scene takes a second; let signals through.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return pairs;
}

/** The source in whose part of the shares `at` of [0, 1) falls. */
function pickSource(sources: readonly PairSource[], at: number): PairSource {
  let left = at * sources.reduce((sum, { config }) => sum + config.share, 0);
  for (const source of sources) {
    left -= source.config.share;
    if (left < 0) return source;
  }
  return sources.at(-1)!;
}

const middleGrey = 127.5;

export interface PairDrawing {
  seed: number;
  mean: readonly [number, number, number];
  deviation: readonly [number, number, number];
  /** Strength of random changes of the SAR picture's level and contrast, which hang on a scene's stretch; 0 without. */
  jitter?: number;
}

/** Draws `images` pairs of crops, normalised `[B, 3, side, side]` each; the same seed and step give the same pairs. */
export function drawPairs(
  sources: readonly PairSource[],
  side: number,
  images: number,
  { seed, mean, deviation, jitter = 0 }: PairDrawing,
  step: number,
): { optical: Float32Array; sar: Float32Array } {
  const random = new Random(seed * 1_000_003 + step).fork('pairs');
  const area = side * side;
  const optical = new Float32Array(images * 3 * area);
  const sar = new Float32Array(images * 3 * area);
  const whole = { column: 0, row: 0, width: side, height: side };
  const labels = new Uint8Array(area);
  for (let image = 0; image < images; image++) {
    const source = pickSource(sources, random.next());
    const pair = random.pick(source.pairs);
    const [finest, coarsest] = source.config.scale;
    const scale = finest * (coarsest / finest) ** random.next();
    const angle = (random.integer(4) * Math.PI) / 2;
    const flip = random.chance(0.5) ? -1 : 1;
    const reach = (scale * side) / 2;
    const centre = (size: number) => (size > 2 * reach ? random.range(reach, size - reach) : size / 2);
    const placing = {
      c: centre(pair.optical.width),
      r: centre(pair.optical.height),
      a: scale * Math.cos(angle) * flip,
      b: -scale * Math.sin(angle),
      d: scale * Math.sin(angle) * flip,
      e: scale * Math.cos(angle),
    };
    const contrast = jitter > 0 ? Math.exp(jitter * random.range(-0.4, 0.4)) : 1;
    const shift = jitter > 0 ? jitter * random.range(-40, 40) : 0;
    for (const [picture, out, factor, offset] of [
      [pair.optical, optical, 1, 0],
      [pair.sar, sar, contrast, middleGrey * (1 - contrast) + shift],
    ] as const) {
      const colours = out.subarray(image * 3 * area, (image + 1) * 3 * area);
      paintCell(picture, placing, whole, side, colours, labels);
      for (let band = 0; band < 3; band++)
        for (let at = band * area; at < (band + 1) * area; at++) {
          const level = Math.max(0, Math.min(255, factor * colours[at]! + offset));
          colours[at] = (level - mean[band]!) / deviation[band]!;
        }
    }
  }
  return { optical, sar };
}
