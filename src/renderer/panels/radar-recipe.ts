/** The recipe as `scenes.preparation` tells it; `src/worker/prep/sar/recipe.ts` says what each field does. */
export interface RadarRecipe {
  input: 'amplitude' | 'power' | 'decibel';
  calibration: 'none' | 'sigma0' | 'beta0' | 'gamma0';
  noise: boolean;
  multilook: { range: number; azimuth: number };
  speckle: Speckle;
  composite: 'all' | 'VV' | 'VH' | 'HH' | 'HV' | 'ratio' | 'false-colour';
  scale: 'linear' | 'decibel';
  floor: number;
  stretch: { low: number; high: number }[] | null;
}

export type Speckle =
  | { filter: 'none' }
  | { filter: 'boxcar'; side: number }
  | { filter: 'lee' | 'gamma-map'; side: number; looks: number }
  | { filter: 'refined-lee'; looks: number }
  | { filter: 'frost'; side: number; damping: number };

/** Stretches to begin with, one for each band that the composite makes: what land and water usually span. */
export function stretchesOf(
  { composite, scale }: RadarRecipe,
  bands: number,
): { low: number; high: number }[] {
  const count = composite === 'all' ? bands : composite === 'false-colour' ? 3 : 1;
  const usualRange = scale === 'decibel' ? { low: -25, high: 0 } : { low: 0, high: 0.3 };
  const ratio = scale === 'decibel' ? { low: 0, high: 15 } : { low: 0, high: 20 };
  return Array.from({ length: Math.min(4, count) }, (_, band) =>
    composite === 'ratio' || (composite === 'false-colour' && band === 2) ? ratio : usualRange,
  );
}
