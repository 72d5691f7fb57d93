import {
  addWhole,
  advance,
  constant,
  countDown,
  f32,
  get,
  greater,
  i32,
  load,
  loop,
  nearest,
  newMemory,
  reserve,
  select,
  set,
  shiftLeft,
  splat,
  splatWhole,
  store,
  toWhole,
  v128,
  vectorAdd,
  vectorConstant,
  vectorDivide,
  vectorFunction,
  vectorMax,
  vectorMultiply,
  vectorSubtract,
} from '../simd/vector-code.ts';

/** The best word of pixels and its softmax, four pixels at once, in single precision as the scores are. */

const local = {
  /** Byte address of the first word's scores, bytes from one word to the next, words. */
  scores: 0,
  plane: 1,
  words: 2,
  /** Pixels in fours. */
  groups: 3,
  /** Byte addresses of the results: numbers of words (int32), probabilities (float32). */
  winners: 4,
  probabilities: 5,
  /** Factor on the scores before powers of two are taken. */
  scale: 6,
  at: 7,
  word: 8,
  left: 9,
  best: 10,
  winner: 11,
  sum: 12,
  value: 13,
  /** A comparison's outcome, or a power's whole exponent. */
  whole: 14,
} as const;

/** Less adds nothing to a sum of single precision; more would be no exponent. */
const leastExponent = -60;
/** 2^x = Σ (x ln 2)^k / k!: to 1e-7 of itself for |x| ≤ ½. */
const series = [1];
for (let k = 1; k <= 6; k++) series.push((series[k - 1]! * Math.LN2) / k);

const [highest, ...lower] = series.toReversed();
/** Of `value`, by Horner's rule. */
const power = [
  ...vectorConstant(highest!),
  ...lower.flatMap((coefficient) => [
    ...get(local.value),
    ...vectorMultiply,
    ...vectorConstant(coefficient),
    ...vectorAdd,
  ]),
];

const decide = vectorFunction(
  [i32, i32, i32, i32, i32, i32, f32],
  [
    [3, i32],
    [5, v128],
  ],
  loop(
    // The best word.
    [...get(local.scores), ...set(local.at)],
    [...get(local.at), ...load(0), ...set(local.best)],
    [...constant(0), ...splatWhole, ...set(local.winner)],
    [...constant(0), ...set(local.word)],
    [...get(local.words), ...set(local.left)],
    loop(
      [...get(local.at), ...load(0), ...set(local.value)],
      [...get(local.value), ...get(local.best), ...greater, ...set(local.whole)],
      [...get(local.value), ...get(local.best), ...get(local.whole), ...select, ...set(local.best)],
      [...get(local.word), ...splatWhole, ...get(local.winner), ...get(local.whole), ...select],
      set(local.winner),
      advance(local.word, constant(1)),
      advance(local.at, get(local.plane)),
      countDown(local.left),
    ),
    // One over the sum of all words' powers.
    [...get(local.scores), ...set(local.at)],
    [...vectorConstant(0), ...set(local.sum)],
    [...get(local.words), ...set(local.left)],
    loop(
      [...get(local.at), ...load(0), ...get(local.best), ...vectorSubtract],
      [...get(local.scale), ...splat, ...vectorMultiply, ...vectorConstant(leastExponent), ...vectorMax],
      set(local.value),
      [...get(local.value), ...nearest, ...set(local.whole)],
      [...get(local.value), ...get(local.whole), ...vectorSubtract, ...set(local.value)],
      power,
      // The exponent's bits begin at the 24th, 127 above it.
      [...get(local.whole), ...toWhole, ...constant(127), ...splatWhole, ...addWhole],
      [...constant(23), ...shiftLeft, ...vectorMultiply],
      [...get(local.sum), ...vectorAdd, ...set(local.sum)],
      advance(local.at, get(local.plane)),
      countDown(local.left),
    ),
    [...get(local.winners), ...get(local.winner), ...store(0)],
    [...get(local.probabilities), ...vectorConstant(1), ...get(local.sum), ...vectorDivide, ...store(0)],
    advance(local.scores, constant(16)),
    advance(local.winners, constant(16)),
    advance(local.probabilities, constant(16)),
    countDown(local.groups),
  ),
);

/** One for the whole thread: rows are decided one at a time. */
const memory = newMemory();
const run = decide(memory);

interface DecidedRow {
  /** Numbers of the best words, `[width]`; ties go to the lower word. */
  winners: Int32Array;
  /** Their softmax, `[width]`; not a number where a score is none. */
  probabilities: Float32Array;
}

/** Decides a row of scores `[words, width]`, times `logitScale`. The result stands until the next call. */
export function decideRow(
  scores: Float32Array,
  words: number,
  width: number,
  logitScale: number,
): DecidedRow {
  const groups = Math.ceil(width / 4);
  const plane = 16 * groups;
  const winnersAt = words * plane;
  const probabilitiesAt = winnersAt + plane;
  reserve(memory, probabilitiesAt + plane);
  const { buffer } = memory;
  const rows = new Float32Array(buffer, 0, 4 * groups * words);
  for (let word = 0; word < words; word++)
    rows.set(scores.subarray(word * width, (word + 1) * width), word * 4 * groups);
  if (groups > 0) run(0, plane, words, groups, winnersAt, probabilitiesAt, logitScale * Math.LOG2E);
  return {
    winners: new Int32Array(buffer, winnersAt, width),
    probabilities: new Float32Array(buffer, probabilitiesAt, width),
  };
}
