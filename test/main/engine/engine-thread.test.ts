import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineThread } from '../../../src/main/engine/engine-thread.ts';
import { Cancelled, Problem } from '../../../src/worker/report/problem.ts';
import type { Progress } from '../../../src/worker/report/progress.ts';
import type { EchoTasks } from './echo-thread.ts';

let thread: EngineThread<EchoTasks>;
beforeEach(() => {
  thread = new EngineThread<EchoTasks>('echo', new URL('./echo-thread.ts', import.meta.url));
});
afterEach(() => thread.close());

/** The problem that a task ends in. */
async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Problem)) throw new Error(`ended in ${String(error)}, not in a problem`);
  return error;
}

describe('an engine thread', () => {
  it('moves requests and replies instead of copying them', async () => {
    const values = new Float64Array([1, 2, 3]);
    const reply = await thread.run('echo', values, { transfer: [values.buffer] });
    expect([...reply]).toEqual([1, 2, 3]);
    expect(values.length).toBe(0);
  });

  it('hands over every piece in order and reports each step, however slow the host is', async () => {
    const pieces: number[] = [];
    const progress: Progress[] = [];
    const { sent } = await thread.run(
      'count',
      { pieces: 50 },
      {
        onProgress: (step) => progress.push(step),
        async onPiece(piece) {
          await new Promise((resolve) => setTimeout(resolve, piece % 7 === 0 ? 2 : 0));
          pieces.push(piece);
        },
      },
    );
    expect(sent).toBe(50);
    expect(pieces).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(progress.map(({ done }) => done)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  });

  it('never lets more pieces wait than the credit given', async () => {
    const credit = 3;
    let reported = 0;
    let used = 0;
    let most = 0;
    await thread.run(
      'count',
      { pieces: 40 },
      {
        credit,
        onProgress: () => {
          reported++;
          most = Math.max(most, reported - used);
        },
        async onPiece() {
          await new Promise((resolve) => setTimeout(resolve, 1));
          used++;
        },
      },
    );
    expect(used).toBe(40);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(credit);
  });

  it('stops the task when the host cannot use a piece, and says why', async () => {
    let used = 0;
    const problem = await problemOf(
      thread.run(
        'count',
        { pieces: 1000 },
        {
          onPiece() {
            if (++used === 5)
              throw new Problem('disk/full', 'out.gpkg: the disk is full.', 'Free some space.');
          },
        },
      ),
    );
    expect(problem).toMatchObject({ code: 'disk/full', hint: 'Free some space.' });
    expect(used).toBe(5);
  });

  it('keeps code, message and hint of a problem', async () => {
    expect(await problemOf(thread.run('refuse', null))).toMatchObject({
      code: 'test/refused',
      message: 'a.tif: is refused.',
      hint: 'Do something else.',
    });
    const internal = await problemOf(thread.run('stumble', null));
    expect(internal.code).toBe('internal');
    expect(internal.message).toContain('undefined is not a function');
  });

  it('cancels a task and lives on', async () => {
    const controller = new AbortController();
    const waiting = problemOf(thread.run('wait', null, { signal: controller.signal }));
    controller.abort();
    expect(await waiting).toBeInstanceOf(Cancelled);
    expect([...(await thread.run('echo', new Float64Array([7])))]).toEqual([7]);
    expect(await problemOf(thread.run('wait', null, { signal: controller.signal }))).toBeInstanceOf(
      Cancelled,
    );
  });

  it('wakes a task that waits for credit when it is cancelled', async () => {
    const controller = new AbortController();
    const problem = await problemOf(
      thread.run(
        'count',
        { pieces: 10 },
        {
          signal: controller.signal,
          credit: 1,
          onPiece: (piece) => {
            if (piece === 2) controller.abort(new Cancelled('Stopped.', 'Run it again.'));
          },
        },
      ),
    );
    expect(problem).toMatchObject({ code: 'cancelled', message: 'Stopped.', hint: 'Run it again.' });
  });

  it('runs several tasks at once and tells their pieces apart', async () => {
    const sums = [0, 0, 0];
    await Promise.all(
      sums.map((_, index) =>
        thread.run(
          'count',
          { pieces: 10 * (index + 1) },
          {
            onPiece: (piece) => {
              sums[index] = sums[index]! + piece;
            },
          },
        ),
      ),
    );
    expect(sums).toEqual([45, 190, 435]);
  });

  it('fails what waits when the thread dies', async () => {
    const waiting = problemOf(thread.run('wait', null));
    expect(await problemOf(thread.run('die', null))).toMatchObject({ code: 'engine/ended' });
    expect(await waiting).toMatchObject({ code: 'engine/ended' });
    expect(await problemOf(thread.run('echo', new Float64Array(1)))).toMatchObject({ code: 'engine/ended' });
  });

  it('still replies to what it was asked before it was closed', async () => {
    const pieces: number[] = [];
    const counting = thread.run('count', { pieces: 20 }, { onPiece: (piece) => void pieces.push(piece) });
    await thread.close();
    expect(await counting).toEqual({ sent: 20 });
    expect(pieces).toHaveLength(20);
  });

  it('streams pieces, and stops when the loop is left', async () => {
    const seen: number[] = [];
    for await (const piece of thread.stream('count', { pieces: 30 })) seen.push(piece);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => index));
    for await (const piece of thread.stream('count', { pieces: 1_000_000 })) if (piece === 5) break;
    await expect(
      (async () => {
        for await (const piece of thread.stream('refuse', null)) expect(piece).toBe(undefined);
      })(),
    ).rejects.toMatchObject({ code: 'test/refused' });
  });

  it('ends when asked to', async () => {
    await thread.run('echo', new Float64Array(1));
    await thread.close();
    await thread.close();
  });
});
