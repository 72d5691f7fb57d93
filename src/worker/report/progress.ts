/** How far a long task is. `done` never decreases within a phase; phases come in a fixed order. */
export interface Progress {
  phase: string;
  done: number;
  total: number;
  /** What is counted: `windows`, `rows`, `features`, `bytes`, … */
  unit: string;
}

export type ReportProgress = (progress: Progress) => void;
