import type { FeatureReader } from '../features/feature-store.ts';
import { Problem } from '../report/problem.ts';

/** Throws where the stored windows were not made of the pixels that this run reads. */
export function checkPixels(
  { header, folder }: FeatureReader,
  {
    bands,
    stretch,
    grid,
    radar,
  }: {
    bands: number[];
    stretch: unknown;
    radar: unknown;
    grid: { width: number; height: number; scale: number };
  },
): void {
  const { pixels } = header.identity;
  const now = {
    bands: bands.map((band) => band + 1),
    grid: { width: grid.width, height: grid.height, scale: grid.scale },
    stretch,
    radar,
  };
  for (const [key, value] of Object.entries(now)) {
    if (JSON.stringify(pixels[key] ?? null) === JSON.stringify(value)) continue;
    throw new Problem(
      'features/settings',
      `${folder} was encoded with another ${key === 'grid' ? 'working resolution' : key === 'radar' ? 'radar recipe' : key}.`,
      'Prompt with the settings it was encoded with, or encode again.',
    );
  }
}
