import { levelUnit, type PixelBasis } from './pixel-basis.ts';
import { ProjectKernel } from './project-kernel.ts';

/** Coordinates of a rectangle of working pixels. */
export interface Coordinates {
  basis: PixelBasis;
  width: number;
  height: number;
  /** Multiples of `levelUnit`, `[height, rank, width]`. */
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
    const { rank } = this.#basis;
    const { width, levels } = into;
    const own = valid.subarray(column, column + width);
    into.valid.set(own, row * width);
    for (let k = 0; k < rank; k++) {
      const to = (row * rank + k) * width;
      const from = k * valid.length + column;
      const centre = this.#centre[k]!;
      for (let x = 0; x < width; x++) {
        if (own[x] === 0) continue;
        const level = Math.round((products[from + x]! - centre) / levelUnit);
        levels[to + x] = level > 32767 ? 32767 : level < -32767 ? -32767 : level;
      }
    }
  }
}

/**
 * What words make of coordinates: f ≈ mean + Σ coordinate · direction, so that f·word is a constant and one small product
 * a pixel and a word. Nothing of the encoder runs.
 */
interface WordWeights {
  words: number;
  /** `[words]`. */
  constants: Float64Array;
  /** `[words, rank]`. */
  weights: Float64Array;
}

/** @param embeddings `[words, size]` */
export function wordWeights(
  { size, rank, mean, directions }: PixelBasis,
  embeddings: Float32Array,
): WordWeights {
  const words = embeddings.length / size;
  const weights = new Float64Array(words * rank);
  const constants = new Float64Array(words);
  for (let word = 0; word < words; word++) {
    constants[word] = dot(mean, 0, embeddings, word * size, size);
    for (let k = 0; k < rank; k++)
      weights[word * rank + k] = dot(directions, k * size, embeddings, word * size, size);
  }
  return { words, constants, weights };
}

/** Similarity of pixels with words from their coordinates' levels. */
export class CoordinateProjector {
  readonly words: number;
  readonly #kernel: ProjectKernel;

  /** @param embeddings `[words, size]` */
  constructor(basis: PixelBasis, embeddings: Float32Array) {
    const { words, constants, weights } = wordWeights(basis, embeddings);
    this.words = words;
    this.#kernel = new ProjectKernel(
      basis.rank,
      constants,
      weights.map((weight) => levelUnit * weight),
    );
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

function dot(a: Float32Array, fromA: number, b: Float32Array, fromB: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += a[fromA + i]! * b[fromB + i]!;
  return sum;
}
