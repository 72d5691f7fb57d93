import { Problem } from '../report/problem.ts';
import type { BandHeader } from '../scene/scene.ts';

/**
 * The three bands, 0-based, that stand for red, green and blue. `requested` is what `--bands` takes: one or three numbers
 * from 1, by commas. Otherwise the bands with these roles, else the first three; a scene of one or two bands repeats its
 * first, as grey. Alpha is never chosen by itself. Throws `prep/bad-bands`.
 */
export function chooseBands(bands: readonly BandHeader[], requested?: string): [number, number, number] {
  if (requested !== undefined) return requestedBands(bands.length, requested);
  const byRole = ['red', 'green', 'blue'].map((role) => bands.findIndex((band) => band.role === role));
  if (byRole.every((index) => index >= 0)) return byRole as [number, number, number];
  const measured = bands.flatMap((band, index) => (band.role === 'alpha' ? [] : [index]));
  const first = measured[0] ?? 0;
  if (measured.length < 3) return [first, first, first];
  return [first, measured[1]!, measured[2]!];
}

function requestedBands(count: number, requested: string): [number, number, number] {
  const words = requested.split(',').map((word) => word.trim());
  const indices = words.map((word) => (/^\d{1,5}$/.test(word) ? Number(word) - 1 : -1));
  if (
    (indices.length !== 3 && indices.length !== 1) ||
    indices.some((index) => index < 0 || index >= count)
  ) {
    throw new Problem(
      'prep/bad-bands',
      `--bands ${requested} does not fit a scene of ${count} ${count === 1 ? 'band' : 'bands'}.`,
      `Give three band numbers from 1 to ${count} for red, green and blue, such as 3,2,1, or one for grey.`,
    );
  }
  const [red, green, blue] = indices as [number, number?, number?];
  return [red, green ?? red, blue ?? red];
}
