import type { MessagePort } from 'node:worker_threads';
import { BasisSample } from '../features/basis.ts';
import { type FeatureIdentity, FeatureWriter } from '../features/feature-store.ts';
import { type Precision, WindowCodec } from '../features/window-codec.ts';
import type { RadarRecipe } from '../prep/sar/recipe.ts';
import { chooseWorkingGrid } from '../prep/working-grid.ts';
import type { Window } from '../raster/grid.ts';
import { planWindows, type WindowPlan, windowAt } from '../tile/plan.ts';
import type { PackFacts } from './conduct.ts';
import { normaliserOf, prepareScene } from './prepare-scene.ts';
import { openRunScene } from './radar-preparation.ts';
import { RemoteLane } from './remote-lane.ts';
import type { TaskContext } from './task-context.ts';
import { type WindowWorker, workInOrder } from './window-queue.ts';

export interface EncodeRequest {
  scene: string;
  pack: PackFacts;
  packFolder: string;
  /** Length of a token. */
  embedding: number;
  /** Modality, attention, last layers. */
  encoder: FeatureIdentity['encoder'];
  /** 1-based. */
  bands: number[] | null;
  resolution: number | 'native' | null;
  /** Prepares a radar scene. */
  radar: RadarRecipe | null;
  window: number;
  stride: number;
  folder: string;
  precision: Precision['kind'];
  /** Bytes a working pixel that compact windows keep within. */
  bytesPerPixel: number;
  /** Bytes that the store may take. */
  limitBytes: number;
  cacheBytes: number;
  lanes: MessagePort[];
}

export interface EncodeReply {
  windows: number;
  bytes: number;
  /** Of the working grid. */
  pixels: number;
  /** Metres; null without a CRS. */
  workingResolution: number | null;
  /** Whether windows of an earlier encoding were taken over. */
  resumed: boolean;
  /** Step that coordinates were rounded to; null for exact floats. */
  step: number | null;
}

/** Of the coordinates' root mean square: what a prompt cannot tell from the exact floats but on a pixel in thousands. */
const finestStep = 0.02;
const sampleWindows = 24;
/** Records that are written together. */
const batch = 16;

/** Stores what a scene's encoding leaves for later prompts; goes on where an earlier encoding ended. */
export async function encodeScene(request: EncodeRequest, context: TaskContext): Promise<EncodeReply> {
  const { signal } = context;
  const { pack, folder } = request;
  const lanes = request.lanes.map((port) => new RemoteLane<Uint8Array<ArrayBuffer>>(port));
  const { scene, close } = await openRunScene(request.scene, request.radar, request.cacheBytes, signal);
  try {
    const { header } = scene;
    const grid = chooseWorkingGrid(
      header.grid,
      header.groundSampleDistance,
      request.resolution ?? undefined,
      pack.finestResolution,
    );
    const { stretch, working, bands, sceneFingerprint } = await prepareScene(scene, request, grid, signal);
    const plan = planWindows(grid.width, grid.height, request.window, request.stride);
    const windows = plan.columns.count * plan.rows.count;
    const pixels = grid.width * grid.height;
    const toModel = normaliserOf(pack);
    const prepare = async (window: Window) => {
      const read = await working.read(window, signal);
      return { pixels: toModel(read.pixels, read.valid), valid: read.valid };
    };
    const work = (precision?: Precision) =>
      lanes.map((lane): WindowWorker<Uint8Array<ArrayBuffer>> => {
        let told = precision;
        return (values, { height, width }) => {
          const question = { pixels: values, height, width, ...(told && { precision: told }) };
          told = undefined;
          return lane.ask(question, signal);
        };
      });
    const writer = await FeatureWriter.open(folder, {
      identity: {
        sceneFingerprint,
        packChecksum: pack.checksum,
        encoder: request.encoder,
        pixels: JSON.parse(
          JSON.stringify({
            bands: bands.map((band) => band + 1),
            resolution: request.resolution,
            grid: { width: grid.width, height: grid.height, scale: grid.scale },
            stretch,
            radar: request.radar,
          }),
        ),
        window: request.window,
        stride: request.stride,
      },
      scene: request.scene,
      pack: pack.name,
      packFolder: request.packFolder,
      embedding: request.embedding,
      windows,
      pixels,
      async choosePrecision() {
        if (request.precision === 'exact') return { kind: 'exact' };
        const sample: Uint8Array<ArrayBuffer>[] = [];
        const some = spread(plan, Math.min(windows, sampleWindows));
        for await (const { answer } of workInOrder(some, prepare, work(), lanes.length + 1, signal)) {
          if (answer !== null) sample.push(answer);
        }
        return compactPrecision(sample, request.embedding, (request.bytesPerPixel * pixels) / windows);
      },
      limitBytes: request.limitBytes,
    });
    try {
      const first = writer.next;
      let done = first;
      const report = () => context.report({ phase: 'encoding', done, total: windows, unit: 'windows' });
      report();
      let records: (Uint8Array | null)[] = [];
      const answers = workInOrder(
        from(plan, first),
        prepare,
        work(writer.codec.precision),
        2 * lanes.length + 1,
        signal,
      );
      try {
        for await (const { answer } of answers) {
          records.push(answer);
          if (records.length === batch) {
            await writer.append(records);
            records = [];
          }
          done++;
          report();
        }
      } finally {
        // What is encoded is kept, whatever stopped the rest.
        await writer.append(records);
      }
      const { precision } = writer.codec;
      return {
        windows,
        bytes: writer.bytes,
        pixels,
        workingResolution: grid.resolution,
        resumed: first > 0,
        step: precision.kind === 'compact' ? precision.step : null,
      };
    } finally {
      await writer.close();
    }
  } finally {
    await close();
  }
}

/**
 * Basis and step for windows like those of the sample (exact records): the finest step, or a coarser one where records
 * would be longer than `target` bytes.
 */
function compactPrecision(sample: readonly Uint8Array[], embedding: number, target: number): Precision {
  const exact = new WindowCodec(embedding, { kind: 'exact' });
  const windows = sample.map((record) => exact.decode(record, 'sample'));
  const sums = new BasisSample(embedding);
  for (const { tokens } of windows) sums.add(tokens);
  const basis = sums.basis();
  let squares = 0;
  let count = 0;
  for (const { tokens } of windows) {
    for (let i = 0; i < tokens.length; i++) squares += (tokens[i]! - basis.mean[i % embedding]!) ** 2;
    count += tokens.length;
  }
  let step = finestStep * Math.sqrt(squares / Math.max(1, count)) || 1;
  for (;;) {
    const codec = new WindowCodec(embedding, { kind: 'compact', basis, step });
    const bytes = windows.reduce((sum, window) => sum + codec.encode(window).length, 0);
    // Other windows may be longer than those of the sample.
    if (bytes <= 0.95 * target * windows.length || step > 1e30) return { kind: 'compact', basis, step };
    step *= 1.25;
  }
}

/** `count` windows at equal distances over the grid. */
function* spread(plan: WindowPlan, count: number): Generator<Window> {
  const windows = plan.columns.count * plan.rows.count;
  for (let i = 0; i < count; i++) yield numbered(plan, Math.floor(((i + 0.5) * windows) / count));
}

function* from(plan: WindowPlan, first: number): Generator<Window> {
  const windows = plan.columns.count * plan.rows.count;
  for (let number = first; number < windows; number++) yield numbered(plan, number);
}

function numbered(plan: WindowPlan, number: number): Window {
  return windowAt(plan, number % plan.columns.count, Math.floor(number / plan.columns.count));
}
