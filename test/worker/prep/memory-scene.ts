import { pixelTransform } from '../../../src/worker/raster/affine.ts';
import type { Bands, Samples } from '../../../src/worker/raster/bands.ts';
import { clipWindow, type Grid, type Window } from '../../../src/worker/raster/grid.ts';
import type { BandHeader, Scene } from '../../../src/worker/scene/scene.ts';

/** A scene in memory: planes of the whole raster and its validity. */
export function memoryScene(
  width: number,
  height: number,
  planes: readonly Samples[],
  valid: Uint8Array,
  type: BandHeader['type'],
): Scene {
  const grid: Grid = { width, height, transform: pixelTransform, crs: null };
  return {
    header: {
      path: 'memory',
      format: 'memory',
      grid,
      bands: planes.map((_, index) => ({ name: `band ${index + 1}`, role: null, type, nodata: null })),
      overviews: [],
      groundSampleDistance: null,
      details: {},
    },
    async read(window: Window, bands: readonly number[]): Promise<Bands> {
      const inside = clipWindow(window, width, height);
      const size = window.width * window.height;
      const result: Bands = {
        width: window.width,
        height: window.height,
        planes: [],
        valid: new Uint8Array(size),
      };
      result.planes = bands.map((band) => {
        const source = planes[band]!;
        const plane = source instanceof Uint8Array ? new Uint8Array(size) : new Float64Array(size);
        for (let row = inside.row; row < inside.row + inside.height; row++) {
          for (let column = inside.column; column < inside.column + inside.width; column++) {
            plane[(row - window.row) * window.width + column - window.column] = source[row * width + column]!;
          }
        }
        return plane;
      });
      for (let row = inside.row; row < inside.row + inside.height; row++) {
        for (let column = inside.column; column < inside.column + inside.width; column++) {
          result.valid[(row - window.row) * window.width + column - window.column] =
            valid[row * width + column]!;
        }
      }
      return result;
    },
    close: async () => {},
  };
}

/** mulberry32: numbers in [0, 1) from a seed. */
export function randomNumbers(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
