import type { ColourImage } from '../evaluate/baseline.ts';
import { Confusion, type Scores } from '../evaluate/confusion.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { readClassLabels } from './class-labels.ts';
import { cropLabels, cropPicture, cropWindows } from './crops.ts';
import { addRecord, PartialCounts, partialRecord } from './partial-counts.ts';
import { readPictureFile } from './picture-file.ts';
import type { FoundSet, Sample } from './samples.ts';
import { type BenchmarkSet, ignored } from './sets.ts';

/** Class ids of a picture, 1-based, `[height · width]`. */
export type LabelPicture = (picture: ColourImage, signal?: AbortSignal) => Promise<Uint8Array>;

export interface MeasuredSet {
  confusion: Confusion;
  /** Pictures measured: crops where the set is cut into crops. */
  pictures: number;
}

/**
 * Measures predictions on all pictures of a set. Counts of finished pictures are kept in `partialFile`, so that a run
 * that was killed goes on; the caller removes it by `finished` once the result is written. Throws `Problem`.
 */
export async function measureSet(
  set: BenchmarkSet,
  { layout, samples }: FoundSet,
  label: LabelPicture,
  partialFile: string,
  report?: ReportProgress,
  signal?: AbortSignal,
): Promise<MeasuredSet & { finished(): Promise<void> }> {
  const names = set.classes.map((words) => words[0]!);
  const confusion = new Confusion(names, ignored);
  const partial = await PartialCounts.open(partialFile, names.length);
  let pictures = 0;
  try {
    for (const [index, sample] of samples.entries()) {
      throwIfCancelled(signal);
      let record = partial.records.get(sample.name);
      if (!record) {
        const own = new Confusion(names, ignored);
        const count = await measurePicture(sample, layout, own, label, signal);
        record = partialRecord(sample.name, count, own);
        await partial.append(record);
      }
      addRecord(confusion, record);
      pictures += record.pictures;
      report?.({ phase: set.name, done: index + 1, total: samples.length, unit: 'pictures' });
    }
  } catch (error) {
    await partial.close();
    throw error;
  }
  return { confusion, pictures, finished: () => partial.remove() };
}

/** Adds one file's crops to `confusion`; returns how many there are. */
async function measurePicture(
  sample: Sample,
  layout: FoundSet['layout'],
  confusion: Confusion,
  label: LabelPicture,
  signal: AbortSignal | undefined,
): Promise<number> {
  const labels = await readClassLabels(sample.labels, layout.codes, confusion.names.length);
  const picture = await readPictureFile(sample.image);
  const { width, height } = picture;
  if (labels.width !== width || labels.height !== height) {
    throw new Problem(
      'evaluate/size',
      `${sample.labels} has ${labels.width} × ${labels.height} pixels, but its picture ${sample.image} has ${width} × ${height}.`,
      'Give the label image the size of its picture.',
    );
  }
  const windows = cropWindows(width, height, layout.crop);
  for (const window of windows) {
    throwIfCancelled(signal);
    const ids = await label(cropPicture(picture, window), signal);
    confusion.add(cropLabels(labels, window).values, ids, sample.labels);
  }
  return windows.length;
}

/** The set's score in per cent: mean IoU, or the IoU of the foreground. Null where nothing is labelled or found. */
export function setScore(set: Pick<BenchmarkSet, 'metric'>, scores: Scores): number | null {
  const fraction = set.metric === 'IoU' ? scores.classes[1]!.iou : scores.mIoU;
  return fraction === null ? null : 100 * fraction;
}
