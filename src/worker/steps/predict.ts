import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ClassEntry } from '../classmap/class-entry.ts';
import { decisionRule } from '../classmap/decide.ts';
import { readLabelImage } from '../evaluate/label-image.ts';
import { PackScorer, type ScorerSettings } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { embedWords } from '../infer/words.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { openPack } from '../pack/open-pack.ts';
import { chooseBands } from '../prep/choose-bands.ts';
import { normalise } from '../prep/normalise.ts';
import { measureStretch } from '../prep/stretch.ts';
import { chooseWorkingGrid } from '../prep/working-grid.ts';
import { openWorkingPixels } from '../prep/working-pixels.ts';
import { scaleAffine } from '../raster/grid.ts';
import { openScene } from '../scene/open-scene.ts';
import type { PredictedImage } from './evaluate.ts';
import { segmentScene } from './segment.ts';

export interface PredictorRequest {
  pack: string;
  classes: readonly ClassEntry[];
  templates: TemplateSetName;
  scorer: ScorerSettings;
  session: SessionOptions;
  window: number;
  stride: number;
  threshold: number | number[];
  background: string | null;
  /** Picture pixels per working pixel: 1 for the picture's own, 2 for half as many along each side. */
  scale: number;
}

export interface Predictor {
  predict(image: string, signal?: AbortSignal): Promise<PredictedImage>;
  close(): Promise<void>;
}

/** Class maps of many pictures by the very steps of `segment`, with one session for all of them. */
export async function openPredictor(request: PredictorRequest, signal?: AbortSignal): Promise<Predictor> {
  const { classes, window, stride, scale } = request;
  const pack = await openPack(request.pack);
  const { mean, deviation } = pack.manifest.normalisation;
  const rule = decisionRule([...classes], request.threshold, request.background);
  const words = classes.flatMap((entry) => entry.words);
  const embeddings = await embedWords(pack, words, request.templates, request.session.threads, signal);
  const scorer = await PackScorer.open(pack, embeddings, request.scorer, request.session);
  const folder = await mkdtemp(path.join(tmpdir(), 'landscribe-evaluate-'));
  return {
    async predict(image, stop) {
      const scene = await openScene(image, stop);
      try {
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
        const outputs = {
          classMap: path.join(folder, 'classes.tif'),
          confidence: path.join(folder, 'confidence.tif'),
        };
        await segmentScene({
          scene,
          bands,
          workingGrid: grid,
          working,
          normalise: (pixels, valid) => normalise(pixels, valid, mean, deviation),
          scorers: [scorer],
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
      } finally {
        await scene.close();
      }
    },
    async close() {
      await scorer.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
