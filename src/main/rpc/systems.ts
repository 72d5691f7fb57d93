import * as z from 'zod';
import { box, call, crsName, line } from './base.ts';

/** A coordinate reference system, enough for the screen to project with. */
export const system = z.object({
  crs: crsName,
  name: z.string(),
  kind: z.enum(['projected', 'geographic', 'pixels']),
  /** Of its axes: `metre`, `degree`, `US survey foot`, `pixel`, … */
  unit: z.string(),
  /** PROJ string; null for pixels. */
  proj4: z.string().nullable(),
  /** Tiles of this system, for raster and vector tiles alike; `y` grows upwards, rows downwards. */
  grid: z.object({
    origin: z.tuple([z.number(), z.number()]),
    /** CRS units per tile pixel, by zoom. */
    resolutions: z.array(z.number()).min(1),
    tileSize: z.int(),
  }),
  /** Where the system is meant to be used, in its own units, as far as is known. */
  extent: box.nullable(),
});
export type System = z.output<typeof system>;

export const systems = {
  get: call.input(z.object({ crs: crsName })).output(system),
  /** By code or by words of the name, best first, at most 50. */
  search: call
    .input(z.object({ text: z.string().max(200) }))
    .output(z.array(z.object({ crs: crsName, name: z.string() }))),
  /** On the ellipsoid: metres along the line and, if `closed`, square metres inside; plain for pixels. */
  measure: call
    .input(z.object({ crs: crsName, line, closed: z.boolean() }))
    .output(z.object({ length: z.number(), area: z.number().nullable() })),
};
