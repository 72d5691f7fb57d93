import type { Window } from '../raster/grid.ts';
import { coverage, type WindowPlan } from '../tile/plan.ts';

/** Memory of an accumulator. */
export interface AccumulatorStorage {
  sums: Float32Array;
  valid: Uint8Array;
}

/** Room for `words` planes of a window's rows of `width` columns. */
export function accumulatorStorage(plan: WindowPlan, words: number, width: number): AccumulatorStorage {
  const pixels = plan.rows.window * width;
  return { sums: new Float32Array(words * pixels), valid: new Uint8Array(pixels) };
}

/**
 * Sums the scores of overlapping windows over a range of working columns, in a ring of as many rows as a window has.
 * Windows must come in row-major order; rows that no later window touches are taken out as means, top to bottom.
 *
 * Memory is words × window rows × columns × 4 bytes. Every pixel's sum adds float32 values in the order of the windows,
 * whatever the columns of the ring, so it does not depend on panels or strips. The divisor is the number of windows
 * over the pixel: separable, and exact for every valid pixel because only windows without any are left out.
 */
export class ScoreAccumulator {
  readonly words: number;
  readonly column: number;
  readonly width: number;
  /** The next row to be taken. */
  row: number;
  readonly #plan: WindowPlan;
  readonly #rows: number;
  readonly #sums: Float32Array;
  readonly #valid: Uint8Array;
  readonly #columnCoverage: Float64Array;

  /**
   * `column` and `width`: the working columns kept; `row`: the first working row kept. `storage` may come from an
   * accumulator of at least as many columns that is not used any more.
   */
  constructor(
    plan: WindowPlan,
    words: number,
    column: number,
    width: number,
    row: number,
    storage: AccumulatorStorage = accumulatorStorage(plan, words, width),
  ) {
    this.#plan = plan;
    this.words = words;
    this.column = column;
    this.width = width;
    this.row = row;
    this.#rows = plan.rows.window;
    this.#sums = storage.sums.subarray(0, words * this.#rows * width).fill(0);
    this.#valid = storage.valid.subarray(0, this.#rows * width).fill(0);
    if (this.#valid.length < this.#rows * width) throw new RangeError('storage of fewer columns');
    this.#columnCoverage = Float64Array.from({ length: width }, (_, offset) =>
      coverage(plan.columns, column + offset),
    );
  }

  /**
   * Adds one window: `scores` `[words, window.height, window.width]`, `valid` `[window.height, window.width]`.
   * Parts outside the ring's columns or above the next row to be taken are dropped.
   */
  add(window: Window, scores: Float32Array, valid: Uint8Array): void {
    const left = Math.max(window.column, this.column);
    const right = Math.min(window.column + window.width, this.column + this.width);
    const top = Math.max(window.row, this.row);
    const bottom = window.row + window.height;
    const span = right - left;
    if (span <= 0 || bottom <= top) return;
    if (bottom > this.row + this.#rows) throw new RangeError('windows must come in row-major order');
    const { width } = this;
    const ring = this.#rows;
    const sums = this.#sums;
    const target = left - this.column;
    const source = left - window.column;
    const plane = window.width * window.height;
    for (let word = 0; word < this.words; word++) {
      for (let row = top; row < bottom; row++) {
        let to = (word * ring + (row % ring)) * width + target;
        let from = word * plane + (row - window.row) * window.width + source;
        for (const end = from + span; from < end; from++, to++) {
          sums[to] = sums[to]! + scores[from]!;
        }
      }
    }
    const ringValid = this.#valid;
    for (let row = top; row < bottom; row++) {
      const from = (row - window.row) * window.width + source;
      const to = (row % ring) * width + target;
      for (let offset = 0; offset < span; offset++) ringValid[to + offset] = valid[from + offset]!;
    }
  }

  /**
   * Takes the next row: means into `means` `[words, width]` and validity into `valid` `[width]`; both are overwritten.
   * Call it only for rows that no later window touches.
   */
  take(means: Float32Array, valid: Uint8Array): void {
    const { width } = this;
    const slot = this.row % this.#rows;
    const rowCoverage = coverage(this.#plan.rows, this.row);
    const columns = this.#columnCoverage;
    const sums = this.#sums;
    for (let word = 0; word < this.words; word++) {
      const start = (word * this.#rows + slot) * width;
      const to = word * width;
      for (let column = 0; column < width; column++) {
        means[to + column] = sums[start + column]! / (columns[column]! * rowCoverage);
      }
      sums.fill(0, start, start + width);
    }
    const start = slot * width;
    valid.set(this.#valid.subarray(start, start + width));
    this.#valid.fill(0, start, start + width);
    this.row++;
  }
}
