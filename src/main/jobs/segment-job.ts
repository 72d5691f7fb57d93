import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import * as z from 'zod';
import { Problem, throwIfCancelled } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { LayerFile } from '../project/layer-file.ts';
import type { ProjectStore } from '../project/project-store.ts';
import { type RunPicture, runSegment, type SegmentOptions, type SegmentSummary } from '../run/segment.ts';
import type { SegmentInput } from '../run/segment-request.ts';
import type { JobRunner } from './job-queue.ts';

const json = z.record(z.string(), z.json());

/** A run into the project: a scene of it, the name of the layer to be, and the settings of `segment`. */
const request = z.object({ sceneId: z.int(), layer: z.string().min(1).max(200), settings: json });

export type SegmentJobRequest = {
  sceneId: number;
  layer: string;
  settings: Omit<SegmentInput, 'scene' | 'out' | 'formats' | 'overwrite'>;
};

export type Segment = (input: SegmentInput, options: SegmentOptions) => Promise<SegmentSummary>;

/**
 * Segments a scene into the project: rasters go to the folder beside it, polygons become a layer. Wherever an earlier
 * program ended, it goes on: strips are kept by the run, finished files are taken over, and a layer that is in the
 * project is not made twice. `pictureOf` is told of finished strips.
 */
export function segmentJob(
  store: ProjectStore,
  segment: Segment = runSegment,
  pictureOf?: (job: number) => RunPicture,
): JobRunner {
  return async (input, context) => {
    const parsed = request.safeParse(input);
    if (!parsed.success)
      throw new Problem(
        'job/invalid',
        `Job ${context.id} cannot be read.`,
        'Remove it and start the run anew.',
      );
    const { sceneId, layer, settings } = parsed.data;
    const earlier = store.runs().find((run) => run.request.job === context.id);
    if (earlier) return { run: earlier.id, layer: earlier.layer };
    const scene = store.scenes().find(({ id }) => id === sceneId);
    if (!scene)
      throw new Problem(
        'job/no-scene',
        `The scene of job ${context.id} has left the project.`,
        'Add the scene again.',
      );
    const out = path.join(store.rasters, `run-${context.id}`);
    const files = { layer: `${out}.gpkg`, classMap: `${out}.tif`, confidence: `${out}.confidence.tif` };
    const { signal, onProgress, onNote } = context;
    let summary: SegmentSummary | null = null;
    if (!Object.values(files).every((file) => existsSync(file))) {
      try {
        await mkdir(store.rasters, { recursive: true });
        // A program that ended while the files got their names left some of them.
        for (const file of Object.values(files)) await rm(file, { force: true });
        await rm(`${files.classMap}.aux.xml`, { force: true });
        await rm(`${files.confidence}.aux.xml`, { force: true });
      } catch (error) {
        throw asProblem(error);
      }
      // What the settings may hold is checked by the run.
      const asked = { ...settings, scene: scene.path, out, formats: ['gpkg', 'tif'], overwrite: false };
      summary = await segment(asked as unknown as SegmentInput, {
        signal,
        onProgress,
        onNote,
        picture: pictureOf?.(context.id),
      });
    }
    const source = new LayerFile(files.layer);
    const filler = store.addLayer({ ...source.description, name: layer });
    try {
      const total = summary?.polygons ?? 0;
      let done = 0;
      for (const batch of source.batches()) {
        throwIfCancelled(signal);
        filler.add(batch);
        done += batch.length;
        onProgress({ phase: 'adding to the project', done, total: Math.max(total, done), unit: 'polygons' });
        // The host answers the screen in between.
        await setImmediate();
      }
      throwIfCancelled(signal);
      const run = filler.finish(() =>
        store.addRun({
          sceneId,
          layer: filler.table,
          request: { job: context.id, ...parsed.data },
          summary: summary === null ? {} : json.parse(JSON.parse(JSON.stringify(summary))),
          rasters: [
            { kind: 'class-map', path: files.classMap },
            { kind: 'confidence', path: files.confidence },
          ],
        }),
      );
      source.close();
      // In the project now; what could not be removed does no harm.
      await rm(files.layer, { force: true }).catch(() => onNote(`${files.layer} could not be removed.`));
      return { run, layer: filler.table };
    } catch (error) {
      source.close();
      filler.discard();
      throw error;
    }
  };
}
