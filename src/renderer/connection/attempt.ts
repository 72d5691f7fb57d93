import type { ProblemShape } from '../../main/rpc/base.ts';
import { dialogs } from '../state/dialogs.ts';
import { textNow } from '../texts/catalogue.ts';
import { windowHint } from '../texts/window-hint.ts';
import { isAborted, problemOf } from './client.ts';
import { log } from './watch.ts';

/** The call's result; on failure undefined, with the problem shown. `handle` may take a problem as its own. */
export async function attempt<Result>(
  call: Promise<Result>,
  handle?: (problem: ProblemShape) => boolean,
): Promise<Result | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isAborted(error)) return undefined;
    const problem = problemOf(error);
    if (handle?.(problem)) return undefined;
    log('error', `${problem.message} ${windowHint(problem, textNow)}`.trim());
    dialogs.set({ problem });
    return undefined;
  }
}
