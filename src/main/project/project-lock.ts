import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import Database from 'better-sqlite3';

/** Who has a project open for writing. */
export interface LockHolder {
  pid: number;
  host: string;
  /** ISO 8601, UTC. */
  since: string;
}

/**
 * Being the one writer of a project, as long as the process lives: a small database beside the project in which a write
 * transaction stays open. The operating system ends it with the process, however that ends, so no lock outlives its
 * holder and none has to be guessed stale; and others can read in it who holds it. (Reading the file by other means
 * would, within the holder's process, release the lock: POSIX locks go with any file handle that is closed.)
 */
export class ProjectLock {
  readonly #database: Database.Database;
  readonly #path: string;

  private constructor(database: Database.Database, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /**
   * The lock, or its present holder (null where it cannot be told). Throws SQLite's error where the lock cannot be
   * created, as in a folder that may not be written.
   */
  static take(projectPath: string): ProjectLock | { holder: LockHolder | null } {
    const path = lockPath(projectPath);
    for (let tries = 0; ; tries++) {
      const database = new Database(path, { timeout: 500 });
      try {
        if (enter(database, path)) return new ProjectLock(database, path);
      } catch (error) {
        const holder = isBusy(error) ? readHolder(database) : null;
        database.close();
        if (isBusy(error)) return { holder };
        throw error;
      }
      database.close();
      if (tries === 20) return { holder: null };
    }
  }

  release(): void {
    // Systems that do not remove open files leave it there, which does no harm.
    rmLock(this.#path);
    this.#database.close();
  }
}

function lockPath(projectPath: string): string {
  return `${projectPath}.lock`;
}

/**
 * Writes who we are and opens the transaction that is the lock. False if somebody came between the two, or the file
 * lost its name to a holder who was leaving.
 */
function enter(database: Database.Database, path: string): boolean {
  const token = randomUUID();
  const ours = (connection: Database.Database) =>
    connection.prepare('SELECT token FROM holder').pluck().get() === token;
  database
    .transaction(() => {
      database.exec(
        'CREATE TABLE IF NOT EXISTS holder (pid INTEGER, host TEXT, since TEXT, token TEXT); DELETE FROM holder',
      );
      database
        .prepare('INSERT INTO holder VALUES (?, ?, ?, ?)')
        .run(process.pid, hostname(), new Date().toISOString(), token);
    })
    .immediate();
  database.exec('BEGIN IMMEDIATE');
  if (!ours(database)) return false;
  let named: Database.Database | null = null;
  try {
    named = new Database(path, { readonly: true, fileMustExist: true });
    return ours(named);
  } catch {
    return false;
  } finally {
    named?.close();
  }
}

function rmLock(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}

function readHolder(database: Database.Database): LockHolder | null {
  try {
    return (database.prepare('SELECT pid, host, since FROM holder').get() as LockHolder | undefined) ?? null;
  } catch {
    return null;
  }
}
