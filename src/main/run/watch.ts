import type { ReportProgress } from '../../worker/report/progress.ts';
import type { Workload } from './estimate.ts';

/** How whoever asks for work follows it. */
export interface RunOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ReportProgress | undefined;
  /** A sentence for the person who watches. */
  onNote?: ((text: string) => void) | undefined;
  /** Is told how much there is to do before the first window is encoded, which waits for it. */
  onWorkload?: ((work: Workload) => Promise<void>) | undefined;
}
