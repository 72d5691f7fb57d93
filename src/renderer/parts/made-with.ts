import type { ProjectLayer } from '../../main/rpc/project.ts';
import type { Text } from '../texts/catalogue.ts';

/** What made a layer, in a line: pack, mode, date; null for layers that no run made. */
export function madeWith({ provenance }: Pick<ProjectLayer, 'provenance'>, text: Text): string | null {
  const { pack, settings, date } = provenance as Record<string, unknown>;
  if (typeof pack !== 'string' || pack === '' || typeof date !== 'string') return null;
  const fast = (settings as { mode?: unknown } | null | undefined)?.mode === 'fast';
  return text('layers.made', {
    pack,
    mode: text(fast ? 'run.mode.fast' : 'run.mode.reference').toLowerCase(),
    date: date.slice(0, 10),
  });
}
