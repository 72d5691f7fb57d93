import type { MessagePort } from 'node:worker_threads';
import { plainWords } from '../../worker/classmap/class-words.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import { Cancelled, type Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { ReportProgress } from '../../worker/report/progress.ts';
import type { DecideBandsRequest } from '../../worker/steps/decide-bands.ts';
import type { EmbedRequest, LaneRequest, LaneWork } from '../../worker/steps/lane.ts';
import { type Examples, queriesOf } from '../../worker/steps/queries.ts';
import { EngineThread } from './engine-thread.ts';

export interface LanesRequest {
  /** Plain words are encoded before the lanes start; examples stand for themselves. */
  words: string[];
  examples: Examples;
  templates: EmbedRequest['templates'];
  lane: Omit<LaneRequest, 'work' | 'port'>;
  work(embeddings: Float32Array): LaneWork;
}

/** Threads that own an inference session each and score windows for a conductor. */
export class Lanes {
  readonly #threads: EngineThread[] = [];
  readonly #stop = new AbortController();

  /**
   * Starts a lane behind each port: the lanes share the words to encode, then load the encoder. `onReady` is called
   * when the words are encoded, `onFailure` when a lane cannot go on.
   */
  start(
    request: LanesRequest,
    ports: readonly MessagePort[],
    onProgress: ReportProgress | undefined,
    onReady: () => void,
    onFailure: (problem: Problem) => void,
  ): void {
    this.#run(request, ports, onProgress, onReady).catch((error: unknown) => {
      const problem = asProblem(error);
      if (!(problem instanceof Cancelled)) onFailure(problem);
    });
  }

  /**
   * Starts a lane behind each port that decides stored pixels; the threads begin while the words are still encoded.
   * `onFailure`: a lane cannot go on.
   */
  decide(
    request: Omit<DecideBandsRequest, 'port' | 'embeddings'>,
    embeddings: Promise<Float32Array>,
    ports: readonly MessagePort[],
    onFailure: (problem: Problem) => void,
  ): void {
    const { signal } = this.#stop;
    const lanes = ports.map((port, index) => ({ port, thread: new EngineThread(`lane ${index + 1}`) }));
    this.#threads.push(...lanes.map(({ thread }) => thread));
    // A thread that cannot get ready says so again when it is to decide.
    for (const { thread } of lanes) thread.run('readyToDecide', null, { signal }).catch(() => {});
    const work = async () => {
      // Who asked for the words hears of what is wrong with them.
      const words = await embeddings.catch(() => null);
      if (words === null) return;
      await Promise.all(
        lanes.map(({ port, thread }) =>
          thread.run('decideBands', { ...request, embeddings: words, port }, { signal, transfer: [port] }),
        ),
      );
    };
    work().catch((error: unknown) => {
      const problem = asProblem(error);
      if (!(problem instanceof Cancelled)) onFailure(problem);
    });
  }

  async #run(
    { words: queries, examples, templates, lane, work }: LanesRequest,
    ports: readonly MessagePort[],
    onProgress: ReportProgress | undefined,
    onReady: () => void,
  ): Promise<void> {
    const { signal } = this.#stop;
    const { pack, session } = lane;
    ports.forEach((_, index) => {
      this.#threads.push(new EngineThread(`lane ${index + 1}`));
    });
    const words = plainWords(queries);
    const share = Math.ceil(words.length / ports.length);
    const done = ports.map(() => 0);
    const parts = await Promise.all(
      this.#threads.map((thread, index) => {
        const own = words.slice(index * share, (index + 1) * share);
        if (own.length === 0) return new Float32Array(0);
        return thread.run(
          'embed',
          { pack, words: own, templates, threads: session.threads },
          {
            signal,
            onProgress: (progress) => {
              done[index] = progress.done;
              const sum = done.reduce((total, count) => total + count, 0);
              onProgress?.({ phase: 'reading words', done: sum, total: words.length, unit: 'words' });
            },
          },
        );
      }),
    );
    const embeddings = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
    let end = 0;
    for (const part of parts) {
      embeddings.set(part, end);
      end += part.length;
    }
    onReady();
    const { embedding } = (await openPack(pack)).manifest.geometry;
    const asked = queriesOf(queries, embeddings, examples, embedding);
    await Promise.all(
      this.#threads.map((thread, index) => {
        const port = ports[index]!;
        return thread.run('lane', { ...lane, work: work(asked), port }, { signal, transfer: [port] });
      }),
    );
  }

  /** Lets windows under way finish and ends the threads. */
  async close(): Promise<void> {
    this.#stop.abort(new Cancelled());
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}
