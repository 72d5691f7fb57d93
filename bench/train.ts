/**
 * Steps per second of CLIP training in the starter's geometry, and the share that the step's matrix products reach of
 * the machine's own matrix multiplication: 1024³ products, turn about with the steps in one process. Wall clock and
 * processor time (all threads), medians; on a machine with other work the processor's share is the one to look at.
 *
 *   node bench/train.ts [--threads 2] [--steps 9] [--phase 1] [--width 128] [--layers 6] [--patch 8] [--json]
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Graph } from '../src/worker/onnx/graph.ts';
import { encodeModel } from '../src/worker/onnx/model-file.ts';
import { matmul } from '../src/worker/onnx/operators.ts';
import {
  type ClipBatch,
  type ClipBatchShape,
  type ClipGeometry,
  ClipTrainer,
  clipStepGraph,
} from '../src/worker/train/clip.ts';
import { clipParameterCount, initialClip } from '../src/worker/train/clip-parameters.ts';
import { normalNumbers, uniformNumbers } from '../src/worker/train/random.ts';
import { productFlops } from '../src/worker/train/step.ts';
import { median, type Timing, timed } from './measures/timing.ts';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '9' },
    phase: { type: 'string', default: '1' },
    width: { type: 'string' },
    layers: { type: 'string' },
    patch: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const recipe = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, '../configs/starter/clip.json'), 'utf8'),
);
const phase = recipe.phases[Number(options.phase)];
const { side, images } = phase;
const width = Number(options.width ?? recipe.vision.width);
const layers = Number(options.layers ?? phase.layers);
const patch = Number(options.patch ?? recipe.vision.patch);
const vocabulary = 2000;
const words = 16;
const labels = 16;
const geometry: ClipGeometry = {
  vision: { width, layers, heads: width / 64, hidden: 4 * width, patch, grid: side / patch, image: side },
  text: { ...recipe.text, heads: recipe.text.width / 64, hidden: 4 * recipe.text.width, vocabulary },
  embedding: recipe.embedding,
  activation: recipe.activation,
};
const shape: ClipBatchShape = { images, side, words, labels, length: recipe.length };
const patches = (side / patch) ** 2;

const productSide = 1024;
const productCost = 2 * productSide ** 3;

async function productRunner(): Promise<() => Promise<unknown>> {
  const graph = new Graph('product');
  const a = graph.input('a', 'float32', [productSide, productSide]);
  const b = graph.input('b', 'float32', [productSide, productSide]);
  graph.output('c', matmul(graph, a, b));
  const session = await InferenceSession.create(encodeModel(graph), {
    intraOpNumThreads: threads,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const tensor = new Tensor('float32', normalNumbers(productSide ** 2, 1, 'factor'), [
    productSide,
    productSide,
  ]);
  return () => session.run({ a: tensor, b: tensor });
}

function randomBatch(): ClipBatch {
  const random = uniformNumbers('batch');
  const ids = (rows: number) =>
    BigInt64Array.from({ length: rows * shape.length }, () => BigInt(Math.floor(random() * vocabulary)));
  return {
    images: normalNumbers(images * 3 * side * side, 1, 'images'),
    targets: Float32Array.from({ length: images * patches * labels }, () => random() / labels),
    membership: Float32Array.from({ length: images * labels * words }, (_, at) =>
      at % words === Math.floor(at / words) % labels ? 1 : 0,
    ),
    alleviation: new Float32Array(images),
    promptIds: ids(words),
    promptEnds: new BigInt64Array(words).fill(8n),
    captionIds: ids(images),
    captionEnds: new BigInt64Array(images).fill(8n),
  };
}

const { gradientLimit: _, ...optimiser } = recipe.optimiser;
const step = clipStepGraph(geometry, shape, recipe.loss, { kind: 'adamw', ...optimiser });
const cost = productFlops(step.graph);
const trainer = await ClipTrainer.create(
  geometry,
  shape,
  recipe.loss,
  { kind: 'adamw', ...optimiser },
  initialClip(geometry, 1),
  threads,
);
const product = await productRunner();
const batch = randomBatch();
await trainer.step(batch, 1e-4, 1);
await product();
const steps: Timing[] = [];
const products: Timing[] = [];
for (let turn = 0; turn < Number(options.steps); turn++) {
  for (let i = 0; i < 5; i++) products.push(await timed(product));
  steps.push(await timed(() => trainer.step(batch, 1e-4, 1)));
}
const rate = (timings: Timing[], flops: number, kind: keyof Timing) =>
  flops / median(timings.map((timing) => timing[kind])) / 1e6;
const share = (kind: keyof Timing) => rate(steps, cost, kind) / rate(products, productCost, kind);
const milliseconds = median(steps.map(({ wall }) => wall));
const result = {
  parameters: clipParameterCount(geometry),
  stepGigaflop: cost / 1e9,
  stepMilliseconds: milliseconds,
  stepsPerSecond: 1000 / milliseconds,
  imagesPerSecond: (1000 * images) / milliseconds,
  gigaflopPerSecond: rate(steps, cost, 'wall'),
  machineGigaflopPerSecond: rate(products, productCost, 'wall'),
  share: share('wall'),
  processorShare: share('processor'),
};
if (options.json) console.log(JSON.stringify(result));
else {
  console.log(
    `${(result.parameters / 1e6).toFixed(2)} M parameters, ${images} images of ${side}, ` +
      `${result.stepGigaflop.toFixed(1)} GFLOP of products a step, ${threads} threads`,
  );
  console.log(
    `${milliseconds.toFixed(0)} ms a step: ${result.stepsPerSecond.toFixed(2)} steps/s, ` +
      `${result.imagesPerSecond.toFixed(1)} images/s`,
  );
  console.log(
    `${result.gigaflopPerSecond.toFixed(0)} of ${result.machineGigaflopPerSecond.toFixed(0)} GFLOP/s: ` +
      `${(100 * result.share).toFixed(0)} % by the clock, ${(100 * result.processorShare).toFixed(0)} % by processor time`,
  );
}
