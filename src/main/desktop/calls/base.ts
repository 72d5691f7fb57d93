import { implement, ORPCError, ValidationError } from '@orpc/server';
import { Problem } from '../../../worker/report/problem.ts';
import { asProblem } from '../../../worker/report/problem-record.ts';
import { contract } from '../../rpc/contract.ts';

/**
 * The contract, to be implemented: whatever a call throws reaches the screen as `PROBLEM` with code, message and hint,
 * a wrong input included.
 */
export const calls = implement(contract).use(async ({ next }) => {
  try {
    return await next();
  } catch (error) {
    throw callError(error);
  }
});

function callError(error: unknown): ORPCError<'PROBLEM', { code: string; message: string; hint: string }> {
  const { code, message, hint } = asProblem(readable(error));
  return new ORPCError('PROBLEM', { message, data: { code, message, hint }, cause: error });
}

function readable(error: unknown): unknown {
  if (!(error instanceof ORPCError) || !(error.cause instanceof ValidationError)) return error;
  const issue = error.cause.issues[0];
  const where = issue?.path?.map((part) => (typeof part === 'object' ? part.key : part)).join('.') ?? '';
  const what = `${where ? `${where}: ` : ''}${issue?.message ?? error.message}`;
  return error.code === 'BAD_REQUEST'
    ? new Problem('request/invalid', `The request is not valid: ${what}.`, 'Reload the window.', error)
    : new Problem('internal', `Internal error: an answer is not valid: ${what}.`, 'Report this.', error);
}
