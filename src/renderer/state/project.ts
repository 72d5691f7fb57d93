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
