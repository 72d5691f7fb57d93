import type { Job } from '../../main/rpc/jobs.ts';
import { dialogs } from '../state/dialogs.ts';
import { host, receive } from '../state/project.ts';
import { session } from '../state/session.ts';
import { ask, connect } from './client.ts';

const logLines = 1000;
/** Milliseconds until the host is tried again. */
const retryAfter = 1000;

/** Keeps the state filled with the host's last word, through losses of the connection. */
export async function watchHost(): Promise<void> {
  for (;;) {
    try {
      const { ended } = await connect();
      const leaving = new AbortController();
      void ended.then(() => leaving.abort());
      await refreshAll();
      host.set({ connection: 'open' });
      await Promise.race([ended, followEvents(leaving.signal)]);
    } catch {
      // Tried again below.
    }
    host.set({ connection: 'lost' });
    await new Promise((resolve) => setTimeout(resolve, retryAfter));
  }
}

async function refreshAll(): Promise<void> {
  const [about, project, jobs, packs] = await Promise.all([
    ask.about(),
    ask.project.state(),
    ask.jobs.list(),
    ask.packs.list(),
  ]);
  host.set({ door: about.door, version: about.version, jobs, packs });
  receive(project);
}

let asked = false;
let askAgain = false;
/** One question at a time: a burst of changes is answered by the last state. */
async function refreshProject(): Promise<void> {
  askAgain = true;
  if (asked) return;
  asked = true;
  try {
    while (askAgain) {
      askAgain = false;
      const project = await ask.project.state();
      // Another project has other jobs, and what it was in the middle of is asked as it opens.
      const other = project?.path !== host.get().project?.path;
      const jobs = other ? await ask.jobs.list() : null;
      if (jobs) host.set({ jobs });
      receive(project);
    }
  } finally {
    asked = false;
  }
}

/** Until the caller aborts, or the host ends. */
async function followEvents(signal: AbortSignal): Promise<void> {
  for await (const event of await ask.events.watch(undefined, { signal })) {
    if (event.kind === 'project') void refreshProject();
    else if (event.kind === 'job') {
      tellFailure(event.job);
      host.set(({ jobs }) => {
        const known = jobs.some(({ id }) => id === event.job.id);
        return {
          jobs: known ? jobs.map((job) => (job.id === event.job.id ? event.job : job)) : [...jobs, event.job],
        };
      });
      if (event.job.kind === 'install' && event.job.state === 'done')
        host.set({ packs: await ask.packs.list() });
    } else if (event.kind === 'job-removed')
      host.set(({ jobs }) => ({ jobs: jobs.filter(({ id }) => id !== event.id) }));
    else if (event.kind === 'note') {
      log(event.level, event.text, event.time);
      if (event.problem) dialogs.set({ problem: event.problem });
    } else if (event.kind === 'overviews') {
      host.set(({ overviews }) => ({ overviews: { ...overviews, [event.sceneId]: event.share } }));
    } else if (event.kind === 'preview' && session.get().previewing)
      session.set({ previewShare: event.share });
  }
}

/** A job that fails while it is watched is told of at once, whatever panel is in front. */
function tellFailure({ id, state, problem, resumable }: Job): void {
  const before = host.get().jobs.find((job) => job.id === id);
  if (state !== 'failed' || !problem || !before || before.state === 'failed') return;
  dialogs.set({ problem: { ...problem, ...(resumable && { job: id }) } });
}

/** A line for the log of this window. */
export function log(
  level: 'info' | 'warning' | 'error',
  text: string,
  time = new Date().toISOString(),
): void {
  host.set(({ log: lines }) => ({ log: [...lines.slice(1 - logLines), { level, text, time }] }));
}
