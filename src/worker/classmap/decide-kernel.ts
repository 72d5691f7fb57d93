import {
  addWhole,
  advance,
  constant,
  countDown,
  f32,
  get,
  greater,
  i32,
  less,
  load,
  loadFourBytes,
  loadSplat,
  loop,
  nearest,
  newMemory,
  notGreater,
  reserve,
  select,
  set,
  splat,
  splatWhole,
  store,
  storeFourBytes,
  storeFourUint16,
  toWhole,
  unequalWhole,
  v128,
  vectorAdd,
  vectorAnd,
  vectorConstant,
  vectorDivide,
  vectorFunction,
  vectorMax,
  vectorMin,
  vectorMultiply,
  vectorNot,
  vectorOr,
  vectorShiftLeft,
  vectorSubtract,
} from '../simd/vector-code.ts';

/** The best word of pixels, its softmax and its class, four pixels at once, in single precision as the scores are. */

const local = {
  /** Byte addresses of the first word's scores and of the words' classes; bytes from one word to the next; words. */
  scores: 0,
  table: 1,
  plane: 2,
  words: 3,
  /** Pixels in fours, and the byte address of what tells which of them are measured. */
  groups: 4,
  valid: 5,
  /** Byte addresses of the results: classes (uint16), confidences (uint8), and whether a score was no number. */
  classes: 6,
  confidences: 7,
  trouble: 8,
  /** Class of pixels below their threshold. */
  background: 9,
  /** Factor on the scores before powers of two are taken. */
  scale: 10,
  at: 11,
  word: 12,
  left: 13,
  best: 14,
  winner: 15,
  /** The winning class's threshold. */
  least: 16,
  sum: 17,
  value: 18,
  /** A comparison's outcome, or a power's whole exponent. */
  whole: 19,
  measured: 20,
  wrong: 21,
} as const;

/** A word's class (int32) and that class's threshold (float32). */
const entryBytes = 8;

/** Less adds nothing to a sum of single precision; more would be no exponent. */
const leastExponent = -60;
/** 2^x = Σ (x ln 2)^k / k!: to 1e-7 of itself for |x| ≤ ½. */
const series = [1];
for (let k = 1; k <= 6; k++) series.push((series[k - 1]! * Math.LN2) / k);
/** What rounding may make of 1. */
const most = 1.0001;

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
  [i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, f32],
  [
    [3, i32],
    [8, v128],
  ],
  [
    ...loop(
      // The best word, its class and threshold.
      [...get(local.scores), ...set(local.at)],
      [...get(local.table), ...set(local.word)],
      [...get(local.at), ...load(0), ...set(local.best)],
      [...get(local.word), ...loadSplat(0), ...set(local.winner)],
      [...get(local.word), ...loadSplat(4), ...set(local.least)],
      [...get(local.words), ...set(local.left)],
      loop(
        [...get(local.at), ...load(0), ...set(local.value)],
        [...get(local.value), ...get(local.best), ...greater, ...set(local.whole)],
        [...get(local.value), ...get(local.best), ...get(local.whole), ...select, ...set(local.best)],
        [...get(local.word), ...loadSplat(0), ...get(local.winner), ...get(local.whole), ...select],
        set(local.winner),
        [...get(local.word), ...loadSplat(4), ...get(local.least), ...get(local.whole), ...select],
        set(local.least),
        advance(local.word, constant(entryBytes)),
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
        [...constant(23), ...vectorShiftLeft, ...vectorMultiply],
        [...get(local.sum), ...vectorAdd, ...set(local.sum)],
        advance(local.at, get(local.plane)),
        countDown(local.left),
      ),
      [...vectorConstant(1), ...get(local.sum), ...vectorDivide, ...set(local.value)],
      [...get(local.valid), ...loadFourBytes, ...constant(0), ...splatWhole, ...unequalWhole],
      set(local.measured),
      [...get(local.value), ...vectorConstant(most), ...notGreater, ...vectorNot],
      [...get(local.measured), ...vectorAnd, ...get(local.wrong), ...vectorOr, ...set(local.wrong)],
      [...get(local.background), ...splatWhole, ...get(local.winner)],
      [...get(local.value), ...get(local.least), ...less, ...select],
      [...get(local.measured), ...vectorAnd, ...set(local.winner)],
      [...get(local.classes), ...storeFourUint16(local.winner)],
      [...get(local.value), ...vectorConstant(1), ...vectorMin, ...vectorConstant(255), ...vectorMultiply],
      [...vectorConstant(0.5), ...vectorAdd, ...toWhole, ...get(local.measured), ...vectorAnd],
      set(local.whole),
      [...get(local.confidences), ...storeFourBytes(local.whole)],
      advance(local.scores, constant(16)),
      advance(local.valid, constant(4)),
      advance(local.classes, constant(8)),
      advance(local.confidences, constant(4)),
      countDown(local.groups),
    ),
    ...[...get(local.trouble), ...get(local.wrong), ...store(0)],
  ],
);

