import {
  add,
  advance,
  constant,
  countDown,
  get,
  i32,
  loadFourInt16,
  loadSplat,
  loop,
  newMemory,
  reserve,
  set,
  store,
  toFloat,
  v128,
  vectorAdd,
  vectorFunction,
  vectorMultiply,
} from '../simd/vector-code.ts';

/**
 * The product of levels with words, four pixels and four words at once. Single precision: a sum of some dozen products is
 * exact to about 1e-7.
 */

/** Parameters, then locals, by number. */
const local = {
  /** Byte address of the first direction's levels (int16), bytes from one direction to the next, directions. */
  levels: 0,
  plane: 1,
  rank: 2,
  /** Pixels in fours. */
  groups: 3,
  /** Byte address of four constants, then four weights for each direction (float32). */
  weights: 4,
  /** Byte address of the first word's results (float32), bytes from one word to the next. */
  out: 5,
  outPlane: 6,
  at: 7,
  weight: 8,
  left: 9,
  pixels: 10,
  /** The four words' sums. */
  sums: 11,
} as const;

const words = [0, 1, 2, 3];

const project = vectorFunction(
  [i32, i32, i32, i32, i32, i32, i32],
  [
    [3, i32],
    [5, v128],
  ],
  loop(
    ...words.map((word) => [...get(local.weights), ...loadSplat(4 * word), ...set(local.sums + word)]),
    [...get(local.levels), ...set(local.at)],
    [...get(local.weights), ...constant(16), ...add, ...set(local.weight)],
    [...get(local.rank), ...set(local.left)],
    loop(
      [...get(local.at), ...loadFourInt16, ...toFloat, ...set(local.pixels)],
      ...words.map((word) => [
        ...get(local.sums + word),
        ...get(local.pixels),
        ...get(local.weight),
        ...loadSplat(4 * word),
        ...vectorMultiply,
        ...vectorAdd,
        ...set(local.sums + word),
      ]),
      advance(local.at, get(local.plane)),
      advance(local.weight, constant(16)),
      countDown(local.left),
    ),
    [...get(local.out), ...set(local.at)],
    ...words.map((word) => [
      ...get(local.at),
      ...get(local.sums + word),
      ...store(0),
      ...advance(local.at, get(local.outPlane)),
    ]),
    advance(local.levels, constant(8)),
    advance(local.out, constant(16)),
    countDown(local.groups),
  ),
);

/** Products of rows of levels with up to any number of words; keeps its own memory. */
export class ProjectKernel {
  readonly #rank: number;
  readonly #fours: number;
  readonly #memory = newMemory();
  readonly #run: (...values: number[]) => void;
  readonly #weights: Float32Array;

  /**
   * @param constants `[words]`
   * @param weights `[words, rank]`
   */
  constructor(rank: number, constants: ArrayLike<number>, weights: ArrayLike<number>) {
    this.#rank = rank;
    const count = constants.length;
    this.#fours = Math.ceil(count / 4);
    const own = 4 * (rank + 1);
    this.#weights = new Float32Array(this.#fours * own);
    for (let word = 0; word < count; word++) {
      const start = (word >> 2) * own + (word & 3);
      this.#weights[start] = constants[word]!;
      for (let k = 0; k < rank; k++) this.#weights[start + 4 * (k + 1)] = weights[word * rank + k]!;
    }
    reserve(this.#memory, this.#weights.byteLength);
    this.#keepWeights();
    this.#run = project(this.#memory);
  }

  /**
   * `count` pixels of a row: `levels` from `from` on, `[rank, width]`, into `results` from `to` on, `[words, stride]`.
   */
  row(
    levels: Int16Array,
    from: number,
    width: number,
    count: number,
    results: Float32Array,
    to: number,
    stride: number,
    words: number,
  ): void {
    if (count === 0) return;
    const rank = this.#rank;
    const groups = Math.ceil(count / 4);
    const used = (rank - 1) * width + count;
    const levelsAt = this.#weights.byteLength;
    // Whole fours are read and written; what is beyond the last pixel goes nowhere.
    const outAt = levelsAt + 2 * (used + 8) + ((16 - ((levelsAt + 2 * (used + 8)) & 15)) & 15);
    const outPlane = 16 * groups;
    this.#reserve(outAt + 4 * this.#fours * outPlane);
    const { buffer } = this.#memory;
    new Int16Array(buffer, levelsAt, used).set(levels.subarray(from, from + used));
    for (let four = 0; four < this.#fours; four++) {
      const weightsAt = four * 16 * (rank + 1);
      this.#run(levelsAt, 2 * width, rank, groups, weightsAt, outAt + 4 * four * outPlane, outPlane);
    }
    for (let word = 0; word < words; word++)
      results.set(new Float32Array(buffer, outAt + word * outPlane, count), to + word * stride);
  }

  /** Memory that grows is another buffer: the weights are written anew. */
  #reserve(size: number): void {
    if (reserve(this.#memory, size)) this.#keepWeights();
  }

  #keepWeights(): void {
    new Float32Array(this.#memory.buffer, 0, this.#weights.length).set(this.#weights);
  }
}
