import type { Problem } from '../../worker/report/problem.ts';
import type { HostEvent } from '../rpc/events.ts';

/** Notes kept for a screen that does not fetch them. */
const mostNotes = 1000;

/**
 * Events on their way to the screens. What only says how things stand now (the project, a job, a scene's overviews) is
 * replaced by its successor while nobody has fetched it, so a slow screen costs no memory.
 */
export class EventHub {
  readonly #watchers = new Set<(event: HostEvent) => void>();

  send(event: HostEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }

  note(level: 'info' | 'warning' | 'error', text: string): void {
    this.send({ kind: 'note', level, text, time: new Date().toISOString() });
  }

  /** What went wrong without being asked for. */
  problem({ code, message, hint }: Problem): void {
    const text = `${message} ${hint}`.trim();
    const problem = { code, message, hint };
    this.send({ kind: 'note', level: 'error', text, time: new Date().toISOString(), problem });
  }

  /** Events from now on, until the signal fires. */
  async *watch(signal?: AbortSignal): AsyncGenerator<HostEvent, void> {
    const waiting = new Map<string, HostEvent>();
    let notes = 0;
    let count = 0;
    let wake = () => {};
    const watcher = (event: HostEvent) => {
      if (event.kind === 'note' && notes >= mostNotes) return;
      if (event.kind === 'note') notes++;
      const key = keyOf(event) ?? `note ${count++}`;
      waiting.delete(key);
      waiting.set(key, event);
      wake();
    };
    const onAbort = () => wake();
    this.#watchers.add(watcher);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal?.aborted) {
        const [next] = waiting;
        if (next) {
          waiting.delete(next[0]);
          if (next[1].kind === 'note') notes--;
          yield next[1];
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (signal?.aborted) resolve();
          });
      }
    } finally {
      this.#watchers.delete(watcher);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

function keyOf(event: HostEvent): string | null {
  switch (event.kind) {
    case 'project':
      return 'project';
    case 'job':
      return `job ${event.job.id}`;
    case 'job-removed':
      return `job ${event.id}`;
    case 'overviews':
      return `overviews ${event.sceneId}`;
    case 'preview':
      return `preview ${event.sceneId}`;
    case 'note':
      return null;
  }
}
