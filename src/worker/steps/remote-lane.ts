import type { MessagePort } from 'node:worker_threads';
import type { Precision } from '../features/window-codec.ts';
import type { TokenTile } from '../infer/tile-labeller.ts';
import { Cancelled, Problem, throwIfCancelled } from '../report/problem.ts';
import { fromRecord, type ProblemRecord, toRecord } from '../report/problem-record.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';
import type { BandQuestion } from './decided-source.ts';

/** What a lane is asked of one window; `pixels` move, they are not copied. */
export interface WindowQuestion {
  /** Normalised colours `[3, height, width]`. */
  pixels: Float32Array;
  height: number;
  width: number;
  /** The window as it was stored, for a lane that labels. */
  record?: Uint8Array<ArrayBuffer>;
  /** How a lane that encodes writes records from now on. */
  precision?: Precision;
  /** Rows to decide, for a lane that has what is stored; there are no pixels. */
  band?: BandQuestion;
  /** Merged tokens to label, for a lane of the fast mode; the pixels lie under them. Their array moves too. */
  tile?: TokenTile;
}

interface WindowMessage extends WindowQuestion {
  id: number;
}

/** Scores of a window, its record, or a decided band. */
export type WindowAnswer = Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

type AnswerMessage = { id: number; answer: WindowAnswer } | { id: number; problem: ProblemRecord };

/**
 * A lane in another thread, behind a port. A session's run blocks its thread, so every lane has its own, and the
 * thread that reads and stitches stays free. The pixels of a question are gone afterwards.
 */
export class RemoteLane<Answer extends WindowAnswer> {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, { resolve(answer: Answer): void; reject(problem: Problem): void }>();
  #nextId = 0;
  #closed = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: AnswerMessage) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('answer' in message) waiting?.resolve(message.answer as Answer);
      else waiting?.reject(fromRecord(message.problem));
    });
    // The other side's thread died, or closed its end.
    port.on('close', () => {
      this.#closed = true;
      for (const { reject } of this.#waiting.values()) reject(laneEnded());
      this.#waiting.clear();
    });
  }

  /** Rejects at once when the signal fires; the lane finishes its window by itself and the answer is dropped. */
  ask(question: WindowQuestion, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      throwIfCancelled(signal);
      if (this.#closed) throw laneEnded();
      const pixels = ownBuffer(question.pixels);
      const id = this.#nextId++;
      const onAbort = () => {
        this.#waiting.delete(id);
        reject(signal!.reason instanceof Problem ? signal!.reason : new Cancelled());
      };
      const settled = () => signal?.removeEventListener('abort', onAbort);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(id, {
        resolve(answer) {
          settled();
          resolve(answer);
        },
        reject(problem) {
          settled();
          reject(problem);
        },
      });
      const message: WindowMessage = { ...question, id, pixels };
      const tokens = question.tile?.tokens.buffer;
      this.#port.postMessage(
        message,
        tokens instanceof ArrayBuffer ? [pixels.buffer, tokens] : [pixels.buffer],
      );
    });
  }
}

/** Does `work` and closes the ports, whatever has happened: the lanes behind them wait for questions until then. */
export async function closingPorts<Reply>(
  ports: readonly MessagePort[],
  work: () => Promise<Reply>,
): Promise<Reply> {
  try {
    return await work();
  } finally {
    for (const port of ports) port.close();
  }
}

/** A lane that scores, as a scorer. */
export class RemoteScorer extends RemoteLane<Float32Array<ArrayBuffer>> implements WindowScorer {
  readonly words: number;

  constructor(port: MessagePort, words: number) {
    super(port);
    this.words = words;
  }

  score(pixels: Float32Array, height: number, width: number, signal?: AbortSignal): Promise<Float32Array> {
    return this.ask({ pixels, height, width }, signal);
  }
}

/** Answers a `RemoteLane` until its port closes; returns the number of windows answered. */
export function serveWindows(
  port: MessagePort,
  work: (question: WindowQuestion) => Promise<Float32Array | Uint8Array>,
): Promise<number> {
  return new Promise((resolve) => {
    let windows = 0;
    let queue = Promise.resolve();
    const answerOne = async ({ id, ...question }: WindowMessage) => {
      try {
        const values = await work(question);
        const answer = ownBuffer(values);
        windows++;
        port.postMessage({ id, answer } satisfies AnswerMessage, [answer.buffer]);
      } catch (error) {
        port.postMessage({ id, problem: toRecord(error) } satisfies AnswerMessage);
      }
    };
    port.on('message', (message: WindowMessage) => {
      queue = queue.then(() => answerOne(message));
    });
    port.on('close', () => void queue.then(() => resolve(windows)));
  });
}

/** The array itself if it fills a buffer of its own, which may then be moved; a copy otherwise. */
function ownBuffer(values: Float32Array): Float32Array<ArrayBuffer>;
function ownBuffer(values: Float32Array | Uint8Array): WindowAnswer;
function ownBuffer(values: Float32Array | Uint8Array): WindowAnswer {
  if (values.buffer instanceof ArrayBuffer && values.byteLength === values.buffer.byteLength)
    return values as WindowAnswer;
  return values instanceof Float32Array ? new Float32Array(values) : new Uint8Array(values);
}

function laneEnded(): Problem {
  return new Problem(
    'engine/ended',
    'An inference thread ended early.',
    'Run the same command again; it resumes.',
  );
}
