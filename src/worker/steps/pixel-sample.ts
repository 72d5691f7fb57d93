import { BasisSample } from '../features/basis.ts';
import { encodeBlock } from '../features/coordinate-block.ts';
import { blockHeight, blockWidth } from '../features/coordinate-store.ts';
import { CoordinateRounder, emptyCoordinates } from '../features/coordinates.ts';
import type { EncodedWindow } from '../features/encoded-window.ts';
import { choosePixelBasis, type PixelBasis } from '../features/pixel-basis.ts';
import type { SessionOptions } from '../infer/session.ts';
import { WindowLabeller } from '../infer/window-labeller.ts';
import type { Pack } from '../pack/open-pack.ts';
import { throwIfCancelled } from '../report/problem.ts';

/** A window that stands for others. */
export interface SampleWindow {
  encoded: EncodedWindow;
  /** Normalised colours `[3, height, width]`. */
  pixels: Float32Array;
  valid: Uint8Array;
  width: number;
  height: number;
}

export interface PixelSampleRequest {
  pack: Pack;
  upsample: boolean;
  session: SessionOptions;
  signal?: AbortSignal | undefined;
}

/** Of the features' spread: what a prompt of ordinary classes cannot tell from the exact ones but on a pixel in a thousand. */
export const finestShare = 0.0025;
/** Every so many pixels along both sides one is looked at. */
const pixelStep = 5;
/** What the sample may take of what all may: whole scenes took 3 to 14 % more a pixel than some of their windows. */
const sampleShare = 0.85;
/** Words that are compared at once: a plane of floats each. */
const atOnce = 256;
/** About as many as pixels of a dozen windows. */
const mostTokens = 20_000;
/** Mapping them makes the products of each with each. */
const batch = 256;

/**
 * Some of the tokens of windows, the same number of each, evenly spread. Pixels' features are mixed
 * from tokens: a direction that no token of a scene has, no pixel of it has.
 */
export class TokenSample {
  readonly #each: number;
  readonly #tokens: Float32Array[] = [];

  /** @param windows how many are to come */
  constructor(windows: number) {
    this.#each = Math.max(1, Math.floor(mostTokens / windows));
  }

