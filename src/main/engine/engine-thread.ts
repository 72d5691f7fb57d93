import { type ResourceLimits, type Transferable, Worker } from 'node:worker_threads';
import { Cancelled, Problem } from '../../worker/report/problem.ts';
import { asProblem, fromRecord, toRecord } from '../../worker/report/problem-record.ts';
import type { ReportProgress } from '../../worker/report/progress.ts';
import type { FromThread, ToThread } from '../../worker/report/thread-messages.ts';
import type { TaskTable } from '../../worker/steps/task-context.ts';
import type { Tasks } from '../../worker/steps/tasks.ts';

export interface TaskOptions<Piece> {
  signal?: AbortSignal | undefined;
  onProgress?: ReportProgress | undefined;
  onNote?: ((text: string) => void) | undefined;
  /** Uses up one piece of the result. The next but `credit` is only sent when its promise is fulfilled. */
  onPiece?: ((piece: Piece) => void | Promise<void>) | undefined;
  /** Pieces that may be under way at once. */
  credit?: number;
  /** Ports and buffers inside the request that move to the thread. */
  transfer?: Transferable[];
}

interface Pending {
  resolve(reply: unknown): void;
  reject(problem: Problem): void;
  onProgress: ReportProgress | undefined;
  onNote: ((text: string) => void) | undefined;
  onPiece: ((piece: never) => void | Promise<void>) | undefined;
  /** Pieces are used up one after the other; `done` waits for the last. */
  pieces: Promise<void>;
  /** The host's own failure while using a piece; it outranks the cancellation that it causes in the thread. */
  failure: Problem | null;
}

const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const threadFile = new URL(`../../worker/thread.${ending}`, import.meta.url);

/** One engine thread: tasks go in, progress, pieces and replies come out. Never terminated from outside. */
export class EngineThread<Table extends TaskTable<Table> = Tasks> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #closed = false;

  /** @param name shown by debuggers and in the problem of a thread that died */
  constructor(name: string, file = threadFile, resourceLimits: ResourceLimits = {}) {
    // The reader of GeoTIFFs brings a library that expects an object here in every thread but the main one.
    this.#worker = new Worker(file, { name, workerData: {}, resourceLimits });
    this.#worker.on('message', (message: FromThread) => this.#receive(message));
    this.#worker.on('error', (error) => this.#failAll(asProblem(error)));
    this.#worker.on('messageerror', (error) => this.#failAll(asProblem(error)));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#closed = true;
        this.#failAll(
          new Problem('engine/ended', `The ${name} thread ended early.`, 'Run the same command again.'),
        );
        resolve();
      });
    });
  }

  /** The task's reply. Rejects with a `Problem`; with `Cancelled` if the signal fired. */
  run<Name extends keyof Table & string>(
    task: Name,
    request: Table[Name]['request'],
    options: TaskOptions<Table[Name]['piece']> = {},
  ): Promise<Table[Name]['reply']> {
    const { signal, credit = 2, transfer = [] } = options;
    if (signal?.aborted) return Promise.reject(cancelledBy(signal));
    if (this.#closed) return Promise.reject(new Problem('engine/ended', 'The engine is closed.'));
    const id = this.#nextId++;
    return new Promise<Table[Name]['reply']>((resolve, reject) => {
      const onAbort = () => this.#send({ type: 'cancel', id, problem: toRecord(cancelledBy(signal!)) });
      const settle = () => signal?.removeEventListener('abort', onAbort);
      this.#pending.set(id, {
        resolve: (reply) => {
          settle();
          resolve(reply as Table[Name]['reply']);
        },
        reject: (problem) => {
          settle();
          reject(problem);
        },
        onProgress: options.onProgress,
        onNote: options.onNote,
        onPiece: options.onPiece as Pending['onPiece'],
        pieces: Promise.resolve(),
        failure: null,
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        this.#send({ type: 'start', id, task, request, credit }, transfer);
      } catch (error) {
        this.#pending.get(id)?.reject(asProblem(error));
        this.#pending.delete(id);
      }
    });
  }

  /** The task's pieces, each sent as the loop asks for more; returns the reply. Leaving the loop cancels the task. */
  async *stream<Name extends keyof Table & string>(
    task: Name,
    request: Table[Name]['request'],
    options: Omit<TaskOptions<never>, 'onPiece'> = {},
  ): AsyncGenerator<Table[Name]['piece'], Table[Name]['reply']> {
    const leaving = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, leaving.signal]) : leaving.signal;
    const waiting: { piece: Table[Name]['piece']; used: () => void }[] = [];
    let wake = () => {};
    let ended = false;
    const onPiece = (piece: Table[Name]['piece']) =>
      new Promise<void>((used) => {
        if (leaving.signal.aborted) return used();
        waiting.push({ piece, used });
        wake();
      });
    const reply = this.run(task, request, { ...options, signal, onPiece }).finally(() => {
      ended = true;
      wake();
    });
    reply.catch(() => {});
    try {
      for (;;) {
        const [next] = waiting;
        if (next) {
          yield next.piece;
          waiting.shift();
          next.used();
        } else if (ended) {
          return await reply;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      leaving.abort();
      for (const { used } of waiting) used();
      await reply.catch(() => {});
    }
  }

  /** Asks the thread to end when its tasks have; resolves when it has ended. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#send({ type: 'close' });
    }
    return this.#ended;
  }

  #send(message: ToThread, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromThread): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    switch (message.type) {
      case 'progress':
        pending.onProgress?.(message.progress);
        break;
      case 'note':
        pending.onNote?.(message.text);
        break;
      case 'piece':
        pending.pieces = pending.pieces.then(() => this.#usePiece(message.id, pending, message.piece));
        break;
      case 'done':
        this.#pending.delete(message.id);
        void pending.pieces.then(() => {
          if (pending.failure) pending.reject(pending.failure);
          else pending.resolve(message.reply);
        });
        break;
      case 'failed':
        this.#pending.delete(message.id);
        void pending.pieces.then(() => pending.reject(pending.failure ?? fromRecord(message.problem)));
    }
  }

  async #usePiece(id: number, pending: Pending, piece: unknown): Promise<void> {
    if (pending.failure) return;
    try {
      await pending.onPiece?.(piece as never);
      this.#send({ type: 'credit', id, count: 1 });
    } catch (error) {
      pending.failure = asProblem(error);
      this.#send({ type: 'cancel', id, problem: null });
    }
  }

  #failAll(problem: Problem): void {
    for (const pending of this.#pending.values()) pending.reject(pending.failure ?? problem);
    this.#pending.clear();
  }
}

function cancelledBy(signal: AbortSignal): Problem {
  return signal.reason instanceof Problem ? signal.reason : new Cancelled();
}
