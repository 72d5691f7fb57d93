import { ScoreAccumulator } from '../classmap/accumulate.ts';
import { type DecisionRule, RowDecider } from '../classmap/decide.ts';
import { RowInterpolator } from '../classmap/interpolate.ts';
import type { ColourImage } from '../evaluate/baseline.ts';
import { planWindows, windowAt } from '../tile/plan.ts';
import { samplePositions } from '../tile/sampling.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';
import { resizeLongSide } from './resize.ts';

export interface PictureSettings {
  /** Pixels of the long side that the picture is resized to. */
  longSide: number;
  /** Side and step of the sliding window; 0: the picture as one window. */
  window: number;
  stride: number;
  /** Of inputs from 0 to 255. */
  normalisation: { mean: readonly number[]; deviation: readonly number[] };
  rule: DecisionRule;
}

/**
 * Class ids of a picture, 1-based, `[height · width]`: resized, scored in overlapping windows, mean scores resized
 * bilinearly to the picture's own size, softmax and threshold by the rule (method of SegEarth-OV, §4).
 */
export async function labelPicture(
  picture: ColourImage,
  scorer: WindowScorer,
  settings: PictureSettings,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const small = resizeLongSide(picture, settings.longSide);
  const planes = normalisedPlanes(small, settings.normalisation);
  const plan = planWindows(small.width, small.height, settings.window, Math.max(1, settings.stride));
  const sums = new ScoreAccumulator(plan, scorer.words, 0, small.width, 0);
  const ids = new Uint8Array(picture.width * picture.height);
  const finish = rowFinisher(sums, small, picture, settings.rule, ids);
  const allValid = new Uint8Array(plan.columns.window * plan.rows.window).fill(1);
  for (let row = 0; row < plan.rows.count; row++) {
    for (let column = 0; column < plan.columns.count; column++) {
      const window = windowAt(plan, column, row);
      if (column === 0) finish(window.row);
      const pixels = new Float32Array(3 * window.width * window.height);
      for (let band = 0; band < 3; band++) {
        for (let y = 0; y < window.height; y++) {
          const from = (band * small.height + window.row + y) * small.width + window.column;
          pixels.set(planes.subarray(from, from + window.width), (band * window.height + y) * window.width);
        }
      }
      const scores = await scorer.score(pixels, window.height, window.width, signal);
      sums.add(window, scores, allValid);
    }
  }
  finish(small.height);
  return ids;
}

/** Takes mean scores out of the sums up to a row, and decides every output row that they suffice for. */
function rowFinisher(
  sums: ScoreAccumulator,
  small: { width: number; height: number },
  full: { width: number; height: number },
  rule: DecisionRule,
  ids: Uint8Array,
): (end: number) => void {
  const columns = samplePositions(0, full.width, full.width / small.width, small.width);
  const rows = samplePositions(0, full.height, full.height / small.height, small.height);
  const interpolator = new RowInterpolator(sums.words, columns, 0, small.width);
  const decider = new RowDecider(rule, full.width);
  const means = new Float32Array(sums.words * small.width);
  const valid = new Uint8Array(small.width);
  const fullMeans = new Float32Array(sums.words * full.width);
  const fullValid = new Uint8Array(full.width);
  const confidence = new Uint8Array(ids.length);
  let next = 0;
  return (end) => {
    while (sums.row < end) {
      const row = sums.row;
      sums.take(means, valid);
      interpolator.push(row, means, valid);
      for (; next < full.height; next++) {
        const share = rows.fraction[next]!;
        if (rows.index[next]! + (share > 0 ? 1 : 0) > row) break;
        interpolator.interpolate(rows.index[next]!, share, fullMeans, fullValid);
        decider.decide(fullMeans, fullValid, ids, confidence, next * full.width);
      }
    }
  };
}

/** Red, green and blue planes `[3, height, width]`, normalised. */
function normalisedPlanes(
  { width, height, pixels }: ColourImage,
  { mean, deviation }: PictureSettings['normalisation'],
): Float32Array {
  const size = width * height;
  const planes = new Float32Array(3 * size);
  for (let band = 0; band < 3; band++) {
    for (let i = 0; i < size; i++) {
      planes[band * size + i] = (pixels[3 * i + band]! - mean[band]!) / deviation[band]!;
    }
  }
  return planes;
}
