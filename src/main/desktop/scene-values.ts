import type { Crs } from '../../worker/raster/crs.ts';
import { applyAffine, invertAffine } from '../../worker/raster/grid.ts';
import { openScene } from '../../worker/scene/open-scene.ts';
import { sceneStatistics as statisticsOf } from '../../worker/steps/scene-statistics.ts';
import type { BandStatistics } from '../rpc/scenes.ts';
import { betweenOrThrow } from './coordinates.ts';
import type { RasterFacts } from './raster-facts.ts';

/** Of a fixed sample of the scene, at most about a million pixels a band. */
export async function sceneStatistics(
  file: string,
  bands: readonly number[],
  signal?: AbortSignal,
): Promise<BandStatistics[]> {
  const scene = await openScene(file, signal, { cacheBytes: 64 << 20 });
  try {
    return await statisticsOf(scene, bands, signal);
  } finally {
    await scene.close();
  }
}

/** The pixel of a raster under a point of a system, with its values; null beside the raster. */
export async function identify(
  facts: RasterFacts & { asCrs: Crs | null },
  crs: Crs | null,
  x: number,
  y: number,
  signal?: AbortSignal,
): Promise<{ column: number; row: number; values: (number | null)[] } | null> {
  const [ownX, ownY] = betweenOrThrow(crs, facts.asCrs)(x, y);
  const [column, row] = applyAffine(invertAffine(facts.transform), ownX, ownY).map(Math.floor) as [
    number,
    number,
  ];
  if (!(column >= 0 && row >= 0 && column < facts.width && row < facts.height)) return null;
  const scene = await openScene(facts.path, signal, { cacheBytes: 16 << 20, allowIncomplete: true });
  try {
    const values: (number | null)[] = [];
    for (let band = 0; band < scene.header.bands.length; band++) {
      const { planes, valid } = await scene.read({ column, row, width: 1, height: 1 }, [band], 0, signal);
      const value = planes[0]![0]!;
      values.push(valid[0] === 1 && Number.isFinite(value) ? value : null);
    }
    return { column, row, values };
  } finally {
    await scene.close();
  }
}
