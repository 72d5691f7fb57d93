import type Database from 'better-sqlite3';
import { geometryColumn, keyColumn, quoteName, rtreeName } from './geopackage-schema.ts';

/**
 * Enters a layer's extent and the time of its last change into `gpkg_contents`, after an edit. The R-tree's 32-bit
 * bounds name the outermost polygons, their geometries the exact extent. Needs `registerSpatialFunctions`.
 */
export function refreshLayer(database: Database.Database, table: string): void {
  const index = quoteName(rtreeName(table));
  const bounds = database
    .prepare(`SELECT min(minx), min(miny), max(maxx), max(maxy) FROM ${index}`)
    .raw()
    .get() as (number | null)[];
  const geometry = `t.${quoteName(geometryColumn)}`;
  const outermost = (side: 'min' | 'max', axis: 'x' | 'y', bound: number | null): number | null => {
    if (bound === null) return null;
    // Bounds written one by one may lie two 32-bit steps outside of those that were written in bulk.
    const slack = Math.abs(bound) * 2 ** -21 + 2 ** -140;
    const test = side === 'min' ? '<=' : '>=';
    return database
      .prepare(
        `SELECT ${side}(ST_${side === 'min' ? 'Min' : 'Max'}${axis.toUpperCase()}(${geometry}))
         FROM ${index} r JOIN ${quoteName(table)} t ON t.${quoteName(keyColumn)} = r.id WHERE r.${side}${axis} ${test} ?`,
      )
      .pluck()
      .get(side === 'min' ? bound + slack : bound - slack) as number | null;
  };
  const [minX, minY, maxX, maxY] = bounds as [number | null, number | null, number | null, number | null];
  database
    .prepare(
      `UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ?, last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE table_name = ?`,
    )
    .run(
      outermost('min', 'x', minX),
      outermost('min', 'y', minY),
      outermost('max', 'x', maxX),
      outermost('max', 'y', maxY),
      table,
    );
}
