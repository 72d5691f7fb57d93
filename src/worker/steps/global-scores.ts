import {
  advance,
  constant,
  countDown,
  get,
  i32,
  load,
  loop,
  newMemory,
  reserve,
  store,
  vectorAdd,
  vectorFunction,
} from '../simd/vector-code.ts';
import { selectWindows, type WindowPlan, windowStart } from '../tile/plan.ts';

/** Adds numbers to others, four at once, so many times: byte addresses of both. */
const sum = vectorFunction(
  [i32, i32, i32],
  [],
  loop(
    [...get(0), ...get(0), ...load(0), ...get(1), ...load(0), ...vectorAdd, ...store(0)],
    advance(0, constant(16)),
    advance(1, constant(16)),
    countDown(2),
  ),
);
/** One for the whole thread: it holds nothing from one row to the next. */
const memory = newMemory();
const addVectors = sum(memory);

function addTo(numbers: Float32Array, others: Float32Array): void {
  if (numbers.length === 0) return;
  const groups = Math.ceil(numbers.length / 4);
  reserve(memory, 32 * groups);
  const room = new Float32Array(memory.buffer, 0, numbers.length);
  room.set(numbers);
  new Float32Array(memory.buffer, 16 * groups, others.length).set(others);
  addVectors(0, 16 * groups, groups);
  numbers.set(room);
}

/**
 * λ·cls·words (global bias alleviation) averaged over the windows that cover a pixel, as the mean over windows of their
 * scores contains it. It is the same for all pixels of equal windows, so a row is made once for all rows alike.
 */
export class GlobalScores {
  readonly #plan: WindowPlan;
  readonly #words: number;
  readonly #scoresOf: (windowColumn: number, windowRow: number) => Float32Array | null;
  /** Columns from `start` on have the same windows, up to the next run. */
  readonly #runs: { start: number; end: number; firstColumn: number; endColumn: number }[];
  readonly #width: number;
  #rowsOf = '';
  #row = new Float32Array(0);

  /** `scoresOf` gives `[words]` for a window of the plan, null for one without measurements. */
  constructor(
    plan: WindowPlan,
    column: number,
    width: number,
    words: number,
    scoresOf: (windowColumn: number, windowRow: number) => Float32Array | null,
  ) {
    this.#plan = plan;
    this.#words = words;
    this.#width = width;
    this.#scoresOf = scoresOf;
    this.#runs = [];
    const { columns } = plan;
    const touched = selectWindows(plan, { column, row: 0, width, height: 1 });
    const borders = new Set([column, column + width]);
    for (let index = touched.firstColumn; index < touched.endColumn; index++) {
      const start = windowStart(columns, index);
      for (const border of [start, start + columns.window])
        if (border > column && border < column + width) borders.add(border);
    }
    const ends = [...borders].sort((left, right) => left - right);
    for (const [i, end] of ends.entries()) {
      if (i === 0) continue;
      const start = ends[i - 1]!;
      const { firstColumn, endColumn } = selectWindows(plan, { column: start, row: 0, width: 1, height: 1 });
      this.#runs.push({ start: start - column, end: end - column, firstColumn, endColumn });
    }
  }

  /** Adds to `similarities` `[words, width]` of working row `row`. */
  add(row: number, similarities: Float32Array): void {
    const { firstRow, endRow } = selectWindows(this.#plan, { column: 0, row, width: 1, height: 1 });
    const rows = `${firstRow} ${endRow}`;
    if (rows !== this.#rowsOf) {
      this.#rowsOf = rows;
      this.#row = this.#make(firstRow, endRow);
    }
    addTo(similarities, this.#row);
  }

  #make(firstRow: number, endRow: number): Float32Array<ArrayBuffer> {
    const out = new Float32Array(this.#words * this.#width);
    for (const { start, end, firstColumn, endColumn } of this.#runs) {
      const sums = new Float64Array(this.#words);
      for (let row = firstRow; row < endRow; row++) {
        for (let column = firstColumn; column < endColumn; column++) {
          const scores = this.#scoresOf(column, row);
          if (scores) for (let word = 0; word < this.#words; word++) sums[word]! += scores[word]!;
        }
      }
      const count = (endRow - firstRow) * (endColumn - firstColumn);
      for (let word = 0; word < this.#words; word++) {
        const mean = sums[word]! / count;
        out.fill(mean, word * this.#width + start, word * this.#width + end);
      }
    }
    return out;
  }
}

/** λ · (cls / ‖cls‖) · words: `[words]`. */
export function globalScoresOf(cls: Float32Array, embeddings: Float32Array, lambda: number): Float32Array {
  let squares = 0;
  for (const value of cls) squares += value * value;
  const scale = lambda / Math.sqrt(squares);
  const words = embeddings.length / cls.length;
  return Float32Array.from({ length: words }, (_, word) => {
    let sum = 0;
    for (let i = 0; i < cls.length; i++) sum += cls[i]! * embeddings[word * cls.length + i]!;
    return scale * sum;
  });
}
