import { deflateSync, inflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { TileCompressor } from '../../../src/worker/classmap/tile-compressor.ts';

it('compresses one tile after another as zlib does each alone, whatever came before', async () => {
  const compressor = new TileCompressor(6, 4096);
  let hash = 1;
  try {
    for (let round = 0; round < 60; round++) {
      // Empty, smooth and incompressible tiles; some larger than the chunk, so that several pieces come back.
      const tile = new Uint8Array(round % 7 === 0 ? 70_000 : 4096).map((_, index) => {
        hash = (Math.imul(hash, 48_271) + index) >>> 0;
        return round % 3 === 0 ? 0 : round % 3 === 1 ? index >> 5 : hash >>> 24;
      });
      const compressed = await compressor.compress(tile);
      expect(compressed.equals(deflateSync(tile, { level: 6 }))).toBe(true);
      expect(Buffer.from(tile).equals(inflateSync(compressed))).toBe(true);
    }
  } finally {
    compressor.close();
  }
});
