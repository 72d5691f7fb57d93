import type * as z from 'zod';
import { Cancelled, Problem } from '../../worker/report/problem.ts';
import { asProblem, toRecord } from '../../worker/report/problem-record.ts';
import type { Progress } from '../../worker/report/progress.ts';
import type { JobState, StoredJob } from '../project/job-table.ts';
import type { ProjectStore } from '../project/project-store.ts';
import { TimeLeft } from './time-left.ts';

type JsonValue = z.infer<ReturnType<typeof z.json>>;

/** What a job's runner is given. */
export interface JobContext {
  id: number;
  signal: AbortSignal;
  onProgress(progress: Progress): void;
  onNote(text: string): void;
}

/**
 * Does one kind of job and returns its result. It may be called again for a job that an earlier program left in the
 * middle, and goes on where that one was.
 */
export type JobRunner = (request: JsonValue, context: JobContext) => Promise<JsonValue>;

export interface Job extends StoredJob {
  /** Milliseconds of the present phase; null while there is nothing to go by. */
  timeLeft: number | null;
  /** Whether `resume` takes it up again. */
  resumable: boolean;
  notes: readonly string[];
}

export interface QueueOptions {
  /** Jobs that run side by side. */
  atOnce?: number;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
  /** Told when the project cannot be written, so that the queue stands still. */
  onProblem?: (problem: Problem) => void;
}

interface Running {
  controller: AbortController;
  progress: Progress | null;
  timeLeft: TimeLeft;
  notes: string[];
  /** When and where progress was last saved. */
  savedAt: number;
  savedPhase: string | null;
  /** The state it ends in if it is stopped. */
  stopsAs: JobState;
  settled: Promise<void>;
}

/** Progress reaches the disk this often; a crash loses no more of the display. */
const saveEvery = 2000;
const resumableStates: readonly JobState[] = ['interrupted', 'cancelled', 'failed'];

/**
 * The jobs of a project, one at a time by default. Everything but live progress lies in the project: a job found running
 * when a project opens is `interrupted`, whatever ended its program, and can be resumed.
 */
export class JobQueue {
  readonly #store: ProjectStore;
  readonly #runners: Readonly<Record<string, JobRunner>>;
  readonly #atOnce: number;
  readonly #now: () => number;
  readonly #onProblem: (problem: Problem) => void;
  readonly #running = new Map<number, Running>();
  readonly #listeners = new Set<(id: number) => void>();
  readonly #notes = new Map<number, readonly string[]>();
  #open = false;

  /** Nothing runs before `start`. */
  constructor(
    store: ProjectStore,
    runners: Readonly<Record<string, JobRunner>>,
    { atOnce = 1, now = () => performance.now(), onProblem = () => {} }: QueueOptions = {},
  ) {
    this.#store = store;
    this.#runners = runners;
    this.#atOnce = atOnce;
    this.#now = now;
    this.#onProblem = onProblem;
  }

  /** Takes up the queued jobs, those of an earlier program first. */
  start(): void {
    this.#open = true;
    this.#fill();
  }

  jobs(): Job[] {
    return this.#store.jobs.all().map((job) => this.#withLive(job));
  }

  job(id: number): Job | null {
    const job = this.#store.jobs.get(id);
    return job && this.#withLive(job);
  }

