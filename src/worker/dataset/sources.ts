import { readdir } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { readLabelImage } from '../evaluate/label-image.ts';
import type { Bands } from '../raster/bands.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import type { ReportProgress } from '../report/progress.ts';
import { openScene } from '../scene/open-scene.ts';
import { kind } from '../synthetic/classes.ts';
import { generateScene } from '../synthetic/generate-scene.ts';
import { Random } from '../synthetic/random.ts';
import { randomStyle, randomVariety, type Style } from '../synthetic/style.ts';
import { checkLegend, type LegendEntry, legendValues } from './legend.ts';
import { type LabelledPicture, pictureOf } from './picture.ts';

interface SourceCommon {
  /** What phases call it by. */
  name?: string;
  /** Chance of a crop from this set, relative to the others. */
  share: number;
  /** Least and most source pixels per training pixel. */
  scale: [number, number];
  legend: LegendEntry[];
}

/** Where training pictures come from. Paths are relative to the configuration's file. */
export type SourceConfig =
  /** `images/` and `labels/` with files of the same stem. */
  | (SourceCommon & {
      kind: 'folder';
      path: string;
      ignore?: number;
      /** Stems kept for validation: exact names, or every n-th of the sorted list, the first included. */
      holdOut?: { names?: string[]; every?: number };
      /** Square pictures laid side by side, at most so many along each side of a crop. */
      mosaic?: number;
    })
  /** A folder of pictures without labels. */
  | (Omit<SourceCommon, 'legend'> & { kind: 'pictures'; path: string })
  /** One raster and its label raster on the same grid. */
  | (SourceCommon & { kind: 'raster'; image: string; labels: string; bands: [number, number, number] })
  | (Omit<SourceCommon, 'legend'> & {
      kind: 'synthetic';
      seed: number;
      scenes: number;
      size: number;
      /** Share of scenes with large industrial districts, 0 to 1. */
      industry?: number;
      /** Share of the others that are open country with lakes, meadows and hardly a house, 0 to 1. */
      rural?: number;
      /** Share of scenes with dark roofs, scrub, odd colours and the like, 0 to 1. */
      varied?: number;
      /** Least and most metres per pixel. */
      resolution: [number, number];
    });

/** A set in memory. */
export interface PictureSource {
  readonly config: SourceConfig;
  readonly pictures: readonly LabelledPicture[];
  /** Weight of a pixel by stored value, rarer values more; 0 for ignored ones. `[256]`. */
  readonly weights: Float32Array;
}

/** The legend of synthetic scenes, by what their pixels show. */
const syntheticLegend: readonly LegendEntry[] = [
  { value: [kind.house, kind.hall, kind.block], concepts: ['building'] },
  { value: [kind.asphalt, kind.track], concepts: ['road'], weight: 1.2 },
  { value: kind.pavement, concepts: ['pavement'], like: 'road' },
  { value: [kind.forest, kind.tree], concepts: ['tree'] },
  { value: kind.hedge, concepts: ['shrub'], like: 'tree' },
  { value: [kind.meadow, kind.lawn], concepts: ['grass'] },
  { value: [kind.greenCrop, kind.ripeCrop, kind.ploughed], concepts: ['cropland'] },
  { value: kind.soil, concepts: ['bare soil'] },
  { value: kind.sand, concepts: ['sand'] },
  { value: [kind.river, kind.lake, kind.pool, kind.sea], concepts: ['water'] },
];

/** What a set's label values stand for. */
export function legendOf(config: SourceConfig): readonly LegendEntry[] {
  if (config.kind === 'pictures') return [];
  return config.kind === 'synthetic' ? syntheticLegend : config.legend;
}

const pictureEndings = new Set(['.jpg', '.jpeg', '.png', '.tif', '.tiff', '.webp']);
const mostBytes = 4 * 2 ** 30;

