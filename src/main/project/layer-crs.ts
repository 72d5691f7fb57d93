import type Database from 'better-sqlite3';
import { type Crs, crsFromWkt, findEpsg } from '../../worker/raster/crs.ts';

/**
 * The system of a layer's polygons; null: pixels. A system that nobody could make sense of has no `proj4`.
 */
export function readLayerCrs(database: Database.Database, table: string): Crs | null {
  const row = database
    .prepare(
      `SELECT s.srs_id, s.srs_name, s.organization, s.organization_coordsys_id AS code, s.definition, s.description
       FROM gpkg_geometry_columns g JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id WHERE g.table_name = ?`,
    )
    .get(table) as
    | {
        srs_id: number;
        srs_name: string;
        organization: string;
        code: number;
        definition: string;
        description: string | null;
      }
    | undefined;
  if (!row || row.srs_id === -1) return null;
  const known =
    (row.organization.toUpperCase() === 'EPSG' ? findEpsg(row.code) : null) ?? crsFromWkt(row.definition);
  return (
    known ?? {
      epsg: null,
      name: row.srs_name,
      kind: 'other',
      proj4: null,
      wkt: row.definition === 'undefined' ? null : row.definition,
      metresPerUnit: 1,
    }
  );
}
