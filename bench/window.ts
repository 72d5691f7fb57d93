/**
 * One 224 window of a full-size ViT-B/16 end to end (normalise, encode, upsample, alleviate bias, stitch, decide) with
 * ten words, against the encoder alone: same weights, same threads, turn about in one process. Weights are a formula,
 * so nothing is downloaded; speed does not depend on their values. Wall-clock and processor milliseconds, medians.
 *
 *   node bench/window.ts [--threads 2] [--runs 9] [--json]
 */
import { parseArgs } from 'node:util';
import { ScoreAccumulator } from '../src/worker/classmap/accumulate.ts';
import { decisionRule, RowDecider } from '../src/worker/classmap/decide.ts';
import { PackScorer } from '../src/worker/infer/pack-scorer.ts';
import { Session } from '../src/worker/infer/session.ts';
import { normalise } from '../src/worker/prep/normalise.ts';
import { planWindows } from '../src/worker/tile/plan.ts';
import { fullSizePack } from './packs/full-size.ts';

const side = 224;
const words = 10;

interface Timing {
  wall: number;
  processor: number;
}

async function time(run: () => Promise<unknown>): Promise<Timing> {
  const processor = process.cpuUsage();
  const start = performance.now();
  await run();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(processor);
  return { wall, processor: (user + system) / 1000 };
}

function median(timings: readonly Timing[]): Timing {
  const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  return {
    wall: middle(timings.map(({ wall }) => wall)),
    processor: middle(timings.map(({ processor }) => processor)),
  };
}

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
const embeddings = new Float32Array(words * geometry.embedding);
for (let word = 0; word < words; word++) embeddings[word * geometry.embedding + word * 7] = 1;
const options = { provider: 'cpu', threads } as const;
const encoder = await Session.open(pack, encoders.optical.graphs['segearth-1']!, options);
const scorer = await PackScorer.open(
  pack,
  embeddings,
  { modality: 'optical', attention: 'segearth', lastLayers: 1, lambda: -0.3, upsample: true },
  options,
);
const colours = Float32Array.from(
  { length: 3 * side * side },
  (_, i) => (Math.imul(i, 2654435761) >>> 24) & 255,
);
const valid = new Uint8Array(side * side).fill(1);
const rule = decisionRule(
  Array.from({ length: words }, (_, i) => ({ id: i + 1, name: `${i}`, words: [`${i}`], colour: '#000000' })),
);
const plan = planWindows(side, side, side, side / 2);
const { mean, deviation } = normalisation;

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
const image = {
  values: normalise(colours.slice(), valid, mean, deviation),
  shape: [1, 3, side, side],
};
const encoderAlone = () => encoder.run({ image });

const alone: Timing[] = [];
const whole: Timing[] = [];
for (let run = -2; run < runs; run++) {
  const first = await time(encoderAlone);
  const second = await time(endToEnd);
  if (run < 0) continue;
  alone.push(first);
  whole.push(second);
}
await encoder.close();
await scorer.close();

const figures = {
  threads,
  runs,
  encoder: median(alone),
  endToEnd: median(whole),
  wallRatio: median(whole).wall / median(alone).wall,
  processorRatio: median(whole).processor / median(alone).processor,
};
if (values.json) console.log(JSON.stringify(figures));
else {
  const line = (name: string, { wall, processor }: Timing) =>
    `${name.padEnd(12)} ${wall.toFixed(0)} ms, ${processor.toFixed(0)} ms of processor time`;
  console.log(`ViT-B/16, one ${side} window, ${words} words, ${threads} threads, median of ${runs}`);
  console.log(line('encoder', figures.encoder));
  console.log(line('end to end', figures.endToEnd));
  console.log(
    `ratio        ${figures.wallRatio.toFixed(2)} (processor time ${figures.processorRatio.toFixed(2)})`,
  );
}
