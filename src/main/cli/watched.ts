import type { RunOptions } from '../run/watch.ts';
import type { Console } from './console.ts';

/** What `run` returns, with its progress and notes on the terminal; they are gone when the result is printed. */
export async function watched<Result>(
  door: Console,
  json: boolean | undefined,
  run: (watch: RunOptions & { onNote(text: string): void }) => Promise<Result>,
): Promise<Result> {
  const display = door.display(json ?? false);
  try {
    return await run({ signal: door.signal, onProgress: display.report, onNote: display.note });
  } finally {
    display.end();
  }
}
