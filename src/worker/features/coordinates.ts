import type { PixelBasis } from './pixel-basis.ts';

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
  readonly #rank: number;
  /** `[words, rank]`. */
  readonly #weights: Float64Array;
  /** `[words]`. */
  readonly #constants: Float64Array;

  /** @param embeddings `[words, size]` */
  constructor({ size, rank, mean, directions, step }: PixelBasis, embeddings: Float32Array) {
    this.words = embeddings.length / size;
    this.#rank = rank;
    this.#weights = new Float64Array(this.words * rank);
    this.#constants = new Float64Array(this.words);
    for (let word = 0; word < this.words; word++) {
      this.#constants[word] = dot(mean, 0, embeddings, word * size, size);
      for (let k = 0; k < rank; k++)
        this.#weights[word * rank + k] = step * dot(directions, k * size, embeddings, word * size, size);
    }
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
    let word = 0;
    for (; word + 4 <= this.words; word += 4)
      this.#four(word, levels, from, width, count, similarities, to, stride);
    for (; word < this.words; word++) this.#one(word, levels, from, width, count, similarities, to, stride);
  }

  /** Four words and two pixels at once: every level and weight that is read serves several products. */
  #four(
    word: number,
    levels: Int16Array,
    from: number,
    width: number,
    count: number,
    out: Float32Array,
    to: number,
    stride: number,
  ): void {
    const rank = this.#rank;
    const weights = this.#weights;
    const [w0, w1, w2, w3] = [word * rank, (word + 1) * rank, (word + 2) * rank, (word + 3) * rank];
    const [o0, o1, o2, o3] = [
      to + word * stride,
      to + (word + 1) * stride,
      to + (word + 2) * stride,
      to + (word + 3) * stride,
    ];
    const [c0, c1, c2, c3] = [
      this.#constants[word]!,
      this.#constants[word + 1]!,
      this.#constants[word + 2]!,
      this.#constants[word + 3]!,
    ];
    let x = 0;
    for (; x + 1 < count; x += 2) {
      let a0 = c0;
      let a1 = c1;
      let a2 = c2;
      let a3 = c3;
      let b0 = c0;
      let b1 = c1;
      let b2 = c2;
      let b3 = c3;
      let at = from + x;
      for (let k = 0; k < rank; k++, at += width) {
        const left = levels[at]!;
        const right = levels[at + 1]!;
        const v0 = weights[w0 + k]!;
        const v1 = weights[w1 + k]!;
        const v2 = weights[w2 + k]!;
        const v3 = weights[w3 + k]!;
        a0 += left * v0;
        a1 += left * v1;
        a2 += left * v2;
        a3 += left * v3;
        b0 += right * v0;
        b1 += right * v1;
        b2 += right * v2;
        b3 += right * v3;
      }
      out[o0 + x] = a0;
      out[o1 + x] = a1;
      out[o2 + x] = a2;
      out[o3 + x] = a3;
      out[o0 + x + 1] = b0;
      out[o1 + x + 1] = b1;
      out[o2 + x + 1] = b2;
      out[o3 + x + 1] = b3;
    }
    if (x < count) {
      for (let next = word; next < word + 4; next++)
        this.#one(next, levels, from + x, width, 1, out, to + x, stride);
    }
  }

  #one(
    word: number,
    levels: Int16Array,
    from: number,
    width: number,
    count: number,
    out: Float32Array,
    to: number,
    stride: number,
  ): void {
    const rank = this.#rank;
    const weights = this.#weights;
    const first = word * rank;
    const start = to + word * stride;
    for (let x = 0; x < count; x++) {
      let sum = this.#constants[word]!;
      let at = from + x;
      for (let k = 0; k < rank; k++, at += width) sum += levels[at]! * weights[first + k]!;
      out[start + x] = sum;
    }
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
