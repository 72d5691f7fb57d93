import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ClassEntry } from '../classmap/class-entry.ts';
import { decisionRule } from '../classmap/decide.ts';
import type { ColourImage } from '../evaluate/baseline.ts';
import { readLabelImage } from '../evaluate/label-image.ts';
import { PackScorer, type ScorerSettings } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { embedWords } from '../infer/words.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { openPack } from '../pack/open-pack.ts';
import { chooseBands } from '../prep/choose-bands.ts';
import { normalise } from '../prep/normalise.ts';
import { prepareRadar } from '../prep/sar/prepare-radar.ts';
import { measureStretch } from '../prep/stretch.ts';
import { chooseWorkingGrid } from '../prep/working-grid.ts';
import { openWorkingPixels } from '../prep/working-pixels.ts';
import { scaleAffine } from '../raster/affine.ts';
import { openScene } from '../scene/open-scene.ts';
import type { Scene } from '../scene/scene.ts';
import { planWindows } from '../tile/plan.ts';
import { planTokenTiles } from '../tile/token-tiles.ts';
import type { PredictedImage } from './evaluate.ts';
import { FastRows } from './fast-rows.ts';
import { FastScorer } from './fast-scorer.ts';
import { type Modality, radarPreparationOf } from './radar-preparation.ts';
import { segmentScene } from './segment.ts';
import { WindowRows } from './window-rows.ts';

export interface PredictorRequest {
  pack: string;
  classes: readonly ClassEntry[];
  templates: TemplateSetName;
  scorer: ScorerSettings;
  session: SessionOptions;
  window: number;
  stride: number;
  mode: 'reference' | 'fast';
  threshold: number | number[];
  background: string | null;
  /** Picture pixels per working pixel: 1 for the picture's own, 2 for half as many along each side. */
  scale: number;
  /** What the pictures are. */
  modality: Modality;
  /** Fields of the radar recipe that are not to be those proposed for each picture. */
  radar: Record<string, unknown> | null;
}

export interface Predictor {
  predict(image: string, signal?: AbortSignal): Promise<PredictedImage>;
  /** A picture as the model sees it, at its own size. */
  colours(image: string, signal?: AbortSignal): Promise<ColourImage>;
  close(): Promise<void>;
}

interface Look {
  scene: Pick<Scene, 'header' | 'read'>;
  bands: readonly [number, number, number];
  grid: ReturnType<typeof chooseWorkingGrid>;
  working: ReturnType<typeof openWorkingPixels>;
}

/** Class maps of many pictures by the very steps of `segment`, with one session for all of them. */
export async function openPredictor(request: PredictorRequest, signal?: AbortSignal): Promise<Predictor> {
  const { classes, window, stride, scale } = request;
  const pack = await openPack(request.pack);
  const { mean, deviation } = pack.manifest.normalisation;
  const rule = decisionRule([...classes], request.threshold, request.background);
  const words = classes.flatMap((entry) => entry.words);
  const embeddings = await embedWords(pack, words, request.templates, request.session.threads, signal);
  const Scorer = request.mode === 'fast' ? FastScorer : PackScorer;
  const scorer = await Scorer.open(pack, embeddings, request.scorer, request.session);
  const folder = await mkdtemp(path.join(tmpdir(), 'landscribe-evaluate-'));
  /** A picture's pixels, of radar pictures those that the recipe makes. */
  async function look<Result>(
    image: string,
    scale: number,
    stop: AbortSignal | undefined,
    at: (seen: Look) => Promise<Result>,
  ): Promise<Result> {
    const opened = await openScene(image, stop);
    try {
      const { recipe } = await radarPreparationOf(opened, request.modality, request.radar, stop);
      const scene = recipe === null ? opened : await prepareRadar(opened, recipe);
      const { header } = scene;
      const bands = chooseBands(header.bands, undefined);
      const native = chooseWorkingGrid(header.grid, header.groundSampleDistance, 'native', null);
      const grid =
        scale === 1
          ? native
          : {
              ...native,
              width: Math.max(1, Math.ceil(header.grid.width / scale)),
              height: Math.max(1, Math.ceil(header.grid.height / scale)),
              transform: scaleAffine(header.grid.transform, scale, scale),
              scale,
            };
      const stretch = await measureStretch(scene, bands, stop);
      const working = openWorkingPixels(scene, { grid, bands, stretch, cacheBytes: 64 * 2 ** 20 });
      return await at({ scene, bands, grid, working });
    } finally {
      await opened.close();
    }
  }
  return {
    predict: (image, stop) =>
      look(image, scale, stop, async ({ scene, bands, grid, working }) => {
        const outputs = {
          classMap: path.join(folder, 'classes.tif'),
          confidence: path.join(folder, 'confidence.tif'),
        };
        const toModel = (pixels: Float32Array, valid: Uint8Array) =>
          normalise(pixels, valid, mean, deviation);
        const { embedding, vision } = pack.manifest.geometry;
        await segmentScene({
          scene,
          bands,
          workingGrid: grid,
          rows:
            scorer instanceof FastScorer
              ? new FastRows({
                  tiles: planTokenTiles(grid.width, grid.height, window, stride, vision.patch),
                  working,
                  normalise: toModel,
                  workers: [scorer],
                  words: words.length,
                  embedding,
                })
              : new WindowRows({
                  plan: planWindows(grid.width, grid.height, window, stride),
                  working,
                  normalise: toModel,
                  scorers: [scorer],
                }),
          window,
          stride,
          extent: null,
          rule,
          provenance: {
            program: 'landscribe',
            version: '',
            date: '',
            scene: image,
            sceneFingerprint: '',
            pack: pack.manifest.name,
            packChecksum: pack.checksum,
            classes: [...classes],
            settings: {},
          },
          identity: {},
          outputs,
          resume: 'replace',
          ...(stop && { signal: stop }),
        });
        const { width, height, values } = await readLabelImage(outputs.classMap);
        return { width, height, ids: values };
      }),
    colours: (image, stop) =>
      look(image, 1, stop, async ({ grid: { width, height }, working }) => {
        const { pixels } = await working.read({ column: 0, row: 0, width, height }, stop);
        const interleaved = new Uint8Array(3 * width * height);
        for (let at = 0; at < width * height; at++)
          for (let band = 0; band < 3; band++)
            interleaved[3 * at + band] = Math.round(pixels[band * width * height + at]!);
        return { width, height, pixels: interleaved };
      }),
    async close() {
      await scorer.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