  add({ rows, columns, tokens }: EncodedWindow): void {
    const all = rows * columns;
    const size = tokens.length / all;
    const count = Math.min(all, this.#each);
    for (let i = 0; i < count; i++) {
      const from = Math.floor(((i + 0.5) * all) / count) * size;
      this.#tokens.push(tokens.slice(from, from + size));
    }
  }

  /** All of them, a few at a time. */
  *batches(): Generator<Float32Array> {
    const size = this.#tokens[0]?.length ?? 0;
    for (let first = 0; first < this.#tokens.length; first += batch) {
      const some = this.#tokens.slice(first, first + batch);
      const values = new Float32Array(some.length * size);
      some.forEach((token, i) => {
        values.set(token, i * size);
      });
      yield values;
    }
  }
}

/**
 * Mean, directions and variances of the sample's pixel features. Upsampling every window would take longer than encoding
 * them: `tokens` stand for what is seen in the others.
 */
export async function pixelSpectrum(
  windows: readonly SampleWindow[],
  request: PixelSampleRequest,
  tokens: TokenSample | null,
) {
  const chosen = windows.map(({ valid, width, height }) => {
    const pixels: number[] = [];
    for (let row = pixelStep >> 1; row < height; row += pixelStep)
      for (let column = pixelStep >> 1; column < width; column += pixelStep)
        if (valid[row * width + column] !== 0) pixels.push(row * width + column);
    return pixels;
  });
  const sample = new BasisSample(request.pack.manifest.geometry.embedding);
  for (const values of await pixelFeatures(windows, chosen, request)) sample.add(values);
  if (tokens) await eachMapped(tokens, request, (values) => sample.add(values));
  return sample.spectrum();
}

/**
 * Normalised features of chosen pixels of each window, `[pixels, embedding]`. They are had as class scores are, with the
 * unit vectors as words.
 *
 * @param chosen flat positions in each window
 */
export async function pixelFeatures(
  windows: readonly SampleWindow[],
  chosen: readonly (readonly number[])[],
  request: PixelSampleRequest,
): Promise<Float32Array[]> {
  const size = request.pack.manifest.geometry.embedding;
  const features = chosen.map((pixels) => new Float32Array(pixels.length * size));
  for (let first = 0; first < size; first += atOnce) {
    const count = Math.min(atOnce, size - first);
    const units = new Float32Array(count * size);
    for (let word = 0; word < count; word++) units[word * size + first + word] = 1;
    await labelled(windows, units, request, (scores, number) => {
      const plane = windows[number]!.width * windows[number]!.height;
      chosen[number]!.forEach((pixel, at) => {
        for (let word = 0; word < count; word++)
          features[number]![at * size + first + word] = scores[word * plane + pixel]!;
      });
    });
  }
  return features;
}

/**
 * The basis for coordinates like the sample's: the finest step, or a coarser one where blocks would take more than
 * `bytesPerPixel`.
 */
export async function pixelBasisWithin(
  windows: readonly SampleWindow[],
  bytesPerPixel: number,
  request: PixelSampleRequest,
  tokens: TokenSample,
): Promise<PixelBasis> {
  const spectrum = await pixelSpectrum(windows, request, tokens);
  const finest = choosePixelBasis(spectrum, finestShare);
  const products: Float32Array[] = [];
  await labelled(windows, finest.directions, request, (scores, number) => {
    products[number] = scores;
  });
  for (let share = finestShare; ; share *= 1.05) {
    const basis = choosePixelBasis(spectrum, share);
    const rounder = new CoordinateRounder(basis);
    let bytes = 0;
    let pixels = 0;
    for (const [number, { valid, width, height }] of windows.entries()) {
      throwIfCancelled(request.signal);
      const rows = Math.min(blockHeight, height);
      const columns = Math.min(blockWidth, width);
      // From the middle, where a window's border plays no part.
      const top = (height - rows) >> 1;
      const left = (width - columns) >> 1;
      const block = emptyCoordinates(basis, columns, rows);
      const row = new Float32Array(basis.rank * columns);
      for (let y = 0; y < rows; y++) {
        const start = (top + y) * width + left;
        for (let k = 0; k < basis.rank; k++) {
          const from = k * height * width + start;
          row.set(products[number]!.subarray(from, from + columns), k * columns);
        }
        rounder.round(row, valid.subarray(start, start + columns), 0, block, y);
      }
      bytes += (await encodeBlock(block))?.length ?? 0;
      pixels += columns * rows;
    }
    if (bytes <= sampleShare * bytesPerPixel * pixels || share > 1) return basis;
  }
}

async function eachMapped(
  sample: TokenSample,
  { pack, upsample, session, signal }: PixelSampleRequest,
  take: (features: Float32Array) => void,
): Promise<void> {
  const nothing = new Float32Array(pack.manifest.geometry.embedding);
  const labeller = await WindowLabeller.open(pack, nothing, { lambda: 0, upsample }, session);
  try {
    for (const tokens of sample.batches()) {
      throwIfCancelled(signal);
      take(await labeller.mapped(tokens));
    }
  } finally {
    await labeller.close();
  }
}

async function labelled(
  windows: readonly SampleWindow[],
  words: Float32Array,
  { pack, upsample, session, signal }: PixelSampleRequest,
  take: (scores: Float32Array, number: number) => void,
): Promise<void> {
  const labeller = await WindowLabeller.open(pack, words, { lambda: 0, upsample }, session);
  try {
    for (const [number, { encoded, pixels, width, height }] of windows.entries())
      take(await labeller.label(encoded, pixels, height, width, signal), number);
  } finally {
    await labeller.close();
  }
}
