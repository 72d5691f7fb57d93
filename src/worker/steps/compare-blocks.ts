import type { MessagePort } from 'node:worker_threads';
import { CoordinateReader } from '../features/coordinate-store.ts';
import { wordWeights } from '../features/coordinates.ts';
import { damagedStore } from '../features/record-log.ts';
import { planesAtOnce } from '../features/wavelet.ts';
import { weighBlock } from '../features/weigh-block.ts';
import { coordinateLabeller } from './coordinate-labeller.ts';
import { serveWindows } from './remote-lane.ts';

export interface CompareRequest {
  /** The store. */
  folder: string;
  upsample: boolean;
  /** Normalised word embeddings `[words, embedding]`. */
  embeddings: Float32Array;
  port: MessagePort;
}

/**
 * A block of pixels compared with words: similarities, then a plane that is 1 where there are measurements, `[words + 1,
 * height, width]`; empty for a block without any. `room`, an earlier answer, is used again: arrays that come and go by the
 * hundred keep the collector busy.
 */
export type CompareBlock = (column: number, row: number, room: Float32Array) => Promise<Float32Array>;

/**
 * Compares a store's blocks in this thread.
 *
 * @param embeddings normalised word embeddings `[words, embedding]`
 */
export function comparer(reader: CoordinateReader, embeddings: Float32Array): CompareBlock {
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

/** Compares the blocks that come through the port until it closes; returns their number. */
export async function compareBlocks({ folder, upsample, embeddings, port }: CompareRequest): Promise<number> {
  // The other end may close before the store is open.
  let closed = false;
  port.once('close', () => {
    closed = true;
  });
  try {
    const reader = await CoordinateReader.open(folder, coordinateLabeller(upsample));
    if (reader === null) throw damagedStore(folder);
    try {
      const compare = comparer(reader, embeddings);
      return closed
        ? 0
        : await serveWindows(port, ({ block, pixels }) => compare(block!.column, block!.row, pixels));
    } finally {
      await reader.close();
    }
  } finally {
    port.close();
  }
}
