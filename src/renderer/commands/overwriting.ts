import { attempt } from '../connection/attempt.ts';
import { askUser } from '../state/dialogs.ts';
import { textNow } from '../texts/catalogue.ts';

/** Calls, and asks before a file that exists is replaced. */
export async function overwriting<Result>(
  call: (overwrite: boolean) => Promise<Result>,
): Promise<Result | undefined> {
  let exists: string | null = null;
  const done = await attempt(call(false), ({ code, message }) => {
    if (code.endsWith('/exists')) exists = message;
    return exists !== null;
  });
  if (exists === null) return done;
  const answer = await askUser({
    title: textNow('question.overwrite'),
    text: `${exists}\n\n${textNow('question.overwriteText')}`,
    choices: [{ id: 'yes', label: textNow('question.replace'), danger: true }],
  });
  return answer === 'yes' ? attempt(call(true)) : undefined;
}
