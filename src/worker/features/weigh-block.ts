import { reserve } from '../simd/vector-code.ts';
import type { StoredBlock } from './coordinate-block.ts';
import { type Coordinates, emptyCoordinates } from './coordinates.ts';
import { levelUnit } from './pixel-basis.ts';
import { damagedStore } from './record-log.ts';
import { spread } from './spread-kernel.ts';
import { bandScan, bytesOfPlanes, planesAtOnce, Wavelets } from './wavelet.ts';

/** One for the whole thread: no two blocks are weighed at once, and its memory stays. */
const wavelets = new Wavelets();
const spreadOver = spread(wavelets.memory);

/**
 * Eight constants plus weighed sums of pixels' coordinates, each `[height, width]`, by weights `[rank, 8]`: bands are joined
 * once a sum instead of once a direction, after the few numbers that are not 0 have been weighed. They stand until the next
 * call. Throws `features/damaged`.
 */
export function weighBlock(
  block: StoredBlock,
  weights: Float32Array,
  constants: Float32Array,
): Float32Array<ArrayBuffer>[] {
  const { basis, width, height, bytes, runs, codes, store } = block;
  const { memory } = wavelets;
  const pixels = width * height;
  const scan = bandScan(width, height);
  // Behind the planes, the largest first, as they are aligned.
  const weightsAt = bytesOfPlanes(width, height);
  const constantsAt = weightsAt + weights.byteLength;
  const endsAt = constantsAt + constants.byteLength;
  const sharesAt = endsAt + 8;
  const placesAt = sharesAt + 4 * pixels;
  const bytesAt = placesAt + 2 * pixels;
  reserve(memory, bytesAt + bytes.length);
  const { buffer } = memory;
  const own = new Float32Array(buffer, weightsAt, weights.length);
  weights.forEach((weight, i) => {
    own[i] = basis.step * weight;
  });
  new Float32Array(buffer, constantsAt, planesAtOnce).set(constants);
  const ends = new Int32Array(buffer, endsAt, 2).fill(-1);
  new Float32Array(buffer, sharesAt, pixels).set(scan.shares);
  new Uint16Array(buffer, placesAt, pixels).set(scan.places);
  new Uint8Array(buffer, bytesAt, bytes.length).set(bytes);
  wavelets.planes(width, height).fill(0);
  try {
    spreadOver(
      bytesAt,
      bytesAt + runs,
      bytesAt + codes,
      weightsAt,
      endsAt,
      sharesAt,
      placesAt,
      pixels,
      basis.rank,
      runs / 2,
    );
  } catch {
    // It has read or written beyond the memory.
    throw damagedStore(store);
  }
  if (ends[0] !== bytesAt + codes || ends[1] !== bytesAt + bytes.length) throw damagedStore(store);
  wavelets.join(width, height);
  return wavelets.separated(width, height, constantsAt);
}

const nothing = new Float32Array(planesAtOnce);

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
    const sums = weighBlock(block, own, nothing);
    for (let row = 0; row < height; row++) {
      for (let i = 0; i < count; i++) {
        const to = (row * rank + first + i) * width;
        const plane = sums[i]!;
        for (let x = 0; x < width; x++) {
          const level = plane[row * width + x]!;
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
