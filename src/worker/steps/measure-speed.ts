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
/** What words and margins cost is a small part, and found on a quarter of the window. */
const smallSide = side / 2;
/** Numbers of words: two points make a line. */
const few = 2;
const many = 32;
/** Tokens around the core of the tile that is measured with a margin. */
const margin = 4;
/** Sentences of a word in the usual template set, and of those that are encoded to measure them. */
const sentences = 80;
const encodedSentences = 8;

/** Measures each part of a run by itself in this thread. */
export async function measureSpeed(request: SpeedRequest, signal?: AbortSignal): Promise<Speed> {
  const { settings, session, milliseconds, clock } = request;
  // Single turns by the clock tell what else the machine does meanwhile. The thread's own time tells the parts apart, and
  // all turns together by the clock how much longer people wait.
  const own = session.provider === 'cpu' && session.threads === 1 && hasThreadTime;
  const seconds = own ? threadSeconds : () => performance.now() / 1e3;
  const spent = { clock: 0, own: 0 };
  const pack = await openPack(request.pack);
  const { embedding, vision } = pack.manifest.geometry;
  const noise = (length: number, scale: number) =>
    Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 0.7 + 1e-4 * i));
  const wordsOf = (count: number) => noise(count * embedding, Math.sqrt(2 / embedding));
  const colours = (width: number) => noise(3 * width ** 2, 1);
  const image = colours(side);
  /** The quickest of as many turns as fit into a share of the time, after one that warms up. */
  const timed = async (share: number, work: () => unknown, warm = false): Promise<number> => {
    if (!warm) await work();
    const turns: number[] = [];
    for (const started = performance.now(); ; ) {
      throwIfCancelled(signal);
      const [begun, before] = [performance.now(), seconds()];
      await work();
      turns.push(seconds() - before);
      spent.clock += (performance.now() - begun) / 1e3;
      await new Promise((resolve) => setImmediate(resolve));
      if (performance.now() - started > share * milliseconds) break;
    }
    const sum = turns.reduce((all, turn) => all + turn, 0);
    const quickest = Math.min(...turns);
    spent.own += sum;
    return quickest > coarse ? quickest : sum / turns.length;
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

  const { encode, windows } = await opened(
    () => WindowEncoder.open(pack, settings, session),
    async (encoder) => {
      const windowOf = async (width: number) => encoder.encode(colours(width), width, width, signal);
      const made = { [side]: await windowOf(side), [smallSide]: await windowOf(smallSide) };
      const time = await timed(0.1, () => encoder.encode(image, side, side, signal), true);
      return { encode: time, windows: made };
    },
  );
  const tokensOf = (count: number) => {
    const { tokens } = windows[side]!;
    return Float32Array.from({ length: count * embedding }, (_, i) => tokens[i % tokens.length]!);
  };
  const labelling = async (upsample: boolean): Promise<WordCost> => {
    const at = (count: number, widths: readonly number[]) =>
      opened(
        () => WindowLabeller.open(pack, wordsOf(count), { lambda: settings.lambda, upsample }, session),
        async (labeller) => {
          const times: number[] = [];
          for (const width of widths) {
            const under = colours(width);
            times.push(await timed(0.03, () => labeller.label(windows[width]!, under, width, width, signal)));
          }
          return times;
        },
      );
    const [whole, atFew] = await at(few, [side, smallSide]);
    const [atMany] = await at(many, [smallSide]);
    return costOf(whole!, atFew!, atMany!);
  };
  const tiling = async (): Promise<Speed['tile']> => {
    const at = (count: number, shapes: readonly { width: number; around: number }[]) =>
      opened(
        () => TileLabeller.open(pack, wordsOf(count), settings.upsample, session),
        async (labeller) => {
          const times: number[] = [];
          for (const { width, around } of shapes) {
            const all = width / vision.patch + 2 * around;
            const tile = { rows: all, columns: all, tokens: tokensOf(all * all) };
            const limits = { top: around, left: around, bottom: around, right: around };
            const under = colours(all * vision.patch);
            times.push(await timed(0.03, () => labeller.label({ ...tile, margin: limits }, under, signal)));
          }
          return times;
        },
      );
    const [whole, atFew, wider] = await at(few, [
      { width: side, around: 0 },
      { width: smallSide, around: 0 },
      { width: smallSide, around: margin },
    ]);
    const [atMany] = await at(many, [{ width: smallSide, around: 0 }]);
    const all = (smallSide / vision.patch + 2 * margin) * vision.patch;
    const around = (all ** 2 - smallSide ** 2) / pixels;
    return { ...costOf(whole!, atFew!, atMany!), margin: Math.max(0, wider! - atFew!) / around };
  };

  const { upsampler } = pack.manifest;
  const upsampled = upsampler ? await labelling(true) : null;
  const plain = await labelling(false);
  const hasTile =
    smallSide % vision.patch === 0 && (!settings.upsample || (upsampler?.tile ?? null) !== null);
  const tile = hasTile ? await tiling() : null;
  const word = await opened(
    () => WordEncoder.open(pack, session.threads),
    (encoder) => {
      const some = Array.from(
        { length: encodedSentences },
        (_, i) => `a satellite image of a ${'abcdefgh'[i]}.`,
      );
      return timed(0.05, () => encoder.encodePrompts(some));
    },
  );
  const stitch = (await timed(0.03, stitching())) / many;
  const slower = clock === 'wall' ? spent.clock / spent.own : 1;
  const cost = ({ fixed, word: each }: WordCost) => ({ fixed: slower * fixed, word: slower * each });
  return {
    open: (slower * openings.reduce((sum, each) => sum + each, 0)) / openings.length,
    encode: slower * encode,
    label: { upsampled: upsampled && cost(upsampled), plain: cost(plain) },
    tile: tile && { ...cost(tile), margin: slower * tile.margin },
    stitch: slower * stitch,
    word: (slower * word * sentences) / encodedSentences,
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

/** From a window with few words, and quarters of it with few and with many. */
function costOf(whole: number, quarterAtFew: number, quarterAtMany: number): WordCost {
  const word = Math.max(0, (4 * (quarterAtMany - quarterAtFew)) / (many - few));
  return { fixed: Math.max(0, whole - few * word), word };
}

/** Seconds by which a thread's time may grow at once. */
const coarse = 0.02;
/** Node 22 does not know it. */
const hasThreadTime = typeof process.threadCpuUsage === 'function';

/** Of this thread alone. */
function threadSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
