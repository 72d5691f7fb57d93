import { Baseline, type ColourImage, readColourImage, readImageSize } from '../evaluate/baseline.ts';
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
  classNames: readonly string[];
  /** Label value of each class; null: value i is the i-th class. */
  labelValues?: readonly number[] | null;
  /** Label value that is left out, or null. */
  ignore: number | null;
  /** Left, top, right and bottom of the part that is counted, as shares of width and height; null: all. */
  part?: readonly [number, number, number, number] | null;
  /** The model. Null evaluates the baselines alone. */
  predict: ((imagePath: string, signal?: AbortSignal) => Promise<PredictedImage>) | null;
  /**
   * Adds two baselines, majority class and nearest mean colour, fitted to the labelled images of these folders or, if
   * null, to the very images evaluated, which flatters them.
   */
  baseline?: { training: { imageFolder: string; labelFolder: string } | null };
  /** What the baselines see of a picture; its file's own colours without. */
  readColours?: (imagePath: string, signal?: AbortSignal) => Promise<ColourImage>;
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
  const { classNames, predict } = request;
  const pairs = await pairLabels(request.imageFolder, request.labelFolder);
  const reading = labelReading(request);
  const ignore = ignoredIndex;
  const readColours = request.readColours ?? readColourImage;
  const confusion = new Confusion(classNames, ignore);
  await checkLabels(pairs, reading, report, signal);

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
      training === null ? reading : { ...reading, part: null },
      readColours,
      report,
      signal,
    );
    baselines.push({
      name: 'majority class',
      predict: async (path) => {
        const { width, height } = await readColours(path, signal);
        return { width, height, ids: new Uint16Array(width * height).fill(fitted.majority) };
      },
      confusion: new Confusion(classNames, ignore),
    });
    baselines.push({
      name: 'nearest mean colour',
      predict: async (path) => {
        const image = await readColours(path, signal);
        return { width: image.width, height: image.height, ids: fitted.nearestColour(image) };
      },
      confusion: new Confusion(classNames, ignore),
    });
  }

  for (const [index, pair] of pairs.entries()) {
    throwIfCancelled(signal);
    const { width, height, values } = await readChecked(pair, reading);
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

/** How stored label values become indices of classes. */
interface LabelReading {
  /** Index by stored value, `[65536]`; -1 where the value is no class. */
  indexOf: Int32Array;
  classes: number;
  values: readonly number[] | null;
  part: EvaluateRequest['part'];
}

/** Index of what is left out: more classes are refused anyway. */
const ignoredIndex = 65535;

function labelReading({
  classNames,
  labelValues = null,
  ignore,
  part = null,
}: EvaluateRequest): LabelReading {
  if (labelValues !== null && labelValues.length !== classNames.length) {
    throw new Problem(
      'evaluate/label-values',
      `${labelValues.length} label values are given for ${classNames.length} classes.`,
      'Give one value for each class, in their order.',
    );
  }
  const indexOf = new Int32Array(65536).fill(-1);
  for (let index = 0; index < classNames.length; index++) {
    const value = labelValues?.[index] ?? index;
    if (indexOf[value] !== -1) {
      throw new Problem(
        'evaluate/label-values',
        value > 65535
          ? `No label image holds the value ${value}.`
          : `Label value ${value} is given for two classes.`,
        'Give each class a value of its own, from 0 to 65535.',
      );
    }
    indexOf[value] = index;
  }
  if (ignore !== null) indexOf[ignore] = ignoredIndex;
  if (
    part !== null &&
    !(part[0] >= 0 && part[1] >= 0 && part[0] < part[2] && part[1] < part[3] && part[2] <= 1 && part[3] <= 1)
  ) {
    throw new Problem(
      'evaluate/part',
      `The part ${part.join(',')} is no part of a picture.`,
      'Give left, top, right and bottom as shares from 0 to 1, such as 0.5,0,1,1 for the right half.',
    );
  }
  return { indexOf, classes: classNames.length, values: labelValues, part };
}

/**
 * A pair's labels as indices of classes, `ignoredIndex` where the value or the place is left out. Checks their size
 * against the picture's, where its header can be read, and their values.
 */
async function readChecked(pair: LabelledImage, reading: LabelReading): Promise<LabelImage> {
  const { width, height, values } = await readLabelImage(pair.labels);
  const size = await readImageSize(pair.image);
  if (size && (size.width !== width || size.height !== height)) {
    throw sizeProblem(pair, width, height, size.width, size.height);
  }
  const { indexOf, classes, part } = reading;
  const indices = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const index = indexOf[values[i]!]!;
    if (index < 0) throw labelOutOfRange(pair.labels, values[i]!, reading.values ?? classes);
    indices[i] = index;
  }
  if (part) {
    const [left, top, right, bottom] = part;
    const columns = [Math.round(left * width), Math.round(right * width)] as const;
    const rows = [Math.round(top * height), Math.round(bottom * height)] as const;
    for (let row = 0; row < height; row++) {
      const line = indices.subarray(row * width, (row + 1) * width);
      if (row < rows[0] || row >= rows[1]) line.fill(ignoredIndex);
      else line.fill(ignoredIndex, 0, columns[0]).fill(ignoredIndex, columns[1]);
    }
  }
  return { width, height, values: indices };
}

async function checkLabels(
  pairs: readonly LabelledImage[],
  reading: LabelReading,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, pair] of pairs.entries()) {
    throwIfCancelled(signal);
    await readChecked(pair, reading);
    report?.({ phase: 'checking labels', done: index + 1, total: pairs.length, unit: 'images' });
  }
}

async function fitBaseline(
  pairs: readonly LabelledImage[],
  classes: number,
  reading: LabelReading,
  readColours: NonNullable<EvaluateRequest['readColours']>,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<Baseline> {
  const baseline = new Baseline(classes, ignoredIndex);
  for (const [index, pair] of pairs.entries()) {
    throwIfCancelled(signal);
    const labels = await readChecked(pair, reading);
    baseline.fit(await readColours(pair.image, signal), labels.values);
    report?.({ phase: 'fitting baselines', done: index + 1, total: pairs.length, unit: 'images' });
  }
  return baseline;
}
