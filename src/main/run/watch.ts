import type { ReportProgress } from '../../worker/report/progress.ts';

/** How whoever asks for work follows it. */
export interface RunOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ReportProgress | undefined;
  /** A sentence for the person who watches. */
  onNote?: ((text: string) => void) | undefined;
}
