import { existsSync } from 'node:fs';
import { Problem } from '../../worker/report/problem.ts';
import { starterPack } from '../packs/starter.ts';

/** The pack asked for: the option's, $LANDSCRIBE_PACK's, else the built-in starter. Throws `pack/none`. */
export function packOf(option: string | undefined): string {
  const asked = option ?? process.env.LANDSCRIBE_PACK;
  if (asked) return asked;
  if (existsSync(starterPack)) return starterPack;
  throw new Problem(
    'pack/none',
    'No model pack is given.',
    'Name one with --pack or $LANDSCRIBE_PACK; landscribe pack install clip-b16 fetches the model of the papers.',
  );
}