/** One for the whole thread: rows are decided one at a time. */
const memory = newMemory();
const run = decide(memory);

/** What the kernel needs of a rule. */
export interface WordTable {
  words: number;
  /** Class and threshold of every word, as they lie in its memory. */
  entries: Uint8Array;
  background: number;
  /** Factor on the scores before the softmax. */
  logitScale: number;
}

/** @param thresholds least winning probability per class id */
export function wordTable(
  wordClasses: Uint16Array,
  thresholds: Float64Array,
  background: number,
  logitScale: number,
): WordTable {
  const entries = new DataView(new ArrayBuffer(entryBytes * wordClasses.length));
  wordClasses.forEach((id, word) => {
    entries.setInt32(entryBytes * word, id, true);
    entries.setFloat32(entryBytes * word + 4, notBelow(thresholds[id]!), true);
  });
  return { words: wordClasses.length, entries: new Uint8Array(entries.buffer), background, logitScale };
}

/** The least number of single precision that is not less: what is below the one is below the other. */
function notBelow(value: number): number {
  const rounded = Math.fround(value);
  if (rounded >= value) return rounded;
  const bits = new Int32Array(Float32Array.of(rounded).buffer);
  // Numbers that are not negative are ordered as their bits are.
  bits[0]!++;
  return new Float32Array(bits.buffer)[0]!;
}

interface DecidedRow {
  /** Class ids, `[width]`; of words that tie the first one's. */
  classes: Uint16Array;
  /** round(255 · softmax of the best word), `[width]`. */
  confidence: Uint8Array;
}

/**
 * Decides a row of scores `[words, width]`; pixels that `valid` `[width]` calls 0 get 0. Null where the score of a valid
 * one is no number. The result stands until the next call.
 */
export function decideRow(
  { words, entries, background, logitScale }: WordTable,
  scores: Float32Array,
  valid: Uint8Array,
  width: number,
): DecidedRow | null {
  if (width === 0) return { classes: new Uint16Array(0), confidence: new Uint8Array(0) };
  const groups = Math.ceil(width / 4);
  const plane = 16 * groups;
  const tableAt = words * plane;
  const troubleAt = tableAt + entries.length;
  const classesAt = troubleAt + 16;
  const confidencesAt = classesAt + 8 * groups;
  const validAt = confidencesAt + 4 * groups;
  reserve(memory, validAt + 4 * groups);
  const { buffer } = memory;
  const rows = new Float32Array(buffer, 0, 4 * groups * words);
  for (let word = 0; word < words; word++)
    rows.set(scores.subarray(word * width, (word + 1) * width), word * 4 * groups);
  const bytes = new Uint8Array(buffer);
  bytes.set(entries, tableAt);
  bytes.set(valid.subarray(0, width), validAt);
  // What lies beyond the row is from another one.
  bytes.fill(0, validAt + width, validAt + 4 * groups);
  run(
    0,
    tableAt,
    plane,
    words,
    groups,
    validAt,
    classesAt,
    confidencesAt,
    troubleAt,
    background,
    logitScale * Math.LOG2E,
  );
  if (new Int32Array(buffer, troubleAt, 4).some((bits) => bits !== 0)) return null;
  return {
    classes: new Uint16Array(buffer, classesAt, width),
    confidence: new Uint8Array(buffer, confidencesAt, width),
  };
}
