import { Problem } from '../report/problem.ts';
import type { ClassEntry } from './class-entry.ts';
import { decideRow, type WordTable, wordTable } from './decide-kernel.ts';

/** How mean scores become classes. */
export interface DecisionRule {
  /** Class id of every query word, `[words]`, ascending. */
  wordClasses: Uint16Array;
  /** Least winning probability per class id, `[classes + 1]`; entry 0 is unused. */
  thresholds: Float64Array;
  /** Class id of pixels below their threshold: the background class, or 0. */
  background: number;
  /** Factor on the scores before the softmax: 50 in the papers. */
  logitScale: number;
}

/**
 * The rule for a list of classes. `threshold` is one probability for all or one per class; `background` a class name
 * or null. Throws `Problem` for values outside 0-1, a wrong count, or an unknown background.
 */
export function decisionRule(
  classes: readonly ClassEntry[],
  threshold: number | readonly number[] = 0,
  background: string | null = null,
  logitScale = 50,
): DecisionRule {
  const perClass = typeof threshold === 'number' ? classes.map(() => threshold) : threshold;
  if (perClass.length !== classes.length) {
    throw new Problem(
      'settings/threshold',
      `${perClass.length} thresholds were given for ${classes.length} classes.`,
      'Give one threshold, or one per class.',
    );
  }
  for (const value of perClass) {
    if (!(value >= 0 && value <= 1)) {
      throw new Problem(
        'settings/threshold',
        `The threshold ${value} is not a probability.`,
        'Use numbers from 0 to 1.',
      );
    }
  }
  let backgroundId = 0;
  if (background !== null) {
    const wanted = background.trim().toLowerCase();
    const entry = classes.find((candidate) => candidate.name.toLowerCase() === wanted);
    if (entry === undefined) {
      throw new Problem(
        'settings/background',
        `The background class "${background}" is not among the classes.`,
        `Use one of: ${classes
          .slice(0, 8)
          .map((candidate) => candidate.name)
          .join(', ')}${classes.length > 8 ? ', …' : ''}.`,
      );
    }
    backgroundId = entry.id;
  }
  const thresholds = new Float64Array(classes.length + 1);
  thresholds.set(perClass, 1);
  return {
    wordClasses: Uint16Array.from(classes.flatMap((entry) => entry.words.map(() => entry.id))),
    thresholds,
    background: backgroundId,
    logitScale,
  };
}

/**
 * Decides rows of pixels: softmax of scaled scores over all words, the class of the best word (a class takes the
 * maximum of its words; ties go to the lower class), the background below the threshold.
 *
 * Confidence is the winner's probability even where the pixel falls to the background; nodata gets class and
 * confidence 0.
 */
export class RowDecider {
  readonly #table: WordTable;
  readonly #width: number;

  constructor({ wordClasses, thresholds, background, logitScale }: DecisionRule, width: number) {
    this.#table = wordTable(wordClasses, thresholds, background, logitScale);
    this.#width = width;
  }

  /**
   * `means` `[words, width]`, `valid` `[width]` → class ids and round(255 · probability) at `offset` of the outputs.
   * Throws `Problem` where a valid pixel's scores are not numbers.
   */
  decide(
    means: Float32Array,
    valid: Uint8Array,
    classes: Uint8Array | Uint16Array,
    confidence: Uint8Array,
    offset: number,
  ): void {
    const decided = decideRow(this.#table, means, valid, this.#width);
    if (decided === null) {
      throw new Problem(
        'infer/not-a-number',
        'The model returned scores that are not numbers.',
        'Check the pack, or use another provider (--provider cpu).',
      );
    }
    classes.set(decided.classes, offset);
    confidence.set(decided.confidence, offset);
  }
}
