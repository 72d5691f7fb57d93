import { Problem } from '../report/problem.ts';

/** Throws `scene/no-such-band` where one of `wanted` (from 0) is none of the `count` bands of what `name` names. */
export function checkBands(wanted: readonly number[], count: number, name: string): void {
  const missing = wanted.find((band) => !Number.isInteger(band) || band < 0 || band >= count);
  if (missing === undefined) return;
  throw new Problem(
    'scene/no-such-band',
    `${name} has no band ${missing + 1}.`,
    `It has ${count} bands, numbered from 1.`,
  );
}
