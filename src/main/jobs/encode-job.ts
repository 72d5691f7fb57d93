import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { ProjectStore } from '../project/project-store.ts';
import { type EncodeInput, type EncodeSummary, removeFeatures, runEncode } from '../run/features.ts';
import type { RunOptions } from '../run/watch.ts';
import type { JobRunner } from './job-queue.ts';

const request = z.object({
  sceneId: z.int(),
  name: z.string(),
  settings: z.record(z.string(), z.json()),
  limitBytes: z.number().positive(),
});

/** Where a project keeps the features of a scene: beside its rasters. */
export function featureFolder(store: ProjectStore, sceneId: number): string {
  return path.join(store.rasters, `scene-${sceneId}.features`);
}

/**
 * Encodes a scene into the folder beside the project, windows and coordinates of its pixels; goes on wherever an earlier
 * program ended. Features of other settings make room.
 */
export function encodeJob(
  store: ProjectStore,
  encode: (input: EncodeInput, options: RunOptions) => Promise<EncodeSummary> = runEncode,
): JobRunner {
  return async (input, { id, signal, onProgress, onNote }) => {
    const parsed = request.safeParse(input);
    if (!parsed.success)
      throw new Problem('job/invalid', `Job ${id} cannot be read.`, 'Remove it and encode the scene anew.');
    const { sceneId, settings, limitBytes } = parsed.data;
    const scene = store.scenes().find((each) => each.id === sceneId);
    if (!scene) {
      throw new Problem(
        'job/no-scene',
        `The scene of job ${id} has left the project.`,
        'Add the scene again.',
      );
    }
    const out = featureFolder(store, sceneId);
    await mkdir(store.rasters, { recursive: true }).catch((error: unknown) => {
      throw asProblem(error);
    });
    // What the settings may hold is checked by the run.
    const asked = {
      ...(settings as object),
      scene: scene.path,
      out,
      precision: 'compact',
      coordinates: true,
      limit: limitBytes,
    } as unknown as EncodeInput;
    const work = () => encode(asked, { signal, onProgress, onNote });
    let summary: EncodeSummary;
    try {
      summary = await work();
    } catch (error) {
      if (!(error instanceof Problem) || !['features/other', 'features/damaged'].includes(error.code))
        throw error;
      onNote('What was stored of this scene before is replaced.');
      await removeFeatures(out);
      summary = await work();
    }
    const { windows, bytes, bytesPerPixel, seconds } = summary;
    return { windows, bytes, bytesPerPixel, seconds };
  };
}
