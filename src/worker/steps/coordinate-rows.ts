import { blockHeight, blockWidth, type CoordinateHeader } from '../features/coordinate-store.ts';
import type { FeatureReader } from '../features/feature-store.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { selectWindows, type WindowPlan } from '../tile/plan.ts';
import type { CompareBlock } from './compare-block.ts';
import { GlobalScores, globalScoresOf } from './global-scores.ts';
import type { RowSource, WorkingPart } from './row-source.ts';

/** Blocks that are read while others are used. */
const ahead = 2;

/** Mean scores of a stored scene by its coordinates: no encoder, no upsampler, no picture. */
export class CoordinateRows implements Pick<RowSource, 'words' | 'read'> {
  readonly words: number;
  readonly #features: FeatureReader;
  readonly #coordinates: CoordinateHeader;
  readonly #compare: CompareBlock;
  readonly #plan: WindowPlan;
  readonly #embeddings: Float32Array;
  readonly #lambda: number;
  /** Of the class tokens, by window. */
  readonly #scores = new Map<number, Float32Array>();
  /** Of blocks that are used up. */
  readonly #rooms: Float32Array[] = [];

  /**
   * @param coordinates those of the features
   * @param compare a block of them with the words
   * @param embeddings normalised word embeddings `[words, embedding]`
   */
  constructor(
    features: FeatureReader,
    coordinates: CoordinateHeader,
    compare: CompareBlock,
    plan: WindowPlan,
    embeddings: Float32Array,
    lambda: number,
  ) {
    this.#features = features;
    this.#coordinates = coordinates;
    this.#compare = compare;
    this.#plan = plan;
    this.#embeddings = embeddings;
    this.#lambda = lambda;
    this.words = embeddings.length / coordinates.size;
  }

  /** Bytes that one of so many words holds: of a working column, and of what it reads ahead. */
  static bytesHeld(words: number): { perColumn: number; ahead: number } {
    const column = blockHeight * 4 * (words + 1);
    // Blocks at hand, and room for those after them.
    return { perColumn: 2 * column, ahead: ahead * blockWidth * column };
  }

  async *read(
    { column, width, first, end }: WorkingPart,
    means: Float32Array,
    valid: Uint8Array,
    signal?: AbortSignal,
  ): AsyncGenerator<number> {
    const firstBlock = Math.floor(column / blockWidth);
    const lastBlock = Math.floor((column + width - 1) / blockWidth);
    const lastRow = Math.floor((end - 1) / blockHeight);
    const wanted: { column: number; row: number }[] = [];
    for (let row = Math.floor(first / blockHeight); row <= lastRow; row++)
      for (let block = firstBlock; block <= lastBlock; block++) wanted.push({ column: block, row });
    const queue: Promise<Float32Array>[] = [];
    let next = 0;
    const fill = () => {
      for (; queue.length < ahead + (lastBlock - firstBlock) && next < wanted.length; next++) {
        const { column, row } = wanted[next]!;
        const block = this.#compare(column, row, this.#rooms.pop() ?? new Float32Array(0));
        block.catch(() => {});
        queue.push(block);
      }
    };
    const global =
      this.#lambda === 0
        ? null
        : new GlobalScores(
            this.#plan,
            column,
            width,
            this.words,
            (windowColumn, windowRow) =>
              this.#scores.get(windowRow * this.#plan.columns.count + windowColumn) ?? null,
          );
    try {
      for (let blockRow = Math.floor(first / blockHeight); blockRow <= lastRow; blockRow++) {
        throwIfCancelled(signal);
        const top = Math.max(first, blockRow * blockHeight);
        const bottom = Math.min(end, (blockRow + 1) * blockHeight);
        if (global) await this.#loadScores({ column, width, row: top, height: bottom - top });
        const blocks: Float32Array[] = [];
        for (let block = firstBlock; block <= lastBlock; block++) {
          fill();
          blocks.push(await queue.shift()!);
        }
        fill();
        for (let row = top; row < bottom; row++) {
          this.#row(blocks, firstBlock, row, column, width, means, valid);
          global?.add(row, means);
          yield row;
        }
        this.#rooms.push(...blocks);
      }
    } finally {
      await Promise.allSettled(queue);
    }
  }

  #row(
    blocks: readonly Float32Array[],
    firstBlock: number,
    row: number,
    column: number,
    width: number,
    means: Float32Array,
    valid: Uint8Array,
  ): void {
    const top = row - (row % blockHeight);
    const height = Math.min(blockHeight, this.#coordinates.height - top);
    blocks.forEach((block, i) => {
      const left = (firstBlock + i) * blockWidth;
      const blockColumns = Math.min(blockWidth, this.#coordinates.width - left);
      const from = Math.max(column, left);
      const count = Math.min(column + width, left + blockWidth) - from;
      const to = from - column;
      if (block.length === 0) {
        valid.fill(0, to, to + count);
        for (let word = 0; word < this.words; word++)
          means.fill(0, word * width + to, word * width + to + count);
        return;
      }
      const start = (row - top) * blockColumns + from - left;
      const plane = height * blockColumns;
      for (let word = 0; word < this.words; word++)
        means.set(block.subarray(word * plane + start, word * plane + start + count), word * width + to);
      const measured = this.words * plane + start;
      valid.set(block.subarray(measured, measured + count), to);
    });
  }

  /** Scores of the class tokens of the windows that touch a part; those of windows above it go. */
  async #loadScores(part: { column: number; width: number; row: number; height: number }): Promise<void> {
    const { firstColumn, endColumn, firstRow, endRow } = selectWindows(this.#plan, part);
    const { count } = this.#plan.columns;
    for (const number of this.#scores.keys()) if (number < firstRow * count) this.#scores.delete(number);
    for (let row = firstRow; row < endRow; row++) {
      for (let column = firstColumn; column < endColumn; column++) {
        const number = row * count + column;
        if (this.#scores.has(number)) continue;
        const record = await this.#features.record(number);
        if (record === null) continue;
        const cls = this.#features.codec.classToken(record, this.#features.folder);
        this.#scores.set(number, globalScoresOf(cls, this.#embeddings, this.#lambda));
      }
    }
  }
}
