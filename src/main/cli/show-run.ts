import type { SegmentSummary } from '../run/segment.ts';
import type { RunOptions } from '../run/watch.ts';
import type { Console } from './console.ts';

/** Runs with progress on the terminal, and prints what came of it. */
export async function showRun(
  door: Console,
  json: boolean,
  run: (watch: RunOptions) => Promise<SegmentSummary>,
): Promise<void> {
  const display = door.display(json);
  try {
    const summary = await run({ signal: door.signal, onProgress: display.report, onNote: display.note });
    display.end();
    if (json) {
      door.print(JSON.stringify(summary));
      return;
    }
    const { summaryText } = await import('./summary.ts');
    door.print(summaryText(summary));
  } finally {
    display.end();
  }
}
