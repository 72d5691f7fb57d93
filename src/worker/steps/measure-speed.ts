import { ScoreAccumulator } from '../classmap/accumulate.ts';
import { RowDecider } from '../classmap/decide.ts';
import type { ScorerSettings } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { TileLabeller } from '../infer/tile-labeller.ts';
import { WindowEncoder } from '../infer/window-encoder.ts';
import { WindowLabeller } from '../infer/window-labeller.ts';
import { WordEncoder } from '../infer/words.ts';
import { openPack } from '../pack/open-pack.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { planWindows } from '../tile/plan.ts';

export interface SpeedRequest {
  pack: string;
  settings: ScorerSettings;
  session: SessionOptions;
  /** Milliseconds that the measurements take together, after sessions are open; more where one is longer than its share. */
  milliseconds: number;
  /** What the person waits for, or what the processor works: on a busy machine they differ. */
  clock: 'wall' | 'processor';
}

/** Seconds that do not depend on the words, and those a word. */
export interface WordCost {
  fixed: number;
  word: number;
}

/** What one session takes for each part of a run, seconds. */
export interface Speed {
  /** Until sessions are open. */
  open: number;
  /** Encoding a window of 224 pixels. */
  encode: number;
  /** Labelling it, with the pack's upsampler (null: it has none) and without. */
  label: { upsampled: WordCost | null; plain: WordCost };
  /** The fast mode: labelling a tile's core of 224 pixels; null for packs without. `margin`: as many pixels around it. */
  tile: (WordCost & { margin: number }) | null;
  /** Stitching and deciding 224 × 224 pixels a word. */
  stitch: number;
  /** A word in its eighty sentences. */
  word: number;
}

const side = 224;
const pixels = side * side;
/** Numbers of words: two points make a line. */
const few = 2;
const many = 10;
/** Tokens around the core of the tile that is measured with a margin. */
const margin = 4;
/** Sentences of a word in the usual template set, and of those that are encoded to measure them. */
const sentences = 80;
const encodedSentences = 8;

/** Measures each part of a run by itself in this thread. */
export async function measureSpeed(request: SpeedRequest, signal?: AbortSignal): Promise<Speed> {
  const { settings, session, milliseconds, clock } = request;
  const seconds = clock === 'wall' ? () => performance.now() / 1e3 : threadSeconds;
  const pack = await openPack(request.pack);
  const { embedding, vision } = pack.manifest.geometry;
  const noise = (length: number, scale: number) =>
    Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 0.7 + 1e-4 * i));
  const wordsOf = (count: number) => noise(count * embedding, Math.sqrt(2 / embedding));
  const image = noise(3 * pixels, 1);
  /** Median of as many turns as fit into a share of the time; the first, which warms up, counts where it is the only one. */
  const timed = async (share: number, work: () => unknown): Promise<number> => {
    const turns: number[] = [];
    for (const started = performance.now(); ; ) {
      throwIfCancelled(signal);
      const before = seconds();
      await work();
      turns.push(seconds() - before);
      await new Promise((resolve) => setImmediate(resolve));
      if (turns.length > 1 && performance.now() - started > share * milliseconds) break;
    }
    const warm = turns.slice(1).sort((a, b) => a - b);
    return warm[warm.length >> 1]!;
  };
  const openings: number[] = [];
  const opened = async <Part extends { close(): Promise<void> }, Result>(
    part: () => Promise<Part>,
    use: (part: Part) => Promise<Result>,
  ): Promise<Result> => {
    const before = seconds();
    const one = await part();
    openings.push(seconds() - before);
    try {
      return await use(one);
    } finally {
      await one.close();
    }
  };

  const { tokens, encode, encoded } = await opened(
    () => WindowEncoder.open(pack, settings, session),
    async (encoder) => {
      const one = await encoder.encode(image.slice(), side, side, signal);
      const time = await timed(0.2, () => encoder.encode(image.slice(), side, side, signal));
      return { tokens: one.tokens, encode: time, encoded: one };
    },
  );
  const labelling = async (upsample: boolean): Promise<WordCost> => {
    const times: number[] = [];
    for (const count of [few, many]) {
      times.push(
        await opened(
          () => WindowLabeller.open(pack, wordsOf(count), { lambda: settings.lambda, upsample }, session),
          (labeller) =>
            timed(upsample ? 0.15 : 0.02, () => labeller.label(encoded, image.slice(), side, side, signal)),
        ),
      );
    }
    return lineThrough(times[0]!, times[1]!);
  };
  const tiling = async (): Promise<Speed['tile']> => {
    const tile = (count: number, around: number) => {
      const core = side / vision.patch;
      const all = core + 2 * around;
      const values = new Float32Array(all * all * embedding);
      for (let i = 0; i < values.length; i++) values[i] = tokens[i % tokens.length]!;
      const colours = noise(3 * (all * vision.patch) ** 2, 1);
      const limits = { top: around, left: around, bottom: around, right: around };
      return opened(
        () => TileLabeller.open(pack, wordsOf(count), settings.upsample, session),
        (labeller) =>
          timed(0.15, () =>
            labeller.label({ rows: all, columns: all, tokens: values, margin: limits }, colours, signal),
          ),
      );
    };
    const [first, second, wider] = [await tile(few, 0), await tile(many, 0), await tile(few, margin)];
    const core = side / vision.patch;
    const around = ((core + 2 * margin) ** 2 - core ** 2) / core ** 2;
    return { ...lineThrough(first, second), margin: Math.max(0, wider - first) / around };
  };

  const { upsampler } = pack.manifest;
  const upsampled = upsampler ? await labelling(true) : null;
  const plain = await labelling(false);
  const hasTile = side % vision.patch === 0 && (!settings.upsample || (upsampler?.tile ?? null) !== null);
  const tile = hasTile ? await tiling() : null;
  const word = await opened(
    () => WordEncoder.open(pack, session.threads),
    (encoder) => {
      const some = Array.from(
        { length: encodedSentences },
        (_, i) => `a satellite image of a ${'abcdefgh'[i]}.`,
      );
      return timed(0.1, () => encoder.encodePrompts(some));
    },
  );
  return {
    open: openings.reduce((sum, each) => sum + each, 0) / openings.length,
    encode,
    label: { upsampled, plain },
    tile,
    stitch: (await timed(0.05, stitching())) / many,
    word: (word / encodedSentences) * sentences,
  };
}

/** Sums and decides the pixels of a window for one word of `many`. */
function stitching(): () => void {
  const plan = planWindows(side, side, side, side);
  const scores = Float32Array.from({ length: many * pixels }, (_, i) => 0.02 * Math.sin(i));
  const valid = new Uint8Array(pixels).fill(1);
  const rule = {
    wordClasses: Uint16Array.from({ length: many }, (_, i) => i + 1),
    thresholds: new Float64Array(many + 1),
    background: 0,
    logitScale: 50,
  };
  const means = new Float32Array(many * side);
  const classes = new Uint8Array(side);
  const confidence = new Uint8Array(side);
  return () => {
    const sums = new ScoreAccumulator(plan, many, 0, side, 0);
    const decider = new RowDecider(rule, side);
    sums.add({ column: 0, row: 0, width: side, height: side }, scores, valid);
    for (let row = 0; row < side; row++) {
      sums.take(means, valid.subarray(0, side));
      decider.decide(means, valid, classes, confidence, 0);
    }
  };
}

function lineThrough(atFew: number, atMany: number): WordCost {
  const word = Math.max(0, (atMany - atFew) / (many - few));
  return { fixed: Math.max(0, atFew - few * word), word };
}

/** Of this thread alone. */
function threadSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
