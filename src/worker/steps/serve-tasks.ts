import type { MessagePort, Transferable } from 'node:worker_threads';
import { Cancelled } from '../report/problem.ts';
import { fromRecord, toRecord } from '../report/problem-record.ts';
import type { FromThread, ToThread } from '../report/thread-messages.ts';
import type { TaskContext, TaskReply } from './task-context.ts';

/** A task under way: how to stop it, and who waits for credit. */
interface Running {
  controller: AbortController;
  credit: number;
  waiting: (() => void)[];
}

/** Runs the tasks that arrive at `port` by `runTask`, several at once if asked, until the host sends `close`. */
export function serveTasks(
  port: MessagePort,
  runTask: (task: string, request: unknown, context: TaskContext) => Promise<TaskReply<unknown>>,
): void {
  const running = new Map<number, Running>();
  let closing = false;

  function send(message: FromThread, transfer: Transferable[] = []): void {
    port.postMessage(message, transfer);
  }

  async function start(id: number, task: string, request: unknown, credit: number): Promise<void> {
    const state: Running = { controller: new AbortController(), credit, waiting: [] };
    running.set(id, state);
    const { signal } = state.controller;
    const context: TaskContext = {
      signal,
      report: (progress) => send({ type: 'progress', id, progress }),
      note: (text) => send({ type: 'note', id, text }),
      async emit(piece, transfer) {
        while (state.credit <= 0 && !signal.aborted) {
          await new Promise<void>((resolve) => state.waiting.push(resolve));
        }
        signal.throwIfAborted();
        state.credit--;
        send({ type: 'piece', id, piece }, transfer);
      },
    };
    try {
      const { reply, transfer } = await runTask(task, request, context);
      send({ type: 'done', id, reply }, transfer);
    } catch (error) {
      send({ type: 'failed', id, problem: toRecord(error) });
    } finally {
      running.delete(id);
      closeIfDone();
    }
  }

  // With its port closed the thread ends by itself: ending it from outside during a session's run would take the whole
  // process down. Tasks under way still have their replies to send.
  function closeIfDone(): void {
    if (closing && running.size === 0) port.close();
  }

  port.on('message', (message: ToThread) => {
    switch (message.type) {
      case 'start':
        void start(message.id, message.task, message.request, message.credit);
        break;
      case 'cancel': {
        const state = running.get(message.id);
        if (!state) break;
        state.controller.abort(message.problem ? fromRecord(message.problem) : new Cancelled());
        wake(state);
        break;
      }
      case 'credit': {
        const state = running.get(message.id);
        if (!state) break;
        state.credit += message.count;
        wake(state);
        break;
      }
      case 'close':
        closing = true;
        closeIfDone();
    }
  });
}

function wake(state: Running): void {
  for (const resolve of state.waiting.splice(0)) resolve();
}
