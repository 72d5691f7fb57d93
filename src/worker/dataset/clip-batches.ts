import type { Tokenizer } from '../net/tokenizer.ts';
import { Random } from '../synthetic/random.ts';
import type { ClipBatch, ClipBatchShape } from '../train/clip.ts';
import { castShade, jitterColours } from './colour.ts';
import { concepts } from './concepts.ts';
import { drawReading, ignoredLabel, type Reading } from './legend.ts';
import { type Cell, type LabelledPicture, paintCell } from './picture.ts';
import { drawCaption, drawPrompt, drawWord } from './prompts.ts';
import { legendOf, type PictureSource } from './sources.ts';

/** How an image is drawn from the sets. */
export interface ImageDrawing {
  seed: number;
  mean: readonly [number, number, number];
  deviation: readonly [number, number, number];
  /** Strength of the colour changes, 1 usual. */
  jitter: number;
  /** Chance that shadows are laid over an image; none if left out. */
  shade?: number;
}

export interface ClipDrawing extends ImageDrawing {
  patch: number;
  /** λ of bias alleviation, and the share of images that are trained under it; the others have none. */
  alleviation: number;
  alleviatedShare: number;
}

/** Draws a step's batch; the same seed and step give the same batch. */
export function drawClipBatch(
  sources: readonly PictureSource[],
  tokenizer: Tokenizer,
  shape: ClipBatchShape,
  drawing: ClipDrawing,
  step: number,
): ClipBatch {
  const { images, side, words, labels, length } = shape;
  const { patch } = drawing;
  if (words !== concepts.length) throw new Error(`a step draws ${concepts.length} words, not ${words}`);
  const grid = side / patch;
  const random = new Random(drawing.seed * 1_000_003 + step).fork('batch');
  const batch: ClipBatch = {
    images: new Float32Array(images * 3 * side * side),
    targets: new Float32Array(images * grid * grid * labels),
    membership: new Float32Array(images * labels * words),
    alleviation: new Float32Array(images),
    promptIds: new BigInt64Array(words * length),
    promptEnds: new BigInt64Array(words),
    captionIds: new BigInt64Array(images * length),
    captionEnds: new BigInt64Array(images),
  };
  concepts.forEach((_, place) => {
    const prompt = drawPrompt(drawWord(place, random), random);
    batch.promptEnds[place] = writeIds(tokenizer, prompt, batch.promptIds, place * length, length);
  });
  const truth = new Uint8Array(side * side);
  for (let image = 0; image < images; image++) {
    const source = pickShare(sources, random);
    const colours = batch.images.subarray(image * 3 * side * side, (image + 1) * 3 * side * side);
    drawCrop(source, side, random, colours, truth);
    // Nothing is drawn for recipes without it, whose batches stay the same.
    if (drawing.shade && random.chance(drawing.shade)) castShade(colours, side, random);
    jitterColours(colours, side, drawing.jitter, random);
    normalise(colours, side, drawing);
    const reading = drawReading(legendOf(source.config), random);
    reading.members.forEach((members, label) => {
      for (const member of members) batch.membership[(image * labels + label) * words + member] = 1;
    });
    const targets = batch.targets.subarray(image * grid * grid * labels, (image + 1) * grid * grid * labels);
    const shares = patchShares(truth, reading, source.weights, side, patch, labels, targets);
    batch.alleviation[image] = random.chance(drawing.alleviatedShare) ? drawing.alleviation : 0;
    const shown = shares
      .map((share, label) => ({ share, label }))
      .filter(({ share }) => share > 0.05)
      .sort((a, b) => b.share - a.share)
      .map(({ label }) => random.pick(reading.members[label]!));
    const caption = drawCaption(shown, random);
    batch.captionEnds[image] = writeIds(tokenizer, caption, batch.captionIds, image * length, length);
  }
  return batch;
}

/** Prompts of every concept, `each` times, for training the words alone. */
export function drawWordBatch(
  tokenizer: Tokenizer,
  each: number,
  length: number,
  seed: number,
  step: number,
): { ids: BigInt64Array; ends: BigInt64Array; meanings: number[] } {
  const random = new Random(seed * 1_000_003 + step).fork('words');
  const meanings = concepts.flatMap((_, place) => Array.from({ length: each }, () => place));
  const ids = new BigInt64Array(meanings.length * length);
  const ends = BigInt64Array.from(meanings, (place, at) => {
    const word = random.pick(concepts[place]!.words);
    return writeIds(tokenizer, drawPrompt(word, random), ids, at * length, length);
  });
  return { ids, ends, meanings };
}

/** An image without labels, normalised `[3, side, side]`; the same seed and index give the same image. */
export function drawImage(
  sources: readonly PictureSource[],
  side: number,
  drawing: ImageDrawing,
  index: number,
): Float32Array {
  const random = new Random(drawing.seed * 1_000_003 + index).fork('image');
  const colours = new Float32Array(3 * side * side);
  drawCrop(pickShare(sources, random), side, random, colours, new Uint8Array(side * side));
  jitterColours(colours, side, drawing.jitter, random);
  normalise(colours, side, drawing);
  return colours;
}

