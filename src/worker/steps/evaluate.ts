import { Baseline, readColourImage, readImageSize } from '../evaluate/baseline.ts';
import { Confusion, labelOutOfRange, type Scores } from '../evaluate/confusion.ts';
import { type LabelImage, readLabelImage } from '../evaluate/label-image.ts';
import { type LabelledImage, pairLabels } from '../evaluate/pairs.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';

/** Class ids of a picture: 1-based, 0 for unclassified, `[height · width]`. */
export interface PredictedImage {
  width: number;
  height: number;
  ids: Uint8Array | Uint16Array;
}

export interface EvaluateRequest {
  imageFolder: string;
  labelFolder: string;
  /** Names in the order of the label values: value i is the i-th class. */
  classNames: readonly string[];
  /** Label value that is left out, or null. */
  ignore: number | null;
  /** The model. Null evaluates the baselines alone. */
  predict: ((imagePath: string, signal?: AbortSignal) => Promise<PredictedImage>) | null;
  /**
   * Adds two baselines, majority class and nearest mean colour, fitted to the labelled images of these folders or, if
   * null, to the very images evaluated, which flatters them.
   */
  baseline?: { training: { imageFolder: string; labelFolder: string } | null };
}

export interface EvaluateResult {
  images: number;
  /** Null without a model. */
  confusion: Confusion | null;
  scores: Scores | null;
  baselines: { name: string; scores: Scores }[];
}

/**
 * Measures predictions against labels. All labels are read and checked before the first prediction, so that a bad file
 * is found at once and by name. Memory: one image at a time. Throws `Problem`.
 */
export async function evaluateFolder(
  request: EvaluateRequest,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<EvaluateResult> {
  const { classNames, ignore, predict } = request;
  const pairs = await pairLabels(request.imageFolder, request.labelFolder);
  const confusion = new Confusion(classNames, ignore);
  await checkLabels(pairs, classNames.length, ignore, report, signal);

  const baselines: {
    name: string;
    predict: (image: string) => Promise<PredictedImage>;
    confusion: Confusion;
  }[] = [];
  if (request.baseline) {
    const { training } = request.baseline;
    const fitted = await fitBaseline(
      training === null ? pairs : await pairLabels(training.imageFolder, training.labelFolder),
      classNames.length,
      ignore,
      report,
      signal,
    );
    baselines.push({
      name: 'majority class',
      predict: async (path) => {
        const { width, height } = await readColourImage(path);
        return { width, height, ids: new Uint16Array(width * height).fill(fitted.majority) };
      },
      confusion: new Confusion(classNames, ignore),
    });
    baselines.push({
      name: 'nearest mean colour',
      predict: async (path) => {
        const image = await readColourImage(path);
        return { width: image.width, height: image.height, ids: fitted.nearestColour(image) };
      },
      confusion: new Confusion(classNames, ignore),
    });
  }

  for (const [index, pair] of pairs.entries()) {
    throwIfCancelled(signal);
    const { width, height, values } = await readLabelImage(pair.labels);
    const compare = (predicted: PredictedImage, into: Confusion): void => {
      if (predicted.width !== width || predicted.height !== height) {
        throw sizeProblem(pair, width, height, predicted.width, predicted.height);
      }
      into.add(values, predicted.ids, pair.labels);
    };
    if (predict) compare(await predict(pair.image, signal), confusion);
    for (const baseline of baselines) compare(await baseline.predict(pair.image), baseline.confusion);
    report?.({ phase: 'evaluating', done: index + 1, total: pairs.length, unit: 'images' });
  }
  return {
    images: pairs.length,
    confusion: predict ? confusion : null,
    scores: predict ? confusion.scores() : null,
    baselines: baselines.map((baseline) => ({ name: baseline.name, scores: baseline.confusion.scores() })),
  };
}

function sizeProblem(pair: LabelledImage, width: number, height: number, w: number, h: number): Problem {
  return new Problem(
    'evaluate/size',
    `${pair.labels} has ${width} × ${height} pixels, but its picture ${pair.image} has ${w} × ${h}.`,
    'Give the label image the size of its picture.',
  );
}

/** Reads a pair's labels and checks their size against the picture's, where its header can be read, and their values. */
async function readChecked(pair: LabelledImage, classes: number, ignore: number | null): Promise<LabelImage> {
  const labels = await readLabelImage(pair.labels);
  const size = await readImageSize(pair.image);
  if (size && (size.width !== labels.width || size.height !== labels.height)) {
    throw sizeProblem(pair, labels.width, labels.height, size.width, size.height);
  }
  for (let i = 0; i < labels.values.length; i++) {
    const value = labels.values[i]!;
    if (value >= classes && value !== ignore) throw labelOutOfRange(pair.labels, value, classes);
  }
  return labels;
}

async function checkLabels(
  pairs: readonly LabelledImage[],
  classes: number,
  ignore: number | null,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, pair] of pairs.entries()) {
    throwIfCancelled(signal);
    await readChecked(pair, classes, ignore);
    report?.({ phase: 'checking labels', done: index + 1, total: pairs.length, unit: 'images' });
  }
}

async function fitBaseline(
  pairs: readonly LabelledImage[],
  classes: number,
  ignore: number | null,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<Baseline> {
  const baseline = new Baseline(classes, ignore);
  for (const [index, pair] of pairs.entries()) {
    throwIfCancelled(signal);
    const labels = await readChecked(pair, classes, ignore);
    baseline.fit(await readColourImage(pair.image), labels.values);
    report?.({ phase: 'fitting baselines', done: index + 1, total: pairs.length, unit: 'images' });
  }
  return baseline;
}
