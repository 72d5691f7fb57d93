import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { drawPairs, type PairSourceConfig, readPairs } from '../dataset/pairs.ts';
import { clipNormalisation } from '../pack/build-pack.ts';
import type { ReportProgress } from '../report/progress.ts';
import { trainAlignEarth } from '../train/alignearth-trainer.ts';
import { warmCosine } from '../train/loop.ts';
import { regridPositions } from '../train/starting-weights.ts';
import { inferGeometry } from '../weights/geometry.ts';
import { writeSafetensors } from '../weights/write-safetensors.ts';
import { quickPhase, quickSources, readConfig, savedWeights, whole } from './train-config.ts';

const range = z.tuple([z.number().positive(), z.number().positive()]);
const band = z.int().min(0);
const share = z.number().positive();
const portion = z.number().min(0).max(1);
const pairSource = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('rasters'),
    optical: z.string(),
    opticalBands: z.tuple([band, band, band]),
    sar: z.string(),
    sarBand: band,
    part: z.tuple([portion, portion, portion, portion]).optional(),
    share,
    scale: range,
  }),
  z.strictObject({
    kind: z.literal('synthetic'),
    share,
    scale: range,
    seed: z.int(),
    scenes: whole,
    size: whole.min(64).max(4096),
    resolution: range,
  }),
]);

export const alignmentConfiguration = z.strictObject({
  seed: z.int(),
  activation: z.enum(['quickgelu', 'gelu']),
  /** Side of the images, pixels. */
  side: whole,
  images: whole,
  /** Regions a side of the token grid, which they must divide. */
  regions: whole,
  /** Weights of the three losses; 1 each in the paper. */
  losses: z
    .strictObject({
      contrastive: z.number().min(0),
      global: z.number().min(0),
      regional: z.number().min(0),
    })
    .optional(),
  steps: whole,
  /** Ends earlier on a slow machine. */
  minutes: z.number().positive().optional(),
  learningRate: z.number().positive(),
  warmup: whole,
  /** Strength of random changes of the SAR pictures' level and contrast. */
  jitter: z.number().min(0).optional(),
  weightDecay: z.number().min(0),
  gradientLimit: z.number().positive(),
  sources: z.array(pairSource).min(1),
  /** Pairs that only the measurement of the result uses. */
  heldOut: z.array(pairSource).default([]),
});

export interface TrainAlignEarthRequest {
  config: string;
  /** CLIP weights under OpenCLIP's names: the teacher, and the student's start. */
  checkpoint: string;
  out: string;
  threads: number;
  /** Two steps, to try the recipe. */
  quick?: boolean;
}

/** What packs take as the default for SAR encoders; the student's tokens are trained in this form. */
const sarOutput = { attention: 'sclip', lastLayers: 2 } as const;

/** Trains a SAR encoder on pairs; returns the file of its weights (`visual.…`). Resumes a stopped run. */
export async function trainSarEncoder(
  request: TrainAlignEarthRequest,
  report?: ReportProgress,
  signal?: AbortSignal,
  onStep?: (step: number, reports: Readonly<Record<string, number>>) => void,
): Promise<{ weights: string }> {
  const recipe = await readConfig(request.config, alignmentConfiguration);
  const config = request.quick ? { ...quickPhase(recipe), sources: quickSources(recipe.sources) } : recipe;
  await mkdir(request.out, { recursive: true });
  const sources = await readPairs(
    config.sources as PairSourceConfig[],
    path.dirname(request.config),
    report,
    signal,
  );
  const saved = await savedWeights(request.checkpoint);
  const { patch, grid } = inferGeometry(saved).vision;
  const weights = await regridPositions(saved, config.side / patch);
  const { mean, deviation } = clipNormalisation;
  const trained = await trainAlignEarth({
    clip: { ...inferGeometry(weights), activation: config.activation },
    weights,
    images: config.images,
    ...sarOutput,
    regions: config.regions,
    ...(config.losses && { lossWeights: config.losses }),
    weightDecay: config.weightDecay,
    gradientLimit: config.gradientLimit,
    threads: request.threads,
    pairsAt: async (step) =>
      drawPairs(
        sources,
        config.side,
        config.images,
        { seed: config.seed, mean, deviation, jitter: config.jitter ?? 0 },
        step,
      ),
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
  const file = path.join(request.out, 'sar.safetensors');
  await writeSafetensors(file, await regridPositions(trained, grid));
  return { weights: file };
}
