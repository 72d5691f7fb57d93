import type { Window } from '../raster/grid.ts';

/** Tokens of overlapping windows, averaged where they share a place, in a band of token rows that moves down a scene. */
export class MergedTokens {
  readonly #embedding: number;
  readonly #column: number;
  readonly #columns: number;
  /** Sums `[columns, embedding]` and numbers of windows `[columns]`, by token row. */
  readonly #rows = new Map<number, { sums: Float32Array; counts: Uint16Array }>();
  readonly #spare: { sums: Float32Array; counts: Uint16Array }[] = [];

  /** Keeps token columns `column` to `column + columns`. */
  constructor(embedding: number, column: number, columns: number) {
    this.#embedding = embedding;
    this.#column = column;
    this.#columns = columns;
  }

  /** Adds a window's `tokens` `[height · width, embedding]` at its place in the grid; token rows above `from` are left out. */
  add(tokens: Float32Array, { column, row, width, height }: Window, from: number): void {
    const size = this.#embedding;
    const left = Math.max(column, this.#column);
    const right = Math.min(column + width, this.#column + this.#columns);
    if (right <= left) return;
    for (let y = Math.max(row, from); y < row + height; y++) {
      const { sums, counts } = this.#row(y);
      const source = ((y - row) * width + (left - column)) * size;
      const target = (left - this.#column) * size;
      for (let i = 0; i < (right - left) * size; i++) sums[target + i]! += tokens[source + i]!;
      for (let x = left; x < right; x++) counts[x - this.#column]!++;
    }
  }

  /** Mean tokens `[height · width, embedding]` of a rectangle of the grid; 0 where no window was. */
  mean(column: number, row: number, width: number, height: number): Float32Array<ArrayBuffer> {
    const size = this.#embedding;
    const out = new Float32Array(width * height * size);
    for (let y = 0; y < height; y++) {
      const band = this.#rows.get(row + y);
      if (!band) continue;
      for (let x = 0; x < width; x++) {
        const at = column - this.#column + x;
        const count = band.counts[at]!;
        if (count === 0) continue;
        const to = (y * width + x) * size;
        for (let k = 0; k < size; k++) out[to + k] = band.sums[at * size + k]! / count;
      }
    }
    return out;
  }

  /** Forgets the token rows above `row`. */
  drop(row: number): void {
    for (const [key, band] of this.#rows) {
      if (key >= row) continue;
      this.#rows.delete(key);
      band.sums.fill(0);
      band.counts.fill(0);
      this.#spare.push(band);
    }
  }

  #row(row: number): { sums: Float32Array; counts: Uint16Array } {
    let band = this.#rows.get(row);
    if (!band) {
      band = this.#spare.pop() ?? {
        sums: new Float32Array(this.#columns * this.#embedding),
        counts: new Uint16Array(this.#columns),
      };
      this.#rows.set(row, band);
    }
    return band;
  }
}
