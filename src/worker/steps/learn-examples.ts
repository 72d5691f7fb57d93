import { type Example, exampleOf } from '../features/example.ts';
import type { SessionOptions } from '../infer/session.ts';
import { type EncoderSettings, WindowEncoder } from '../infer/window-encoder.ts';
import { embedWords } from '../infer/words.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { openPack } from '../pack/open-pack.ts';
import type { RadarRecipe } from '../prep/sar/recipe.ts';
import { chooseWorkingGrid } from '../prep/working-grid.ts';
import { applyAffine, invertAffine } from '../raster/affine.ts';
import type { Window } from '../raster/grid.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { planWindows, type WindowAxis, windowAt } from '../tile/plan.ts';
import { pixelFeatures, pixelSpectrum, type SampleWindow } from './pixel-sample.ts';
import { normaliserOf, prepareScene } from './prepare-scene.ts';
import { openRunScene } from './radar-preparation.ts';
import type { TaskContext } from './task-context.ts';

export interface LearnExamplesRequest {
  scene: string;
  pack: string;
  encoder: EncoderSettings;
  upsample: boolean;
  session: SessionOptions;
  templates: TemplateSetName;
  /** 1-based. */
  bands: number[] | null;
  resolution: number | 'native' | null;
  /** Prepares a radar scene. */
  radar: RadarRecipe | null;
  window: number;
  stride: number;
  cacheBytes: number;
  /** Places in the scene's coordinates (pixels without a CRS), by the example's name. */
  points: Record<string, [number, number][]>;
  /** Words that the examples will compete with. */
  words: string[];
}

/** Windows, spread over the scene, that say what is ordinary in it. */
const mostSamples = 6;

/** An example for every name: the mean feature around its points, against the scene's. */
export async function learnExamples(
  request: LearnExamplesRequest,
  context: TaskContext,
): Promise<Record<string, Example>> {
  const { signal, report } = context;
  const pack = await openPack(request.pack);
  const { manifest } = pack;
  const size = manifest.geometry.embedding;
  const words = await embedWords(pack, request.words, request.templates, request.session.threads, signal);
  const opened = await openRunScene(request.scene, request.radar, request.cacheBytes, signal);
  const encoder = await WindowEncoder.open(pack, request.encoder, request.session);
  try {
    const { header } = opened.scene;
    const grid = chooseWorkingGrid(
      header.grid,
      header.groundSampleDistance,
      request.resolution ?? undefined,
      manifest.finestResolution,
    );
    const { working } = await prepareScene(opened.scene, request, grid, signal);
    const normalise = normaliserOf(manifest.normalisation);
    const plan = planWindows(grid.width, grid.height, request.window, request.stride);
    const encode = async (window: Window): Promise<SampleWindow | null> => {
      throwIfCancelled(signal);
      const { width, height } = window;
      const { pixels, valid } = await working.read(window, signal);
      if (!valid.includes(1)) return null;
      const normal = normalise(pixels, valid);
      return {
        encoded: await encoder.encode(normal, height, width, signal),
        pixels: normal,
        valid,
        width,
        height,
      };
    };
    const sampling = { pack, upsample: request.upsample, session: request.session, signal };
    const toScene = invertAffine(header.grid.transform);
    const places = Object.entries(request.points).flatMap(([name, points]) =>
      points.map(([x, y]) => {
        const [column, row] = applyAffine(toScene, x, y).map((at) => Math.floor(at / grid.scale));
        if (column! < 0 || row! < 0 || column! >= grid.width || row! >= grid.height) {
          throw new Problem(
            'scene/outside-extent',
            `The example ${name} at ${x},${y} does not lie on the scene.`,
            'Give places in the coordinates that landscribe info prints.',
          );
        }
        return { name, column: column!, row: row! };
      }),
    );
    const total = mostSamples + places.length;
    let done = 0;
    const samples: SampleWindow[] = [];
    for (let i = 0; i < mostSamples; i++) {
      // Spread by the golden ratio along one side, evenly along the other.
      const column = Math.floor((((i + 0.5) * 0.618) % 1) * plan.columns.count);
      const row = Math.floor(((i + 0.5) / mostSamples) * plan.rows.count);
      const sample = await encode(windowAt(plan, column, row));
      if (sample) samples.push(sample);
      report({ phase: 'looking at examples', done: ++done, total, unit: 'windows' });
    }
    const sums = new Map<string, Float32Array>();
    for (const { name, column, row } of places) {
      const window = windowAt(plan, around(plan.columns, column), around(plan.rows, row));
      const sample = await encode(window);
      const chosen: number[] = [];
      for (let y = row - window.row - 1; y <= row - window.row + 1; y++)
        for (let x = column - window.column - 1; x <= column - window.column + 1; x++)
          if (sample && x >= 0 && y >= 0 && x < window.width && y < window.height)
            if (sample.valid[y * window.width + x] !== 0) chosen.push(y * window.width + x);
      if (!sample || chosen.length === 0) {
        throw new Problem(
          'scene/nodata',
          `The example ${name} lies where the scene has no data.`,
          'Choose another place.',
        );
      }
      const [features] = await pixelFeatures([sample], [chosen], sampling);
      const sum = sums.get(name) ?? new Float32Array(size);
      for (let i = 0; i < features!.length; i++) sum[i % size]! += features![i]! / chosen.length;
      sums.set(name, sum);
      samples.push(sample);
      report({ phase: 'looking at examples', done: ++done, total, unit: 'windows' });
    }
    const spread = await pixelSpectrum(samples.slice(0, mostSamples), sampling, null);
    return Object.fromEntries(
      [...sums].map(([name, sum]) => {
        const count = request.points[name]!.length;
        return [
          name,
          exampleOf(
            sum.map((value) => value / count),
            spread,
            words,
          ),
        ];
      }),
    );
  } finally {
    await encoder.close();
    await opened.close();
  }
}

/** The window of the axis that has `position` nearest its middle. */
function around({ window, stride, count }: WindowAxis, position: number): number {
  return Math.min(count - 1, Math.max(0, Math.round((position - window / 2) / stride)));
}
