import * as z from 'zod';
import { call, id, plain, problemShape, progressShape } from './base.ts';
import { livePicture } from './runs.ts';

export const job = z.object({
  id,
  /** `segment`, `export`, `install`, `overviews`, … */
  kind: z.string(),
  title: z.string(),
  /** What it works on, by its name: a layer, a scene, a pack. */
  subject: z.string().nullable(),
  /** Of an export: the file without its extension. */
  out: z.string().nullable(),
  /** Of an installation: the pack's name in the registry. */
  pack: z.string().nullable(),
  state: z.enum(['queued', 'running', 'interrupted', 'cancelled', 'failed', 'done']),
  created: z.string(),
  started: z.string().nullable(),
  finished: z.string().nullable(),
  progress: progressShape.nullable(),
  /** Milliseconds; null while there is nothing to go by. */
  timeLeft: z.number().nullable(),
  resumable: z.boolean(),
  problem: problemShape.nullable(),
  result: plain.nullable(),
  notes: z.array(z.string()),
  /** Finished strips of a run, to be drawn while it goes on. */
  picture: livePicture.nullable(),
});
export type Job = z.output<typeof job>;

export const jobs = {
  list: call.output(z.array(job)),
  /** A running job stops soon and keeps what it finished. */
  cancel: call.input(z.object({ id })).output(z.void()),
  resume: call.input(z.object({ id })).output(z.void()),
  remove: call.input(z.object({ id })).output(z.void()),
};
