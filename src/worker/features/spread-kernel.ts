import {
  add,
  advance,
  again,
  and,
  choose,
  constant,
  countDown,
  equal,
  get,
  i32,
  leave,
  load,
  loadByte,
  loadFloat,
  loadInt32,
  loadUint16,
  loop,
  multiply,
  multiplyFloat,
  notLess,
  set,
  shiftRight,
  splat,
  store,
  storeInt32,
  subtract,
  v128,
  vectorAdd,
  vectorFunction,
  vectorMultiply,
  when,
  wholeToFloat,
} from '../simd/vector-code.ts';
import { more, stretch } from './coordinate-block.ts';
import { planesAtOnce } from './wavelet.ts';

const local = {
  /** Byte addresses of the block's counts, runs and codes. */
  counts: 0,
  runs: 1,
  codes: 2,
  /** Of the weights `[rank, 8]` (float32), and of two int32: where runs and codes have ended, if all went well. */
  weights: 3,
  ends: 4,
  /** Of the bands' order: shares (float32) and places (uint16). */
  shares: 5,
  places: 6,
  pixels: 7,
  rank: 8,
  /** Stretches times directions. */
  parts: 9,
  /** Number in the order before the stretch, and at hand. */
  before: 10,
  at: 11,
  direction: 12,
  left: 13,
  zeros: 14,
  code: 15,
  to: 16,
  first: 17,
  second: 18,
  number: 19,
} as const;

const next = (index: number, read: number[], bytes: number, into: number) => [
  ...[...get(index), ...read, ...set(into)],
  ...advance(index, constant(bytes)),
];
const weightBytes = 4 * planesAtOnce;

const readRun = [
  ...next(local.runs, loadByte, 1, local.zeros),
  ...advance(local.at, [...get(local.zeros), ...constant(1), ...add]),
  ...when(
    [...get(local.zeros), ...constant(more), ...equal],
    loop(next(local.runs, loadByte, 1, local.zeros), advance(local.at, get(local.zeros)), [
      ...get(local.zeros),
      ...constant(more),
      ...equal,
      ...again,
    ]),
  ),
];

/** The number's size and sign, into `code`. */
const readCode = [
  ...next(local.codes, loadByte, 1, local.code),
  ...when([...get(local.code), ...constant(more), ...equal], next(local.codes, loadInt32, 4, local.code), [
    ...[...get(local.code), ...constant(1), ...shiftRight, ...constant(1), ...add, ...set(local.zeros)],
    ...[...constant(0), ...get(local.zeros), ...subtract, ...get(local.zeros)],
    ...[...get(local.code), ...constant(1), ...and, ...choose, ...set(local.code)],
  ]),
];

const addNumber = [
  ...[...get(local.code), ...wholeToFloat],
  ...[...get(local.shares), ...get(local.at), ...constant(4), ...multiply, ...add, ...loadFloat],
  ...[...multiplyFloat, ...splat, ...set(local.number)],
  ...[...get(local.places), ...get(local.at), ...constant(2), ...multiply, ...add, ...loadUint16],
  ...[...constant(weightBytes), ...multiply, ...set(local.to)],
  ...[local.first, local.second].flatMap((weights, i) => [
    ...get(local.to),
    ...[...get(local.to), ...load(16 * i)],
    ...[...get(local.number), ...get(weights), ...vectorMultiply],
    ...vectorAdd,
    ...store(16 * i),
  ]),
];

/**
 * Adds a block's numbers by their directions' weights to the eight planes at address 0, each at its place. Leaves early,
 * without telling the ends, where a number lies beyond the block.
 */
export const spread = vectorFunction(
  [i32, i32, i32, i32, i32, i32, i32, i32, i32, i32],
  [
    [7, i32],
    [3, v128],
  ],
  [
    ...[...constant(-1), ...set(local.before)],
    ...loop(
      [...get(local.before), ...set(local.at)],
      next(local.counts, loadUint16, 2, local.left),
      [...get(local.weights), ...get(local.direction), ...constant(weightBytes), ...multiply, ...add],
      [...set(local.to), ...get(local.to), ...load(0), ...set(local.first)],
      [...get(local.to), ...load(16), ...set(local.second)],
      when(
        get(local.left),
        loop(
          readRun,
          when([...get(local.at), ...get(local.pixels), ...notLess], leave),
          readCode,
          addNumber,
          countDown(local.left),
        ),
      ),
      advance(local.direction, constant(1)),
      when(
        [...get(local.direction), ...get(local.rank), ...equal],
        [...[...constant(0), ...set(local.direction)], ...advance(local.before, constant(stretch))],
      ),
      countDown(local.parts),
    ),
    ...[...get(local.ends), ...get(local.runs), ...storeInt32],
    ...[...get(local.ends), ...constant(4), ...add, ...get(local.codes), ...storeInt32],
  ],
);