/** Ids cut to `length`, the last one the end token; returns its position. */
function writeIds(
  tokenizer: Tokenizer,
  text: string,
  out: BigInt64Array,
  at: number,
  length: number,
): bigint {
  const ids = tokenizer.encode(text);
  let end = ids.indexOf(tokenizer.endId);
  if (end >= length) end = length - 1;
  for (let i = 0; i < end; i++) out[at + i] = BigInt(ids[i]!);
  out[at + end] = BigInt(tokenizer.endId);
  return BigInt(end);
}

function pickShare(sources: readonly PictureSource[], random: Random): PictureSource {
  let left = random.next() * sources.reduce((sum, { config }) => sum + config.share, 0);
  for (const source of sources) {
    left -= source.config.share;
    if (left < 0) return source;
  }
  return sources.at(-1)!;
}

/** Larger pictures more often, but less than by their area. */
function pickPicture(pictures: readonly LabelledPicture[], random: Random): LabelledPicture {
  const weight = ({ width, height }: LabelledPicture) => Math.sqrt(width * height);
  let left = random.next() * pictures.reduce((sum, picture) => sum + weight(picture), 0);
  for (const picture of pictures) {
    left -= weight(picture);
    if (left < 0) return picture;
  }
  return pictures.at(-1)!;
}

/** A crop at a random place, scale and turn, or a mosaic of small pictures. */
function drawCrop(
  { config, pictures }: PictureSource,
  side: number,
  random: Random,
  colours: Float32Array,
  labels: Uint8Array,
): void {
  const [finest, coarsest] = config.scale;
  const scale = finest * (coarsest / finest) ** random.next();
  const first = pickPicture(pictures, random);
  const most = config.kind === 'folder' ? (config.mosaic ?? 1) : 1;
  const fit = Math.round((side * scale) / Math.min(first.width, first.height));
  const cells = Math.max(1, Math.min(most, fit));
  for (let row = 0; row < cells; row++) {
    for (let column = 0; column < cells; column++) {
      const picture = row + column === 0 ? first : pickPicture(pictures, random);
      const edge = (index: number) => Math.round((index * side) / cells);
      const cell: Cell = {
        column: edge(column),
        row: edge(row),
        width: edge(column + 1) - edge(column),
        height: edge(row + 1) - edge(row),
      };
      placeAndPaint(picture, cell, scale, side, random, colours, labels);
    }
  }
}

function placeAndPaint(
  picture: LabelledPicture,
  cell: Cell,
  scale: number,
  side: number,
  random: Random,
  colours: Float32Array,
  labels: Uint8Array,
): void {
  const quarter = (random.integer(4) * Math.PI) / 2;
  const angle = quarter + (random.chance(0.25) ? random.range(-0.7, 0.7) : 0);
  const flip = random.chance(0.5) ? -1 : 1;
  const stretch = Math.exp(random.range(-0.1, 0.1));
  const a = scale * stretch * Math.cos(angle) * flip;
  const b = (-scale / stretch) * Math.sin(angle);
  const d = scale * stretch * Math.sin(angle) * flip;
  const e = (scale / stretch) * Math.cos(angle);
  const reachX = (Math.abs(a) * cell.width + Math.abs(b) * cell.height) / 2;
  const reachY = (Math.abs(d) * cell.width + Math.abs(e) * cell.height) / 2;
  const centre = (size: number, reach: number) =>
    size > 2 * reach ? random.range(reach, size - reach) : size / 2;
  const c = centre(picture.width, reachX);
  const r = centre(picture.height, reachY);
  paintCell(picture, { c, r, a, b, d, e }, cell, side, colours, labels);
}

function normalise(colours: Float32Array, side: number, { mean, deviation }: ImageDrawing): void {
  const plane = side * side;
  for (let band = 0; band < 3; band++) {
    const middle = mean[band]!;
    const factor = 1 / deviation[band]!;
    for (let at = band * plane; at < (band + 1) * plane; at++) colours[at] = (colours[at]! - middle) * factor;
  }
}

/** Writes weighted shares of labels by patch; returns every label's share of the image. */
function patchShares(
  truth: Uint8Array,
  { labelOf, members }: Reading,
  weights: Float32Array,
  side: number,
  patch: number,
  labels: number,
  out: Float32Array,
): number[] {
  if (members.length > labels) throw new Error(`a legend of ${members.length} labels in a step of ${labels}`);
  const grid = side / patch;
  const pixel = 1 / (patch * patch);
  const shares = members.map(() => 0);
  for (let y = 0, at = 0; y < side; y++) {
    const row = Math.floor(y / patch) * grid;
    for (let x = 0; x < side; x++, at++) {
      const value = truth[at]!;
      const label = labelOf[value]!;
      if (label === ignoredLabel) continue;
      const target = (row + Math.floor(x / patch)) * labels + label;
      out[target] = out[target]! + pixel * weights[value]!;
      shares[label] = shares[label]! + 1 / (side * side);
    }
  }
  return shares;
}
