import type Database from 'better-sqlite3';
import * as z from 'zod';
import { type Crs, crsFromProj4, crsFromWkt, findEpsg } from '../../worker/raster/crs.ts';

/** What `layerCrsRow` wants of `gpkg_spatial_ref_sys`, joined as `s`. */
export const layerCrsColumns =
  's.srs_id, s.srs_name, s.organization, s.organization_coordsys_id AS code, s.definition, s.description AS proj4';

export const layerCrsRow = z.object({
  srs_id: z.int(),
  srs_name: z.string(),
  organization: z.string(),
  code: z.int(),
  definition: z.string(),
  /** Our own custom systems keep their definition for proj4 here. */
  proj4: z.string().nullable(),
});
export type LayerCrsRow = z.infer<typeof layerCrsRow>;

/** The system of a layer's polygons; null: pixels. A system that nobody could make sense of has no `proj4`. */
export function crsOfRow(row: LayerCrsRow): Crs | null {
  const { srs_name: name, organization, code, definition } = row;
  if (row.srs_id === -1 || (definition === 'undefined' && organization === 'NONE')) return null;
  const known = (organization.toUpperCase() === 'EPSG' ? findEpsg(code) : null) ?? crsFromWkt(definition);
  // Text of a local system may stand in for one that has none.
  const placed = known !== null && known.kind !== 'other';
  if (placed && known.proj4 !== null) return known;
  const described = row.proj4 === null ? null : crsFromProj4(name, row.proj4);
  if (described !== null) return placed ? { ...known, proj4: described.proj4 } : described;
  if (known !== null) return known;
  const wkt = definition === 'undefined' ? null : definition;
  return { epsg: null, name, kind: 'other', proj4: null, wkt, metresPerUnit: 1 };
}

/** As `crsOfRow`, of the layer in this table. */
export function readLayerCrs(database: Database.Database, table: string): Crs | null {
  const row = database
    .prepare(
      `SELECT ${layerCrsColumns}
       FROM gpkg_geometry_columns g JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id WHERE g.table_name = ?`,
    )
    .get(table) as LayerCrsRow | undefined;
  return row === undefined ? null : crsOfRow(row);
}
