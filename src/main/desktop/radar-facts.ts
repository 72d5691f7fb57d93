import { openPack } from '../../worker/pack/open-pack.ts';
import { compositeBands } from '../../worker/prep/sar/composite.ts';
import { type RadarRecipe, radarRecipe } from '../../worker/prep/sar/recipe.ts';
import { openScene } from '../../worker/scene/open-scene.ts';
import type { Scene } from '../../worker/scene/scene.ts';
import { radarPreparationOf } from '../../worker/steps/radar-preparation.ts';
import { preparationNotes, scoringOf } from '../run/scoring.ts';
import { checkSegmentRequest } from '../run/segment-request.ts';
import type { SceneFacts } from './open-project.ts';

/** How runs with the pack of a folder will look at a scene. Throws `scene/…`, `pack/…` and `prep/bad-recipe`. */
export async function describePreparation(facts: SceneFacts, packFolder: string, signal?: AbortSignal) {
  const pack = await openPack(packFolder);
  const scene = await openScene(facts.path, signal, { cacheBytes: 16 << 20 });
  try {
    const { asModality, radar } = facts;
    const isRadar = facts.info.modality === 'sar';
    const proposed = await radarPreparationOf(scene, asModality, null, signal);
    const preparation = isRadar
      ? await radarPreparationOf(scene, asModality, radar ?? null, signal)
      : proposed;
    const tables = (await scene.radar?.tables(0)) ?? null;
    const classes = [{ id: 1, name: 'any', words: ['any'], colour: '#000000' }];
    const request = checkSegmentRequest({ scene: facts.path, pack: packFolder, classes, out: 'preparation' });
    return {
      modality: preparation.modality,
      recipe: plain(preparation.recipe),
      proposed: plain(proposed.recipe),
      composites: isRadar ? compositesOf(scene) : [],
      calibration: tables !== null,
      noise: tables !== null && tables.noise !== null && scene.radar?.noiseRemoved === false,
      notes: preparationNotes(preparation, scoringOf(request, pack, preparation.modality), pack),
    };
  } finally {
    await scene.close();
  }
}

function plain(recipe: RadarRecipe | null) {
  return recipe === null ? null : JSON.parse(JSON.stringify(recipe));
}

/** Composites that the scene has the bands for. */
function compositesOf({ header }: Pick<Scene, 'header'>): string[] {
  return radarRecipe.shape.composite.options.filter((composite) => {
    try {
      compositeBands(header.bands, composite);
      return true;
    } catch {
      return false;
    }
  });
}
