import type { SegmentSummary } from '../run/segment.ts';
import type { RunOptions } from '../run/watch.ts';
import type { Console } from './console.ts';
import { watched } from './watched.ts';

/** Runs with progress on the terminal, and prints what came of it. */
export async function showRun(
  door: Console,
  json: boolean | undefined,
  run: (watch: RunOptions) => Promise<SegmentSummary>,
): Promise<void> {
  const summary = await watched(door, json, run);
  const { summaryText } = await import('./summary.ts');
  door.print(json ? JSON.stringify(summary) : summaryText(summary));
}
