import type { Crs } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { Home } from '../packs/home.ts';
import type { RunSettings } from '../rpc/runs.ts';
import { checkSegmentRequest, type SegmentInput } from '../run/segment-request.ts';
import { betweenOrThrow, projectBox } from './coordinates.ts';
import type { SceneFacts } from './open-project.ts';
import { folderOfPack } from './pack-facts.ts';

/** The screen's settings as the job takes them. */
export type SegmentSettings = Omit<SegmentInput, 'scene' | 'out' | 'formats' | 'overwrite'>;

/**
 * Settings of a run of this scene, checked: names of packs become folders, a box of the project's system one of the
 * scene's. Throws `Problem` for what is wrong before anything is queued.
 */
export async function runSettingsFor(
  settings: RunSettings,
  facts: SceneFacts,
  ofProject: Crs | null,
  home: Home,
): Promise<SegmentSettings & Record<string, never>> {
  const { prompts, extent, threads, threshold, radar, ...rest } = settings;
  const own = extent && projectBox(extent, betweenOrThrow(ofProject, facts.asCrs));
  if (extent && !own)
    throw new Problem('run/extent', 'The box does not lie on the scene.', 'Draw another one.');
  const isRadar = facts.info.modality === 'sar';
  const recipe = isRadar ? (radar ?? facts.radar ?? null) : null;
  const asked: SegmentSettings = {
    ...(rest as Omit<typeof rest, 'provider'> &
      Record<'provider' | 'attention' | 'upsampler' | 'templates', never>),
    pack: await folderOfPack(settings.pack, home),
    classes: prompts.map(({ name, words, colour }, i) => ({ id: i + 1, name, words, colour })),
    threshold: prompts.some((prompt) => prompt.threshold !== null)
      ? prompts.map((prompt) => prompt.threshold ?? threshold)
      : threshold,
    extent: own && { unit: 'crs', box: own },
    ...(threads !== null && { threads }),
    ...(facts.asModality !== null && { modality: facts.asModality }),
    ...(recipe !== null && { radar: recipe }),
  };
  checkSegmentRequest({ ...asked, scene: facts.path, out: 'result' });
  return JSON.parse(JSON.stringify(asked));
}