  /** Calls `listener` with a job's id whenever it changes; returns how to stop that. */
  onChange(listener: (id: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Queues a job and returns its id. */
  add(kind: string, request: JsonValue): number {
    if (!Object.hasOwn(this.#runners, kind))
      throw new Problem('job/unknown-kind', `There is no job "${kind}".`, 'Update Landscribe.');
    const id = this.#store.jobs.add(kind, request);
    this.#changed(id);
    this.#fill();
    return id;
  }

  /** A queued job will not run; a running one stops soon and keeps what it finished. */
  cancel(id: number): void {
    const running = this.#running.get(id);
    if (running) {
      running.stopsAs = 'cancelled';
      running.controller.abort(new Cancelled());
      return;
    }
    if (this.#get(id).state !== 'queued') return;
    this.#store.jobs.set(id, { state: 'cancelled', finished: new Date().toISOString() });
    this.#changed(id);
  }

  /** Queues an interrupted, cancelled or failed job again; its runner goes on where it was. */
  resume(id: number): void {
    const { state } = this.#get(id);
    if (!resumableStates.includes(state))
      throw new Problem('job/not-resumable', `Job ${id} is ${state}.`, 'Add a new job.');
    this.#store.jobs.set(id, { state: 'queued', finished: null, problem: null });
    this.#changed(id);
    this.#fill();
  }

  /** Takes a job that does not run from the list. */
  remove(id: number): void {
    if (this.#running.has(id)) throw new Problem('job/running', `Job ${id} is running.`, 'Cancel it first.');
    this.#store.jobs.remove(id);
    this.#notes.delete(id);
    this.#changed(id);
  }

  /** Resolves when no job is running or waiting to. */
  async idle(): Promise<void> {
    while (this.#running.size > 0)
      await Promise.all([...this.#running.values()].map(({ settled }) => settled));
  }

  /** Stops what runs, to be resumed when the project is opened again. Call before closing the store. */
  async close(): Promise<void> {
    this.#open = false;
    for (const running of this.#running.values()) running.controller.abort(new Cancelled());
    await this.idle();
  }

  #get(id: number): StoredJob {
    const job = this.#store.jobs.get(id);
    if (!job) throw new Problem('job/missing', `There is no job ${id}.`, 'Reload the list of jobs.');
    return job;
  }

  #withLive(job: StoredJob): Job {
    const running = this.#running.get(job.id);
    return {
      ...job,
      progress: running?.progress ?? job.progress,
      timeLeft: running?.timeLeft.at(this.#now()) ?? null,
      resumable: resumableStates.includes(job.state) && Object.hasOwn(this.#runners, job.kind),
      notes: running?.notes ?? this.#notes.get(job.id) ?? [],
    };
  }

  #changed(id: number): void {
    for (const listener of this.#listeners) listener(id);
  }

  #fill(): void {
    if (!this.#open) return;
    for (const job of this.#store.jobs.all()) {
      if (this.#running.size >= this.#atOnce) return;
      if (job.state === 'queued' && Object.hasOwn(this.#runners, job.kind)) this.#run(job);
    }
  }

  #run(job: StoredJob): void {
    const { id } = job;
    const controller = new AbortController();
    const running: Running = {
      controller,
      progress: null,
      timeLeft: new TimeLeft(),
      notes: [],
      savedAt: Number.NEGATIVE_INFINITY,
      savedPhase: null,
      stopsAs: 'interrupted',
      settled: Promise.resolve(),
    };
    this.#store.jobs.set(id, { state: 'running', started: new Date().toISOString(), progress: null });
    this.#running.set(id, running);
    running.settled = this.#work(job, running).then(() => {
      this.#running.delete(id);
      this.#notes.set(id, running.notes);
      this.#changed(id);
      try {
        this.#fill();
      } catch (error) {
        this.#open = false;
        this.#onProblem(asProblem(error));
      }
    });
    this.#changed(id);
  }

  async #work(job: StoredJob, running: Running): Promise<void> {
    const { id } = job;
    const { controller } = running;
    const context: JobContext = {
      id,
      signal: controller.signal,
      onProgress: (progress) => this.#progress(id, running, progress),
      onNote: (text) => {
        running.notes.push(text);
        this.#changed(id);
      },
    };
    let values: Parameters<ProjectStore['jobs']['set']>[1];
    try {
      const result = await this.#runners[job.kind]!(job.request, context);
      values = { state: 'done', result, problem: null, progress: running.progress };
    } catch (error) {
      const problem = asProblem(error);
      values =
        problem instanceof Cancelled
          ? { state: running.stopsAs, progress: running.progress }
          : { state: 'failed', problem: toRecord(problem), progress: running.progress };
    }
    try {
      this.#store.jobs.set(id, { ...values, finished: new Date().toISOString() });
    } catch (error) {
      // The file keeps saying that it runs: the next program that opens it finds the job interrupted, as it is.
      this.#open = false;
      this.#onProblem(asProblem(error));
    }
  }

  #progress(id: number, running: Running, progress: Progress): void {
    const now = this.#now();
    running.progress = progress;
    running.timeLeft.report(progress, now);
    if (progress.phase !== running.savedPhase || now - running.savedAt >= saveEvery) {
      running.savedAt = now;
      running.savedPhase = progress.phase;
      try {
        this.#store.jobs.set(id, { progress });
      } catch (error) {
        // A project that cannot be written will not take the result, either.
        running.controller.abort(asProblem(error));
      }
    }
    this.#changed(id);
  }
}
