import type { Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';

/** Normalised colours of a window, `[3, height, width]`, and where they are measurements, `[height, width]`. */
export interface PreparedWindow {
  pixels: Float32Array;
  valid: Uint8Array;
}

export interface AnsweredWindow<Answer> {
  window: Window;
  /** Null for a window without any valid pixel, which is not worked on. */
  answer: Answer | null;
  valid: Uint8Array;
}

/** Works on one window at a time. */
export type WindowWorker<Answer> = (pixels: Float32Array, window: Window) => Promise<Answer>;

/**
 * Works on windows on several lanes and yields them in the order given. At most `ahead` windows are read,
 * being worked on or waiting for their turn; reading is one at a time, each lane takes one window at a time.
 *
 * When the loop over the result ends early (cancel, failure), windows under way are awaited, never abandoned.
 */
export async function* workInOrder<Answer>(
  windows: Iterable<Window>,
  prepare: (window: Window) => Promise<PreparedWindow>,
  workers: readonly WindowWorker<Answer>[],
  ahead: number,
  signal?: AbortSignal,
): AsyncGenerator<AnsweredWindow<Answer>> {
  const idle = [...workers];
  const waiting: ((worker: WindowWorker<Answer>) => void)[] = [];
  const release = (worker: WindowWorker<Answer>): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(worker);
    else next(worker);
  };
  const acquire = (): WindowWorker<Answer> | Promise<WindowWorker<Answer>> =>
    idle.shift() ?? new Promise((resolve) => waiting.push(resolve));

  let failed = false;
  const prepareNext = async (window: Window): Promise<PreparedWindow> => {
    throwIfCancelled(signal);
    if (failed) throw new Error('an earlier window failed');
    return prepare(window);
  };
  let lastRead: Promise<unknown> = Promise.resolve();
  const begin = async (window: Window, read: Promise<PreparedWindow>): Promise<AnsweredWindow<Answer>> => {
    const { pixels, valid } = await read;
    if (!valid.includes(1)) return { window, answer: null, valid };
    const worker = await acquire();
    try {
      throwIfCancelled(signal);
      return { window, answer: await worker(pixels, window), valid };
    } finally {
      release(worker);
    }
  };

  const iterator = windows[Symbol.iterator]();
  const queue: Promise<AnsweredWindow<Answer>>[] = [];
  const fill = (): void => {
    while (queue.length < ahead) {
      const { done, value: window } = iterator.next();
      if (done) return;
      const read = lastRead.then(() => prepareNext(window));
      lastRead = read.catch(() => {});
      const answered = begin(window, read);
      answered.catch(() => {});
      queue.push(answered);
    }
  };
  try {
    for (fill(); queue.length > 0; ) {
      throwIfCancelled(signal);
      const answered = await queue[0]!;
      queue.shift();
      fill();
      yield answered;
    }
  } finally {
    failed = true;
    await Promise.allSettled(queue);
  }
}
