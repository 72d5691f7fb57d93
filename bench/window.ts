/**
 * One 224 window of a full-size ViT-B/16 end to end (normalise, encode, upsample, alleviate bias, stitch, decide) with
 * ten words, against the encoder alone: same weights, same threads, turn about in one process. In the fast mode, where
 * every window adds a stride of 112² pixels, the work on one tile is shared among the windows whose strides fill it.
 * Weights are a formula, so nothing is downloaded; a window's tokens span as many directions as there are of them, which is
 * the most work that there can be. Wall-clock and processor milliseconds, medians.
 *
 *   node bench/window.ts [--threads 2] [--runs 9] [--json]
 */
import { parseArgs } from 'node:util';
import { ScoreAccumulator } from '../src/worker/classmap/accumulate.ts';
import { decisionRule, RowDecider } from '../src/worker/classmap/decide.ts';
import { PackScorer } from '../src/worker/infer/pack-scorer.ts';
import { Session } from '../src/worker/infer/session.ts';
import { normalise } from '../src/worker/prep/normalise.ts';
import { FastScorer } from '../src/worker/steps/fast-scorer.ts';
import { MergedTokens } from '../src/worker/tile/merged-tokens.ts';
import { planWindows } from '../src/worker/tile/plan.ts';
import { planTokenTiles, tokenTileAt } from '../src/worker/tile/token-tiles.ts';
import { medianTiming, type Timing, timed } from './measures/timing.ts';
import { axes, fullSizePack, papersSettings } from './packs/full-size.ts';

const side = 224;
const words = 10;

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    runs: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(values.threads);
const runs = Number(values.runs);

const pack = await fullSizePack();
const { normalisation, geometry, encoders } = pack.manifest;
const embeddings = axes(words, geometry.embedding);
const options = { provider: 'cpu', threads } as const;
const encoder = await Session.open(pack, encoders.optical.graphs['segearth-1']!, options);
const noise = (pixels: number) =>
  Float32Array.from({ length: 3 * pixels }, (_, i) => (Math.imul(i, 2654435761) >>> 24) & 255);
const colours = noise(side * side);
const valid = new Uint8Array(side * side).fill(1);
const rule = decisionRule(
  Array.from({ length: words }, (_, i) => ({ id: i + 1, name: `${i}`, words: [`${i}`], colour: '#000000' })),
);
const plan = planWindows(side, side, side, side / 2);
const { mean, deviation } = normalisation;

const image = {
  values: normalise(colours.slice(), valid, mean, deviation),
  shape: [1, 3, side, side],
};
const encoderAlone = () => encoder.run({ image });

/** Medians of works that take turns with the encoder alone. */
async function besideEncoder(
  works: readonly (() => Promise<unknown>)[],
): Promise<{ alone: Timing; of: Timing[] }> {
  const all = [encoderAlone, ...works];
  const timings = all.map((): Timing[] => []);
  for (let run = -2; run < runs; run++)
    for (const [index, work] of all.entries()) {
      const timing = await timed(work);
      if (run >= 0) timings[index]!.push(timing);
    }
  const [alone, ...of] = timings.map(medianTiming);
  return { alone: alone!, of };
}

interface ModeFigures extends Timing {
  encoder: Timing;
  ratio: Timing;
}

const figuresOf = (encoder: Timing, { wall, processor }: Timing): ModeFigures => ({
  encoder,
  wall,
  processor,
  ratio: { wall: wall / encoder.wall, processor: processor / encoder.processor },
});

