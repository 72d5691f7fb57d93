import type { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';

/** A failed write as a `Problem` that names `path`: errors of open files do not say which file they mean. */
export function storageProblem(error: unknown, path: string): Problem {
  if (error instanceof Error && 'code' in error) {
    return asProblem(Object.assign(new Error(error.message, { cause: error }), { code: error.code, path }));
  }
  return asProblem(error);
}
