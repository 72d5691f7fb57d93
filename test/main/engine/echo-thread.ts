import { parentPort } from 'node:worker_threads';
import { Problem, throwIfCancelled } from '../../../src/worker/report/problem.ts';
import { serveTasks } from '../../../src/worker/steps/serve-tasks.ts';
import type { TaskContext } from '../../../src/worker/steps/task-context.ts';

/** Tasks that do nothing but show how tasks travel. */
export interface EchoTasks {
  echo: { request: Float64Array; piece: never; reply: Float64Array };
  count: { request: { pieces: number }; piece: number; reply: { sent: number } };
  refuse: { request: null; piece: never; reply: never };
  stumble: { request: null; piece: never; reply: never };
  wait: { request: null; piece: never; reply: never };
  die: { request: null; piece: never; reply: never };
}

let sent = 0;

serveTasks(parentPort!, async (task: string, request: unknown, context: TaskContext) => {
  switch (task) {
    case 'echo': {
      const values = request as Float64Array<ArrayBuffer>;
      return { reply: values, transfer: [values.buffer] };
    }
    case 'count': {
      const { pieces } = request as { pieces: number };
      sent = 0;
      for (let piece = 0; piece < pieces; piece++) {
        await context.emit(piece);
        sent++;
        context.report({ phase: 'counting', done: piece + 1, total: pieces, unit: 'pieces' });
      }
      return { reply: { sent } };
    }
    case 'refuse':
      throw new Problem('test/refused', 'a.tif: is refused.', 'Do something else.');
    case 'stumble':
      throw new TypeError('undefined is not a function');
    case 'wait':
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      throwIfCancelled(context.signal);
      return { reply: null };
    case 'die':
      process.exit(3);
  }
  throw new Error(`no task named ${task}`);
});
