import { oc } from '@orpc/contract';
import * as z from 'zod';

/** What every call may fail with: a `Problem` of the engine or the host, for people to read. */
export const problemShape = z.object({
  /** `room/what`, stable: tests and the screen's ways out go by it. */
  code: z.string(),
  message: z.string(),
  /** What to do about it. */
  hint: z.string(),
});
export type ProblemShape = z.output<typeof problemShape>;

/** Start of every call of the contract. */
export const call = oc.errors({ PROBLEM: { data: problemShape } });

export const progressShape = z.object({
  phase: z.string(),
  done: z.number(),
  total: z.number(),
  /** What is counted: `windows`, `rows`, `bytes`, … */
  unit: z.string(),
});

/** Plain JSON that the host keeps for the screen without reading it. */
export const plain = z.record(z.string(), z.json());
export type Plain = z.output<typeof plain>;

export const path = z.string().min(1).max(32_767);
export const id = z.int().min(1);
/** What a step of undo is called in the menu. */
export const label = z.string().min(1).max(200);
export const colour = z.string().regex(/^#[0-9a-f]{6}$/i);
/** min x, min y, max x, max y. */
export const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
export type Box = z.output<typeof box>;
/**
 * `EPSG:25832`; `PROJECT` for the project's own system where that has no code; `OTHER` for any other system without a
 * code, which names it and nothing else; pixels of a scene without georeference are `PIXELS`.
 */
export const crsName = z.string().regex(/^(EPSG:\d{4,6}|PROJECT|OTHER|PIXELS)$/);
export const point = z.tuple([z.number(), z.number()]);
/** x, y of each vertex in turn. */
export const line = z.array(z.number()).max(2_000_000);
