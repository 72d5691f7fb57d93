import {
  add,
  advance,
  constant,
  countDown,
  f32,
  get,
  i32,
  load,
  loadSplat,
  loop,
  newMemory,
  reserve,
  set,
  shuffle,
  splat,
  store,
  v128,
  vectorAdd,
  vectorFunction,
  vectorMultiply,
} from '../simd/vector-code.ts';

/**
 * Wavelets of planes of numbers: the symmetric 5/3 pair (Le Gall and Tabatabai 1988) by lifting, mirrored at the borders
 * (ISO/IEC 15444-1, annex F, without its rounding). Being linear, it may be undone after planes have been mixed instead of
 * before. Bands lie as Mallat put them: of each level the coarse half first, along rows and along columns.
 */

/** Planes that are worked on at once. */
export const planesAtOnce = 8;
/** Times that the coarse part is split again. */
const depth = 4;
const pixelBytes = 4 * planesAtOnce;
const vectorBytes = 16;

const local = {
  /** Byte addresses of the first piece's result, of what it comes from, and of its two neighbours. */
  to: 0,
  own: 1,
  before: 2,
  after: 3,
  /** Bytes from piece to piece of results, of what they come from, of neighbours. */
  toStep: 4,
  ownStep: 5,
  sideStep: 6,
  vectors: 7,
  pieces: 8,
  factor: 9,
  offset: 10,
  left: 11,
} as const;

/** Of so many pieces of so many vectors: own + factor · (before + after). */
const lift = vectorFunction(
  [i32, i32, i32, i32, i32, i32, i32, i32, i32, f32],
  [[2, i32]],
  loop(
    [...constant(0), ...set(local.offset)],
    [...get(local.vectors), ...set(local.left)],
    loop(
      [...get(local.to), ...get(local.offset), ...add],
      ...[local.own, local.before, local.after].map((piece) => [
        ...get(piece),
        ...get(local.offset),
        ...add,
        ...load(0),
      ]),
      [...vectorAdd, ...get(local.factor), ...splat, ...vectorMultiply, ...vectorAdd, ...store(0)],
      advance(local.offset, constant(vectorBytes)),
      countDown(local.left),
    ),
    advance(local.to, get(local.toStep)),
    advance(local.own, get(local.ownStep)),
    advance(local.before, get(local.sideStep)),
    advance(local.after, get(local.sideStep)),
    countDown(local.pieces),
  ),
);

const pick = {
  /** Byte addresses of pixels of eight numbers, of the first plane, and of the planes' constants. */
  from: 0,
  to: 1,
  constants: 2,
  /** Bytes from plane to plane, and pixels in fours. */
  plane: 3,
  groups: 4,
  plan: 5,
  first: 6,
} as const;

const lowPairs = shuffle(0, 4, 1, 5);
const highPairs = shuffle(2, 6, 3, 7);
/** Vectors of pixels, then their pairs. */
const [pixels, pairs] = [pick.first, pick.first + planesAtOnce / 2];

/** Four planes, from the `first` on, of four pixels. */
const pickFour = (first: number) => [
  ...[0, 1, 2, 3].flatMap((pixel) => [
    ...[...get(pick.from), ...load(pixel * pixelBytes + 4 * first)],
    ...set(pixels + pixel),
  ]),
  ...[0, 1].flatMap((pair) =>
    [lowPairs, highPairs].flatMap((half, i) => [
      ...[...get(pixels + 2 * pair), ...get(pixels + 2 * pair + 1), ...half],
      ...set(pairs + 2 * pair + i),
    ]),
  ),
  ...[0, 1, 2, 3].flatMap((plane) => [
    ...get(pick.plan),
    ...[...get(pairs + (plane >> 1)), ...get(pairs + 2 + (plane >> 1))],
    ...(plane % 2 === 0 ? shuffle(0, 1, 4, 5) : shuffle(2, 3, 6, 7)),
    ...[...get(pick.constants), ...loadSplat(4 * (first + plane)), ...vectorAdd, ...store(0)],
    ...advance(pick.plan, get(pick.plane)),
  ]),
];

