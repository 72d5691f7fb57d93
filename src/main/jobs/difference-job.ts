import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { MapDifference } from '../../worker/steps/map-difference.ts';
import type { ProjectStore } from '../project/project-store.ts';
import { type CompareInput, runCompare } from '../run/compare.ts';
import type { RunOptions } from '../run/watch.ts';
import type { JobRunner } from './job-queue.ts';

/** A class of the class map of one layer's run against one of another's. */
const request = z.object({
  first: z.string(),
  firstClass: z.int(),
  second: z.string(),
  secondClass: z.int(),
  name: z.string().min(1),
});

/**
 * Makes the difference of two class maps a raster of the project, with its table of areas as the run's summary. A
 * program that ended in between left nothing that counts: it is made anew.
 */
export function differenceJob(
  store: ProjectStore,
  compare: (input: CompareInput, options: RunOptions) => Promise<MapDifference> = runCompare,
): JobRunner {
  return async (input, { id, signal, onProgress, onNote }) => {
    const parsed = request.safeParse(input);
    if (!parsed.success)
      throw new Problem('job/invalid', `Job ${id} cannot be read.`, 'Remove it and compare anew.');
    const earlier = store.runs().find((run) => run.request.job === id);
    if (earlier) return { run: earlier.id };
    const { first, second, firstClass, secondClass } = parsed.data;
    const maps = [classMapOf(store, first), classMapOf(store, second)] as const;
    const out = path.join(store.rasters, `difference-${id}.tif`);
    try {
      await mkdir(store.rasters, { recursive: true });
      for (const file of [out, `${out}.aux.xml`]) await rm(file, { force: true });
    } catch (error) {
      throw asProblem(error);
    }
    const found = await compare(
      {
        first: maps[0],
        second: maps[1],
        className: String(firstClass),
        secondClassName: String(secondClass),
        out,
      },
      { signal, onProgress, onNote },
    );
    const classes = found.legend.map(({ id: value, name: title, colour }) => ({
      id: value,
      name: title,
      words: [title],
      colour,
    }));
    const { pairs: _, ...summary } = found;
    const run = store.addRun({
      sceneId: null,
      layer: null,
      request: { job: id, ...parsed.data, classes },
      summary: JSON.parse(JSON.stringify(summary)),
      rasters: [{ kind: 'difference', path: out }],
    });
    return { run };
  };
}

/** The class map of a layer's run. */
function classMapOf(store: ProjectStore, table: string): string {
  const run = store.runs().find(({ layer }) => layer === table);
  const map = run?.rasters.find(({ kind }) => kind === 'class-map');
  if (map) return map.path;
  throw new Problem(
    'job/no-class-map',
    `${table} has no class map: it does not come from a run of this project.`,
    'Compare layers that were segmented here.',
  );
}
