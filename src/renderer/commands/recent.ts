import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { session } from '../state/session.ts';

/** Opens a project by its path. */
export async function openRecent(path: string): Promise<void> {
  session.set({
    node: null,
    selection: { layer: null, fids: new Set() },
    preview: null,
    extent: { kind: 'scene' },
  });
  await attempt(ask.project.open({ path }));
}
