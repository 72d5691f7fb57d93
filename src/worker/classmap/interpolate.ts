import type { SamplePositions } from '../tile/sampling.ts';

interface InterpolatedRow {
  /** Working row, or -1. */
  row: number;
  /** `[words, output columns]`, interpolated along the row. */
  values: Float32Array;
  /** Share of the two working pixels' weight that is valid, `[output columns]`; exactly 1 where both are. */
  weight: Float64Array;
  /** Whether every weight is 1. */
  whole: boolean;
}

/**
 * Resamples rows of mean scores from working columns to output columns and rows, bilinearly, holding two rows.
 *
 * Working pixels without measurement take no part: their weight goes to their valid neighbours. An output row depends
 * on its one or two working rows alone, so strips do not show.
 */
export class RowInterpolator {
  readonly #words: number;
  readonly #columns: SamplePositions;
  /** First working column of the rows that are pushed. */
  readonly #firstColumn: number;
  readonly #inputWidth: number;
  readonly #width: number;
  #older: InterpolatedRow;
  #newer: InterpolatedRow;

  constructor(words: number, columns: SamplePositions, firstColumn: number, inputWidth: number) {
    this.#words = words;
    this.#columns = columns;
    this.#firstColumn = firstColumn;
    this.#inputWidth = inputWidth;
    this.#width = columns.index.length;
    this.#older = this.#emptyRow();
    this.#newer = this.#emptyRow();
  }

  #emptyRow(): InterpolatedRow {
    return {
      row: -1,
      values: new Float32Array(this.#words * this.#width),
      weight: new Float64Array(this.#width),
      whole: false,
    };
  }

  /** Takes working row `row`: `means` `[words, input columns]`, `valid` `[input columns]`. Rows come in order. */
  push(row: number, means: Float32Array, valid: Uint8Array): void {
    const target = this.#older;
    this.#older = this.#newer;
    this.#newer = target;
    target.row = row;
    const { index, fraction } = this.#columns;
    const width = this.#width;
    const inputWidth = this.#inputWidth;
    const { values, weight } = target;
    let whole = true;
    for (let column = 0; column < width; column++) {
      const before = index[column]! - this.#firstColumn;
      const share = fraction[column]!;
      const beforeValid = valid[before]! !== 0;
      const afterValid = share > 0 && valid[before + 1]! !== 0;
      if (share === 0) {
        weight[column] = beforeValid ? 1 : 0;
        for (let word = 0; word < this.#words; word++) {
          values[word * width + column] = means[word * inputWidth + before]!;
        }
      } else if (beforeValid && afterValid) {
        weight[column] = 1;
        for (let word = 0; word < this.#words; word++) {
          const from = word * inputWidth + before;
          values[word * width + column] = (1 - share) * means[from]! + share * means[from + 1]!;
        }
      } else {
        weight[column] = beforeValid ? 1 - share : afterValid ? share : 0;
        const source = beforeValid ? before : before + 1;
        for (let word = 0; word < this.#words; word++) {
          values[word * width + column] = means[word * inputWidth + source]!;
        }
      }
      if (weight[column] !== 1) whole = false;
    }
    target.whole = whole;
  }

  /**
   * One output row between working rows `row` and `row + 1` with weight `share` for the latter; both must be among the
   * last two pushed (only `row` when `share` is 0). Fills `means` `[words, output columns]` and `valid`
   * `[output columns]`: 1 where any working pixel beneath is valid.
   */
  interpolate(row: number, share: number, means: Float32Array, valid: Uint8Array): void {
    const width = this.#width;
    const upper = this.#older.row === row ? this.#older : this.#newer;
    const lower = this.#newer;
    if (upper.row !== row || (share > 0 && lower.row !== row + 1)) {
      throw new RangeError(`working row ${row} is not at hand`);
    }
    if (share === 0) {
      means.set(upper.values);
      for (let column = 0; column < width; column++) valid[column] = upper.weight[column]! > 0 ? 1 : 0;
      return;
    }
    if (upper.whole && lower.whole) {
      // The same sums as below, along memory.
      const above = upper.values;
      const below = lower.values;
      for (let at = 0; at < means.length; at++) means[at] = (1 - share) * above[at]! + share * below[at]!;
      valid.fill(1);
      return;
    }
    for (let column = 0; column < width; column++) {
      const above = upper.weight[column]!;
      const below = lower.weight[column]!;
      valid[column] = above > 0 || below > 0 ? 1 : 0;
      if (above === 1 && below === 1) {
        for (let at = column; at < means.length; at += width) {
          means[at] = (1 - share) * upper.values[at]! + share * lower.values[at]!;
        }
      } else {
        const aboveShare = (1 - share) * above;
        const belowShare = share * below;
        const total = aboveShare + belowShare || 1;
        for (let at = column; at < means.length; at += width) {
          means[at] = (aboveShare * upper.values[at]! + belowShare * lower.values[at]!) / total;
        }
      }
    }
  }
}
