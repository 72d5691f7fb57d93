import type { ProblemRecord } from './problem-record.ts';
import type { Progress } from './progress.ts';

/**
 * What the host and an engine thread say to each other. A task runs from `start` to `done` or `failed`. Pieces of its
 * result travel as `piece`; the thread sends one only while it holds credit, and the host grants a credit for every
 * piece it has used up, so neither side can flood the other.
 */
export type ToThread =
  | { type: 'start'; id: number; task: string; request: unknown; credit: number }
  | { type: 'cancel'; id: number; problem: ProblemRecord | null }
  | { type: 'credit'; id: number; count: number }
  | { type: 'close' };

export type FromThread =
  | { type: 'progress'; id: number; progress: Progress }
  | { type: 'note'; id: number; text: string }
  | { type: 'piece'; id: number; piece: unknown }
  | { type: 'done'; id: number; reply: unknown }
  | { type: 'failed'; id: number; problem: ProblemRecord };
