import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { parseClasses } from '../classmap/classes.ts';
import type { Manifest } from '../pack/manifest.ts';
import { sarAgreement } from './sar-agreement.ts';
import { writeStarterPack } from './starter-pack.ts';
import type { TaskContext } from './task-context.ts';
import { trainSarEncoder } from './train-alignearth.ts';
import { readClipConfig, trainClip } from './train-clip.ts';
import { trainUpsampler } from './train-simfeatup.ts';

/** What an engine thread is asked to train. Folders are made; a stopped run is resumed. */
export type TrainRequest =
  | ({ out: string; threads: number } & (
      | { kind: 'clip'; config: string }
      | { kind: 'simfeatup'; config: string; checkpoint: string }
      | { kind: 'alignearth'; config: string; checkpoint: string }
      /** Everything in the folder of configurations, and the pack from it. */
      | { kind: 'starter'; configs: string; pack: string; finestResolution: number; quick: boolean }
    ))
  /** Measures a pack's SAR encoder on the pairs that its training held out. */
  | {
      kind: 'sar-agreement';
      pack: string;
      config: string;
      classes: string;
      crops: number;
      side: number;
      lambda: number;
      threads: number;
    };

/** Trains; returns the files or the folder that came of it, or the lines of a measurement. */
export async function train(request: TrainRequest, context: TaskContext): Promise<string[]> {
  const { signal, report } = context;
  if (request.kind === 'sar-agreement') return measureSar(request, context);
  const { out, threads } = request;
  await mkdir(out, { recursive: true });
  const tell = tellSteps(context);
  switch (request.kind) {
    case 'clip': {
      const { weights, vocabulary } = await trainClip(
        { config: request.config, out, threads },
        report,
        signal,
        tell,
      );
      return [weights, vocabulary];
    }
    case 'simfeatup': {
      const { config, checkpoint } = request;
      const { weights } = await trainUpsampler(
        { config, checkpoint, out, threads },
        report,
        signal,
        (step, reports) => tell('upsampler', step, reports),
      );
      return [weights];
    }
    case 'alignearth': {
      const { config, checkpoint } = request;
      const { weights } = await trainSarEncoder(
        { config, checkpoint, out, threads },
        report,
        signal,
        (step, reports) => tell('SAR encoder', step, reports),
      );
      return [weights];
    }
    case 'starter': {
      await trainStarter(request, context, tell);
      return [request.pack];
    }
  }
}

async function trainStarter(
  request: Extract<TrainRequest, { kind: 'starter' }>,
  { signal, report, note }: TaskContext,
  tell: ReturnType<typeof tellSteps>,
): Promise<Manifest> {
  const { configs, out, threads, quick } = request;
  const clipConfig = path.join(configs, 'clip.json');
  note('training the starter model: words and pictures');
  const clip = await trainClip(
    { config: clipConfig, out: path.join(out, 'clip'), threads, quick },
    report,
    signal,
    tell,
  );
  note('training its upsampler');
  const upsampler = await trainUpsampler(
    {
      config: path.join(configs, 'simfeatup.json'),
      checkpoint: clip.weights,
      out: path.join(out, 'simfeatup'),
      threads,
      quick,
    },
    report,
    signal,
    (step, reports) => tell('upsampler', step, reports),
  );
  note('training its SAR encoder');
  const sar = await trainSarEncoder(
    {
      config: path.join(configs, 'alignearth.json'),
      checkpoint: clip.weights,
      out: path.join(out, 'alignearth'),
      threads,
      quick,
    },
    report,
    signal,
    (step, reports) => tell('SAR encoder', step, reports),
  );
  const { activation } = await readClipConfig(clipConfig);
  return writeStarterPack(
    {
      clip: clip.weights,
      vocabulary: clip.vocabulary,
      upsampler: upsampler.weights,
      sar: sar.weights,
      activation,
      finestResolution: request.finestResolution,
      name: 'starter',
      out: request.pack,
    },
    signal,
  );
}

async function measureSar(
  { kind: _, classes, ...request }: Extract<TrainRequest, { kind: 'sar-agreement' }>,
  { signal, report }: TaskContext,
): Promise<string[]> {
  const entries = parseClasses(classes);
  const found = await sarAgreement(
    { ...request, classes: entries.map(({ words }) => words) },
    report,
    signal,
  );
  const percent = (share: number) => `${(100 * share).toFixed(1).padStart(5)} %`;
  return [
    `Pixels that get the class which the optical encoder gives their optical twin (${found.pixels} pixels):`,
    `SAR encoder on SAR      ${percent(found.sarEncoder)}`,
    `optical encoder on SAR  ${percent(found.opticalEncoder)}`,
    `most frequent class     ${percent(found.mostFrequent)}`,
    'Share by class:  optical twin | SAR encoder | optical encoder on SAR',
    ...entries.map(({ name }, at) =>
      [`${name}: `, ...found.shares.map((own) => percent(own[at]!))].join('  '),
    ),
  ];
}

const stepsToldTogether = 50;

/** Says the mean of the reports now and then. */
function tellSteps({ note }: TaskContext) {
  let count = 0;
  let sums: Record<string, number> = {};
  return (phase: string, step: number, reports: Readonly<Record<string, number>>): void => {
    count++;
    for (const [name, value] of Object.entries(reports)) sums[name] = (sums[name] ?? 0) + value;
    if (count < stepsToldTogether) return;
    const means = Object.entries(sums).map(([name, sum]) => `${name} ${(sum / count).toFixed(3)}`);
    note(`${phase} step ${step}: ${means.join(', ')}`);
    count = 0;
    sums = {};
  };
}
