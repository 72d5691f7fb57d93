import type { AttentionName } from '../net/attention.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import {
  type AlignmentWeights,
  alignmentFeeds,
  alignmentStepGraph,
  initialStudent,
  temperatureName,
} from './alignearth.ts';
import type { ClipGeometry } from './clip.ts';
import { FrozenEncoder } from './frozen-encoder.ts';
import { type LoopOptions, trainingLoop } from './loop.ts';
import type { OptimiserOptions } from './optimiser.ts';
import { Stepper } from './step.ts';

/** Normalised images of the same place, `[B, 3, S, S]` each. */
export interface ImagePairs {
  optical: Float32Array;
  sar: Float32Array;
}

export interface AlignEarthRun {
  /** The optical encoder: teacher, and the student's start. */
  clip: ClipGeometry;
  weights: NamedWeights;
  images: number;
  /** The student's dense output as inference will take it. */
  attention: AttentionName;
  lastLayers: number;
  /** Regions a side of the token grid. */
  regions: number;
  lossWeights?: AlignmentWeights;
  weightDecay: number;
  gradientLimit: number;
  threads: number;
  /** The pairs of a step, the same whenever they are asked for. */
  pairsAt: (step: number) => Promise<ImagePairs>;
  loop: Omit<LoopOptions, 'gradientLimit' | 'shown'>;
}

/** Trains an encoder of SAR images towards an optical one (its `segearth` tokens); returns its weights under `visual.…`. */
export async function trainAlignEarth(run: AlignEarthRun): Promise<NamedWeights> {
  const { clip, images, regions } = run;
  const optimiser: OptimiserOptions = {
    kind: 'adamw',
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: run.weightDecay,
    averageDecay: null,
  };
  const teacher = await FrozenEncoder.open(clip, run.weights, 'dense', 1, run.threads);
  const stepper = await Stepper.create(
    alignmentStepGraph(
      clip,
      {
        images,
        attention: run.attention,
        lastLayers: run.lastLayers,
        regions,
        ...(run.lossWeights && { weights: run.lossWeights }),
      },
      optimiser,
    ),
    await initialStudent(run.weights),
    run.threads,
  );
  try {
    const batchOf = async (step: number) => {
      const { optical, sar } = await run.pairsAt(step);
      const { tokens, cls } = await teacher.encode(optical);
      return alignmentFeeds(clip, { images: sar, teacherCls: cls, teacherTokens: tokens });
    };
    await trainingLoop(stepper, batchOf, {
      ...run.loop,
      gradientLimit: () => run.gradientLimit,
      shown: ['contrastive', 'global', 'regional'],
    });
    const trained = stepper.weights('trained SAR encoder');
    return { ...trained, names: () => trained.names().filter((name) => name !== temperatureName) };
  } finally {
    await stepper.release();
    await teacher.release();
  }
}
