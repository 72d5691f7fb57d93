import type { Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';

/** Normalised colours of a window, `[3, height, width]`, and where they are measurements, `[height, width]`. */
export interface PreparedWindow {
  pixels: Float32Array;
  valid: Uint8Array;
}

export interface ScoredWindow {
  window: Window;
  /** `[words, height, width]`, or null for a window without any valid pixel, which is not scored. */
  scores: Float32Array | null;
  valid: Uint8Array;
}

/**
 * Scores windows on several lanes and yields them in the order given. At most `ahead` windows are read, being scored
 * or waiting for their turn; reading is one at a time, each lane scores one window at a time.
 *
 * When the loop over the result ends early (cancel, failure), windows under way are awaited, never abandoned.
 */
export async function* scoreInOrder(
  windows: Iterable<Window>,
  prepare: (window: Window) => Promise<PreparedWindow>,
  scorers: readonly WindowScorer[],
  ahead: number,
  signal?: AbortSignal,
): AsyncGenerator<ScoredWindow> {
  const idle = [...scorers];
  const waiting: ((scorer: WindowScorer) => void)[] = [];
  const release = (scorer: WindowScorer): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(scorer);
    else next(scorer);
  };
  const acquire = (): WindowScorer | Promise<WindowScorer> =>
    idle.shift() ?? new Promise((resolve) => waiting.push(resolve));

  let failed = false;
  const prepareNext = async (window: Window): Promise<PreparedWindow> => {
    throwIfCancelled(signal);
    if (failed) throw new Error('an earlier window failed');
    return prepare(window);
  };
  let lastRead: Promise<unknown> = Promise.resolve();
  const begin = async (window: Window, read: Promise<PreparedWindow>): Promise<ScoredWindow> => {
    const { pixels, valid } = await read;
    if (!valid.includes(1)) return { window, scores: null, valid };
    const scorer = await acquire();
    try {
      throwIfCancelled(signal);
      return { window, scores: await scorer.score(pixels, window.height, window.width, signal), valid };
    } finally {
      release(scorer);
    }
  };

  const iterator = windows[Symbol.iterator]();
  const queue: Promise<ScoredWindow>[] = [];
  const fill = (): void => {
    while (queue.length < ahead) {
      const { done, value: window } = iterator.next();
      if (done) return;
      const read = lastRead.then(() => prepareNext(window));
      lastRead = read.catch(() => {});
      const scored = begin(window, read);
      scored.catch(() => {});
      queue.push(scored);
    }
  };
  try {
    for (fill(); queue.length > 0; ) {
      throwIfCancelled(signal);
      const scored = await queue[0]!;
      queue.shift();
      fill();
      yield scored;
    }
  } finally {
    failed = true;
    await Promise.allSettled(queue);
  }
}
