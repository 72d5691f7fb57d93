import { accessSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { Problem } from '../../worker/report/problem.ts';
import { applicationId } from './geopackage-schema.ts';
import { projectVersion, refuseNewer } from './migrate.ts';
import { type LockHolder, ProjectLock } from './project-lock.ts';
import { sqliteProblem } from './sqlite-problem.ts';

/** How a project is open. */
export type Access = { mode: 'write' } | { mode: 'read'; reason: string; holder: LockHolder | null };

const settings = { fileMustExist: true, timeout: 2000 };

export function openForWriting(target: string): Database.Database {
  return new Database(target, settings);
}

/** A connection that does not change the file, and its end. */
export interface Reading {
  database: Database.Database;
  close(): void;
}

/**
 * Format of a sound project. Looks through a connection that cannot write, so that a damaged file stays as it is down to
 * the byte; a journal left by a killed program is honoured.
 */
export function inspectProject(target: string): number {
  let reading: Reading | null = null;
  try {
    reading = openForReading(target);
    const { database } = reading;
    const verdict = database.pragma('quick_check(1)', { simple: true });
    if (verdict !== 'ok')
      throw new Problem(
        'project/damaged',
        `${target}: the file is damaged (${String(verdict).split('\n').at(-1)}).`,
        'Nothing was written to it. Keep it, and go on from a backup; sqlite3 FILE .recover may save what is left.',
      );
    const version =
      database.pragma('application_id', { simple: true }) === applicationId ? projectVersion(database) : null;
    if (version === null)
      throw new Problem(
        'project/not-a-project',
        `${target}: is not a Landscribe project.`,
        'Add it as a layer, or create a new project.',
      );
    refuseNewer(version, target);
    return version;
  } catch (error) {
    throw sqliteProblem(error, target);
  } finally {
    reading?.close();
  }
}

/**
 * A connection that does not change the file. Where a journal was left that cannot be read in place, because nothing may
 * be written there, it is a copy among the temporary files.
 */
export function openForReading(target: string): Reading {
  const readonly = { ...settings, readonly: true };
  const database = new Database(target, readonly);
  try {
    database.prepare('SELECT 1 FROM sqlite_master').get();
    return { database, close: () => database.close() };
  } catch (error) {
    database.close();
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!code.startsWith('SQLITE_CANTOPEN') && !code.startsWith('SQLITE_READONLY')) throw error;
    if (isWritable(target)) {
      // The journal of a killed program waits to be played back, which needs writing.
      const recovering = openForWriting(target);
      return { database: recovering, close: () => recovering.close() };
    }
    const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-reading-'));
    const copy = path.join(folder, 'project.gpkg');
    try {
      for (const ending of ['', '-wal', '-journal'])
        if (existsSync(target + ending)) copyFileSync(target + ending, copy + ending);
      const recovering = new Database(copy, settings);
      recovering.pragma('journal_mode = DELETE');
      recovering.close();
      const copied = new Database(copy, readonly);
      return {
        database: copied,
        close() {
          copied.close();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

/** The lock of a project, or why it can only be read. */
export function takeLock(target: string): { lock: ProjectLock | null; access: Access } {
  const read = (reason: string, holder: LockHolder | null = null) => ({
    lock: null,
    access: { mode: 'read', reason, holder } as const,
  });
  if (!isWritable(target)) return read('You may not write to it or to its folder.');
  try {
    const taken = ProjectLock.take(target);
    if (taken instanceof ProjectLock) return { lock: taken, access: { mode: 'write' } };
    const { holder } = taken;
    return read(
      holder
        ? `Process ${holder.pid} on ${holder.host} has had it open since ${holder.since}.`
        : 'Another program has it open.',
      holder,
    );
  } catch (error) {
    throw sqliteProblem(error, `${target}.lock`);
  }
}

function isWritable(target: string): boolean {
  try {
    accessSync(path.dirname(target), constants.W_OK);
    if (existsSync(target)) accessSync(target, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Refuses to write where another file or an open database is. */
export async function refuseTarget(target: string, overwrite: boolean): Promise<void> {
  const about = await stat(target).catch(() => null);
  if (about && !overwrite)
    throw new Problem('project/exists', `${target}: exists already.`, 'Choose another name, or open it.');
  if (about && !about.isFile())
    throw new Problem('project/exists', `${target}: is a folder.`, 'Choose another name.');
  for (const ending of ['-wal', '-journal'])
    if (existsSync(target + ending))
      throw new Problem(
        'project/in-use',
        `${target}: another program has it open (there is ${target}${ending}).`,
        'Close it there, or choose another name.',
      );
}
