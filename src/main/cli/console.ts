import type { ReportProgress } from '../../worker/report/progress.ts';

/** What a command is given by the door: streams, cancellation, and how talkative to be. */
export interface Console {
  signal: AbortSignal;
  /** A line of the result, on standard output. */
  print(text: string): void;
  /** Asks on the terminal; false where nobody sits at one. */
  confirm(question: string): Promise<boolean>;
  /** Progress and notes go to standard error, and nowhere with `--json`. */
  display(json: boolean): { report: ReportProgress; note(text: string): void; end(): void };
}
