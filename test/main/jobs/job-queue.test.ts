import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { type JobContext, JobQueue, type JobRunner } from '../../../src/main/jobs/job-queue.ts';
import { ProjectStore } from '../../../src/main/project/project-store.ts';
import { Cancelled, Problem } from '../../../src/worker/report/problem.ts';
import { random } from '../export/layers.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-jobs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const newStore = () => ProjectStore.create(path.join(folder, `${count++}.gpkg`));

interface Started {
  request: unknown;
  context: JobContext;
  end(result: string): void;
  fail(error: Error): void;
}

/** A runner whose jobs wait to be told how they end, and stop when they are cancelled. */
function puppet(): { runner: JobRunner; started: Started[] } {
  const started: Started[] = [];
  const runner: JobRunner = (request, context) =>
    new Promise((resolve, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
      started.push({ request, context, end: resolve, fail: reject });
    });
  return { runner, started };
}

const states = (queue: JobQueue) => queue.jobs().map(({ state }) => state);

test('jobs run one after the other in their order, and end as they end', async () => {
  const store = await newStore();
  const { runner, started } = puppet();
  const queue = new JobQueue(store, { work: runner });
  const ids = [1, 2, 3, 4].map((n) => queue.add('work', { n }));
  expect(states(queue)).toEqual(['queued', 'queued', 'queued', 'queued']);
  queue.start();
  expect(states(queue)).toEqual(['running', 'queued', 'queued', 'queued']);
  started[0]!.context.onNote('a word');
  started[0]!.end('fine');
  await turn();
  expect(queue.job(ids[0]!)).toMatchObject({
    state: 'done',
    result: 'fine',
    notes: ['a word'],
    resumable: false,
  });
  expect(started.map(({ request }) => request)).toEqual([{ n: 1 }, { n: 2 }]);
  started[1]!.fail(new Problem('disk/full', 'The disk is full.', 'Free some space.'));
  await turn();
  expect(queue.job(ids[1]!)).toMatchObject({
    state: 'failed',
    problem: { code: 'disk/full', message: 'The disk is full.', hint: 'Free some space.' },
    resumable: true,
  });
  queue.cancel(ids[3]!);
  queue.cancel(ids[2]!);
  await queue.idle();
  expect(states(queue)).toEqual(['done', 'failed', 'cancelled', 'cancelled']);
  expect(started).toHaveLength(3);
  queue.resume(ids[1]!);
  expect(queue.job(ids[1]!)).toMatchObject({ state: 'running', problem: null });
  started[3]!.end('at last');
  await queue.idle();
  expect(queue.job(ids[1]!)).toMatchObject({ state: 'done', result: 'at last' });
  expect(() => queue.resume(ids[1]!)).toThrow(/is done/);
  expect(() => queue.add('other', {})).toThrow(/no job "other"/);
  queue.remove(ids[0]!);
  expect(states(queue)).toEqual(['done', 'cancelled', 'cancelled']);
  store.close();
});

test('progress is live with the time left, and its last word lies in the project', async () => {
  const store = await newStore();
  const { runner, started } = puppet();
  let time = 0;
  const queue = new JobQueue(store, { work: runner }, { now: () => time });
  const changes: number[] = [];
  queue.onChange((id) => changes.push(id));
  queue.start();
  const id = queue.add('work', {});
  for (let done = 0; done <= 30; done++) {
    started[0]!.context.onProgress({ phase: 'segmenting', done, total: 100, unit: 'windows' });
    time += 100;
  }
  expect(queue.job(id)).toMatchObject({ progress: { done: 30 } });
  // 0.1 s a window; 0.1 s have passed since the last.
  expect(queue.job(id)!.timeLeft! / 1000).toBeCloseTo(6.9, 1);
  expect(store.jobs.get(id)!.progress!.done).toBe(20);
  expect(changes.length).toBeGreaterThan(30);
  started[0]!.end('done');
  await queue.idle();
  expect(store.jobs.get(id)!.progress!.done).toBe(30);
  store.close();
});

test('closing leaves what ran interrupted; the next program resumes it before what was queued', async () => {
  const store = await newStore();
  const first = puppet();
  const queue = new JobQueue(store, { work: first.runner });
  queue.start();
  const ids = [queue.add('work', { n: 1 }), queue.add('work', { n: 2 })];
  await queue.close();
  expect(states(queue)).toEqual(['interrupted', 'queued']);
  store.close();
  const again = await ProjectStore.open(store.path);
  const second = puppet();
  const next = new JobQueue(again, { work: second.runner });
  expect(next.job(ids[0]!)).toMatchObject({ state: 'interrupted', resumable: true, request: { n: 1 } });
  next.resume(ids[0]!);
  next.start();
  second.started[0]!.end('');
  await turn();
  expect(second.started.map(({ request }) => request)).toEqual([{ n: 1 }, { n: 2 }]);
  await next.close();
  again.close();
});

test('whatever happens in whatever order: never more at once than asked, and no job is lost', async () => {
  for (let seed = 0; seed < 4; seed++) {
    const next = random(seed);
    const atOnce = 1 + (seed % 3);
    const store = await newStore();
    const { runner, started } = puppet();
    const queue = new JobQueue(store, { work: runner }, { atOnce });
    queue.start();
    const ids: number[] = [];
    for (let step = 0; step < 40; step++) {
      const id = ids[Math.floor(next() * ids.length)];
      const choice = Math.floor(next() * 6);
      const open = started.filter(({ context }) => queue.job(context.id)?.state === 'running');
      if (choice < 2 || id === undefined) ids.push(queue.add('work', { step }));
      else if (choice === 2) queue.cancel(id);
      else if (choice === 3) open[0]?.end('x');
      else if (choice === 4) open[0]?.fail(next() < 0.5 ? new Cancelled() : new Error('mistake'));
      else if (queue.job(id)!.resumable) queue.resume(id);
      await turn();
      const now = queue.jobs();
      expect(now.map((job) => job.id).sort((a, b) => a - b)).toEqual(ids);
      const running = now.filter(({ state }) => state === 'running').length;
      const queued = now.filter(({ state }) => state === 'queued').length;
      expect(running).toBeLessThanOrEqual(atOnce);
      if (queued > 0) expect(running).toBe(atOnce);
    }
    await queue.close();
    expect(states(queue)).not.toContain('running');
    store.close();
  }
});
