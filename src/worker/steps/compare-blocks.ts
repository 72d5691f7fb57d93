import type { MessagePort } from 'node:worker_threads';
import { CoordinateReader } from '../features/coordinate-store.ts';
import { CoordinateProjector } from '../features/coordinates.ts';
import { damagedStore } from '../features/record-log.ts';
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
 * height, width]`; empty for a block without any.
 */
export type CompareBlock = (column: number, row: number) => Promise<Float32Array>;

/** Compares a store's blocks in this thread. */
export function comparer(reader: CoordinateReader, projector: CoordinateProjector): CompareBlock {
  return async (column, row) => {
    const block = await reader.block(column, row);
    if (block === null) return new Float32Array(0);
    const { width, height, levels, valid, basis } = block;
    const plane = width * height;
    const compared = new Float32Array((projector.words + 1) * plane);
    for (let y = 0; y < height; y++)
      projector.project(levels, y * basis.rank * width, width, width, compared, y * width, plane);
    compared.set(valid, projector.words * plane);
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
      const compare = comparer(reader, new CoordinateProjector(reader.basis, embeddings));
      return closed ? 0 : await serveWindows(port, ({ block }) => compare(block!.column, block!.row));
    } finally {
      await reader.close();
    }
  } finally {
    port.close();
  }
}