/** Planes side by side, `[pixels, 8]`, one after the other, `[8, pixels]`, each plus its constant. */
const separate = vectorFunction(
  [i32, i32, i32, i32, i32],
  [
    [1, i32],
    [planesAtOnce, v128],
  ],
  loop(
    [...get(pick.to), ...set(pick.plan)],
    pickFour(0),
    pickFour(4),
    advance(pick.from, constant(4 * pixelBytes)),
    advance(pick.to, constant(vectorBytes)),
    countDown(pick.groups),
  ),
);

/** Pieces of neighbouring vectors, one after the other along an axis: where the first lies, bytes from one to the next. */
interface Pieces {
  at: number;
  step: number;
  count: number;
}

/** An axis of planes: its pieces, and as many lines of them side by side. */
interface Axis {
  length: number;
  step: number;
  vectors: number;
  lines: number;
  lineStep: number;
}

/** Splits eight planes into bands and puts them together; they lie at the beginning of its memory. */
export class Wavelets {
  readonly memory = newMemory();
  readonly #lift = lift(this.memory);
  readonly #separate = separate(this.memory);

  /** Room for planes, `[height, width, 8]`, with whatever is there; it stands until memory is reserved again. */
  planes(width: number, height: number): Float32Array<ArrayBuffer> {
    reserve(this.memory, bytesOfPlanes(width, height));
    return new Float32Array(this.memory.buffer, 0, width * height * planesAtOnce);
  }

  /** Splits the planes of this size, in place. */
  split(width: number, height: number): void {
    const other = bytesOfPlanes(width, height) / 2;
    for (const level of splitSizes(width, height)) {
      const { across, down } = axesOf(level, width);
      this.#splitAlong(across, 0, other);
      this.#splitAlong(down, other, 0);
    }
  }

  /** Puts the planes of this size together, in place. */
  join(width: number, height: number): void {
    const other = bytesOfPlanes(width, height) / 2;
    for (const level of splitSizes(width, height).reverse()) {
      const { across, down } = axesOf(level, width);
      this.#joinAlong(down, 0, other);
      this.#joinAlong(across, other, 0);
    }
  }

  /**
   * The planes one after the other, each `[height, width]` plus its constant. They stand until planes are worked on again;
   * those of this size are gone. `constantsAt`: where eight numbers lie in the memory.
   */
  separated(width: number, height: number, constantsAt: number): Float32Array<ArrayBuffer>[] {
    const groups = Math.ceil((width * height) / 4);
    const other = bytesOfPlanes(width, height) / 2;
    this.#separate(0, other, constantsAt, vectorBytes * groups, groups);
    return Array.from(
      { length: planesAtOnce },
      (_, plane) =>
        new Float32Array(this.memory.buffer, other + plane * vectorBytes * groups, width * height),
    );
  }

  #splitAlong({ length, step, vectors, lines, lineStep }: Axis, from: number, to: number): void {
    for (let line = 0; line < lines; line++, from += lineStep, to += lineStep) {
      const { even, odd } = interleaved(from, length, step);
      const { smooth, detail } = halves(to, length, step);
      this.#mirrored(detail, odd, even, 0, -0.5, vectors);
      this.#mirrored(smooth, even, detail, -1, 0.25, vectors);
    }
  }

  #joinAlong({ length, step, vectors, lines, lineStep }: Axis, from: number, to: number): void {
    for (let line = 0; line < lines; line++, from += lineStep, to += lineStep) {
      const { even, odd } = interleaved(to, length, step);
      const { smooth, detail } = halves(from, length, step);
      this.#mirrored(even, smooth, detail, -1, -0.25, vectors);
      this.#mirrored(odd, detail, even, 0, 0.5, vectors);
    }
  }

  /** Each piece of `to`: own + factor · the neighbours `first` and one further on, the nearest one beyond borders. */
  #mirrored(to: Pieces, own: Pieces, sides: Pieces, first: number, factor: number, vectors: number): void {
    const from = -first;
    const until = Math.max(from, Math.min(to.count, sides.count - 1 - first));
    const run = (start: number, count: number, before: number, after: number) => {
      if (count <= 0) return;
      const side = sides.count > 0 ? sides : own;
      this.#lift(
        to.at + start * to.step,
        own.at + start * own.step,
        side.at + before * side.step,
        side.at + after * side.step,
        to.step,
        own.step,
        side.step,
        vectors,
        count,
        // A single piece has no neighbours.
        sides.count > 0 ? factor : 0,
      );
    };
    const last = Math.max(0, sides.count - 1);
    run(0, Math.min(from, to.count), 0, 0);
    run(from, until - from, from + first, from + first + 1);
    run(until, to.count - until, last, last);
  }
}

