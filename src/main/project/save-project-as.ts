import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import Database from 'better-sqlite3';
import { Problem } from '../../worker/report/problem.ts';
import { fromStored, toStored } from './file-links.ts';
import { registerSpatialFunctions } from './geopackage.ts';
import { copyDatabase } from './migrate.ts';
import { refuseTarget, takeLock } from './open-database.ts';
import { checkProjectName, rasterFolder } from './project-schema.ts';
import { sqliteProblem } from './sqlite-problem.ts';
import { removeDropped, removeUnfinished } from './unfinished-layers.ts';

/**
 * Copies an open project under another name, with its own copies of the rasters in the project's folder; links are
 * relative to where it lies. Unfinished jobs stay with the original. Throws `Problem`.
 */
export async function saveProjectAs(
  source: string,
  database: Database.Database,
  file: string,
  overwrite: boolean,
): Promise<void> {
  const target = path.resolve(file);
  checkProjectName(target);
  if (target === source)
    throw new Problem('project/same-file', `${target}: is the open project itself.`, 'Choose another name.');
  await refuseTarget(target, overwrite);
  const taken = takeLock(target);
  if (!taken.lock) {
    const reason = taken.access.mode === 'read' ? taken.access.reason : '';
    throw new Problem(
      'project/in-use',
      `${target}: cannot be written. ${reason}`.trim(),
      'Choose another name.',
    );
  }
  const [oldFolder, newFolder] = [rasterFolder(source), rasterFolder(target)];
  try {
    await copyRasters(oldFolder, newFolder);
    await copyDatabase(database, target, (temporary) => {
      const copy = new Database(temporary);
      try {
        copy.pragma('journal_mode = DELETE');
        registerSpatialFunctions(copy);
        copy.transaction(() => {
          const move = (stored: string) => {
            const file = fromStored(source, stored);
            const inside = path.relative(oldFolder, file);
            const isInside = inside !== '' && !inside.startsWith('..') && !path.isAbsolute(inside);
            return toStored(target, isInside ? path.join(newFolder, inside) : file);
          };
          for (const table of ['landscribe_scenes', 'landscribe_rasters']) {
            const update = copy.prepare(`UPDATE ${table} SET path = ? WHERE id = ?`);
            const rows = copy.prepare(`SELECT id, path FROM ${table}`).all() as {
              id: number;
              path: string;
            }[];
            for (const row of rows) update.run(move(row.path), row.id);
          }
          copy.prepare("DELETE FROM landscribe_jobs WHERE state <> 'done'").run();
          // Recorded rows hold links as seen from the old folder.
          copy.prepare('DELETE FROM landscribe_history').run();
          copy.prepare('DELETE FROM landscribe_history_rows').run();
          removeUnfinished(copy);
          removeDropped(copy);
        })();
      } finally {
        copy.close();
      }
    });
  } catch (error) {
    throw sqliteProblem(error, target);
  } finally {
    taken.lock.release();
  }
}

/** Everything in the folder but runs under way. */
async function copyRasters(from: string, to: string): Promise<void> {
  const entries = await readdir(from).catch(() => []);
  if (entries.length === 0) return;
  await mkdir(to, { recursive: true });
  for (const entry of entries) {
    if (entry.endsWith('.landscribe-partial')) continue;
    const target = path.join(to, entry);
    await cp(path.join(from, entry), `${target}.tmp`, { recursive: true });
    await rm(target, { recursive: true, force: true });
    await rename(`${target}.tmp`, target);
  }
}
