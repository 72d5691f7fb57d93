import { z } from 'zod';
import { Problem } from '../../report/problem.ts';

const side = z
  .int()
  .min(3)
  .max(31)
  .refine((value) => value % 2 === 1, 'an odd number');
const looks = z.number().positive().max(10_000);

const speckle = z.discriminatedUnion('filter', [
  z.strictObject({ filter: z.literal('none') }),
  z.strictObject({ filter: z.literal('boxcar'), side }),
  z.strictObject({ filter: z.literal('lee'), side, looks }),
  /** Always 7 × 7. */
  z.strictObject({ filter: z.literal('refined-lee'), looks }),
  z.strictObject({ filter: z.literal('frost'), side, damping: z.number().positive().max(100) }),
  z.strictObject({ filter: z.literal('gamma-map'), side, looks }),
]);

/** How a radar scene becomes the bands that are shown and segmented: plain JSON, recorded with the run. */
export const radarRecipe = z.strictObject({
  /** What the scene's samples are: magnitudes (also of complex samples), their squares, or 10·log10 of those. */
  input: z.enum(['amplitude', 'power', 'decibel']),
  calibration: z.enum(['none', 'sigma0', 'beta0', 'gamma0']),
  /** Take the product's thermal noise off. */
  noise: z.boolean(),
  /** Pixels averaged (power) along range (columns) and azimuth (rows). */
  multilook: z.strictObject({ range: z.int().min(1).max(64), azimuth: z.int().min(1).max(64) }),
  /** `looks`: equivalent number of looks of the multilooked pixels. `damping`: 2 is usual. */
  speckle,
  composite: z.enum(['all', 'VV', 'VH', 'HH', 'HV', 'ratio', 'false-colour']),
  scale: z.enum(['linear', 'decibel']),
  /** Power below this (dB) counts as this: noise removal leaves pixels at or below zero. */
  floor: z.number().min(-100).max(20),
  /** Of each output band, in its scale: `low` becomes 0 and `high` 255, rounded and clamped. Null: values as they are. */
  stretch: z
    .array(
      z
        .strictObject({ low: z.number(), high: z.number() })
        .refine(({ low, high }) => low < high, 'low below high'),
    )
    .min(1)
    .max(4)
    .nullable(),
});

export type RadarRecipe = z.infer<typeof radarRecipe>;
export type SpeckleSettings = RadarRecipe['speckle'];

/** A recipe from JSON. Throws `prep/bad-recipe`, which names what is wrong. */
export function parseRadarRecipe(value: unknown): RadarRecipe {
  const parsed = radarRecipe.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Problem(
    'prep/bad-recipe',
    `The radar recipe does not fit: ${issue?.path.join('.') || 'recipe'}: ${issue?.message ?? 'invalid'}.`,
    'Take the recipe of an earlier run as a pattern.',
  );
}

/** The recipe in words, for `info` and the record of a run. */
export function recipeText(recipe: RadarRecipe): string {
  const { multilook, speckle } = recipe;
  const steps = [recipe.calibration === 'none' ? 'uncalibrated' : recipe.calibration];
  if (recipe.noise) steps.push('thermal noise removed');
  if (multilook.range * multilook.azimuth > 1)
    steps.push(`multilooked ${multilook.range} × ${multilook.azimuth}`);
  if (speckle.filter !== 'none') {
    const size = speckle.filter === 'refined-lee' ? 7 : speckle.side;
    steps.push(`${speckle.filter} ${size} × ${size}`);
  }
  steps.push(recipe.composite, recipe.scale === 'decibel' ? 'dB' : 'linear');
  return steps.join(', ');
}