async function referenceMode(): Promise<ModeFigures> {
  const scorer = await PackScorer.open(pack, embeddings, papersSettings, options);
  async function endToEnd(): Promise<void> {
    const pixels = normalise(colours.slice(), valid, mean, deviation);
    const scores = await scorer.score(pixels, side, side);
    const sums = new ScoreAccumulator(plan, words, 0, side, 0);
    sums.add({ column: 0, row: 0, width: side, height: side }, scores, valid);
    const decider = new RowDecider(rule, side);
    const means = new Float32Array(words * side);
    const rowValid = new Uint8Array(side);
    const classes = new Uint8Array(side * side);
    const confidence = new Uint8Array(side * side);
    for (let row = 0; row < side; row++) {
      sums.take(means, rowValid);
      decider.decide(means, rowValid, classes, confidence, row * side);
    }
  }
  const { alone, of } = await besideEncoder([endToEnd]);
  await scorer.close();
  return figuresOf(alone, of[0]!);
}

async function fastMode(): Promise<ModeFigures> {
  const fast = await FastScorer.open(pack, embeddings, papersSettings, options);
  // A tile in the middle of a scene, so that it has all that lies around it.
  const { patch } = geometry.vision;
  const tiles = planTokenTiles(3 * 896, 3 * 448, side, side / 2, patch);
  const core = { width: tiles.tile.width * patch, height: tiles.tile.height * patch };
  const place = tokenTileAt(tiles, 1, 1);
  const around = { width: place.around.width * patch, height: place.around.height * patch };
  const tilePixels = noise(around.width * around.height);
  const tileValid = new Uint8Array(around.width * around.height).fill(1);
  const strides = (core.width * core.height) / (side / 2) ** 2;
  const merged = new MergedTokens(geometry.embedding, 0, place.around.width);
  const across = side / patch;
  const firstTokens = await fast.encode(image.values, { width: side, height: side });
  for (let row = 0; row < place.around.height; row += across / 2)
    for (let column = 0; column < place.around.width; column += across / 2)
      merged.add(firstTokens.tokens, { column, row, width: across, height: across }, 0);

  async function fastWindow(): Promise<void> {
    const pixels = normalise(colours.slice(), valid, mean, deviation);
    const { tokens } = await fast.encode(pixels, { width: side, height: side });
    merged.add(tokens, { column: 0, row: 0, width: across, height: across }, 0);
  }

  async function fastTile(): Promise<void> {
    const pixels = normalise(tilePixels.slice(), tileValid, mean, deviation);
    const { width, height } = place.around;
    const { reach } = tiles;
    const scores = await fast.label(
      {
        rows: height,
        columns: width,
        tokens: merged.mean(0, 0, width, height),
        margin: { top: reach, left: reach, bottom: reach, right: reach },
      },
      pixels,
    );
    const decider = new RowDecider(rule, core.width);
    const means = new Float32Array(words * core.width);
    const rowValid = new Uint8Array(core.width).fill(1);
    const classes = new Uint8Array(core.width * core.height);
    const confidence = new Uint8Array(core.width * core.height);
    for (let row = 0; row < core.height; row++) {
      const first = row * core.width;
      for (let word = 0; word < words; word++) {
        const from = word * core.height * core.width + first;
        means.set(scores.subarray(from, from + core.width), word * core.width);
      }
      decider.decide(means, rowValid, classes, confidence, first);
    }
  }

  const { alone, of } = await besideEncoder([fastWindow, fastTile]);
  await fast.close();
  const [window, tile] = of as [Timing, Timing];
  return figuresOf(alone, {
    wall: window.wall + tile.wall / strides,
    processor: window.processor + tile.processor / strides,
  });
}

const modes = { reference: await referenceMode(), fast: await fastMode() };
await encoder.close();
if (values.json) console.log(JSON.stringify({ threads, runs, ...modes }));
else {
  const line = ({ wall, processor }: Timing) =>
    `${wall.toFixed(0)} ms (${processor.toFixed(0)} of processor time)`;
  console.log(`ViT-B/16, one ${side} window, ${words} words, ${threads} threads, median of ${runs}`);
  for (const [mode, { encoder: alone, ratio, ...whole }] of Object.entries(modes))
    console.log(
      `${mode.padEnd(10)} encoder ${line(alone)}, end to end ${line(whole)}: ${ratio.wall.toFixed(2)} (${ratio.processor.toFixed(2)})`,
    );
}
