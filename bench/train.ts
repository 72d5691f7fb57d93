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
import type { OptimiserOptions } from '../src/worker/train/optimiser.ts';
import { normalNumbers, uniformNumbers } from '../src/worker/train/random.ts';
import { productFlops } from '../src/worker/train/step.ts';

/**
 * Steps per second of CLIP training in the starter's geometry, and the share that its matrix products reach of the
 * machine's own matrix multiplication. `node bench/train.ts [threads] [images] [width] [layers]`
 */
const [threads = 2, images = 8, width = 256, layers = 8] = process.argv.slice(2).map(Number);
const geometry: ClipGeometry = {
  vision: { width, layers, heads: width / 64, hidden: 4 * width, patch: 16, grid: 14, image: 224 },
  text: { width: 128, layers: 3, heads: 2, hidden: 512, context: 32, vocabulary: 3000 },
  embedding: 128,
  activation: 'quickgelu',
};
const shape: ClipBatchShape = { images, side: 224, words: 16, labels: 12, length: 16 };
const optimiser: OptimiserOptions = {
  kind: 'adamw',
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-6,
  weightDecay: 0.05,
  averageDecay: null,
};
const loss = { denseScale: 50, denseWeight: 1, captionWeight: 0.2 };

/** The better of several timings: GFLOP/s of a 1024³ product. */
async function machineSpeed(): Promise<number> {
  const side = 1024;
  const graph = new Graph('product');
  const a = graph.input('a', 'float32', [side, side]);
  const b = graph.input('b', 'float32', [side, side]);
  graph.output('c', matmul(graph, a, b));
  const session = await InferenceSession.create(encodeModel(graph), { intraOpNumThreads: threads });
  const values = normalNumbers(side * side, 1, 'a');
  const feeds = {
    a: new Tensor('float32', values, [side, side]),
    b: new Tensor('float32', values, [side, side]),
  };
  let best = 0;
  for (let turn = 0; turn < 20; turn++) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.max(best, (2 * side ** 3) / (performance.now() - start) / 1e6);
  }
  return best;
}

function randomBatch(): ClipBatch {
  const random = uniformNumbers('batch');
  const { words, labels, length } = shape;
  const ids = (rows: number) =>
    BigInt64Array.from({ length: rows * length }, () => BigInt(Math.floor(random() * 3000)));
  return {
    images: normalNumbers(images * 3 * 224 * 224, 1, 'images'),
    targets: Float32Array.from({ length: images * 196 * labels }, () => random() / labels),
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

const speed = await machineSpeed();
const flops = productFlops(clipStepGraph(geometry, shape, loss, optimiser).graph);
const trainer = await ClipTrainer.create(geometry, shape, loss, optimiser, initialClip(geometry, 1), threads);
const batch = randomBatch();
const times: number[] = [];
for (let step = 0; step < 12; step++) {
  const start = performance.now();
  const report = await trainer.step(batch, 1e-3, 1);
  times.push(performance.now() - start);
  if (step % 4 === 0) console.log(step, report);
}
const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
const reached = flops / median / 1e6;
console.log(`parameters ${(clipParameterCount(geometry) / 1e6).toFixed(2)} M`);
console.log(`products of a step ${(flops / 1e9).toFixed(1)} GFLOP, ${images} images`);
console.log(
  `median step ${median.toFixed(0)} ms, best ${Math.min(...times).toFixed(0)} ms, ${((1000 / median) * images).toFixed(1)} images/s`,
);
console.log(
  `${reached.toFixed(0)} GFLOP/s of ${speed.toFixed(0)}: ${((100 * reached) / speed).toFixed(0)} %`,
);
