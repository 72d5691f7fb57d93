/**
 * The product of levels with words as a WebAssembly function of vectors, put together here byte by byte (WebAssembly
 * core specification 2.0, binary format; fixed-width vector instructions): four pixels and four words at once, which
 * plain JavaScript cannot say. Single precision: a sum of some dozen products is exact to about 1e-7.
 */

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** TypeScript tells of it among a browser's types only. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (bytes: Uint8Array) => object;
    Memory: new (descriptor: { initial: number }) => Memory;
    Instance: new (
      module: object,
      imports: Record<string, Record<string, Memory>>,
    ) => { exports: Record<string, unknown> };
  };
};

const i32 = 0x7f;
const v128 = 0x7b;

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

const get = (index: number) => [0x20, index];
const set = (index: number) => [0x21, index];
const constant = (value: number) => [0x41, value];
const add = [0x6a];
/** A vector instruction; those that touch memory are followed by alignment and offset. */
const vector = (code: number, ...rest: number[]) =>
  code < 128 ? [0xfd, code, ...rest] : [0xfd, (code & 0x7f) | 0x80, code >> 7, ...rest];
const loadFourInt16 = vector(0x03, 0, 0);
const splat = (offset: number) => vector(0x09, 0, offset);
const store = vector(0x0b, 0, 0);
const toFloat = vector(0xfa);
const vectorAdd = vector(0xe4);
const vectorMultiply = vector(0xe6);
const advance = (index: number, by: number[]) => [...get(index), ...by, ...add, ...set(index)];
/** Counts a local down and goes on with the loop while it is not zero. */
const countDown = (index: number) => [...get(index), ...constant(1), 0x6b, 0x22, index, 0x0d, 0];
const loop = (...body: number[][]) => [0x03, 0x40, ...body.flat(), 0x0b];
const words = [0, 1, 2, 3];

const body = loop(
  ...words.map((word) => [...get(local.weights), ...splat(4 * word), ...set(local.sums + word)]),
  [...get(local.levels), ...set(local.at)],
  [...get(local.weights), ...constant(16), ...add, ...set(local.weight)],
  [...get(local.rank), ...set(local.left)],
  loop(
    [...get(local.at), ...loadFourInt16, ...toFloat, ...set(local.pixels)],
    ...words.map((word) => [
      ...get(local.sums + word),
      ...get(local.pixels),
      ...get(local.weight),
      ...splat(4 * word),
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
    ...store,
    ...advance(local.at, get(local.outPlane)),
  ]),
  advance(local.levels, constant(8)),
  advance(local.out, constant(16)),
  countDown(local.groups),
);

const bytes = (...parts: number[][]) => parts.flat();
const unsigned = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >> 7)];
const section = (id: number, content: number[]) => [id, ...unsigned(content.length), ...content];
const code = bytes(
  // Locals: three more integers, five vectors.
  [2, 3, i32, 5, v128],
  body,
  [0x0b],
);
const module = new WebAssembly.Module(
  Uint8Array.from(
    bytes(
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, [1, 0x60, 7, i32, i32, i32, i32, i32, i32, i32, 0]),
      // Memory `m.m` comes from outside.
      section(2, [1, 1, 0x6d, 1, 0x6d, 2, 0, 1]),
      section(3, [1, 0]),
      section(7, [1, 1, 0x70, 0, 0]),
      section(10, [1, ...unsigned(code.length), ...code]),
    ),
  ),
);

const pageBytes = 65_536;

/** Products of rows of levels with up to any number of words; keeps its own memory. */
export class ProjectKernel {
  readonly #rank: number;
  readonly #fours: number;
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
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
    this.#reserve(this.#weights.byteLength);
    const instance = new WebAssembly.Instance(module, { m: { m: this.#memory } });
    this.#run = instance.exports.p as (...values: number[]) => void;
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
    const missing = Math.ceil((size - this.#memory.buffer.byteLength) / pageBytes);
    const first = this.#memory.buffer.byteLength === pageBytes && missing <= 0;
    if (missing > 0) this.#memory.grow(missing);
    if (missing > 0 || first)
      new Float32Array(this.#memory.buffer, 0, this.#weights.length).set(this.#weights);
  }
}
