import { createHash } from 'node:crypto';
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import * as z from 'zod';
import { drawClipBatch, drawImage, drawWordBatch } from '../dataset/clip-batches.ts';
import { concepts } from '../dataset/concepts.ts';
import { vocabularyTexts } from '../dataset/prompts.ts';
import { changedSources, type PictureSource, readSources, type SourceConfig } from '../dataset/sources.ts';
import { trainVocabulary } from '../dataset/train-vocabulary.ts';
import { createTokenizer, type Tokenizer } from '../net/tokenizer.ts';
import { clipNormalisation } from '../pack/build-pack.ts';
import type { ReportProgress } from '../report/progress.ts';
import { type ClipBatchShape, type ClipGeometry, ClipTrainer, clipFeeds } from '../train/clip.ts';
import { trainingLoop, warmCosine } from '../train/loop.ts';
import { growLayers, mixedWeights, regridPositions, startingClip } from '../train/starting-weights.ts';
import { trainWords } from '../train/words.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import { writeSafetensors } from '../weights/write-safetensors.ts';
import { quickPhase, quickSources, readConfig, savedWeights, sourceSchema, whole } from './train-config.ts';

const configuration = z.strictObject({
  seed: z.int(),
  vision: z.strictObject({ width: whole, patch: whole }),
  text: z.strictObject({ width: whole, layers: whole, context: whole.max(77) }),
  embedding: whole,
  activation: z.enum(['quickgelu', 'gelu']),
  /** Merges of the byte-pair vocabulary. */
  merges: whole.max(48_894),
  /** Tokens that prompts are cut to in training. */
  length: whole,
  loss: z.strictObject({
    denseScale: z.number(),
    denseWeight: z.number(),
    captionWeight: z.number(),
    separationWeight: z.number().min(0),
  }),
  alleviation: z.strictObject({ lambda: z.number(), share: z.number().min(0).max(1) }),
  optimiser: z.strictObject({
    beta1: z.number(),
    beta2: z.number(),
    epsilon: z.number(),
    weightDecay: z.number(),
    averageDecay: z.number().nullable(),
    gradientLimit: z.number(),
  }),
  /** Steps that train the words alone, before all else; `each` prompts of every concept a step. */
  words: z.strictObject({ steps: z.int().min(0), each: whole.min(2), learningRate: z.number().positive() }),
  /** Trained one after the other, each from the average of the one before. */
  phases: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9-]+$/),
        /** Trains the words alone once more before the phase. */
        words: z.boolean().optional(),
        /** Blocks of the image tower; later phases may have more. */
        layers: whole,
        /** Side of the images, pixels. */
        side: whole,
        images: whole,
        steps: whole,
        /** Other than the recipe's share of images under bias alleviation. */
        alleviatedShare: z.number().min(0).max(1).optional(),
        /** Ends the phase earlier on a slow machine. */
        minutes: z.number().positive().optional(),
        learningRate: z.number().positive(),
        warmup: whole,
        jitter: z.number().min(0),
        /** Chance of shadows laid over an image. */
        shade: z.number().min(0).max(1).optional(),
        seed: z.int(),
        /** Share of the weights that the phase began with in what it leaves (default 0). */
        kept: z.number().min(0).max(1).optional(),
        /** What this phase changes about the sets, by their names: shares, and weights by label value. */
        sources: z
          .record(
            z.string(),
            z.strictObject({
              share: z.number().min(0).optional(),
              weights: z.record(z.string().regex(/^\d+$/), z.number().positive()).optional(),
            }),
          )
          .optional(),
      }),
    )
    .min(1),
  sources: z.array(sourceSchema).min(1),
});

export type ClipConfig = z.output<typeof configuration>;

export interface TrainClipRequest {
  config: string;
  /** Folder of the run: checkpoints, curves, weights and vocabulary. */
  out: string;
  threads: number;
  /** Two steps of every phase, to try the recipe. */
  quick?: boolean;
}

/** Files that `trainClip` leaves in its folder. */
export const clipRunFiles = { weights: 'clip.safetensors', vocabulary: 'vocabulary.txt.gz' } as const;

const checkpointSeconds = 120;

/** Reads and checks a configuration; throws `config/…` problems that name the file and the field. */
export function readClipConfig(file: string): Promise<ClipConfig> {
  return readConfig(file, configuration);
}

