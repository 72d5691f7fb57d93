import type { Scene } from '../../scene/scene.ts';
import { parseRadarRecipe, type RadarRecipe } from './recipe.ts';

/** Equivalent number of looks of a Sentinel-1 GRD of high resolution, per nominal look: 4.4 of 5 (ESA, S-1 handbook). */
const independentLooks = 0.88;
/** Looks taken for scenes that do not say: between a single look and a ground range product. */
const unknownLooks = 3;
const sampleSide = 256;

/** Whether a scene's bands are radar's: it says so itself, holds complex samples, or names polarisations. */
export function isRadar({ header, radar }: Pick<Scene, 'header' | 'radar'>): boolean {
  if (radar !== undefined) return true;
  return header.bands.some(
    ({ role, type }) => type === 'complex' || (role !== null && /^(VV|VH|HH|HV)$/.test(role)),
  );
}

/**
 * A recipe to start from: sigma0 without thermal noise where the product brings its tables, a 7 × 7 refined Lee filter,
 * decibels. Samples of other scenes count as decibels where the middle of the scene holds negative ones, else as
 * amplitudes.
 */
export async function proposeRadarRecipe(
  scene: Pick<Scene, 'header' | 'read' | 'radar'>,
  signal?: AbortSignal,
): Promise<RadarRecipe> {
  const { radar, header } = scene;
  const tables = (await radar?.tables(0)) ?? null;
  const looks = radar === undefined ? unknownLooks : Math.max(1, radar.looks * independentLooks);
  const roles = header.bands.map(({ role }) => role);
  const both =
    (roles.includes('VV') && roles.includes('VH')) || (roles.includes('HH') && roles.includes('HV'));
  return {
    input: radar?.quantity ?? (await inputOf(scene, signal)),
    calibration: tables === null ? 'none' : 'sigma0',
    noise: tables !== null && tables.noise !== null && !radar!.noiseRemoved,
    multilook: { range: 1, azimuth: 1 },
    speckle: { filter: 'refined-lee', looks },
    composite: both ? 'false-colour' : 'all',
    scale: 'decibel',
    floor: tables === null ? -100 : -35,
    stretch: null,
  };
}

/** A recipe with some fields put in place of those proposed; `speckle` may be a filter's name alone. Throws `prep/bad-recipe`. */
export function changeRecipe(proposed: RadarRecipe, fields: Record<string, unknown>): RadarRecipe {
  const changed: Record<string, unknown> = { ...proposed, ...fields };
  const { range = 1, azimuth = 1 } = (fields.multilook ?? {}) as { range?: number; azimuth?: number };
  const single = 'looks' in proposed.speckle ? proposed.speckle.looks : unknownLooks;
  const name = fields.speckle === undefined ? proposed.speckle.filter : fields.speckle;
  if (typeof name === 'string') changed.speckle = usualSpeckle(name, single * range * azimuth);
  return parseRadarRecipe(changed);
}

/** A filter's usual settings. */
function usualSpeckle(filter: string, looks: number): Record<string, unknown> {
  const side = 7;
  if (filter === 'boxcar') return { filter, side };
  if (filter === 'frost') return { filter, side, damping: 2 };
  if (filter === 'lee' || filter === 'gamma-map') return { filter, side, looks };
  return filter === 'refined-lee' ? { filter, looks } : { filter };
}

async function inputOf(
  scene: Pick<Scene, 'header' | 'read'>,
  signal: AbortSignal | undefined,
): Promise<RadarRecipe['input']> {
  const { width, height } = scene.header.grid;
  const window = {
    column: Math.max(0, Math.floor((width - sampleSide) / 2)),
    row: Math.max(0, Math.floor((height - sampleSide) / 2)),
    width: Math.min(sampleSide, width),
    height: Math.min(sampleSide, height),
  };
  const { planes, valid } = await scene.read(window, [0], 0, signal);
  return valid.some((set, at) => set === 1 && planes[0]![at]! < 0) ? 'decibel' : 'amplitude';
}
