import type { Job } from '../../main/rpc/jobs.ts';
import type { Pack } from '../../main/rpc/packs.ts';
import type { ProjectState } from '../../main/rpc/project.ts';
import { createStore } from './store.ts';

export interface LogLine {
  level: 'info' | 'warning' | 'error';
  text: string;
  time: string;
}

/** What the host last told of itself. */
export const host = createStore({
  /** `waiting`: not yet; `lost`: being reached again. */
  connection: 'waiting' as 'waiting' | 'open' | 'lost',
  door: 'browser' as 'browser' | 'electron',
  version: '',
  project: null as ProjectState | null,
  jobs: [] as readonly Job[],
  packs: [] as readonly Pack[],
  /** Share of a scene's overviews that is built, by scene. */
  overviews: {} as Readonly<Record<number, number>>,
  log: [] as readonly LogLine[],
});

/** What this window has changed and the host has not kept yet, the last change last. */
let changes: readonly { path: string; part: Partial<ProjectState> }[] = [];

/** Takes the host's word; what is still on its way there stays as this window shows it. */
export function receive(project: ProjectState | null): void {
  const mine = changes.filter(({ path }) => path === project?.path).map(({ part }) => part);
  host.set({ project: project && Object.assign({ ...project }, ...mine) });
}

/** Shows a change of the open project at once; returns what to call when the host has answered. */
export function showAhead(part: Partial<ProjectState>): () => void {
  const { project } = host.get();
  if (!project) return () => {};
  const change = { path: project.path, part };
  changes = [...changes, change];
  host.set({ project: { ...project, ...part } });
  return () => {
    changes = changes.filter((other) => other !== change);
  };
}
