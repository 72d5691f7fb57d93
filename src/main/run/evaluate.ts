import path from 'node:path';
import { exampleNamed } from '../../worker/classmap/class-words.ts';
import { pairLabels } from '../../worker/evaluate/pairs.ts';
import { checkKnownWords } from '../../worker/pack/known-words.ts';
import { openPack, verifyPack } from '../../worker/pack/open-pack.ts';
import { Problem } from '../../worker/report/problem.ts';
import { type EvaluatePackReply, evaluationJson } from '../../worker/steps/evaluate-pack.ts';
import type { Modality } from '../../worker/steps/radar-preparation.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { packFolder } from '../packs/home.ts';
import { checkReportFiles } from './report-files.ts';
import { preparationNotes, scoringOf } from './scoring.ts';
import { checkSegmentRequest, type SegmentInput } from './segment-request.ts';
import type { RunOptions } from './watch.ts';

export interface EvaluateRequest {
  images: string;
  labels: string;
  /** Label value that is left out. */
  ignore: number | null;
  /** Label value of each class; null: class i of the list is label value i. */
  labelValues: number[] | null;
  /** Left, top, right, bottom of the part that is counted, as shares; null: whole pictures. */
  part: [number, number, number, number] | null;
  /** Image encoder of the pack; null: by the pictures' kind. */
  encoder: Modality | null;
  /** Settings of `segment`; `modality` null goes by the first picture. */
  segment: Omit<SegmentInput, 'scene' | 'out'>;
  /** Picture pixels per working pixel. */
  scale: number;
  /** Whether baselines are measured, and the folder of `images` and `labels` that they are fitted to, or null. */
  baseline: { training: string | null } | null;
  csv: string | null;
  json: string | null;
  picture: string | null;
}

export interface EvaluateSummary {
  /** `{ mIoU, pixelAccuracy, classes }`, and baselines where asked for. */
  info: object;
  text: string;
}

/** Measures a pack on a folder of labelled pictures. Throws `Problem`. */
export async function runEvaluate(
  request: EvaluateRequest,
  options: RunOptions = {},
): Promise<EvaluateSummary> {
  const { signal, onProgress, onNote } = options;
  if (!(request.scale > 0 && request.scale <= 64))
    throw new Problem(
      'request/invalid',
      `A scale of ${request.scale} is not possible.`,
      'Give 1 for native, 2 for half.',
    );
  await checkReportFiles([request.csv, request.json, request.picture]);
  const example = request.segment.classes
    .flatMap(({ words }) => words)
    .find((word) => exampleNamed(word) !== null);
  if (example !== undefined)
    throw new Problem(
      'evaluate/example',
      `The classes name the example ${example}, and a place in one picture is none in the others.`,
      'Measure words alone.',
    );
  const checked = checkSegmentRequest({ ...request.segment, scene: request.images, out: request.images });
  const settings = { ...checked, pack: await packFolder(checked.pack) };
  const pack = await openPack(settings.pack);
  checkKnownWords(
    pack.manifest,
    settings.classes.flatMap((entry) => entry.words),
  );
  await verifyPack(pack, signal);
  if (request.encoder === 'sar' && !pack.manifest.encoders.sar)
    throw new Problem(
      'pack/no-sar-encoder',
      `Pack ${pack.manifest.name} has no encoder for SAR.`,
      'Leave --encoder out to look with its optical one.',
    );
  const [first] = await pairLabels(request.images, request.labels);
  const thread = new EngineThread('evaluate');
  try {
    const { baseline } = request;
    const preparation = await thread.run(
      'planRadarPreparation',
      { scene: first!.image, modality: settings.modality, radar: settings.radar },
      { signal },
    );
    const scorer = scoringOf(settings, pack, request.encoder ?? preparation.modality);
    if (request.encoder !== null && request.encoder !== preparation.modality) {
      onNote?.(preparation.reason);
      onNote?.(`${request.encoder === 'sar' ? 'SAR' : 'Optical'} encoder, as asked.`);
    } else for (const text of preparationNotes(preparation, scorer, pack)) onNote?.(text);
    const reply: EvaluatePackReply = await thread.run(
      'evaluatePack',
      {
        images: request.images,
        labels: request.labels,
        labelValues: request.labelValues,
        ignore: request.ignore,
        part: request.part,
        predictor: {
          pack: settings.pack,
          classes: settings.classes,
          templates: settings.templates,
          scorer,
          modality: preparation.modality,
          radar: settings.radar,
          session: { provider: settings.provider, threads: settings.threads },
          window: settings.window,
          stride: settings.stride,
          mode: settings.mode,
          threshold: settings.threshold,
          background: settings.background,
          scale: request.scale,
        },
        ...(baseline && {
          baseline:
            baseline.training === null
              ? null
              : {
                  imageFolder: path.join(baseline.training, 'images'),
                  labelFolder: path.join(baseline.training, 'labels'),
                },
        }),
        csv: request.csv,
        json: request.json,
        picture: request.picture,
      },
      { signal, onProgress, onNote },
    );
    return {
      info: evaluationJson(reply.scores, reply.baselines),
      text: `${reply.images} pictures\n${reply.table}`,
    };
  } finally {
    await thread.close();
  }
}
