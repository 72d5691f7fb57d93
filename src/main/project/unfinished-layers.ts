import type Database from 'better-sqlite3';
import { quoteName, rtreeName } from './geopackage-schema.ts';
import { encodeRow } from './row-image.ts';

/** What a killed run left: the rests of its layer. Returns what was done, in sentences. */
export function removeUnfinished(database: Database.Database): string[] {
  const tables = database
    .prepare('SELECT table_name FROM landscribe_unfinished_layers')
    .pluck()
    .all() as string[];
  for (const table of tables) database.transaction(() => dropLayer(database, table))();
  return tables.map((table) => `The unfinished layer ${table} was removed.`);
}

/**
 * Takes the tables of dropped layers away for good, once no step of undo can bring them back. A layer that is dropped
 * only leaves the tables by which programs find it.
 */
export function removeDropped(database: Database.Database): void {
  const tables = database
    .prepare('SELECT table_name FROM landscribe_dropped_layers')
    .pluck()
    .all() as string[];
  const isListed = database.prepare('SELECT 1 FROM gpkg_contents WHERE table_name = ?');
  const isRemembered = database.prepare(
    "SELECT 1 FROM landscribe_history_rows WHERE table_name = 'gpkg_contents' AND key = ?",
  );
  for (const table of tables) {
    if (isRemembered.get(encodeRow([table]))) continue;
    database.transaction(() => {
      if (!isListed.get(table)) dropLayer(database, table);
      database.prepare('DELETE FROM landscribe_dropped_layers WHERE table_name = ?').run(table);
    })();
  }
}

/** Removes a layer of ours and everything that stands for it in the standard's tables. */
export function dropLayer(database: Database.Database, table: string): void {
  const references = database
    .prepare('SELECT md_file_id FROM gpkg_metadata_reference WHERE table_name = ?')
    .pluck()
    .all(table);
  const statements = [
    'DELETE FROM gpkg_metadata_reference WHERE table_name = ?',
    'DELETE FROM layer_styles WHERE f_table_name = ?',
    'DELETE FROM gpkg_extensions WHERE table_name = ?',
    'DELETE FROM gpkg_geometry_columns WHERE table_name = ?',
    'DELETE FROM gpkg_contents WHERE table_name = ?',
    'DELETE FROM gpkg_ogr_contents WHERE table_name = ?',
    'DELETE FROM landscribe_unfinished_layers WHERE table_name = ?',
  ];
  for (const sql of statements) database.prepare(sql).run(table);
  const metadata = database.prepare(
    'DELETE FROM gpkg_metadata WHERE id = @id AND NOT EXISTS (SELECT 1 FROM gpkg_metadata_reference WHERE md_file_id = @id OR md_parent_id = @id)',
  );
  for (const id of references) metadata.run({ id });
  database.exec(
    `DROP TABLE IF EXISTS ${quoteName(rtreeName(table))}; DROP TABLE IF EXISTS ${quoteName(table)}`,
  );
}
