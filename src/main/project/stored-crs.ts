import * as z from 'zod';
import { type Crs, crsFromEpsg, findEpsg } from '../../worker/raster/crs.ts';

/** A reference system as settings and requests keep it. */
export const storedCrs = z.union([
  z.object({ epsg: z.int() }),
  z.object({ pixels: z.literal(true) }),
  z.object({
    name: z.string(),
    kind: z.enum(['geographic', 'projected', 'other']),
    proj4: z.string().nullable(),
    wkt: z.string().nullable(),
    metresPerUnit: z.number().positive(),
  }),
]);

/** A system as settings keep it. */
export function storedForm(crs: Crs | null): z.output<typeof storedCrs> {
  if (crs === null) return { pixels: true };
  if (crs.epsg !== null && findEpsg(crs.epsg) !== null) return { epsg: crs.epsg };
  const { name, kind, proj4, wkt, metresPerUnit } = crs;
  return { name, kind, proj4, wkt, metresPerUnit };
}

/** What was stored, or null for none and for pixels. */
export function crsOf(value: unknown): Crs | null {
  const parsed = storedCrs.safeParse(value).data;
  if (parsed === undefined || 'pixels' in parsed) return null;
  if ('epsg' in parsed) return crsFromEpsg(parsed.epsg);
  return { epsg: null, ...parsed };
}
