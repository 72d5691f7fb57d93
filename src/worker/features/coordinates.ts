import type { PixelBasis } from './pixel-basis.ts';
import { ProjectKernel } from './project-kernel.ts';

/** Coordinates of a rectangle of working pixels. */
export interface Coordinates {
  basis: PixelBasis;
  width: number;
  height: number;
  /** Multiples of the basis' step, `[height, rank, width]`. */
  levels: Int16Array<ArrayBuffer>;
  /** 1 where there are measurements, `[height, width]`; levels are 0 elsewhere. */
  valid: Uint8Array<ArrayBuffer>;
}

export function emptyCoordinates(basis: PixelBasis, width: number, height: number): Coordinates {
  return {
    basis,
    width,
    height,
    levels: new Int16Array(height * basis.rank * width),
    valid: new Uint8Array(height * width),
  };
}

/** Rounds rows of mean products of features with the basis' directions. */
export class CoordinateRounder {
  readonly #basis: PixelBasis;
  /** Of the mean along each direction. */
  readonly #centre: Float64Array;

  constructor(basis: PixelBasis) {
    this.#basis = basis;
    const { size, rank, mean, directions } = basis;
    this.#centre = Float64Array.from({ length: rank }, (_, k) => dot(directions, k * size, mean, 0, size));
  }

  /**
   * Row `row` of `into` from the columns from `column` on of `products` `[rank, row width]` and `valid` `[row width]`.
   */
  round(products: Float32Array, valid: Uint8Array, column: number, into: Coordinates, row: number): void {
    const { rank, step } = this.#basis;
    const { width, levels } = into;
    const own = valid.subarray(column, column + width);
    into.valid.set(own, row * width);
    for (let k = 0; k < rank; k++) {
      const to = (row * rank + k) * width;
      const from = k * valid.length + column;
      const centre = this.#centre[k]!;
      for (let x = 0; x < width; x++) {
        if (own[x] === 0) continue;
        const level = Math.round((products[from + x]! - centre) / step);
        levels[to + x] = level > 32767 ? 32767 : level < -32767 ? -32767 : level;
      }
    }
  }
}

/**
 * Similarity of pixels with words from their coordinates: f ≈ mean + step · Σ level · direction, so f·word is one small
 * product a pixel and a word. Nothing of the encoder runs.
 */
export class CoordinateProjector {
  readonly words: number;
  readonly #kernel: ProjectKernel;

  /** @param embeddings `[words, size]` */
  constructor({ size, rank, mean, directions, step }: PixelBasis, embeddings: Float32Array) {
    this.words = embeddings.length / size;
    const weights = new Float64Array(this.words * rank);
    const constants = new Float64Array(this.words);
    for (let word = 0; word < this.words; word++) {
      constants[word] = dot(mean, 0, embeddings, word * size, size);
      for (let k = 0; k < rank; k++)
        weights[word * rank + k] = step * dot(directions, k * size, embeddings, word * size, size);
    }
    this.#kernel = new ProjectKernel(rank, constants, weights);
  }

  /**
   * Similarities of `count` pixels of a row: `levels` from `from` on, `[rank, width]`, into `similarities` from `to` on,
   * `[words, stride]`.
   */
  project(
    levels: Int16Array,
    from: number,
    width: number,
    count: number,
    similarities: Float32Array,
    to: number,
    stride: number,
  ): void {
    this.#kernel.row(levels, from, width, count, similarities, to, stride, this.words);
  }
}

/** The feature of one pixel, as its coordinates tell it: `[size]`; null where there is no measurement. */
export function featureAt(
  { basis, width, height, levels, valid }: Coordinates,
  column: number,
  row: number,
): Float32Array | null {
  if (!(column >= 0 && column < width && row >= 0 && row < height)) throw new RangeError('no such pixel');
  if (valid[row * width + column] === 0) return null;
  const feature = Float64Array.from(basis.mean);
  for (let k = 0; k < basis.rank; k++) {
    const value = levels[(row * basis.rank + k) * width + column]! * basis.step;
    for (let i = 0; i < basis.size; i++) feature[i]! += value * basis.directions[k * basis.size + i]!;
  }
  return Float32Array.from(feature);
}

function dot(a: Float32Array, fromA: number, b: Float32Array, fromB: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += a[fromA + i]! * b[fromB + i]!;
  return sum;
}
