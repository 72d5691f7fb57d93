import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Tensor } from 'onnxruntime-node';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { weightsInMemory } from '../weights/named-weights.ts';
import { openCheckpoint } from '../weights/open-checkpoint.ts';
import { writeSafetensors } from '../weights/write-safetensors.ts';
import { type LossHistory, lossPicture, lossTable, readLossTable } from './loss-curve.ts';
import type { Stepper } from './step.ts';

/** Files of a training run's folder. */
const trainingFiles = {
  /** Parameters and optimiser state, and the step they belong to. */
  checkpoint: 'checkpoint.safetensors',
  table: 'loss.csv',
  picture: 'loss.svg',
} as const;

export interface LoopOptions {
  folder: string;
  steps: number;
  /** Ends the schedule after this time too, for a machine of unknown speed; then runs are not repeatable. */
  minutes?: number;
  learningRate: (share: number, step: number) => number;
  /** Largest global gradient norm at a step. */
  gradientLimit: (step: number) => number;
  /**
   * What a run must share with the checkpoint that it resumes: the configuration as text. A run with another one is
   * refused.
   */
  recipe: string;
  /** Seconds between checkpoints. */
  checkpointSeconds: number;
  /** Reports drawn in the picture. */
  shown: readonly string[];
  signal?: AbortSignal;
  report?: ReportProgress;
  /** Called after every step. */
  onStep?: (step: number, reports: Readonly<Record<string, number>>) => void;
}

/**
 * Trains until `steps` are done, resuming from the folder's checkpoint if there is one. `batchOf(step)` must depend on
 * the step alone (counted from 0); it is asked one step ahead, so that data are made while the runtime computes. A
 * checkpoint is written every few minutes, at the end, and when the signal aborts, before `Cancelled` is thrown.
 */
export async function trainingLoop(
  stepper: Stepper,
  batchOf: (step: number) => Promise<Record<string, Tensor>>,
  options: LoopOptions,
): Promise<LossHistory> {
  const { folder, steps, signal } = options;
  await mkdir(folder, { recursive: true });
  const resumed = await resume(stepper, options);
  const history = resumed.history;
  const begin = Date.now() - resumed.seconds * 1000;
  const seconds = () => (Date.now() - begin) / 1000;
  const share = () =>
    Math.max(stepper.count / steps, options.minutes ? seconds() / (60 * options.minutes) : 0);
  let saved = Date.now();

  let coming = stepper.count < steps ? batchOf(stepper.count) : null;
  while (coming && share() < 1) {
    if (signal?.aborted) {
      coming.catch(() => {});
      await save(stepper, history, options, seconds());
      throwIfCancelled(signal);
    }
    const batch = await coming;
    const step = stepper.count;
    const rate = options.learningRate(share(), step);
    const running = stepper.run(batch, rate, options.gradientLimit(step));
    coming = step + 1 < steps ? batchOf(step + 1) : null;
    // A failed batch is reported when it is awaited, after the step.
    coming?.catch(() => {});
    const reports = await running;
    if (!Number.isFinite(reports.loss))
      throw new Problem(
        'training/diverged',
        `${folder}: the loss is no number any more at step ${step + 1}.`,
        `Resume with a lower learning rate; ${trainingFiles.checkpoint} holds the last good state.`,
      );
    history.columns = ['learning_rate', ...Object.keys(reports)];
    history.rows.push([rate, ...Object.values(reports)]);
    options.onStep?.(step + 1, reports);
    options.report?.({ phase: 'training', done: Math.floor(share() * steps), total: steps, unit: 'steps' });
    if (Date.now() - saved > 1000 * options.checkpointSeconds) {
      await save(stepper, history, options, seconds());
      saved = Date.now();
    }
  }
  coming?.catch(() => {});
  await save(stepper, history, options, seconds());
  return history;
}

async function save(
  stepper: Stepper,
  history: LossHistory,
  { folder, shown, recipe }: LoopOptions,
  seconds: number,
): Promise<void> {
  // The table first: a table longer than its checkpoint is cut when resumed, a shorter one could not be completed.
  await replace(path.join(folder, trainingFiles.table), lossTable(history));
  await replace(path.join(folder, trainingFiles.picture), lossPicture(history, shown));
  await writeSafetensors(
    path.join(folder, trainingFiles.checkpoint),
    weightsInMemory('training state', stepper.state()),
    { metadata: { step: String(stepper.count), seconds: seconds.toFixed(1), recipe } },
  );
}

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text);
  await rename(`${file}.part`, file);
}

async function resume(
  stepper: Stepper,
  { folder, recipe }: LoopOptions,
): Promise<{ history: LossHistory; seconds: number }> {
  const file = path.join(folder, trainingFiles.checkpoint);
  let table: string;
  try {
    await access(file);
    table = await readFile(path.join(folder, trainingFiles.table), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      return { history: { columns: [], rows: [] }, seconds: 0 };
    throw cause;
  }
  const checkpoint = await openCheckpoint(file);
  try {
    if (checkpoint.metadata.recipe !== recipe)
      throw new Problem(
        'training/other-recipe',
        `${file}: belongs to a run with another configuration.`,
        'Choose another output folder, or the configuration that this run began with.',
      );
    const count = Number(checkpoint.metadata.step);
    await stepper.restore(
      {
        source: file,
        names: () => checkpoint.names(),
        shape: (name) => checkpoint.header(name).shape,
        read: (name) => checkpoint.read(name),
      },
      count,
    );
    return { history: readLossTable(table, count), seconds: Number(checkpoint.metadata.seconds) };
  } finally {
    await checkpoint.close();
  }
}

/** Linear warm-up over `warmup` steps, then half a cosine down to `floor` times the peak. */
export function warmCosine(peak: number, warmup: number, floor = 0.01): LoopOptions['learningRate'] {
  return (share, step) => {
    const cosine = floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, share)));
    return peak * cosine * Math.min(1, (step + 1) / warmup);
  };
}
