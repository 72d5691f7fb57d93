import {
  advance,
  constant,
  countDown,
  get,
  i32,
  load,
  loadSplat,
  loadUint16,
  loop,
  multiply,
  reserve,
  set,
  store,
  v128,
  vectorAdd,
  vectorFunction,
  vectorMultiply,
} from '../simd/vector-code.ts';
import type { StoredBlock } from './coordinate-block.ts';
import { type Coordinates, emptyCoordinates } from './coordinates.ts';
import { levelUnit } from './pixel-basis.ts';
import { bytesOfPlanes, planesAtOnce, Wavelets } from './wavelet.ts';

const local = {
  /** Byte addresses of the places (uint16), the numbers (float32) and the direction's eight weights (float32). */
  places: 0,
  numbers: 1,
  weights: 2,
  count: 3,
  to: 4,
  first: 5,
  second: 6,
  number: 7,
} as const;

/** Adds numbers by a direction's weights to the eight planes at address 0, each at its place. */
const spread = vectorFunction(
  [i32, i32, i32, i32],
  [
    [1, i32],
    [3, v128],
  ],
  [
    ...[...get(local.weights), ...load(0), ...set(local.first)],
    ...[...get(local.weights), ...load(16), ...set(local.second)],
    ...loop(
      [...get(local.places), ...loadUint16, ...constant(4 * planesAtOnce), ...multiply, ...set(local.to)],
      [...get(local.numbers), ...loadSplat(0), ...set(local.number)],
      ...[local.first, local.second].map((weights, i) => [
        ...get(local.to),
        ...[...get(local.to), ...load(16 * i)],
        ...[...get(local.number), ...get(weights), ...vectorMultiply],
        ...vectorAdd,
        ...store(16 * i),
      ]),
      advance(local.places, constant(2)),
      advance(local.numbers, constant(4)),
      countDown(local.count),
    ),
  ],
);

/** One for the whole thread: no two blocks are worked on at once, and its memory stays. */
const wavelets = new Wavelets();
const addTo = spread(wavelets.memory);

/**
 * Eight weighed sums of pixels' coordinates, `[height, width, 8]`, by weights `[rank, 8]`: bands are joined once a sum
 * instead of once a direction, after the few numbers that are not 0 have been weighed. They stand until the next call.
 */
export function weighBlock(
  { basis, width, height, ends, places, numbers }: StoredBlock,
  weights: Float32Array,
): Float32Array {
  const weightsAt = bytesOfPlanes(width, height);
  const numbersAt = weightsAt + weights.byteLength;
  const placesAt = numbersAt + numbers.byteLength;
  reserve(wavelets.memory, placesAt + places.byteLength);
  const { buffer } = wavelets.memory;
  new Float32Array(buffer, weightsAt, weights.length).set(weights);
  new Float32Array(buffer, numbersAt, numbers.length).set(numbers);
  new Uint16Array(buffer, placesAt, places.length).set(places);
  const sums = wavelets.planes(width, height).fill(0);
  let from = 0;
  ends.forEach((end, part) => {
    const direction = part % basis.rank;
    if (end > from)
      addTo(placesAt + 2 * from, numbersAt + 4 * from, weightsAt + 4 * planesAtOnce * direction, end - from);
    from = end;
  });
  wavelets.join(width, height);
  return sums;
}

/** The coordinates of a block's pixels. */
export function coordinatesOfBlock(block: StoredBlock): Coordinates {
  const { basis, width, height, valid } = block;
  const { rank } = basis;
  const coordinates = emptyCoordinates(basis, width, height);
  coordinates.valid.set(valid);
  const { levels } = coordinates;
  for (let first = 0; first < rank; first += planesAtOnce) {
    const count = Math.min(planesAtOnce, rank - first);
    const own = new Float32Array(rank * planesAtOnce);
    for (let i = 0; i < count; i++) own[(first + i) * planesAtOnce + i] = 1 / levelUnit;
    const sums = weighBlock(block, own);
    for (let row = 0; row < height; row++) {
      for (let i = 0; i < count; i++) {
        const to = (row * rank + first + i) * width;
        const from = row * width * planesAtOnce + i;
        for (let x = 0; x < width; x++) {
          const level = sums[from + x * planesAtOnce]!;
          // Storing it cuts the fraction off.
          levels[to + x] = level < 0 ? Math.max(level - 0.5, -32767) : Math.min(level + 0.5, 32767);
        }
      }
    }
  }
  if (!valid.includes(0)) return coordinates;
  for (let row = 0; row < height; row++)
    for (let k = 0; k < rank; k++)
      for (let x = 0; x < width; x++)
        if (valid[row * width + x] === 0) levels[(row * rank + k) * width + x] = 0;
  return coordinates;
}
