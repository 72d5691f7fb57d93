import type { MessagePort } from 'node:worker_threads';
import { Cancelled, Problem, throwIfCancelled } from '../report/problem.ts';
import { fromRecord, type ProblemRecord, toRecord } from '../report/problem-record.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';

/** A window on its way to a lane; `pixels` move, they are not copied. */
interface WindowMessage {
  id: number;
  pixels: Float32Array<ArrayBuffer>;
  height: number;
  width: number;
}

type ScoreMessage =
  | { id: number; scores: Float32Array<ArrayBuffer> }
  | { id: number; problem: ProblemRecord };

/**
 * A scorer in another thread, behind a port. A session's run blocks its thread, so every lane has its own, and the
 * thread that reads and stitches stays free. The pixels given to `score` are gone afterwards.
 */
export class RemoteScorer implements WindowScorer {
  readonly words: number;
  readonly #port: MessagePort;
  readonly #waiting = new Map<
    number,
    { resolve(scores: Float32Array): void; reject(problem: Problem): void }
  >();
  #nextId = 0;
  #closed = false;

  constructor(port: MessagePort, words: number) {
    this.words = words;
    this.#port = port;
    port.on('message', (message: ScoreMessage) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('scores' in message) waiting?.resolve(message.scores);
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
  score(pixels: Float32Array, height: number, width: number, signal?: AbortSignal): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      throwIfCancelled(signal);
      if (this.#closed) throw laneEnded();
      const own = ownBuffer(pixels);
      const id = this.#nextId++;
      const onAbort = () => {
        this.#waiting.delete(id);
        reject(signal!.reason instanceof Problem ? signal!.reason : new Cancelled());
      };
      const settled = () => signal?.removeEventListener('abort', onAbort);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(id, {
        resolve(scores) {
          settled();
          resolve(scores);
        },
        reject(problem) {
          settled();
          reject(problem);
        },
      });
      const message: WindowMessage = { id, pixels: own, height, width };
      this.#port.postMessage(message, [own.buffer]);
    });
  }

  /** Ends the lane's task. */
  close(): void {
    this.#port.close();
  }
}

/** Answers a `RemoteScorer` until its port closes; returns the number of windows scored. */
export function serveScorer(port: MessagePort, scorer: WindowScorer): Promise<number> {
  return new Promise((resolve) => {
    let windows = 0;
    let queue = Promise.resolve();
    const answer = async ({ id, pixels, height, width }: WindowMessage) => {
      try {
        const scores = ownBuffer(await scorer.score(pixels, height, width));
        windows++;
        port.postMessage({ id, scores } satisfies ScoreMessage, [scores.buffer]);
      } catch (error) {
        port.postMessage({ id, problem: toRecord(error) } satisfies ScoreMessage);
      }
    };
    port.on('message', (message: WindowMessage) => {
      queue = queue.then(() => answer(message));
    });
    port.on('close', () => void queue.then(() => resolve(windows)));
  });
}

/** The array itself if it fills a buffer of its own, which may then be moved; a copy otherwise. */
function ownBuffer(values: Float32Array): Float32Array<ArrayBuffer> {
  return values.buffer instanceof ArrayBuffer && values.byteLength === values.buffer.byteLength
    ? (values as Float32Array<ArrayBuffer>)
    : new Float32Array(values);
}

function laneEnded(): Problem {
  return new Problem(
    'engine/ended',
    'An inference thread ended early.',
    'Run the same command again; it resumes.',
  );
}