/** Bytes of the memory that planes of this size and their work take; what lies behind is free. */
export function bytesOfPlanes(width: number, height: number): number {
  const inFours = 4 * Math.ceil((width * height) / 4);
  return 2 * inFours * pixelBytes;
}

const half = (length: number): number => (length + 1) >> 1;

/** What each level splits, the finest first. */
function splitSizes(width: number, height: number): { width: number; height: number }[] {
  const sizes: { width: number; height: number }[] = [];
  for (let level = 0; level < depth && (width > 1 || height > 1); level++) {
    sizes.push({ width, height });
    width = half(width);
    height = half(height);
  }
  return sizes;
}

/** The axes of the part of planes of `whole` columns that a level splits. */
function axesOf({ width, height }: { width: number; height: number }, whole: number) {
  const row = whole * pixelBytes;
  const vectors = pixelBytes / vectorBytes;
  const across: Axis = { length: width, step: pixelBytes, vectors, lines: height, lineStep: row };
  const down: Axis = { length: height, step: row, vectors: width * vectors, lines: 1, lineStep: 0 };
  return { across, down };
}

function interleaved(at: number, length: number, step: number): { even: Pieces; odd: Pieces } {
  const evens = half(length);
  return {
    even: { at, step: 2 * step, count: evens },
    odd: { at: at + step, step: 2 * step, count: length - evens },
  };
}

function halves(at: number, length: number, step: number): { smooth: Pieces; detail: Pieces } {
  const evens = half(length);
  return {
    smooth: { at, step, count: evens },
    detail: { at: at + evens * step, step, count: length - evens },
  };
}

/** The order in which numbers of a split plane are looked at: band after band, the coarsest first. */
interface BandScan {
  /** Where each lies in the plane. */
  places: Uint16Array;
  /** What a number there must be to add a sum of squares of 1 to the whole plane, far from borders. */
  shares: Float32Array;
}

/** Of what a 1 of a band becomes along one axis after so many levels. */
const smoothNorms = [1, 1.22474, 1.65831, 2.3184, 3.26917];
const detailNorms = [1, 0.84779, 0.96014, 1.25934, 1.74441];

let lastScan: { width: number; height: number; scan: BandScan } | null = null;

/** The scan of planes of at most 65,536 numbers. Blocks come in few sizes: the last one is kept. */
export function bandScan(width: number, height: number): BandScan {
  if (lastScan?.width === width && lastScan.height === height) return lastScan.scan;
  const sizes = splitSizes(width, height);
  const scan = { places: new Uint16Array(width * height), shares: new Float32Array(width * height) };
  let at = 0;
  const band = (left: number, right: number, top: number, bottom: number, norm: number) => {
    scan.shares.fill(1 / norm, at, at + (right - left) * (bottom - top));
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) scan.places[at++] = y * width + x;
  };
  const smooth = (length: number, level: number) => smoothNorms[splits(length, level)]!;
  const detail = (length: number, level: number) => detailNorms[splits(length, level)]!;
  const last = sizes.length;
  let { width: w, height: h } = last > 0 ? sizes[last - 1]! : { width, height };
  if (last > 0) [w, h] = [half(w), half(h)];
  band(0, w, 0, h, smooth(width, last) * smooth(height, last));
  for (let level = last; level > 0; level--) {
    const whole = sizes[level - 1]!;
    band(w, whole.width, 0, h, detail(width, level) * smooth(height, level));
    band(0, w, h, whole.height, smooth(width, level) * detail(height, level));
    band(w, whole.width, h, whole.height, detail(width, level) * detail(height, level));
    w = whole.width;
    h = whole.height;
  }
  lastScan = { width, height, scan };
  return scan;
}

/** How many of so many levels split a side: one that has come down to a pixel is left as it is. */
function splits(length: number, level: number): number {
  return Math.min(level, Math.ceil(Math.log2(length)));
}
