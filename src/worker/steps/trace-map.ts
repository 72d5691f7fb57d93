import type { ClassEntry } from '../classmap/class-entry.ts';
import { readClassStrips } from '../classmap/geotiff-reader.ts';
import type { Grid } from '../raster/grid.ts';
import { batchBuffers, type FeatureBatch, packFeatures } from './feature-batch.ts';
import { polygonise } from './polygonise.ts';
import type { TaskContext } from './task-context.ts';

export interface TraceRequest {
  classMap: string;
  confidence: string;
  grid: Grid;
  classes: ClassEntry[];
  simplifyPixels: number;
}

/** Polygons of a class map on disk, batch by batch; returns their number. */
export async function traceMap(request: TraceRequest, context: TaskContext): Promise<number> {
  const { classMap, confidence, ...settings } = request;
  const { signal } = context;
  let polygons = 0;
  const batches = polygonise({
    ...settings,
    strips: readClassStrips(classMap, confidence, 256, signal),
    signal,
    onProgress: (progress) => context.report({ ...progress, phase: 'polygonising' }),
  });
  for await (const features of batches) {
    const batch: FeatureBatch = packFeatures(features);
    polygons += features.length;
    await context.emit(batch, batchBuffers(batch));
  }
  return polygons;
}
