import { eventIterator } from '@orpc/contract';
import * as z from 'zod';
import { call, problemShape } from './base.ts';
import { job } from './jobs.ts';

/** What happens without being asked for. */
export const event = z.discriminatedUnion('kind', [
  /** Ask for the state again. */
  z.object({ kind: z.literal('project'), revision: z.int() }),
  z.object({ kind: z.literal('job'), job }),
  z.object({ kind: z.literal('job-removed'), id: z.int() }),
  /** A line for the log; with a problem, one that should be shown. */
  z.object({
    kind: z.literal('note'),
    level: z.enum(['info', 'warning', 'error']),
    text: z.string(),
    time: z.string(),
    problem: problemShape.optional(),
  }),
  /** Overviews of a scene being built: 0-1. */
  z.object({ kind: z.literal('overviews'), sceneId: z.int(), share: z.number() }),
  /** A preview's view being encoded: 0-1. */
  z.object({ kind: z.literal('preview'), sceneId: z.int(), share: z.number() }),
]);
export type HostEvent = z.output<typeof event>;

export const events = {
  /** From now on, until the caller aborts. */
  watch: call.output(eventIterator(event)),
};
