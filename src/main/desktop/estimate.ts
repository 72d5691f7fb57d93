import { plainWords } from '../../worker/classmap/class-words.ts';
import { unknownWords } from '../../worker/pack/known-words.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import { groundSampleDistance } from '../../worker/scene/ground-sample-distance.ts';
import type { Speed } from '../../worker/steps/measure-speed.ts';
import type { Estimate } from '../rpc/runs.ts';
import { durationOf, workloadOf } from '../run/estimate.ts';
import { encoderNote, scoringOf } from '../run/scoring.ts';
import { checkSegmentRequest } from '../run/segment-request.ts';
import type { SceneFacts } from './open-project.ts';
import type { SegmentSettings } from './run-settings.ts';

/** Unknown words that a warning names; the Prompts panel marks them all. */
const mostNamed = 5;

/** What a run of these settings will be. `speed` is what was measured, or null. */
export async function estimateRun(
  settings: SegmentSettings,
  facts: SceneFacts,
  speed: Speed | null,
): Promise<Estimate> {
  const request = checkSegmentRequest({ ...settings, scene: facts.path, out: 'estimate' });
  const pack = await openPack(request.pack);
  const { manifest } = pack;
  const { width, height, transform, asCrs } = facts;
  const grid = { width, height, transform, crs: asCrs };
  const work = workloadOf(request, pack, grid, groundSampleDistance(grid));
  const words = plainWords(request.classes.flatMap((entry) => entry.words));
  const warnings: string[] = [];
  const unknown = manifest.knownWords === null ? [] : unknownWords(manifest.knownWords, words);
  if (unknown.length > 0)
    warnings.push(
      `The model ${manifest.name} does not know ${unknown
        .slice(0, mostNamed)
        .map((word) => `“${word}”`)
        .join(', ')}${unknown.length > mostNamed ? ` and ${unknown.length - mostNamed} more` : ''}.`,
    );
  if (facts.info.modality === 'sar' && !manifest.encoders.sar)
    warnings.push(`This is a radar scene, and the model ${manifest.name} has only learnt optical ones.`);
  if (request.classes.length === 1 && request.background === null && request.threshold === 0)
    warnings.push('With one class and no threshold, everything becomes that class.');
  return {
    windows: work.windows,
    width: work.width,
    height: work.height,
    workingResolution: work.working.resolution,
    seconds: speed && durationOf(work, speed).seconds,
    provider: request.provider,
    lanes: work.lanes,
    threadsPerLane: work.threadsPerLane,
    warnings,
    notes:
      facts.info.modality === 'sar' && manifest.encoders.sar
        ? [encoderNote(scoringOf(request, pack, 'sar'), pack)]
        : [],
  };
}
