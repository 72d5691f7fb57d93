import type Database from 'better-sqlite3';
import * as z from 'zod';
import type { ProblemRecord } from '../../worker/report/problem-record.ts';
import type { Progress } from '../../worker/report/progress.ts';

const jobStates = ['queued', 'running', 'interrupted', 'cancelled', 'failed', 'done'] as const;
/** `interrupted`: was running when the program ended without ending it. */
export type JobState = (typeof jobStates)[number];

const parsed = <Schema extends z.ZodType>(schema: Schema) =>
  z.string().transform((text) => schema.parse(JSON.parse(text)) as z.output<Schema>);
const progress: z.ZodType<Progress> = z.object({
  phase: z.string(),
  done: z.number(),
  total: z.number(),
  unit: z.string(),
});
const problem: z.ZodType<ProblemRecord> = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  stack: z.string(),
});

const jobRow = z.object({
  id: z.int(),
  kind: z.string(),
  request: parsed(z.json()),
  state: z.enum(jobStates),
  created: z.string(),
  started: z.string().nullable(),
  finished: z.string().nullable(),
  progress: parsed(progress).nullable(),
  problem: parsed(problem).nullable(),
  result: parsed(z.json()).nullable(),
});

/** A job as the project keeps it; times are ISO 8601, UTC. */
export type StoredJob = z.output<typeof jobRow>;

export type JobValues = Partial<
  Pick<StoredJob, 'state' | 'started' | 'finished' | 'progress' | 'problem' | 'result'>
>;

/** The jobs of a project, in the order in which they are to run. */
export class JobTable {
  readonly #database: Database.Database;
  readonly #write: <Result>(work: () => Result) => Result;

  constructor(database: Database.Database, write: <Result>(work: () => Result) => Result) {
    this.#database = database;
    this.#write = write;
  }

  all(): StoredJob[] {
    return z
      .array(jobRow)
      .parse(this.#database.prepare('SELECT * FROM landscribe_jobs ORDER BY position, id').all());
  }

  get(id: number): StoredJob | null {
    const row = this.#database.prepare('SELECT * FROM landscribe_jobs WHERE id = ?').get(id);
    return row === undefined ? null : jobRow.parse(row);
  }

  /** Adds a job at the end of the queue; returns its id. */
  add(kind: string, request: z.infer<ReturnType<typeof z.json>>): number {
    return this.#write(() =>
      Number(
        this.#database
          .prepare(
            "INSERT INTO landscribe_jobs (kind, request, state, position, created) VALUES (?, ?, 'queued', (SELECT coalesce(max(position), -1) + 1 FROM landscribe_jobs), ?)",
          )
          .run(kind, JSON.stringify(request), new Date().toISOString()).lastInsertRowid,
      ),
    );
  }

  set(id: number, values: JobValues): void {
    const names = Object.keys(values) as (keyof JobValues)[];
    const isText = (name: keyof JobValues) => name === 'state' || name === 'started' || name === 'finished';
    const cells = names.map((name) => {
      const value = values[name];
      return value === null || value === undefined ? null : isText(name) ? value : JSON.stringify(value);
    });
    this.#write(() =>
      this.#database
        .prepare(`UPDATE landscribe_jobs SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE id = ?`)
        .run(...cells, id),
    );
  }

  remove(id: number): void {
    this.#write(() => this.#database.prepare('DELETE FROM landscribe_jobs WHERE id = ?').run(id));
  }

  /** Whoever left them running is gone: the caller holds the project's lock. Returns how many there were. */
  interruptRunning(): number {
    return this.#write(
      () =>
        this.#database
          .prepare("UPDATE landscribe_jobs SET state = 'interrupted' WHERE state = 'running'")
          .run().changes,
    );
  }
}
