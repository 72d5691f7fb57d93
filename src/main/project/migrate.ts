import { existsSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import type Database from 'better-sqlite3';
import { Problem } from '../../worker/report/problem.ts';
import { program, version } from '../program.ts';
import { migrations, migrationsTable, newestVersion } from './project-schema.ts';

/** Number of a project's last migration; null for a database that is no project. */
export function projectVersion(database: Database.Database): number | null {
  const table = database
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'landscribe_migrations'")
    .get();
  if (!table) return null;
  return (
    (database.prepare('SELECT max(number) FROM landscribe_migrations').pluck().get() as number | null) ?? 0
  );
}

/** Refuses a project of a newer program: what this one does not know of it, it could destroy. */
export function refuseNewer(found: number, path: string): void {
  if (found > newestVersion)
    throw new Problem(
      'project/newer',
      `${path}: was saved by a newer Landscribe (format ${found}, this one knows ${newestVersion}).`,
      'Update Landscribe. The file was not changed.',
    );
}

/** Makes a GeoPackage a project, or brings an older one up to `target`, in one transaction. */
export function migrate(database: Database.Database, target = newestVersion): void {
  database
    .transaction(() => {
      const from = projectVersion(database);
      if (from === null) {
        database.exec(migrationsTable);
        claim(database, ['landscribe_migrations']);
      }
      const applied = database.prepare('INSERT INTO landscribe_migrations VALUES (?, ?, ?, ?)');
      for (const { number, name, sql } of migrations) {
        if (number <= (from ?? 0) || number > target) continue;
        database.exec(sql);
        claim(
          database,
          [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, table]) => table!),
        );
        applied.run(number, name, new Date().toISOString(), `${program} ${version}`);
      }
    })
    .immediate();
}

/** Declares tables as an extension, as the standard asks of tables beyond its own. */
function claim(database: Database.Database, tables: readonly string[]): void {
  const insert = database.prepare(
    "INSERT INTO gpkg_extensions VALUES (?, NULL, 'landscribe_project', 'State of a Landscribe project; other programs leave it alone.', 'read-write')",
  );
  for (const table of tables) insert.run(table);
}

/** Copies the project as it is beside itself, before it is migrated; returns the copy's path. */
export async function backUp(database: Database.Database, path: string, found: number): Promise<string> {
  const base = `${path.replace(/\.gpkg$/i, '')}.backup-format-${found}`;
  let target = `${base}.gpkg`;
  for (let i = 2; existsSync(target); i++) target = `${base}-${i}.gpkg`;
  await copyDatabase(database, target);
  return target;
}

/** A consistent copy by SQLite's backup, complete or not there at all; an existing target is replaced. */
export async function copyDatabase(
  database: Database.Database,
  target: string,
  prepare: (temporary: string) => void = () => {},
): Promise<void> {
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    await database.backup(temporary);
    prepare(temporary);
    const handle = await open(temporary, 'r+');
    await handle.datasync().finally(() => handle.close());
    await rename(temporary, target);
  } catch (error) {
    for (const ending of ['', '-wal', '-shm', '-journal']) rmSync(temporary + ending, { force: true });
    throw error;
  }
}