/** Trains a CLIP on labelled pictures; resumes a run that was stopped. Throws `Problem`; `Cancelled` after saving. */
export async function trainClip(
  request: TrainClipRequest,
  report?: ReportProgress,
  signal?: AbortSignal,
  onStep?: (phase: string, step: number, reports: Readonly<Record<string, number>>) => void,
): Promise<{ weights: string; vocabulary: string }> {
  const config = await readClipConfig(request.config);
  if (request.quick) {
    config.words.steps = quickPhase(config.words).steps;
    config.phases = config.phases.map(quickPhase);
    config.sources = quickSources(config.sources);
  }
  const { out } = request;
  await mkdir(out, { recursive: true });
  const vocabularyText = trainVocabulary(vocabularyTexts(), config.merges, 'landscribe land cover English');
  const vocabulary = path.join(out, clipRunFiles.vocabulary);
  await writeFile(vocabulary, await promisify(gzip)(vocabularyText));
  const tokenizer = createTokenizer(vocabularyText, { context: config.text.context });
  const sources = await readSources(
    config.sources as SourceConfig[],
    path.dirname(request.config),
    report,
    signal,
  );
  let weights: NamedWeights | null = null;
  for (const [index, phase] of config.phases.entries()) {
    const folder = path.join(out, phase.name);
    const finished = path.join(folder, clipRunFiles.weights);
    const isLast = index === config.phases.length - 1;
    if (
      await access(finished).then(
        () => true,
        () => false,
      )
    ) {
      weights = await savedWeights(finished);
      if (isLast) break;
      continue;
    }
    const geometry: ClipGeometry = {
      vision: {
        ...config.vision,
        layers: phase.layers,
        heads: config.vision.width / 64,
        hidden: 4 * config.vision.width,
        image: phase.side,
        grid: phase.side / config.vision.patch,
      },
      text: {
        ...config.text,
        heads: config.text.width / 64,
        hidden: 4 * config.text.width,
        vocabulary: tokenizer.size,
      },
      embedding: config.embedding,
      activation: config.activation,
    };
    const shape: ClipBatchShape = {
      images: phase.images,
      side: phase.side,
      words: concepts.length,
      labels: concepts.length,
      length: config.length,
    };
    const { gradientLimit, ...optimiser } = config.optimiser;
    let start: NamedWeights =
      weights === null
        ? await startingClip(geometry, config.seed, sampleImages(sources, phase.side))
        : await growLayers(
            await regridPositions(weights, geometry.vision.grid),
            geometry,
            config.seed + index,
          );
    if (weights === null || phase.words)
      start = await taughtWords(config, geometry, tokenizer, start, request.threads, report);
    const trainer = await ClipTrainer.create(
      geometry,
      shape,
      config.loss,
      { kind: 'adamw', ...optimiser },
      start,
      request.threads,
    );
    try {
      const { mean, deviation } = clipNormalisation;
      const drawing = {
        seed: phase.seed,
        patch: config.vision.patch,
        mean,
        deviation,
        jitter: phase.jitter,
        ...(phase.shade !== undefined && { shade: phase.shade }),
        alleviation: config.alleviation.lambda,
        alleviatedShare: phase.alleviatedShare ?? config.alleviation.share,
      };
      const best = optimiser.averageDecay === null ? 'value' : 'average';
      const drawn = changedSources(sources, phase.sources ?? {});
      let written = Date.now();
      await trainingLoop(
        trainer.stepper,
        async (step) => clipFeeds(shape, drawClipBatch(drawn, tokenizer, shape, drawing, step)),
        {
          folder,
          steps: phase.steps,
          ...(phase.minutes !== undefined && { minutes: phase.minutes }),
          learningRate: warmCosine(phase.learningRate, phase.warmup),
          gradientLimit: () => gradientLimit,
          recipe: createHash('sha256')
            .update(JSON.stringify({ ...config, phases: config.phases.slice(0, index + 1) }))
            .digest('hex'),
          checkpointSeconds,
          shown: ['dense', 'caption'],
          ...(signal && { signal }),
          ...(report && { report }),
          onStep: (step, reports) => {
            onStep?.(phase.name, step, reports);
            if (Date.now() - written < 1000 * checkpointSeconds) return;
            written = Date.now();
            // A look at the model while it trains; the phase's own file comes at its end.
            void writeSafetensors(
              path.join(folder, 'current.safetensors'),
              trainer.stepper.weights('clip', best),
            ).catch(() => {});
          },
        },
      );
      const trained = trainer.stepper.weights(`${folder}: trained`, best);
      await writeSafetensors(
        finished,
        phase.kept === undefined ? trained : await mixedWeights(trained, start, phase.kept),
      );
    } finally {
      await trainer.stepper.release();
    }
    weights = await savedWeights(finished);
  }
  const result = path.join(out, clipRunFiles.weights);
  await writeSafetensors(result, weights!);
  return { weights: result, vocabulary };
}

const sampled = 24;

function sampleImages(sources: readonly PictureSource[], side: number): Float32Array {
  const { mean, deviation } = clipNormalisation;
  const out = new Float32Array(sampled * 3 * side * side);
  for (let index = 0; index < sampled; index++) {
    const image = drawImage(sources, side, { seed: 0, mean, deviation, jitter: 0.5 }, index);
    out.set(image, index * image.length);
  }
  return out;
}

/** The weights with a text tower that tells the concepts' words apart. */
async function taughtWords(
  config: ClipConfig,
  geometry: ClipGeometry,
  tokenizer: Tokenizer,
  start: NamedWeights,
  threads: number,
  report?: ReportProgress,
): Promise<NamedWeights> {
  const { steps, each, learningRate } = config.words;
  const { length } = config;
  return trainWords(
    geometry,
    start,
    { prompts: each * concepts.length, length, steps, learningRate, threads },
    (step) => drawWordBatch(tokenizer, each, length, config.seed, step),
    (step, loss) => {
      report?.({ phase: `learning words, loss ${loss.toFixed(3)}`, done: step, total: steps, unit: 'steps' });
    },
  );
}
