import { plainWords } from '../../worker/classmap/class-words.ts';
import { unknownWords } from '../../worker/pack/known-words.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import { chooseWorkingGrid } from '../../worker/prep/working-grid.ts';
import { extentWindow } from '../../worker/raster/extent.ts';
import { groundSampleDistance } from '../../worker/scene/ground-sample-distance.ts';
import { planWindows, selectWindows } from '../../worker/tile/plan.ts';
import { workingRange } from '../../worker/tile/sampling.ts';
import type { Estimate } from '../rpc/runs.ts';
import { lanesOf } from '../run/memory-plan.ts';
import { encoderNote, scoringOf } from '../run/scoring.ts';
import { checkSegmentRequest } from '../run/segment-request.ts';
import type { SceneFacts } from './open-project.ts';
import type { SegmentSettings } from './run-settings.ts';

/** Pixels of the windows that speed was measured with. */
const measuredPixels = 224 * 224;

/**
 * What a run of these settings will be. `windowsPerSecond` is the measured speed with all `cores`, or null.
 */
export async function estimateRun(
  settings: SegmentSettings,
  facts: SceneFacts,
  windowsPerSecond: number | null,
  cores: number,
): Promise<Estimate> {
  const request = checkSegmentRequest({ ...settings, scene: facts.path, out: 'estimate' });
  const pack = await openPack(request.pack);
  const { manifest } = pack;
  const { width, height, transform, asCrs } = facts;
  const grid = { width, height, transform, crs: asCrs };
  const working = chooseWorkingGrid(
    grid,
    groundSampleDistance(grid),
    request.resolution ?? undefined,
    manifest.finestResolution,
  );
  const region =
    request.extent === null ? { column: 0, row: 0, width, height } : extentWindow(grid, request.extent);
  const plan = planWindows(working.width, working.height, request.window, request.stride);
  const columns = workingRange(region.column, region.width, working.scale, plan.columns.size);
  const rows = workingRange(region.row, region.height, working.scale, plan.rows.size);
  const size = { width: columns.end - columns.start, height: rows.end - rows.start };
  const chosen = selectWindows(plan, { column: columns.start, row: rows.start, ...size });
  const windows = (chosen.endColumn - chosen.firstColumn) * (chosen.endRow - chosen.firstRow);
  const { lanes, threadsPerLane } = lanesOf(request, pack);
  const share = request.provider === 'cpu' ? Math.min(1, (lanes * threadsPerLane) / cores) : 1;
  const cost = (plan.columns.window * plan.rows.window) / measuredPixels;
  const words = plainWords(request.classes.flatMap((entry) => entry.words));
  const warnings: string[] = [];
  const unknown = manifest.knownWords === null ? [] : unknownWords(manifest.knownWords, words);
  if (unknown.length > 0)
    warnings.push(
      `The pack ${manifest.name} does not know ${unknown.map((word) => `“${word}”`).join(', ')}.`,
    );
  if (facts.info.modality === 'sar' && !manifest.encoders.sar)
    warnings.push(`This is a radar scene, and the pack ${manifest.name} has only learnt optical ones.`);
  if (request.classes.length === 1 && request.background === null && request.threshold === 0)
    warnings.push('With one class and no threshold, everything becomes that class.');
  return {
    windows,
    ...size,
    workingResolution: working.resolution,
    seconds: windowsPerSecond === null ? null : (windows * cost) / (windowsPerSecond * share),
    provider: request.provider,
    lanes,
    threadsPerLane,
    warnings,
    notes:
      facts.info.modality === 'sar' && manifest.encoders.sar
        ? [encoderNote(scoringOf(request, pack, 'sar'), pack)]
        : [],
  };
}