/** Reads every set; each picture is checked against its labels by file. Throws `Problem`. */
export async function readSources(
  configs: readonly SourceConfig[],
  base: string,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<PictureSource[]> {
  const sources: PictureSource[] = [];
  let bytes = 0;
  for (const [index, config] of configs.entries()) {
    const name =
      config.kind === 'synthetic'
        ? 'synthetic scenes'
        : config.kind === 'raster'
          ? config.image
          : config.path;
    checkLegend(legendOf(config), name);
    const pictures: LabelledPicture[] = [];
    for await (const picture of picturesOf(config, base, signal)) {
      throwIfCancelled(signal);
      bytes += picture.width * picture.height * 5;
      if (bytes > mostBytes)
        throw new Problem(
          'dataset/size',
          `The training pictures need more than ${mostBytes / 2 ** 30} GB of memory.`,
          'Leave some out, or make them smaller.',
        );
      pictures.push(picture);
      report?.({ phase: `reading ${name}`, done: pictures.length, total: pictures.length, unit: 'pictures' });
    }
    if (pictures.length === 0)
      throw new Problem(
        'dataset/empty',
        `${name}: no training pictures.`,
        'Check the folder and what is held out.',
      );
    sources.push({ config, pictures, weights: pixelWeights(config, pictures) });
    report?.({ phase: 'reading data', done: index + 1, total: configs.length, unit: 'sets' });
  }
  return sources;
}

async function* picturesOf(
  config: SourceConfig,
  base: string,
  signal?: AbortSignal,
): AsyncGenerator<LabelledPicture> {
  if (config.kind === 'folder') yield* folderPictures(config, base);
  else if (config.kind === 'pictures') yield* unlabelledPictures(config, base);
  else if (config.kind === 'raster') yield await rasterPicture(config, base, signal);
  else
    for (let index = 0; index < config.scenes; index++) {
      yield syntheticPicture(config, index);
      // Generating a scene takes a second; let signals through.
      await new Promise((resolve) => setImmediate(resolve));
    }
}

async function* unlabelledPictures(
  config: Extract<SourceConfig, { kind: 'pictures' }>,
  base: string,
): AsyncGenerator<LabelledPicture> {
  const folder = path.resolve(base, config.path);
  let files: string[];
  try {
    files = (await readdir(folder)).sort();
  } catch (error) {
    throw asProblem(error);
  }
  for (const file of files) {
    if (!pictureEndings.has(path.extname(file).toLowerCase())) continue;
    const { width, height, rgb } = await readColours(path.join(folder, file));
    yield pictureOf(file, width, height, rgb, null);
  }
}

/** Stems of a labelled folder's pictures in order, each with whether it is held out. */
export async function labelledFiles(
  config: Extract<SourceConfig, { kind: 'folder' }>,
  base: string,
): Promise<{ stem: string; image: string; labels: string; heldOut: boolean }[]> {
  const folder = path.resolve(base, config.path);
  const list = async (name: string) => {
    try {
      const files = await readdir(path.join(folder, name));
      return new Map(
        files
          .filter((file) => pictureEndings.has(path.extname(file).toLowerCase()))
          .map((file) => [path.parse(file).name, path.join(folder, name, file)]),
      );
    } catch (error) {
      throw asProblem(error);
    }
  };
  const images = await list('images');
  const labels = await list('labels');
  const { names = [], every = 0 } = config.holdOut ?? {};
  const unknown = names.find((name) => !images.has(name));
  if (unknown !== undefined)
    throw new Problem(
      'dataset/hold-out',
      `${folder}: there is no ${unknown} to hold out.`,
      'Correct holdOut.names.',
    );
  return [...images.keys()].sort().map((stem, index) => {
    const label = labels.get(stem);
    if (label === undefined)
      throw new Problem(
        'dataset/unpaired',
        `${images.get(stem)} has no label image of the same name in ${folder}/labels.`,
        'Give every picture a label image, or move it out of the folder.',
      );
    const heldOut = names.includes(stem) || (every > 0 && index % every === 0);
    return { stem, image: images.get(stem)!, labels: label, heldOut };
  });
}

async function* folderPictures(
  config: Extract<SourceConfig, { kind: 'folder' }>,
  base: string,
): AsyncGenerator<LabelledPicture> {
  const known = new Set(config.legend.flatMap(legendValues));
  for (const { image, labels: labelFile, heldOut } of await labelledFiles(config, base)) {
    if (heldOut) continue;
    const { width, height, rgb } = await readColours(image);
    const labels = await readLabelImage(labelFile);
    if (labels.width !== width || labels.height !== height)
      throw new Problem(
        'dataset/size-mismatch',
        `${labelFile} has ${labels.width} × ${labels.height} pixels, but ${image} has ${width} × ${height}.`,
        'Give the label image the size of its picture.',
      );
    for (const value of labels.values)
      if (value !== config.ignore && !known.has(value))
        throw new Problem(
          'dataset/label-value',
          `${labelFile} holds the value ${value}, which the legend does not know.`,
          'Add it to the legend, or set it as the value to ignore.',
        );
    yield pictureOf(image, width, height, rgb, Uint8Array.from(labels.values));
  }
}

/** A picture's red, green and blue, whatever its format. Throws `dataset/unreadable`. */
export async function readColours(file: string): Promise<{ width: number; height: number; rgb: Uint8Array }> {
  try {
    const { data, info } = await sharp(file, { failOn: 'error' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    let rgb: Uint8Array = data;
    if (info.channels === 1) {
      rgb = new Uint8Array(3 * data.length);
      for (let at = 0; at < rgb.length; at++) rgb[at] = data[Math.floor(at / 3)]!;
    }
    return { width: info.width, height: info.height, rgb };
  } catch (error) {
    throw new Problem(
      'dataset/unreadable',
      `${file} cannot be read: ${error instanceof Error ? error.message.split('\n')[0] : error}`,
      'The file is damaged or not a picture: save it again or move it away.',
      error,
    );
  }
}

async function rasterPicture(
  config: Extract<SourceConfig, { kind: 'raster' }>,
  base: string,
  signal?: AbortSignal,
): Promise<LabelledPicture> {
  const scene = await openScene(path.resolve(base, config.image), signal);
  const { width, height } = scene.header.grid;
  let pixels: Bands;
  try {
    pixels = await scene.read({ column: 0, row: 0, width, height }, config.bands, 0, signal);
  } finally {
    await scene.close();
  }
  // A palette's indices are the labels; a scene would give its colours.
  const truth = await readLabelImage(path.resolve(base, config.labels));
  if (truth.width !== width || truth.height !== height)
    throw new Problem(
      'dataset/size-mismatch',
      `${config.labels} has ${truth.width} × ${truth.height} pixels, but ${config.image} has ${width} × ${height}.`,
      'Bring both onto one grid.',
    );
  const rgb = new Uint8Array(width * height * 3);
  pixels.planes.forEach((plane, band) => {
    const [low, high] = spread(plane, pixels.valid);
    for (let at = 0; at < width * height; at++)
      rgb[at * 3 + band] = Math.max(0, Math.min(255, ((plane[at]! - low) / (high - low)) * 255));
  });
  const known = new Set(config.legend.flatMap(legendValues));
  const labels = new Uint8Array(width * height).fill(255);
  for (let at = 0; at < labels.length; at++) {
    const value = truth.values[at]!;
    if (pixels.valid[at] && known.has(value)) labels[at] = value;
  }
  return pictureOf(config.image, width, height, rgb, labels);
}

/** The 2nd and 98th of a hundred of a plane's valid values; 8-bit values stay as they are. */
function spread(plane: ArrayLike<number>, valid: Uint8Array): [number, number] {
  if (plane instanceof Uint8Array) return [0, 255];
  const values: number[] = [];
  for (let at = 0; at < plane.length; at += 7) if (valid[at]) values.push(plane[at]!);
  values.sort((a, b) => a - b);
  const low = values[Math.floor(values.length * 0.02)] ?? 0;
  return [low, Math.max(low + 1e-6, values[Math.floor(values.length * 0.98)] ?? 1)];
}

function syntheticPicture(
  config: Extract<SourceConfig, { kind: 'synthetic' }>,
  index: number,
): LabelledPicture {
  const seed = config.seed * 100_003 + index;
  const random = new Random(seed).fork('training');
  const [finest, coarsest] = config.resolution;
  const resolution = finest * (coarsest / finest) ** (random.next() ** 1.5);
  const { size } = config;
  const usual = randomStyle(seed);
  const style = random.chance(config.industry ?? 0)
    ? { ...usual, industrial: random.range(0.3, 0.6), residential: random.range(0, 0.2) }
    : // Nothing is drawn for recipes without it, whose scenes stay the same.
      config.rural !== undefined && random.chance(config.rural)
      ? openCountry(usual, random)
      : usual;
  const varied = config.varied !== undefined && random.chance(config.varied);
  const scene = generateScene({
    seed,
    width: size,
    height: size,
    resolution,
    style: varied ? { ...style, variety: randomVariety(seed) } : style,
  });
  const rgb = new Uint8Array(size * size * 3);
  for (let band = 0; band < 3; band++)
    for (let at = 0; at < size * size; at++) rgb[at * 3 + band] = scene.pixels[band * size * size + at]!;
  return pictureOf(`synthetic scene ${seed}`, size, size, rgb, scene.kinds);
}

function openCountry(style: Style, random: Random): Style {
  return {
    ...style,
    climate: 'temperate',
    season: random.pick(['spring', 'summer', 'summer', 'autumn']),
    residential: random.range(0, 0.06),
    industrial: 0,
    forest: random.range(0, 0.12),
    open: random.range(0.2, 0.5),
    water: random.pick(['lake', 'lake', 'both']),
  };
}

/** How a phase of training sees a set: its share among the others (0 leaves it out), and labels' weights by stored value. */
export interface SourceChange {
  share?: number;
  weights?: Readonly<Record<string, number>>;
}

/** The sets with the changes of one phase, by their names. Throws `dataset/source` for an unknown name or label value. */
export function changedSources(
  sources: readonly PictureSource[],
  changes: Readonly<Record<string, SourceChange>>,
): PictureSource[] {
  const unknown = Object.keys(changes).find((name) => !sources.some(({ config }) => config.name === name));
  if (unknown !== undefined)
    throw new Problem(
      'dataset/source',
      `There is no set of pictures named "${unknown}".`,
      'Correct the sources of the phase.',
    );
  return sources.flatMap((source) => {
    const change = source.config.name === undefined ? undefined : changes[source.config.name];
    if (!change) return [source];
    if (change.share === 0) return [];
    const weights = source.weights.slice();
    for (const [value, weight] of Object.entries(change.weights ?? {})) {
      const entry = legendOf(source.config).find((one) => legendValues(one).includes(Number(value)));
      if (!entry)
        throw new Problem(
          'dataset/source',
          `The set "${source.config.name}" has no label ${value} to weigh.`,
          'Correct the weights of the phase.',
        );
      weights[Number(value)]! *= weight / (entry.weight ?? 1);
    }
    const { share = source.config.share } = change;
    return [{ ...source, config: { ...source.config, share }, weights }];
  });
}

function pixelWeights(config: SourceConfig, pictures: readonly LabelledPicture[]): Float32Array {
  const counts = new Float64Array(256);
  for (const { labels } of pictures)
    if (labels) for (let at = 0; at < labels.length; at += 5) counts[labels[at]!]!++;
  const values = legendOf(config).flatMap(legendValues);
  const total = values.reduce((sum, value) => sum + counts[value]!, 0);
  const weights = new Float32Array(256);
  const even = 1 / legendOf(config).length;
  for (const entry of legendOf(config)) {
    const own = legendValues(entry);
    const share = own.reduce((sum, value) => sum + counts[value]!, 0) / Math.max(1, total);
    const weight = Math.max(0.5, Math.min(2.5, (even / Math.max(share, 1e-6)) ** 0.4));
    for (const value of own) weights[value] = weight * (entry.weight ?? 1);
  }
  return weights;
}
