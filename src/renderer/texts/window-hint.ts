import type { ProblemShape } from '../../main/rpc/base.ts';
import type { Text, TextKey } from './catalogue.ts';

const byCode: readonly (readonly [code: RegExp, hint: TextKey])[] = [
  [/^internal$/, 'hint.internal'],
  [/memory$/, 'hint.memory'],
  [/^disk\/full$/, 'hint.disk'],
  [/^(scene\/outside-extent|segment\/extent)$/, 'hint.extent'],
  [/^pack\/unknown-word$/, 'hint.word'],
  [/^provider\//, 'hint.provider'],
  [/^output\//, 'hint.output'],
];
const ofTheCommandLine = /(^|[\s(])(--[a-z]|landscribe [a-z]|the same command)/;
/** The browser door is started with it. */
const ofTheDoor = /--root/;

/** What to do about a problem, in the words of the window where the engine's are those of the command line. */
export function windowHint({ code, hint }: ProblemShape, text: Text): string {
  if (!ofTheCommandLine.test(hint) || ofTheDoor.test(hint)) return hint;
  return text(byCode.find(([pattern]) => pattern.test(code))?.[1] ?? 'hint.setting');
}
