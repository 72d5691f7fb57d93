import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { ConductReply } from '../../worker/steps/conduct.ts';
import { unpackFeatures } from '../../worker/steps/feature-batch.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import type { EngineThread } from '../engine/engine-thread.ts';
import type { StagedOutput } from '../export/layer-writer.ts';
import { writeLayers } from '../export/layer-writers.ts';
import { publishAll } from '../export/staged-file.ts';
import type { MemoryPlan } from './memory-plan.ts';
import type { OutputPlan } from './output-plan.ts';
import type { SegmentRequest } from './segment-request.ts';
import type { RunOptions } from './watch.ts';

export interface Written {
  /** Pixels per class id, after merging. */
  classPixels: number[];
  /** Null where no polygons were asked for; areas per class id. */
  polygons: { count: number; areas: number[] } | null;
}

/** Small pieces merged, polygons into every layer asked for; layers and rasters get their names together. */
export async function publish(
  conductor: EngineThread,
  request: SegmentRequest,
  plan: OutputPlan,
  memory: MemoryPlan,
  { grid, header, provenance, classPixels: decided }: ConductReply,
  { signal, onProgress, onNote }: RunOptions,
): Promise<Written> {
  const rasters = rastersOf(plan);
  const { overwrite, classes } = request;
  const metres = header.groundSampleDistance ?? 1;
  const minAreaPixels = Math.ceil(request.minArea / (metres * metres));
  let { classMap } = rasters;
  let classPixels = decided;
  if (minAreaPixels > 1) {
    const merged = path.join(plan.partial, 'merged.tif');
    classPixels = await conductor.run(
      'merge',
      { classMap, merged, grid, classes, provenance, minAreaPixels, memoryLimit: memory.stitchBytes },
      { signal, onProgress },
    );
    classMap = merged;
  }
  const also: StagedOutput[] = [];
  if (plan.files.tif && plan.confidence) {
    also.push(...(await withSidecar(rasters.confidence, plan.confidence)));
    also.push(...(await withSidecar(classMap, plan.files.tif)));
  }
  const layers = plan.formats.filter((format) => format !== 'tif');
  if (layers.length === 0) {
    await publishAll(also, { overwrite });
    return { classPixels, polygons: null };
  }
  const batches = conductor.stream(
    'trace',
    { classMap, confidence: rasters.confidence, grid, classes, simplifyPixels: request.simplify / metres },
    { signal, onProgress },
  );
  const areas = new Array<number>(classes.length + 1).fill(0);
  let count = 0;
  async function* features(): AsyncGenerator<PolygonFeature[]> {
    for await (const batch of batches) {
      const list = unpackFeatures(batch);
      for (const { classId, area } of list) areas[classId] = areas[classId]! + area;
      count += list.length;
      yield list;
    }
  }
  const reports = await writeLayers(
    features(),
    layers,
    path.resolve(request.out),
    {
      name: path.basename(plan.base),
      crs: grid.crs,
      classes,
      provenance,
      groundSampleDistance: header.groundSampleDistance,
    },
    { overwrite, also, ...(signal && { signal }) },
  );
  for (const report of reports) for (const text of report.notes) onNote?.(text);
  return { classPixels, polygons: { count, areas } };
}

/** A raster of the partial folder and, where it has one, the file of names and CRS beside it. */
async function withSidecar(temporary: string, target: string): Promise<StagedOutput[]> {
  const sidecar = await stat(`${temporary}.aux.xml`).catch(() => null);
  const beside = { temporary: `${temporary}.aux.xml`, target: `${target}.aux.xml` };
  return [...(sidecar ? [beside] : []), { temporary, target }];
}

/** Where a run's rasters are made. */
export function rastersOf(plan: OutputPlan) {
  return {
    classMap: path.join(plan.partial, 'classes.tif'),
    confidence: path.join(plan.partial, 'confidence.tif'),
    partFolder: plan.partial,
  };
}
