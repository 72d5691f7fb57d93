import { copyFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import * as z from 'zod';
import { type Crs, transformer } from '../../worker/raster/crs.ts';
import { Problem, throwIfCancelled } from '../../worker/report/problem.ts';
import { batchBuffers, packFeatures, unpackFeatures } from '../../worker/steps/feature-batch.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import { measureRings } from '../../worker/vector/measure-rings.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { layerFormats, layerPath, writeLayers } from '../export/layer-writers.ts';
import { checkTarget, outputProblem, publishAll, temporaryName } from '../export/staged-file.ts';
import type { LayerPolygon } from '../project/layer-reader.ts';
import type { ProjectStore } from '../project/project-store.ts';
import { crsOf, storedCrs } from '../project/stored-crs.ts';
import { storedProvenance } from '../project/stored-provenance.ts';
import type { JobContext, JobRunner } from './job-queue.ts';

const request = z.object({
  layer: z.string(),
  out: z.string(),
  formats: z.array(z.enum(['gpkg', 'geojson', 'shp', 'tif'])).min(1),
  /** null: the layer's own system. */
  crs: storedCrs.nullable(),
  fids: z.array(z.int()).nullable(),
  filter: z.object({ confidence: z.number(), area: z.number() }),
  /** Units of the layer's system. */
  tolerance: z.number().min(0),
  overwrite: z.boolean(),
});
export type ExportJobRequest = z.output<typeof request>;

/** Writes a layer of the project, or a part of it, into files of their own. Begins anew when it is resumed. */
export function exportJob(store: ProjectStore): JobRunner {
  return async (input, context) => {
    const parsed = request.safeParse(input);
    if (!parsed.success)
      throw new Problem('job/invalid', `Job ${context.id} cannot be read.`, 'Remove it and export again.');
    const { layer, out, formats, overwrite } = parsed.data;
    const made = storedProvenance.safeParse(store.polygons.provenance(layer));
    if (!made.success)
      throw new Problem(
        'layer/missing',
        `There is no layer ${layer} in this project.`,
        'Reload the project.',
      );
    const own = store.polygons.crs(layer);
    const crs = parsed.data.crs === null ? own : crsOf(parsed.data.crs);
    const layers = layerFormats.filter((format) => formats.includes(format));
    const features = exported(store, parsed.data, own, crs, context);
    const also = formats.includes('tif') ? await classMapCopy(store, layer, out, overwrite, context) : [];
    try {
      if (layers.length === 0) {
        await publishAll(also, { overwrite });
        return { files: also.map(({ target }) => target), polygons: 0 };
      }
      const known = store.layers().find(({ table }) => table === layer)?.features ?? 0;
      const reports = await writeLayers(
        features,
        layers,
        out,
        {
          name: path.basename(layerPath(out, layers[0]!)).replace(/\.[^.]*$/, ''),
          crs,
          classes: made.data.classes,
          provenance: made.data,
          groundSampleDistance: null,
        },
        {
          overwrite,
          also,
          signal: context.signal,
          progress: (progress) => context.onProgress({ ...progress, phase: 'exporting' }),
          total: parsed.data.fids?.length ?? known,
        },
      );
      for (const note of reports.flatMap((report) => report.notes)) context.onNote(note);
      return {
        files: [...reports.flatMap(({ paths }) => paths), ...also.map(({ target }) => target)],
        polygons: reports[0]!.features,
      };
    } finally {
      for (const { temporary } of also) await rm(temporary, { force: true });
    }
  };
}

/** The polygons asked for, simplified together, then in the system asked for. */
async function* exported(
  store: ProjectStore,
  { layer, fids, filter, tolerance }: ExportJobRequest,
  own: Crs | null,
  crs: Crs | null,
  context: JobContext,
): AsyncGenerator<PolygonFeature[]> {
  const project = crs === own || own === null || crs === null ? null : transformer(own, crs);
  if (crs !== own && project === null)
    throw new Problem(
      'crs/no-projection',
      `${layer} cannot be converted to another reference system.`,
      'Export it in its own.',
    );
  const measure = measureRings(own);
  const toFeature = (polygon: LayerPolygon, rings: readonly Float64Array[]): PolygonFeature => {
    const { area, perimeter } = tolerance > 0 ? measure(rings) : polygon;
    const { classId, confidence } = polygon;
    return {
      classId,
      confidence,
      area,
      perimeter,
      rings: project ? rings.map((ring) => moved(ring, project)) : [...rings],
    };
  };
  const chosen = selected(store, layer, fids, filter);
  if (tolerance === 0) {
    for (const batch of chosen) {
      yield batch.map((polygon) => toFeature(polygon, polygon.rings));
      await setImmediate();
    }
    return;
  }
  // Borders are shared by polygons of different batches: they are simplified all at once, in a thread.
  const all: LayerPolygon[] = [];
  for (const batch of chosen) {
    throwIfCancelled(context.signal);
    all.push(...batch);
    await setImmediate();
  }
  const thread = new EngineThread('simplify');
  try {
    const polygons = all.map(({ classId, confidence, area, perimeter, rings }) => ({
      classId,
      confidence,
      area,
      perimeter,
      rings,
    }));
    const batch = packFeatures(polygons);
    const request = { batch, tolerance };
    const options = { signal: context.signal, transfer: batchBuffers(batch) };
    const simplified = unpackFeatures(await thread.run('simplifyPolygons', request, options));
    for (let start = 0; start < all.length; start += 1000) {
      yield all
        .slice(start, start + 1000)
        .map((polygon, i) => toFeature(polygon, simplified[start + i]!.rings));
      await setImmediate();
    }
  } finally {
    await thread.close();
  }
}

/** Polygons without rings, of other programs, are left out. */
function* selected(
  store: ProjectStore,
  layer: string,
  fids: readonly number[] | null,
  filter: ExportJobRequest['filter'],
): Generator<LayerPolygon[]> {
  if (fids === null) {
    for (const batch of store.polygons.batches(layer, filter))
      yield batch.filter(({ rings }) => rings.length > 0);
    return;
  }
  for (let start = 0; start < fids.length; start += 1000) {
    yield [...store.polygons.polygons(layer, fids.slice(start, start + 1000))].filter(
      ({ rings, confidence, area }) =>
        rings.length > 0 && confidence >= filter.confidence && area >= filter.area,
    );
  }
}

function moved(ring: Float64Array, project: (x: number, y: number) => [number, number]): Float64Array {
  const out = new Float64Array(ring.length);
  for (let i = 0; i < ring.length; i += 2) out.set(project(ring[i]!, ring[i + 1]!), i);
  return out;
}

/** The run's class map and confidence with what lies beside them, under temporary names at the place asked for. */
async function classMapCopy(
  store: ProjectStore,
  layer: string,
  out: string,
  overwrite: boolean,
  { signal }: JobContext,
): Promise<{ target: string; temporary: string }[]> {
  const run = store.runs().find((each) => each.layer === layer);
  const target = layerPath(out, 'tif');
  const copies: { from: string; to: string }[] = [];
  for (const { kind, path: file } of run?.rasters ?? []) {
    if (kind !== 'class-map' && kind !== 'confidence') continue;
    const to = kind === 'class-map' ? target : target.replace(/(\.[^.]*)$/, '.confidence$1');
    copies.push({ from: file, to });
    if (await stat(`${file}.aux.xml`).catch(() => null))
      copies.unshift({ from: `${file}.aux.xml`, to: `${to}.aux.xml` });
  }
  if (!copies.some(({ to }) => to === target))
    throw new Problem('export/no-class-map', `${layer} has no class map.`, 'Leave the class map out.');
  const staged: { target: string; temporary: string }[] = [];
  try {
    for (const { from, to } of copies) {
      throwIfCancelled(signal);
      await checkTarget(to, { overwrite });
      const temporary = temporaryName(to);
      staged.push({ target: to, temporary });
      await copyFile(from, temporary).catch((error: unknown) => {
        throw outputProblem(error, to);
      });
    }
    return staged;
  } catch (error) {
    for (const { temporary } of staged) await rm(temporary, { force: true });
    throw error;
  }
}
