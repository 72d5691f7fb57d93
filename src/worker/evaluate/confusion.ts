import { Problem } from '../report/problem.ts';

/** Counts of a confusion matrix above this are refused: 65,535 classes squared would not fit into memory. */
const mostClasses = 1024;

/** Scores of one class; null where the class occurs neither in the labels nor in the predictions. */
export interface ClassScore {
  name: string;
  /** Fractions 0-1. */
  iou: number | null;
  /** Share of the class's pixels that were found. */
  recall: number | null;
  /** Share of the pixels called so that are so. */
  precision: number | null;
  /** Labelled pixels of the class. */
  pixels: number;
}

export interface Scores {
  /** Mean IoU over the classes that occur, 0-1; null where none does. */
  mIoU: number | null;
  /** Share of labelled pixels with the right class; null without labelled pixels. */
  pixelAccuracy: number | null;
  classes: ClassScore[];
  /** Pixels counted: labelled and not ignored. */
  pixels: number;
  ignoredPixels: number;
}

/**
 * A confusion matrix that grows image by image. Labels are 0-based (value i is the i-th class); predictions are class ids
 * as in a class map: 1-based, 0 for unclassified, which counts as a miss of the labelled class and as a hit of none.
 */
export class Confusion {
  readonly names: readonly string[];
  readonly ignore: number | null;
  /** Pixels by label (row) and prediction (column; the last is unclassified), `[classes, classes + 1]`. */
  readonly counts: Float64Array;
  ignoredPixels = 0;

  constructor(names: readonly string[], ignore: number | null = null) {
    if (names.length === 0 || names.length > mostClasses) {
      throw new Problem(
        'evaluate/classes',
        `${names.length} classes cannot be evaluated.`,
        `Name between 1 and ${mostClasses} classes.`,
      );
    }
    this.names = names;
    this.ignore = ignore;
    this.counts = new Float64Array(names.length * (names.length + 1));
  }

  /** Adds the pixels of one image. Throws `Problem` that names `file` for a label or a prediction that is no class. */
  add(labels: Uint8Array | Uint16Array, predictions: Uint8Array | Uint16Array, file: string): void {
    if (labels.length !== predictions.length) {
      throw new Problem(
        'evaluate/size',
        `${file}: ${predictions.length} pixels were predicted for ${labels.length} labels.`,
        'Give the label image the size of its picture.',
      );
    }
    const classes = this.names.length;
    const columns = classes + 1;
    const ignore = this.ignore ?? -1;
    // Counted apart and added at the end: a bad image leaves the matrix as it was.
    const added = new Float64Array(this.counts.length);
    let ignored = 0;
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i]!;
      if (label === ignore) {
        ignored++;
        continue;
      }
      const id = predictions[i]!;
      if (label >= classes) throw labelOutOfRange(file, label, classes);
      if (id > classes) {
        throw new Problem(
          'evaluate/prediction',
          `${file}: class ${id} was predicted, but there are ${classes} classes.`,
          'Use the classes that the prediction was made with.',
        );
      }
      added[label * columns + (id === 0 ? classes : id - 1)]!++;
    }
    for (let i = 0; i < added.length; i++) this.counts[i]! += added[i]!;
    this.ignoredPixels += ignored;
  }

  scores(): Scores {
    const classes = this.names.length;
    const columns = classes + 1;
    const labelled = new Float64Array(classes);
    const predicted = new Float64Array(classes);
    let total = 0;
    let right = 0;
    for (let label = 0; label < classes; label++) {
      for (let prediction = 0; prediction < columns; prediction++) {
        const count = this.counts[label * columns + prediction]!;
        labelled[label]! += count;
        if (prediction < classes) predicted[prediction]! += count;
        total += count;
      }
      right += this.counts[label * columns + label]!;
    }
    let sum = 0;
    let occurring = 0;
    const scores = this.names.map((name, index): ClassScore => {
      const hits = this.counts[index * columns + index]!;
      const union = labelled[index]! + predicted[index]! - hits;
      const iou = union > 0 ? hits / union : null;
      if (iou !== null) {
        sum += iou;
        occurring++;
      }
      return {
        name,
        iou,
        recall: labelled[index]! > 0 ? hits / labelled[index]! : null,
        precision: predicted[index]! > 0 ? hits / predicted[index]! : null,
        pixels: labelled[index]!,
      };
    });
    return {
      mIoU: occurring > 0 ? sum / occurring : null,
      pixelAccuracy: total > 0 ? right / total : null,
      classes: scores,
      pixels: total,
      ignoredPixels: this.ignoredPixels,
    };
  }
}

/** @param values their count, if they are 0, 1, 2, …; else the values themselves */
export function labelOutOfRange(file: string, label: number, values: number | readonly number[]): Problem {
  const known =
    typeof values === 'number'
      ? `${values} classes are values 0 to ${values - 1}`
      : `${values.length} classes are values ${values.join(', ')}`;
  return new Problem(
    'evaluate/label-value',
    `${file}: label value ${label}, but the ${known}.`,
    `Correct the labels, name the missing classes, or leave the value out with --ignore ${label}.`,
  );
}
