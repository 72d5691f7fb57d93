import type { Transferable } from 'node:worker_threads';
import type { ReportProgress } from '../report/progress.ts';

/** What a task of an engine thread is given besides its request. */
export interface TaskContext {
  signal: AbortSignal;
  report: ReportProgress;
  /** A sentence for the person who watches the run. */
  note(text: string): void;
  /** Hands a piece of the result to the host; resolves when the host is ready for another one. */
  emit(piece: unknown, transfer?: Transferable[]): Promise<void>;
}

/** Values that leave this thread for good when the task ends. */
export interface TaskReply<Reply> {
  reply: Reply;
  transfer?: Transferable[];
}

/** Types of a set of tasks by name. */
export type TaskTable<Table> = {
  [Name in keyof Table]: {
    request: unknown;
    /** What `emit` hands over while the task runs. */
    piece: unknown;
    reply: unknown;
  };
};
