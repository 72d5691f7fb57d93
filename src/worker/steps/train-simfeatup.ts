import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { drawImage } from '../dataset/clip-batches.ts';
import { readSources, type SourceConfig } from '../dataset/sources.ts';
import { clipNormalisation } from '../pack/build-pack.ts';
import type { ReportProgress } from '../report/progress.ts';
import { warmCosine } from '../train/loop.ts';
import { trainSimFeatUp } from '../train/simfeatup-trainer.ts';
import { regridPositions } from '../train/starting-weights.ts';
import { inferGeometry } from '../weights/geometry.ts';
import { writeSafetensors } from '../weights/write-safetensors.ts';
import { quickPhase, quickSources, readConfig, savedWeights, sourceSchema, whole } from './train-config.ts';

const configuration = z.strictObject({
  seed: z.int(),
  activation: z.enum(['quickgelu', 'gelu']),
  /** `dense`: the tokens that segmentation uses; `block-input`: the paper's. */
  tokens: z.enum(['dense', 'block-input']),
  /** Where the kernels start; the paper's program: sigma 1, rangeTemperature 0. */
  kernel: z
    .strictObject({
      sigma: z.number().positive(),
      rangeTemperature: z.number(),
      bilateral: z.boolean().optional(),
    })
    .optional(),
  /** Side of the images, pixels. */
  side: whole,
  /** Images a step, views of each, views whose picture is reconstructed, dimensions of the projection. */
  images: whole,
  views: whole,
  pictures: whole,
  projected: whole,
  steps: whole,
  /** Ends earlier on a slow machine. */
  minutes: z.number().positive().optional(),
  learningRate: z.number().positive(),
  warmup: whole,
  jitter: z.number().min(0),
  sources: z.array(sourceSchema).min(1),
});

export interface TrainSimFeatUpRequest {
  config: string;
  /** CLIP weights under OpenCLIP's names: the frozen encoder. */
  checkpoint: string;
  out: string;
  threads: number;
  /** Two steps, to try the recipe. */
  quick?: boolean;
}

/** Trains SimFeatUp's upsampler for an encoder on pictures; returns the file of its weights. Resumes a stopped run. */
export async function trainUpsampler(
  request: TrainSimFeatUpRequest,
  report?: ReportProgress,
  signal?: AbortSignal,
  onStep?: (step: number, reports: Readonly<Record<string, number>>) => void,
): Promise<{ weights: string }> {
  const recipe = await readConfig(request.config, configuration);
  const config = request.quick ? { ...quickPhase(recipe), sources: quickSources(recipe.sources) } : recipe;
  await mkdir(request.out, { recursive: true });
  const sources = await readSources(
    config.sources as SourceConfig[],
    path.dirname(request.config),
    report,
    signal,
  );
  const saved = await savedWeights(request.checkpoint);
  const { side } = config;
  const weights = await regridPositions(saved, side / inferGeometry(saved).vision.patch);
  const { mean, deviation } = clipNormalisation;
  const drawing = { seed: config.seed, mean, deviation, jitter: config.jitter };
  const trained = await trainSimFeatUp({
    clip: { ...inferGeometry(weights), activation: config.activation },
    weights,
    tokens: config.tokens,
    images: config.images,
    views: config.views,
    pictures: config.pictures,
    projected: config.projected,
    seed: config.seed,
    ...(config.kernel && { kernel: config.kernel }),
    threads: request.threads,
    imageAt: async (index) => drawImage(sources, side, drawing, index),
    loop: {
      folder: request.out,
      steps: config.steps,
      ...(config.minutes !== undefined && { minutes: config.minutes }),
      learningRate: warmCosine(config.learningRate, config.warmup),
      recipe: createHash('sha256').update(JSON.stringify(config)).digest('hex'),
      checkpointSeconds: 120,
      ...(signal && { signal }),
      ...(report && { report }),
      ...(onStep && { onStep }),
    },
  });
  const file = path.join(request.out, 'upsampler.safetensors');
  await writeSafetensors(file, trained);
  return { weights: file };
}
