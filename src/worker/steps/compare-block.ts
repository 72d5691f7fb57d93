import type { CoordinateReader } from '../features/coordinate-store.ts';
import { wordWeights } from '../features/coordinates.ts';
import { planesAtOnce } from '../features/wavelet.ts';
import { weighBlock } from '../features/weigh-block.ts';

/**
 * A block of pixels compared with words: similarities, then a plane that is 1 where there are measurements, `[words + 1,
 * height, width]`; empty for a block without any. `room`, an earlier result, is used again: arrays that come and go by the
 * hundred keep the collector busy.
 */
export type CompareBlock = (column: number, row: number, room: Float32Array) => Promise<Float32Array>;

/** @param embeddings normalised word embeddings `[words, embedding]` */
export function blockComparer(reader: CoordinateReader, embeddings: Float32Array): CompareBlock {
  const { rank } = reader.basis;
  const { words, constants, weights } = wordWeights(reader.basis, embeddings);
  const groups = Array.from({ length: Math.ceil(words / planesAtOnce) }, (_, g) => {
    const first = g * planesAtOnce;
    const count = Math.min(planesAtOnce, words - first);
    const own = {
      first,
      weights: new Float32Array(rank * planesAtOnce),
      constants: new Float32Array(planesAtOnce),
    };
    for (let i = 0; i < count; i++) {
      own.constants[i] = constants[first + i]!;
      for (let k = 0; k < rank; k++) own.weights[k * planesAtOnce + i] = weights[(first + i) * rank + k]!;
    }
    return own;
  });
  return async (column, row, room) => {
    const block = await reader.block(column, row);
    if (block === null) return new Float32Array(0);
    const plane = block.width * block.height;
    const length = (words + 1) * plane;
    const compared = room.length === length ? room : new Float32Array(length);
    for (const { first, weights, constants } of groups) {
      const sums = weighBlock(block, weights, constants);
      for (let i = 0; i < sums.length && first + i < words; i++) compared.set(sums[i]!, (first + i) * plane);
    }
    compared.set(block.valid, words * plane);
    return compared;
  };
}
