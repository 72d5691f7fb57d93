import type { MessagePort } from 'node:worker_threads';
import { type Precision, WindowCodec } from '../features/window-codec.ts';
import { PackScorer, type ScorerSettings } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { type EncoderSettings, WindowEncoder } from '../infer/window-encoder.ts';
import { type LabellerSettings, WindowLabeller } from '../infer/window-labeller.ts';
import { embedWords } from '../infer/words.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { openPack, type Pack } from '../pack/open-pack.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { FastScorer } from './fast-scorer.ts';
import { serveWindows, type WindowQuestion } from './remote-lane.ts';
import type { TaskContext } from './task-context.ts';

export interface EmbedRequest {
  pack: string;
  words: string[];
  templates: TemplateSetName;
  threads: number;
}

export interface LaneRequest {
  pack: string;
  work: LaneWork;
  session: SessionOptions;
  port: MessagePort;
}

/** What a lane does with the windows that come; embeddings are `[words, embedding]`, normalised. */
export type LaneWork =
  /** Scores pixels. */
  | { kind: 'score'; embeddings: Float32Array; settings: ScorerSettings }
  /** Encodes pixels to tokens, followed by λ·cls·words; labels tiles of merged tokens. */
  | { kind: 'fast'; embeddings: Float32Array; settings: ScorerSettings }
  /** Encodes pixels to records, exact ones until it is told another precision. */
  | { kind: 'encode'; settings: EncoderSettings }
  /** Scores records; the pixels guide the upsampler. */
  | {
      kind: 'label';
      embeddings: Float32Array;
      settings: LabellerSettings;
      precision: Precision;
      store: string;
    };

/** Word embeddings `[words, embedding]`. */
export async function embed(request: EmbedRequest, context: TaskContext): Promise<Float32Array<ArrayBuffer>> {
  const pack = await openPack(request.pack);
  const { words, templates, threads } = request;
  const embeddings = await embedWords(pack, words, templates, threads, context.signal, context.report);
  return new Float32Array(embeddings);
}

/** Owns inference sessions and answers the windows that come through the port until it closes; returns their number. */
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
    const { answer, close } = await openWork(pack, request);
    try {
      return closed ? 0 : await serveWindows(port, answer);
    } finally {
      await close();
    }
  } finally {
    port.close();
  }
}

interface OpenWork {
  answer(question: WindowQuestion): Promise<Float32Array | Uint8Array>;
  close(): Promise<void>;
}

async function openWork(pack: Pack, { work, session }: LaneRequest): Promise<OpenWork> {
  const { embedding } = pack.manifest.geometry;
  switch (work.kind) {
    case 'score': {
      const scorer = await PackScorer.open(pack, work.embeddings, work.settings, session);
      return {
        answer: ({ pixels, height, width }) => scorer.score(pixels, height, width),
        close: () => scorer.close(),
      };
    }
    case 'fast': {
      const scorer = await FastScorer.open(pack, work.embeddings, work.settings, session);
      return {
        async answer({ pixels, height, width, tile }) {
          if (tile) return scorer.label(tile, pixels);
          const { tokens, global } = await scorer.encode(pixels, { width, height });
          const answer = new Float32Array(tokens.length + global.length);
          answer.set(tokens);
          answer.set(global, tokens.length);
          return answer;
        },
        close: () => scorer.close(),
      };
    }
    case 'encode': {
      const encoder = await WindowEncoder.open(pack, work.settings, session);
      let codec = new WindowCodec(embedding, { kind: 'exact' });
      return {
        async answer({ pixels, height, width, precision }) {
          if (precision) codec = new WindowCodec(embedding, precision);
          return codec.encode(await encoder.encode(pixels, height, width));
        },
        close: () => encoder.close(),
      };
    }
    case 'label': {
      const labeller = await WindowLabeller.open(pack, work.embeddings, work.settings, session);
      const codec = new WindowCodec(embedding, work.precision);
      return {
        answer({ pixels, height, width, record }) {
          if (!record)
            throw new Problem('features/none', `${work.store} lacks a window.`, 'Encode the scene again.');
          return labeller.label(codec.decode(record, work.store), pixels, height, width);
        },
        close: () => labeller.close(),
      };
    }
  }
}
