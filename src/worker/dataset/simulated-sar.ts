import { kind } from '../synthetic/classes.ts';
import { Random } from '../synthetic/random.ts';

/**
 * Backscatter at C band, like polarisation, by what a pixel shows: rounded means and spreads between scenes in dB
 * (Ulaby and Dobson, Handbook of Radar Scattering Statistics for Terrain, 1989, for the order of land covers).
 */
const backscatter = new Map<number, readonly [mean: number, spread: number]>([
  [kind.house, [-3, 3]],
  [kind.hall, [-1, 4]],
  [kind.block, [1, 3]],
  [kind.asphalt, [-17, 2]],
  [kind.track, [-15, 2]],
  [kind.pavement, [-14, 3]],
  [kind.forest, [-8, 1]],
  [kind.tree, [-8, 1.5]],
  [kind.hedge, [-9, 1.5]],
  [kind.meadow, [-12, 1.5]],
  [kind.lawn, [-13, 1.5]],
  [kind.greenCrop, [-10, 2]],
  [kind.ripeCrop, [-12, 2]],
  [kind.ploughed, [-11, 2]],
  [kind.soil, [-14, 2]],
  [kind.sand, [-18, 2]],
  [kind.river, [-22, 2]],
  [kind.lake, [-23, 2]],
  [kind.pool, [-22, 2]],
  [kind.sea, [-20, 3]],
]);

const isBuilding = (id: number): boolean => id === kind.house || id === kind.hall || id === kind.block;

/**
 * What a radar might see of a synthetic scene, in dB `[height · width]`: its land cover's backscatter, walls that face the
 * radar bright, the ground behind buildings in shadow, and speckle of several looks. No terrain, no layover.
 */
export function simulateSar(kinds: Uint8Array, width: number, height: number, seed: number): Float32Array {
  const random = new Random(seed).fork('radar');
  const level = new Float32Array(256);
  for (const [id, [mean, spread]] of backscatter) level[id] = mean + spread * random.range(-1, 1);
  const looks = 1 + random.integer(6);
  const away = random.chance(0.5) ? 1 : -1;
  const shadow = 1 + random.integer(5);
  const out = new Float32Array(width * height);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const built = isBuilding(kinds[at]!);
      const before = column - away;
      let decibels = level[kinds[at]!]!;
      if (built && (before < 0 || before >= width || !isBuilding(kinds[at - away]!))) decibels += 7;
      if (!built)
        for (let step = 1; step <= shadow; step++) {
          const source = column - away * step;
          if (source < 0 || source >= width) break;
          if (isBuilding(kinds[at - away * step]!)) {
            decibels = Math.min(decibels, -20);
            break;
          }
        }
      // The mean of exponential intensities has a gamma distribution.
      let intensity = 0;
      for (let look = 0; look < looks; look++) intensity -= Math.log(1 - random.next());
      out[at] = decibels + 10 * Math.log10(Math.max(intensity / looks, 1e-4));
    }
  }
  return out;
}
