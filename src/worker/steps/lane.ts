import type { MessagePort } from 'node:worker_threads';
import { PackScorer, type ScorerSettings } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { embedWords } from '../infer/words.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { openPack } from '../pack/open-pack.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { serveScorer } from './remote-scorer.ts';
import type { TaskContext } from './task-context.ts';

export interface EmbedRequest {
  pack: string;
  words: string[];
  templates: TemplateSetName;
  threads: number;
}

export interface LaneRequest {
  pack: string;
  /** `[words, embedding]`, normalised. */
  embeddings: Float32Array;
  scorer: ScorerSettings;
  session: SessionOptions;
  port: MessagePort;
}

/** Word embeddings `[words, embedding]`. */
export async function embed(request: EmbedRequest, context: TaskContext): Promise<Float32Array<ArrayBuffer>> {
  const pack = await openPack(request.pack);
  const { words, templates, threads } = request;
  const embeddings = await embedWords(pack, words, templates, threads, context.signal, context.report);
  return new Float32Array(embeddings);
}

/** Owns an inference session and scores the windows that come through the port until it closes; returns their number. */
export async function serveLane(request: LaneRequest, context: TaskContext): Promise<number> {
  const { port } = request;
  // The conductor may have closed its end before the session is loaded.
  let closed = false;
  port.once('close', () => {
    closed = true;
  });
  try {
    const pack = await openPack(request.pack);
    throwIfCancelled(context.signal);
    const scorer = await PackScorer.open(pack, request.embeddings, request.scorer, request.session);
    try {
      return closed ? 0 : await serveScorer(port, scorer);
    } finally {
      await scorer.close();
    }
  } finally {
    port.close();
  }
}
