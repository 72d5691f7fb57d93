import * as z from 'zod';
import type { JobQueue, Job as QueuedJob } from '../jobs/job-queue.ts';
import type { Job } from '../rpc/jobs.ts';
import type { LivePicture } from '../rpc/runs.ts';
import type { EventHub } from './event-hub.ts';

/** Milliseconds between two events of one job: more often nobody sees. */
const tellEvery = 150;

const named = z.object({
  layer: z.string().optional(),
  name: z.string().optional(),
  out: z.string().optional(),
  precision: z.string().optional(),
});

/** The jobs of the open project as the screens see them. */
export class JobFeed {
  readonly queue: JobQueue;
  readonly #hub: EventHub;
  readonly #onFinished: () => void;
  readonly #nameOf: (table: string) => string;
  readonly #changed = new Set<number>();
  readonly #states = new Map<number, string>();
  readonly #pictures = new Map<number, LivePicture>();
  #timer: NodeJS.Timeout | null = null;

  /** `nameOf` tells what people call the layer in a table. */
  constructor(
    queue: JobQueue,
    hub: EventHub,
    onFinished: () => void,
    nameOf: (table: string) => string = (table) => table,
  ) {
    this.queue = queue;
    this.#hub = hub;
    this.#onFinished = onFinished;
    this.#nameOf = nameOf;
    for (const job of queue.jobs()) this.#states.set(job.id, job.state);
    queue.onChange((id) => {
      this.#changed.add(id);
      this.#timer ??= setTimeout(() => this.#tell(), tellEvery);
    });
  }

  list(): Job[] {
    return this.queue.jobs().map((job) => this.#jobOf(job));
  }

  isBusy(): boolean {
    return this.queue.jobs().some(({ state }) => state === 'running' || state === 'queued');
  }

  /** What a job draws while it runs. */
  showPicture(id: number, picture: LivePicture | null): void {
    if (picture) this.#pictures.set(id, picture);
    else this.#pictures.delete(id);
    this.#changed.add(id);
    this.#timer ??= setTimeout(() => this.#tell(), tellEvery);
  }

  async close(): Promise<void> {
    await this.queue.close();
    if (this.#timer) clearTimeout(this.#timer);
    this.#tell();
  }

  #tell(): void {
    this.#timer = null;
    let finished = false;
    for (const id of this.#changed) {
      const job = this.queue.job(id);
      const before = this.#states.get(id);
      if (!job) {
        this.#states.delete(id);
        this.#pictures.delete(id);
        this.#hub.send({ kind: 'job-removed', id });
        continue;
      }
      this.#states.set(id, job.state);
      const ended = job.state !== before && job.state !== 'running' && job.state !== 'queued';
      if (ended) {
        finished = true;
        this.#pictures.delete(id);
      }
      const told = this.#jobOf(job);
      this.#hub.send({ kind: 'job', job: told });
      if (ended && job.state === 'failed' && told.problem)
        this.#hub.note('error', `${told.title}: ${told.problem.message} ${told.problem.hint}`.trim());
    }
    this.#changed.clear();
    // A finished job may have left a layer.
    if (finished) this.#onFinished();
  }

  #jobOf(job: QueuedJob): Job {
    const { id, kind, state, created, started, finished, progress, timeLeft, resumable, problem, notes } =
      job;
    const result = z.record(z.string(), z.json()).safeParse(job.result);
    return {
      id,
      kind,
      title: titleOf(kind, job.request, this.#nameOf),
      ...aboutOf(kind, job.request, this.#nameOf),
      pack: kind === 'install' ? (named.safeParse(job.request).data?.name ?? null) : null,
      state,
      created,
      started,
      finished,
      progress,
      timeLeft,
      resumable,
      problem: problem && { code: problem.code, message: problem.message, hint: problem.hint },
      result: result.success ? result.data : null,
      notes: [...notes],
      picture: this.#pictures.get(id) ?? null,
    };
  }
}

type NameOf = (table: string) => string;

/** In the words of the log, which is in English. */
function titleOf(kind: string, request: unknown, nameOf: NameOf): string {
  const { subject, out } = aboutOf(kind, request, nameOf);
  switch (kind) {
    case 'segment':
      return subject ?? 'Run';
    case 'export':
      return `Export ${subject ?? ''}${out ? ` to ${out}` : ''}`.trim();
    case 'install':
      return `Install ${subject ?? 'pack'}`;
    case 'encode':
      return `Encode ${subject ?? 'scene'}`;
    case 'difference':
      return subject ?? 'Difference';
    default:
      return subject ?? kind;
  }
}

function aboutOf(kind: string, request: unknown, nameOf: NameOf): Pick<Job, 'subject' | 'out'> {
  const { layer, name, out, precision } = named.safeParse(request).data ?? {};
  const exact = kind === 'install' && precision && precision !== 'float32' ? `, ${precision}` : '';
  const subject = kind === 'export' && layer ? nameOf(layer) : kind === 'segment' ? layer : (name ?? layer);
  return { subject: subject ? subject + exact : null, out: out ?? null };
}
