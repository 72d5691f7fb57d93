import { prepareRadar } from '../prep/sar/prepare-radar.ts';
import { changeRecipe, isRadar, proposeRadarRecipe } from '../prep/sar/propose-recipe.ts';
import { type RadarRecipe, recipeText } from '../prep/sar/recipe.ts';
import { type Crs, transformer } from '../raster/crs.ts';
import { boxAround, boxOutline, type Extent, extentWindow, gridOutline } from '../raster/extent.ts';
import type { Window } from '../raster/grid.ts';
import { Problem } from '../report/problem.ts';
import { openScene } from '../scene/open-scene.ts';
import { placeScene } from '../scene/placed-scene.ts';
import type { Scene } from '../scene/scene.ts';

export type Modality = 'optical' | 'sar';

export interface RadarPreparationRequest {
  scene: string;
  /** null: what the scene says of itself. */
  modality: Modality | null;
  /** Fields of the recipe that are not to be those proposed; null: none. */
  radar: Record<string, unknown> | null;
}

/** How a scene is looked at; plain JSON. */
export interface RadarPreparation {
  modality: Modality;
  /** Null for optical scenes, and for radar pictures of 8 bits, which somebody has prepared already. */
  recipe: RadarRecipe | null;
  /** One sentence for the user. */
  reason: string;
  /** What is odd about the scene, as `landscribe info` tells it. */
  warning: string | null;
}

/** Modality and recipe of a scene's file. Throws as `openScene`, and `prep/bad-recipe`. */
export async function planRadarPreparation(
  request: RadarPreparationRequest,
  signal?: AbortSignal,
): Promise<RadarPreparation> {
  const scene = await openScene(request.scene, signal);
  try {
    return await radarPreparationOf(scene, request.modality, request.radar, signal);
  } finally {
    await scene.close();
  }
}

/** Modality and recipe of an opened scene. */
export async function radarPreparationOf(
  scene: Pick<Scene, 'header' | 'read' | 'radar'>,
  asked: Modality | null,
  fields: Record<string, unknown> | null,
  signal?: AbortSignal,
): Promise<RadarPreparation> {
  const found = isRadar(scene);
  const warning = scene.header.details.warning ?? null;
  const modality = asked ?? (found || fields !== null ? 'sar' : 'optical');
  if (modality === 'optical') {
    if (fields !== null) {
      throw new Problem(
        'prep/bad-recipe',
        `${scene.header.path} is to be read as optical, but a radar recipe is given.`,
        'Leave out either.',
      );
    }
    return {
      modality,
      recipe: null,
      reason: found ? 'A radar scene, read as optical as asked.' : 'Optical scene.',
      warning,
    };
  }
  const why = asked === null && found ? 'Radar scene' : 'Radar scene, as asked';
  const bands = scene.header.bands.filter(({ role }) => role !== 'alpha');
  if (fields === null && !found && bands.every(({ type }) => type === 'uint8')) {
    return { modality, recipe: null, reason: `${why}: 8-bit values stay as they are.`, warning };
  }
  const proposed = await proposeRadarRecipe(scene, signal);
  // The encoders have learnt from grey pictures of one polarisation; colours are for people.
  const main = bands.find(({ role }) => role === 'VV' || role === 'HH')?.role;
  const composite = main === 'VV' || main === 'HH' ? main : 'all';
  const recipe = changeRecipe({ ...proposed, composite }, fields ?? {});
  return { modality, recipe, reason: `${why}: ${recipeText(recipe)}.`, warning };
}

/** A scene as runs see it: prepared by a recipe, and on a regular grid where it has only ground control points. */
export interface RunScene {
  scene: Pick<Scene, 'header' | 'read'>;
  /** The system of the file itself, where the scene was laid into another. */
  placedFrom: Crs | null;
  close(): Promise<void>;
}

/** The pixels of a run's scene that an extent touches; coordinates are the file's own. Throws `scene/outside-extent`. */
export function runWindow({ scene, placedFrom }: RunScene, extent: Extent | null): Window {
  const { grid } = scene.header;
  if (extent === null) return { column: 0, row: 0, width: grid.width, height: grid.height };
  if (extent.unit === 'pixels' || placedFrom === null || grid.crs === null) return extentWindow(grid, extent);
  const toGrid = transformer(placedFrom, grid.crs);
  const toFile = transformer(grid.crs, placedFrom);
  if (toGrid === null || toFile === null) return extentWindow(grid, extent);
  const box = boxAround(boxOutline(extent.box).map(([x, y]) => toGrid(x, y)));
  return extentWindow(
    grid,
    { unit: 'crs', box },
    { box: extent.box, covered: () => boxAround(gridOutline(grid).map(([x, y]) => toFile(x, y))) },
  );
}

/** Opens a scene for a run. Throws as `openScene`, `prepareRadar` and `placeScene`. */
export async function openRunScene(
  path: string,
  recipe: RadarRecipe | null,
  cacheBytes: number,
  signal?: AbortSignal,
): Promise<RunScene> {
  const source = await openScene(path, signal, { cacheBytes });
  try {
    const prepared = recipe === null ? source : await prepareRadar(source, recipe);
    const { groundControl, crs } = prepared.header.grid;
    const placing = groundControl !== undefined && crs !== null;
    const scene = placing ? placeScene(prepared) : prepared;
    return { scene, placedFrom: placing ? crs : null, close: () => source.close() };
  } catch (failure) {
    await source.close();
    throw failure;
  }
}
