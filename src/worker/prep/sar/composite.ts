import { Problem } from '../../report/problem.ts';
import type { BandHeader } from '../../scene/scene.ts';
import type { RadarRecipe } from './recipe.ts';

/** One band of the result: a scene band's power, or the quotient of two. */
export interface CompositeBand {
  name: string;
  role: string | null;
  /** 0-based. */
  band: number;
  /** Divides, or null. */
  by: number | null;
}

/**
 * The output bands of a composite. `ratio` is co- over cross-polarised power (VV/VH or HH/HV); `false-colour` is
 * co-polarised, cross-polarised, ratio as red, green, blue. Throws `prep/no-polarisation`.
 */
export function compositeBands(
  bands: readonly BandHeader[],
  composite: RadarRecipe['composite'],
): CompositeBand[] {
  const single = (band: number, role: string | null): CompositeBand => ({
    name: bands[band]!.name,
    role,
    band,
    by: null,
  });
  if (composite === 'all')
    return bands.flatMap(({ role }, band) => (role === 'alpha' ? [] : [single(band, role)]));
  const find = (...roles: string[]): number => {
    for (const role of roles) {
      const band = bands.findIndex((entry) => entry.role === role);
      if (band >= 0) return band;
    }
    throw new Problem(
      'prep/no-polarisation',
      `The scene has no band of polarisation ${roles.join(' or ')}; its bands are ${bands.map(({ name }) => name).join(', ')}.`,
      'Choose the composite “all”, or open the whole product.',
    );
  };
  if (composite === 'ratio' || composite === 'false-colour') {
    const co = find('VV', 'HH');
    const cross = bands[co]!.role === 'VV' ? find('VH') : find('HV');
    const quotient = { name: `${bands[co]!.role}/${bands[cross]!.role}`, band: co, by: cross };
    if (composite === 'ratio') return [{ ...quotient, role: null }];
    return [single(co, 'red'), single(cross, 'green'), { ...quotient, role: 'blue' }];
  }
  return [single(find(composite), composite)];
}
