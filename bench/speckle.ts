/**
 * Speckle filters on synthetic speckle of four looks (gamma-distributed): equivalent number of looks and mean on
 * homogeneous ground, what is left of a 1 : 8 step in the first and the second pixel beside it (relative error of the
 * mean, the worse side), the streaming law (the same pixels by pieces, bit for bit), and the time they take.
 *
 *   node bench/speckle.ts [--json]
 */
import { parseArgs } from 'node:util';
import type { SpeckleSettings } from '../src/worker/prep/sar/recipe.ts';
import { filterSpeckle, speckleRadius } from '../src/worker/prep/sar/speckle.ts';
import { Random } from '../src/worker/synthetic/random.ts';

const looks = 4;
const filters: SpeckleSettings[] = [
  { filter: 'none' },
  { filter: 'boxcar', side: 7 },
  { filter: 'lee', side: 7, looks },
  { filter: 'refined-lee', looks },
  { filter: 'frost', side: 7, damping: 2 },
  { filter: 'gamma-map', side: 7, looks },
];

function speckle(count: number, seed: number): Float64Array {
  const random = new Random(seed);
  return Float64Array.from({ length: count }, () => {
    let product = 1;
    for (let look = 0; look < looks; look++) product *= 1 - random.next();
    return -Math.log(product) / looks;
  });
}

function filtered(values: Float64Array, width: number, settings: SpeckleSettings): Float64Array {
  const valid = new Uint8Array(values.length).fill(1);
  return filterSpeckle({ width, height: values.length / width, values, valid }, settings);
}

function moments(values: Float64Array): { mean: number; looks: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, looks: (mean * mean) / variance };
}

/** Relative error of the mean in the first and second pixel on either side of a step from 1 to 8. */
function edgeErrors(settings: SpeckleSettings): [number, number] {
  const width = 46;
  const height = 4006;
  const middle = width / 2;
  const values = speckle(width * height, 12).map((value, at) => (at % width < middle ? value : 8 * value));
  const radius = speckleRadius(settings);
  const across = width - 2 * radius;
  const output = filtered(values, width, settings);
  const meanOf = (column: number): number => {
    let sum = 0;
    for (let at = column - radius; at < output.length; at += across) sum += output[at]!;
    return sum / (height - 2 * radius);
  };
  const error = (step: number): number =>
    Math.max(Math.abs(meanOf(middle - step) - 1), Math.abs(meanOf(middle + step - 1) / 8 - 1));
  return [error(1), error(2)];
}

/** Greatest difference between a scene filtered at once and by pieces with a margin. */
function pieceDifference(values: Float64Array, side: number, settings: SpeckleSettings): number {
  const radius = speckleRadius(settings);
  const whole = filtered(values, side, settings);
  const across = side - 2 * radius;
  const rows = 61;
  let worst = 0;
  for (let top = 0; top < across; top += rows) {
    const count = Math.min(rows, across - top);
    const piece = filtered(values.slice(top * side, (top + count + 2 * radius) * side), side, settings);
    for (let at = 0; at < piece.length; at++)
      worst = Math.max(worst, Math.abs(piece[at]! - whole[top * across + at]!));
  }
  return worst;
}

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const side = 606;
const ground = speckle(side * side, 11);
const before = moments(ground);
const figures = filters.map((settings) => {
  const started = performance.now();
  const after = moments(filtered(ground, side, settings));
  const seconds = (performance.now() - started) / 1000;
  const [first, second] = edgeErrors(settings);
  return {
    filter: settings.filter,
    looks: after.looks,
    meanChange: after.mean / before.mean - 1,
    edgeFirst: first,
    edgeSecond: second,
    pieces: pieceDifference(ground, side, settings),
    secondsPerMegapixel: (seconds / (side * side)) * 1e6,
  };
});

if (options.json) console.log(JSON.stringify(figures));
else {
  console.log(
    '| filter, 7 × 7 | looks | mean changes by | edge, 1st pixel | edge, 2nd pixel | by pieces | s per megapixel |',
  );
  console.log(`|${' --- |'.repeat(7)}`);
  const percent = (share: number, digits: number) => `${(100 * share).toFixed(digits)} %`;
  for (const row of figures) {
    const cells = [
      row.filter,
      row.looks.toFixed(1),
      percent(row.meanChange, 2),
      percent(row.edgeFirst, 1),
      percent(row.edgeSecond, 1),
      row.pieces === 0 ? 'equal' : row.pieces.toExponential(1),
      row.secondsPerMegapixel.toFixed(2),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
