import {
  add,
  advance,
  constant,
  countDown,
  get,
  i32,
  loadInt32,
  loadUint16,
  loop,
  newMemory,
  reserve,
  set,
  shiftLeft,
  storeInt32,
  vectorFunction,
} from '../simd/vector-code.ts';

const local = {
  /** Byte addresses of the counts (int32) and of the pixels at hand (uint16). */
  counts: 0,
  at: 1,
  left: 2,
  count: 3,
} as const;

/** Counts from the first strip on at the speed of the last: a loop of plain JavaScript would have to warm up. */
const countInto = vectorFunction(
  [i32, i32, i32],
  [[1, i32]],
  loop(
    [...get(local.at), ...loadUint16, ...constant(2), ...shiftLeft, ...get(local.counts), ...add],
    set(local.count),
    [...get(local.count), ...get(local.count), ...loadInt32, ...constant(1), ...add, ...storeInt32],
    advance(local.at, constant(2)),
    countDown(local.left),
  ),
);
const memory = newMemory();
const run = countInto(memory);

/** Most pixels that are copied at once. */
const portion = 65_536;

/** Pixels of every class id that occurs, of ids up to `highest`. */
export function countClasses(classes: Uint8Array | Uint16Array, highest: number): [number, number][] {
  const countBytes = 4 * (highest + 1);
  reserve(memory, countBytes + 2 * portion);
  const { buffer } = memory;
  const counts = new Int32Array(buffer, 0, highest + 1).fill(0);
  for (let from = 0; from < classes.length; from += portion) {
    const pixels = classes.subarray(from, from + portion);
    new Uint16Array(buffer, countBytes, pixels.length).set(pixels);
    run(0, countBytes, pixels.length);
  }
  return [...counts.entries()].filter(([, pixels]) => pixels > 0);
}
