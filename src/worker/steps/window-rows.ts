import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { type AccumulatorStorage, accumulatorStorage, ScoreAccumulator } from '../classmap/accumulate.ts';
import type { Window } from '../raster/grid.ts';
import { selectWindows, type WindowPlan, windowAt, windowStart } from '../tile/plan.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';
import { type RowSource, usualMemoryBytes, type WorkingPart } from './row-source.ts';
import { workInOrder } from './window-queue.ts';

/** Pixels of a scene at its working resolution, in working pixel coordinates. */
export interface WorkingSource {
  /** Colours 0-255 `[3, height, width]` and validity `[height, width]`; each pixel depends on its position alone. */
  read(window: Window, signal?: AbortSignal): Promise<{ pixels: Float32Array; valid: Uint8Array }>;
}

export interface WindowRowsRequest {
  plan: WindowPlan;
  working: WorkingSource;
  /** Colours 0-255 to what the model takes; may work in place. Invalid pixels become the mean. */
  normalise(pixels: Float32Array, valid: Uint8Array): Float32Array;
  /** One per lane; all score alike. */
  scorers: readonly WindowScorer[];
  /** Of which a quarter may hold windows; default 512 MiB. */
  memoryBytes?: number | undefined;
}

/**
 * Scores in the reference mode: every window by itself, read and normalised ahead, scored on the lanes, and the means of
 * overlapping windows. Rows do not depend on parts or lanes.
 */
export class WindowRows implements RowSource {
  readonly words: number;
  readonly rowsHeld: number;
  readonly bytesAhead: number;
  readonly #request: WindowRowsRequest;
  readonly #ahead: number;
  #room: AccumulatorStorage | null = null;

  constructor(request: WindowRowsRequest) {
    const { plan, scorers, memoryBytes = usualMemoryBytes } = request;
    this.#request = request;
    this.words = scorers[0]!.words;
    this.rowsHeld = plan.rows.window;
    const windowBytes = plan.columns.window * plan.rows.window * (this.words * 4 + 3 * 4 + 1);
    const lanes = scorers.length;
    this.#ahead = Math.max(lanes, Math.min(2 * lanes + 1, Math.floor(memoryBytes / 4 / windowBytes)));
    this.bytesAhead = this.#ahead * windowBytes;
  }

  async *read(
    { column, width, first, end }: WorkingPart,
    means: Float32Array,
    valid: Uint8Array,
    signal?: AbortSignal,
    onShare?: (share: number) => void,
  ): AsyncGenerator<number> {
    const { plan, working, normalise, scorers } = this.#request;
    const { words } = this;
    const selection = selectWindows(plan, { column, row: first, width, height: end - first });
    const sums = new ScoreAccumulator(plan, words, column, width, first, this.#roomFor(width));
    const perRow = selection.endColumn - selection.firstColumn;
    const total = perRow * (selection.endRow - selection.firstRow);
    const scored = workInOrder(
      windowsOf(plan, selection),
      async (window) => {
        const read = await working.read(window, signal);
        return { pixels: normalise(read.pixels, read.valid), valid: read.valid };
      },
      scorers.map(
        (scorer) => (pixels: Float32Array, window: Window) =>
          scorer.score(pixels, window.height, window.width, signal, window),
      ),
      this.#ahead,
      signal,
    );
    let done = 0;
    for await (const { window, answer, valid: measured } of scored) {
      if (answer !== null) {
        if (answer.length !== words * window.width * window.height)
          throw new RangeError(`a scorer returned ${answer.length} values for ${words} words`);
        sums.add(window, answer, measured);
      }
      done++;
      onShare?.(done / total);
      if (done % perRow !== 0) continue;
      const next = selection.firstRow + done / perRow;
      const until = next < selection.endRow ? Math.min(windowStart(plan.rows, next), end) : end;
      while (sums.row < until) {
        const { row } = sums;
        sums.take(means, valid);
        yield row;
      }
      // Cancel and messages of other threads come in as events.
      await yieldToEvents();
    }
  }

  /** The sums of one part after the other lie in the same place: one's garbage beside the next one's would be twice the memory. */
  #roomFor(width: number): AccumulatorStorage {
    const { plan } = this.#request;
    // Parts of equal scene columns differ by a working column or two.
    if (this.#room === null || this.#room.valid.length < plan.rows.window * width)
      this.#room = accumulatorStorage(plan, this.words, Math.min(width + 2, plan.columns.size));
    return this.#room;
  }
}

function* windowsOf(plan: WindowPlan, selection: ReturnType<typeof selectWindows>): Generator<Window> {
  for (let row = selection.firstRow; row < selection.endRow; row++)
    for (let column = selection.firstColumn; column < selection.endColumn; column++)
      yield windowAt(plan, column, row);
}
