import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../worker/report/problem.ts';

/** The pack that comes with the program: `models/starter`, two floors up from source and built code alike. */
export const starterPack = fileURLToPath(new URL('../../../models/starter', import.meta.url));

/** The pack asked for: the option's, $LANDSCRIBE_PACK's, else the built-in starter. Throws `pack/none`. */
export function packOf(option: string | undefined): string {
  const asked = option ?? process.env.LANDSCRIBE_PACK;
  if (asked) return asked;
  if (existsSync(starterPack)) return starterPack;
  throw new Problem(
    'pack/none',
    'No model pack is given.',
    'Name one with --pack or $LANDSCRIBE_PACK; landscribe pack build makes one from a checkpoint.',
  );
}
