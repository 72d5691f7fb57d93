import type { ProjectState, TreeNode } from '../../main/rpc/project.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { host, receive, showAhead } from '../state/project.ts';

/**
 * Shows a change before the host has kept it, so that the next one starts from it; what is refused is taken back. Whether
 * it was kept.
 */
export async function ahead(part: Partial<ProjectState>, call: () => Promise<unknown>): Promise<boolean> {
  const settle = showAhead(part);
  const kept = await attempt(call().then(() => true));
  settle();
  if (kept) return true;
  const state = await attempt(ask.project.state());
  if (state !== undefined) receive(state);
  return false;
}

/** Changes the layer tree. */
export function saveTree(tree: TreeNode[], label: string): Promise<boolean> {
  if (!host.get().project) return Promise.resolve(false);
  return ahead({ tree }, () => ask.project.saveTree({ tree, label }));
}
