import type { Pack } from '../../main/rpc/packs.ts';

/** What a model is called in a line: its title without what it tells of itself. */
export function shortTitle({ title }: Pick<Pack, 'title'>): string {
  return title.split(/[:,]/)[0]!;
}
