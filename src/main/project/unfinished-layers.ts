import type Database from 'better-sqlite3';
import { quoteName, rtreeName } from './geopackage-schema.ts';

/** What a killed run left: the rests of its layer. Returns what was done, in sentences. */
export function removeUnfinished(database: Database.Database): string[] {
  const tables = database
    .prepare('SELECT table_name FROM landscribe_unfinished_layers')
    .pluck()
    .all() as string[];
  for (const table of tables) database.transaction(() => dropLayer(database, table))();
  return tables.map((table) => `The unfinished layer ${table} was removed.`);
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
