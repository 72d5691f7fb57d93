import { Problem } from '../../worker/report/problem.ts';

/**
 * Landscribe's own tables in a project's GeoPackage. A migration, once published, never changes: a change of the schema
 * is a new migration at the end. Paths are relative to the project's folder, with `/`; absolute on another drive.
 */
export interface Migration {
  /** 1, 2, 3, … without gaps. */
  number: number;
  name: string;
  sql: string;
}

export const migrations: readonly Migration[] = [
  {
    number: 1,
    name: 'scenes, prompts, runs, views, jobs',
    sql: `
CREATE TABLE landscribe_settings (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
);
CREATE TABLE landscribe_scenes (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  position REAL NOT NULL,
  display TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE landscribe_prompts (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  name TEXT NOT NULL,
  words TEXT NOT NULL,
  colour TEXT NOT NULL,
  threshold REAL,
  position REAL NOT NULL
);
CREATE TABLE landscribe_views (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('map', 'bookmark')),
  state TEXT NOT NULL,
  position REAL NOT NULL
);
CREATE TABLE landscribe_jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  kind TEXT NOT NULL,
  request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'interrupted', 'cancelled', 'failed', 'done')),
  position REAL NOT NULL,
  created TEXT NOT NULL,
  started TEXT,
  finished TEXT,
  progress TEXT,
  problem TEXT,
  result TEXT
);
CREATE TABLE landscribe_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  scene_id INTEGER REFERENCES landscribe_scenes(id) ON DELETE SET NULL,
  table_name TEXT,
  request TEXT NOT NULL,
  summary TEXT NOT NULL,
  created TEXT NOT NULL
);
CREATE TABLE landscribe_rasters (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  run_id INTEGER REFERENCES landscribe_runs(id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('class-map', 'confidence', 'overviews')),
  path TEXT NOT NULL,
  bytes INTEGER NOT NULL
);
CREATE TABLE landscribe_unfinished_layers (
  table_name TEXT PRIMARY KEY NOT NULL
);`,
  },
  {
    number: 2,
    name: 'undo and redo',
    sql: `
CREATE TABLE landscribe_history (
  step INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  label TEXT NOT NULL,
  date TEXT NOT NULL,
  undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1)),
  bytes INTEGER NOT NULL
);
CREATE TABLE landscribe_history_rows (
  id INTEGER PRIMARY KEY NOT NULL,
  step INTEGER NOT NULL REFERENCES landscribe_history(step) ON DELETE CASCADE,
  table_name TEXT NOT NULL,
  columns TEXT NOT NULL,
  key BLOB NOT NULL,
  before BLOB,
  after BLOB
);
CREATE INDEX landscribe_history_rows_step ON landscribe_history_rows (step);`,
  },
  {
    number: 3,
    name: 'differences of class maps; layers dropped with undo',
    sql: `
CREATE TABLE landscribe_rasters_3 (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  run_id INTEGER REFERENCES landscribe_runs(id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('class-map', 'confidence', 'overviews', 'difference')),
  path TEXT NOT NULL,
  bytes INTEGER NOT NULL
);
INSERT INTO landscribe_rasters_3 SELECT * FROM landscribe_rasters;
DROP TABLE landscribe_rasters;
ALTER TABLE landscribe_rasters_3 RENAME TO landscribe_rasters;
CREATE TABLE landscribe_dropped_layers (
  table_name TEXT PRIMARY KEY NOT NULL,
  dropped INTEGER NOT NULL
);`,
  },
];

export const newestVersion = migrations.length;

/** Kept apart from the migrations: it says which of them a file has. */
export const migrationsTable = `
CREATE TABLE landscribe_migrations (
  number INTEGER PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  applied TEXT NOT NULL,
  program TEXT NOT NULL
);`;

/** Folder of the rasters that belong to a project, beside it: `cologne.gpkg` → `cologne.landscribe`. */
export function rasterFolder(projectPath: string): string {
  return `${projectPath.replace(/\.gpkg$/i, '')}.landscribe`;
}

/** Refuses names that are no GeoPackage's: other programs tell formats by the ending. */
export function checkProjectName(path: string): void {
  if (!/\.gpkg$/i.test(path))
    throw new Problem(
      'project/wrong-ending',
      `${path}: a project's name ends in .gpkg.`,
      'Add .gpkg to the name.',
    );
}
