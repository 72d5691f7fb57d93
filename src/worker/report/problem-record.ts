import { Cancelled, Problem } from './problem.ts';

/** A `Problem` as plain values, so that it survives `postMessage`, a pipe or a JSON file. */
export interface ProblemRecord {
  code: string;
  message: string;
  hint: string;
  stack: string;
}

const systemHints: Record<string, readonly [code: string, what: string, hint: string]> = {
  ENOSPC: ['disk/full', 'the disk is full', 'Free some space, or write to another disk.'],
  EDQUOT: ['disk/full', 'your disk quota is used up', 'Free some space, or write to another disk.'],
  EACCES: ['file/no-permission', 'permission denied', 'Choose a place that you may write to.'],
  EPERM: ['file/no-permission', 'not permitted', 'Choose a place that you may write to.'],
  EROFS: ['file/read-only', 'the file system is read-only', 'Choose a place that you may write to.'],
  ENOENT: ['file/missing', 'no such file or folder', 'Check the path.'],
  EEXIST: ['file/exists', 'a file of this name is there', 'Choose another name.'],
  ENOTDIR: ['file/missing', 'a part of the path is not a folder', 'Check the path.'],
  EISDIR: ['file/is-a-folder', 'is a folder', 'Name a file.'],
  EMFILE: ['system/too-many-files', 'too many open files', 'Raise the limit of open files (ulimit -n).'],
  EIO: ['disk/failure', 'the disk failed to read or write', 'Check the disk.'],
};

/**
 * The error as a `Problem`: itself if it is one; a failed system call with its path and a hint; anything else as
 * `internal`, which only a mistake in the program can cause.
 *
 * @param file what the call was about, where the system does not say
 */
export function asProblem(error: unknown, file?: string): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Error) {
    const { code, path = file } = error as NodeJS.ErrnoException;
    const known = code === undefined ? undefined : systemHints[code];
    if (known) {
      const [ownCode, what, hint] = known;
      return new Problem(ownCode, path ? `${path}: ${what}.` : `${sentence(what)}.`, hint, error);
    }
    if (error.name === 'AbortError') return new Cancelled();
    if (
      error instanceof RangeError &&
      /array buffer allocation|invalid (typed )?array length/i.test(error.message)
    ) {
      return new Problem(
        'system/memory',
        'Not enough memory.',
        'Lower --memory or close other programs.',
        error,
      );
    }
    return new Problem('internal', `Internal error: ${error.message}`, reportHint, error);
  }
  return new Problem('internal', `Internal error: ${String(error)}`, reportHint);
}

const reportHint = 'This is a mistake in the program: run again with --debug and report it.';

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function toRecord(error: unknown): ProblemRecord {
  const problem = asProblem(error);
  const cause = problem.cause instanceof Error ? problem.cause : problem;
  return { code: problem.code, message: problem.message, hint: problem.hint, stack: cause.stack ?? '' };
}

/** The problem again, with the stack of the place where it was thrown. */
export function fromRecord(record: ProblemRecord): Problem {
  const problem =
    record.code === 'cancelled'
      ? new Cancelled(record.message, record.hint)
      : new Problem(record.code, record.message, record.hint);
  problem.stack = record.stack;
  return problem;
}
