import { randomUUID } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { open as openFile, rename } from 'node:fs/promises';
import path from 'node:path';
import type Database from 'better-sqlite3';
import * as z from 'zod';
import { Problem } from '../../worker/report/problem.ts';
import { fingerprintFile } from '../../worker/scene/fingerprint.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import {
  bytesOfScene,
  type FileLink,
  findMissing,
  fromStored,
  type MissingFile,
  nameOfScene,
  toStored,
} from './file-links.ts';
import {
  createPrivateGeoPackage,
  PolygonLayer,
  type PolygonLayerDescription,
  registerSpatialFunctions,
} from './geopackage.ts';
import { rtreeName, tableName } from './geopackage-schema.ts';
import { History, type Recorder, type Step } from './history.ts';
import { JobTable } from './job-table.ts';
import { LayerEdits } from './layer-edits.ts';
import { LayerReader } from './layer-reader.ts';
import { backUp, migrate, projectVersion } from './migrate.ts';
import {
  type Access,
  inspectProject,
  openForReading,
  openForWriting,
  type Reading,
  refuseTarget,
  takeLock,
} from './open-database.ts';
import type { ProjectLock } from './project-lock.ts';
import {
  type Json,
  json,
  layerRow,
  type ProjectLayer,
  type ProjectRun,
  type ProjectScene,
  type ProjectView,
  type Prompt,
  promptRow,
  type RasterKind,
  rasterRow,
  runRow,
  sceneRow,
  settingRow,
  viewRow,
} from './project-records.ts';
import { checkProjectName, newestVersion, rasterFolder } from './project-schema.ts';
import { saveProjectAs } from './save-project-as.ts';
import { sqliteProblem } from './sqlite-problem.ts';
import { dropLayer, removeDropped, removeUnfinished } from './unfinished-layers.ts';

/** A layer being filled: batches, then `finish`. What is not finished is removed, at the latest when the project opens. */
export interface LayerFiller {
  readonly table: string;
  add(batch: readonly PolygonFeature[]): void;
  /** The layer is complete, together with what `also` writes, or neither. Returns what `also` does. */
  finish<Result>(also: () => Result): Result;
  /** Number of polygons. */
  finish(): number;
  discard(): void;
}

/**
 * An open project: one GeoPackage that GIS programs read as it is, with Landscribe's tables beside the layers. Every
 * method is a short transaction of its own and throws a `Problem`; what it did is on the disk when it returns.
 */
export class ProjectStore {
  readonly path: string;
  readonly access: Access;
  /** What happened while opening, for the person who opened: migration, repaired rests. */
  readonly notes: readonly string[];
  readonly jobs: JobTable;
  readonly edits: LayerEdits;
  readonly polygons: LayerReader;
  readonly #database: Database.Database;
  readonly #close: () => void;
  readonly #lock: ProjectLock | null;
  readonly #history: History;

  private constructor(
    projectPath: string,
    { database, close }: Reading,
    lock: ProjectLock | null,
    access: Access,
    notes: string[],
  ) {
    this.path = projectPath;
    this.access = access;
    this.notes = notes;
    this.#database = database;
    this.#close = close;
    this.#lock = lock;
    this.#history = new History(database);
    const write = <Result>(work: () => Result) => this.#write(work);
    this.jobs = new JobTable(database, write);
    this.edits = new LayerEdits(database, this.#history, write);
    this.polygons = new LayerReader(database, projectPath);
  }

  /** A new, empty project, open for writing. Throws `project/exists` unless `overwrite`. */
  static async create(file: string, options: { overwrite?: boolean } = {}): Promise<ProjectStore> {
    const target = path.resolve(file);
    checkProjectName(target);
    await refuseTarget(target, options.overwrite ?? false);
    const temporary = `${target}.${process.pid}.tmp`;
    try {
      // The file system says why a file cannot be created, SQLite does not.
      await (await openFile(temporary, 'wx')).close();
      const database = createPrivateGeoPackage(temporary);
      try {
        migrate(database);
        database
          .prepare('INSERT INTO landscribe_settings VALUES (?, ?)')
          .run('project', JSON.stringify({ id: randomUUID(), created: new Date().toISOString() }));
      } finally {
        database.close();
      }
      const handle = await openFile(temporary, 'r+');
      await handle.datasync().finally(() => handle.close());
      await rename(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw sqliteProblem(error, target);
    }
    return ProjectStore.open(target);
  }

  /**
   * The project at `file`: for writing, unless another process has it so, or the file or its folder may not be written;
   * `access` says which. An older project is copied, then migrated. Throws `project/damaged`, `project/newer`,
   * `project/not-a-project`, and leaves the file as it is.
   */
  static async open(file: string, options: { readonly?: boolean } = {}): Promise<ProjectStore> {
    const target = path.resolve(file);
    if (!statSync(target, { throwIfNoEntry: false })?.isFile())
      throw new Problem(
        'project/missing',
        `${target}: there is no such project.`,
        'Check the name and the folder.',
      );
    const inspected = inspectProject(target);
    const { lock, access } = options.readonly
      ? {
          lock: null,
          access: { mode: 'read', reason: 'Opened for reading, as asked.', holder: null } as const,
        }
      : takeLock(target);
    let reading: Reading | null = null;
    try {
      reading = lock ? writing(target) : openForReading(target);
      const { database } = reading;
      // Another process may have brought it up to date before the lock was ours.
      const found = projectVersion(database) ?? inspected;
      const notes: string[] = [];
      if (found < newestVersion) {
        if (!lock)
          throw new Problem(
            'project/needs-migration',
            `${target}: was saved by an older Landscribe (format ${found}) and must be brought up to date first. ${access.mode === 'read' ? access.reason : ''}`.trim(),
            'Open it where it can be written, in one window only.',
          );
        const backup = await backUp(database, target, found);
        migrate(database);
        notes.push(`Brought up to date from format ${found}; the project as it was is kept in ${backup}.`);
      }
      registerSpatialFunctions(database);
      if (lock) {
        database.pragma('journal_mode = WAL');
        database.pragma('synchronous = FULL');
        database.pragma('foreign_keys = ON');
        notes.push(...removeUnfinished(database));
        removeDropped(database);
      }
      const store = new ProjectStore(target, reading, lock, access, notes);
      if (lock) {
        const interrupted = store.jobs.interruptRunning();
        if (interrupted > 0)
          notes.push(
            `${interrupted} ${interrupted === 1 ? 'job was' : 'jobs were'} interrupted and can be resumed.`,
          );
      }
      return store;
    } catch (error) {
      reading?.close();
      lock?.release();
      throw sqliteProblem(error, target);
    }
  }

  /** Folder for the project's rasters; not created yet. */
  get rasters(): string {
    return rasterFolder(this.path);
  }

  /** Changes with every commit of another connection: compare to know when to read again. */
  dataVersion(): number {
    return this.#read(() => this.#database.pragma('data_version', { simple: true }) as number);
  }

  setting(key: string): Json | null {
    return this.#read(() => {
      const text = this.#database
        .prepare('SELECT value FROM landscribe_settings WHERE key = ?')
        .pluck()
        .get(key);
      return typeof text === 'string' ? json.parse(JSON.parse(text)) : null;
    });
  }

  /** All settings by key. */
  settings(): Record<string, Json> {
    const rows = this.#all('SELECT key, value FROM landscribe_settings ORDER BY key', settingRow);
    return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
  }

  saveSetting(key: string, value: Json, label: string): void {
    this.change(label, (recorder) => {
      const text = JSON.stringify(value);
      if (!recorder.update('landscribe_settings', key, { value: text }))
        recorder.insert('landscribe_settings', { key, value: text });
    });
  }

  scenes(): ProjectScene[] {
    return this.#all('SELECT * FROM landscribe_scenes ORDER BY position, id', sceneRow).map((row) => ({
      id: row.id,
      name: row.name,
      path: fromStored(this.path, row.path),
      fingerprint: row.fingerprint,
      bytes: row.bytes,
      display: row.display,
    }));
  }

  /** Returns the scene's id. */
  async addScene(file: string, asked?: string): Promise<number> {
    const name = asked ?? (await nameOfScene(file));
    const size = await bytesOfScene(file);
    const fingerprint = await fingerprintFile(file);
    return Number(
      this.change(`Add ${name}`, (recorder) =>
        recorder.insert('landscribe_scenes', {
          name,
          path: toStored(this.path, file),
          fingerprint,
          bytes: size,
          position: this.#lastPosition('landscribe_scenes'),
        }),
      ),
    );
  }

  /** Adds scenes, and settings that go with the first of them, as one step of undo; returns their ids. */
  async addScenes(
    files: readonly string[],
    settings: Readonly<Record<string, Json>> = {},
  ): Promise<number[]> {
    const rows = await Promise.all(
      files.map(async (file) => ({
        name: await nameOfScene(file),
        path: toStored(this.path, file),
        fingerprint: await fingerprintFile(file),
        bytes: await bytesOfScene(file),
      })),
    );
    const label = rows.length === 1 ? `Add ${rows[0]!.name}` : `Add ${rows.length} scenes`;
    return this.change(label, (recorder) => {
      for (const [key, value] of Object.entries(settings)) {
        const text = JSON.stringify(value);
        if (!recorder.update('landscribe_settings', key, { value: text }))
          recorder.insert('landscribe_settings', { key, value: text });
      }
      return rows.map((row) =>
        Number(
          recorder.insert('landscribe_scenes', {
            ...row,
            position: this.#lastPosition('landscribe_scenes'),
          }),
        ),
      );
    });
  }

  changeScene(id: number, values: { name?: string; display?: Json; position?: number }, label: string): void {
    const { name, display, position } = values;
    this.change(label, (recorder) => {
      const known = recorder.update('landscribe_scenes', BigInt(id), {
        ...(name !== undefined && { name }),
        ...(display !== undefined && { display: JSON.stringify(display) }),
        ...(position !== undefined && { position }),
      });
      if (!known) throw noSuch('scene', id);
    });
  }

  /** The scene leaves the project; its file stays. */
  removeScene(id: number): void {
    this.change('Remove scene', (recorder) => {
      if (!recorder.remove('landscribe_scenes', BigInt(id))) throw noSuch('scene', id);
    });
  }

  prompts(): Prompt[] {
    return this.#all('SELECT * FROM landscribe_prompts ORDER BY position, id', promptRow).map(
      ({ name, words, colour, threshold }) => ({ name, words, colour, threshold }),
    );
  }

  /** Replaces all prompts, as one step. */
  savePrompts(prompts: readonly Prompt[], label = 'Change prompts'): void {
    this.change(label, (recorder) => {
      const ids = this.#database
        .prepare('SELECT id FROM landscribe_prompts ORDER BY position, id')
        .pluck()
        .all();
      prompts.forEach(({ name, words, colour, threshold }, position) => {
        const row = { name, words: JSON.stringify(words), colour, threshold, position };
        const id = ids[position];
        if (typeof id === 'number') recorder.update('landscribe_prompts', BigInt(id), row);
        else recorder.insert('landscribe_prompts', row);
      });
      for (const id of ids.slice(prompts.length)) recorder.remove('landscribe_prompts', BigInt(id as number));
    });
  }

  views(): ProjectView[] {
    return this.#all('SELECT * FROM landscribe_views ORDER BY position, id', viewRow).map(
      ({ id, name, kind, state }) => ({ id, name, kind, state }),
    );
  }

  /** Returns the view's id. Where the map was looked at is kept, but is no step of undo; bookmarks are. */
  saveView(view: Omit<ProjectView, 'id'> & { id?: number }): number {
    const { id, name, kind, state } = view;
    const values = { name, kind, state: JSON.stringify(state) };
    if (kind === 'bookmark')
      return this.change(id === undefined ? `Add ${name}` : `Change ${name}`, (recorder) => {
        if (id === undefined)
          return Number(
            recorder.insert('landscribe_views', {
              ...values,
              position: this.#lastPosition('landscribe_views'),
            }),
          );
        if (!recorder.update('landscribe_views', BigInt(id), values)) throw noSuch('view', id);
        return id;
      });
    return this.#write(() => {
      const { changes } = this.#database
        .prepare(
          "UPDATE landscribe_views SET name = :name, kind = :kind, state = :state WHERE id = :id AND kind = 'map'",
        )
        .run({ ...values, id: id ?? null });
      if (changes === 1) return id!;
      if (id !== undefined) throw noSuch('view', id);
      const inserted = this.#database
        .prepare(
          'INSERT INTO landscribe_views (name, kind, state, position) VALUES (:name, :kind, :state, :position)',
        )
        .run({ ...values, position: this.#lastPosition('landscribe_views') });
      return Number(inserted.lastInsertRowid);
    });
  }

  removeView(id: number): void {
    this.change('Remove view', (recorder) => {
      if (!recorder.remove('landscribe_views', BigInt(id))) throw noSuch('view', id);
    });
  }

  runs(): ProjectRun[] {
    const rasters = this.#all('SELECT * FROM landscribe_rasters ORDER BY id', rasterRow);
    return this.#all('SELECT * FROM landscribe_runs ORDER BY id', runRow).map((row) => ({
      id: row.id,
      sceneId: row.scene_id,
      layer: row.table_name,
      request: row.request,
      summary: row.summary,
      created: row.created,
      rasters: rasters
        .filter(({ run_id }) => run_id === row.id)
        .map(({ id, kind, path: stored, bytes }) => ({
          id,
          kind,
          path: fromStored(this.path, stored),
          bytes,
        })),
    }));
  }

  /** Enters a finished run and its rasters (absolute paths); returns its id. */
  addRun(run: {
    sceneId: number | null;
    layer: string | null;
    request: Json;
    summary: Json;
    rasters: { kind: RasterKind; path: string }[];
  }): number {
    return this.#write(() => {
      const { lastInsertRowid } = this.#database
        .prepare(
          'INSERT INTO landscribe_runs (scene_id, table_name, request, summary, created) VALUES (?, ?, ?, ?, ?)',
        )
        .run(
          run.sceneId,
          run.layer,
          JSON.stringify(run.request),
          JSON.stringify(run.summary),
          new Date().toISOString(),
        );
      const insert = this.#database.prepare(
        'INSERT INTO landscribe_rasters (run_id, kind, path, bytes) VALUES (?, ?, ?, ?)',
      );
      for (const raster of run.rasters)
        insert.run(
          lastInsertRowid,
          raster.kind,
          toStored(this.path, raster.path),
          statSync(raster.path).size,
        );
      return Number(lastInsertRowid);
    });
  }

  /** All feature layers, other programs' included. */
  layers(): ProjectLayer[] {
    const rows = this.#all(
      `SELECT c.table_name, c.identifier, c.srs_id, c.min_x, c.min_y, c.max_x, c.max_y, c.last_change, n.feature_count
       FROM gpkg_contents c LEFT JOIN gpkg_ogr_contents n ON n.table_name = c.table_name
       WHERE c.data_type = 'features' AND c.table_name NOT IN (SELECT table_name FROM landscribe_unfinished_layers)
       ORDER BY c.rowid`,
      layerRow,
    );
    return rows.map(
      ({ table_name, identifier, srs_id, feature_count, min_x, min_y, max_x, max_y, last_change }) => ({
        table: table_name,
        identifier: identifier ?? table_name,
        srsId: srs_id,
        features: feature_count,
        extent:
          min_x === null || min_y === null || max_x === null || max_y === null
            ? null
            : [min_x, min_y, max_x, max_y],
        lastChange: last_change,
      }),
    );
  }

  /** A new layer; a number is added to the name where it is taken. */
  addLayer(description: PolygonLayerDescription): LayerFiller {
    const database = this.#database;
    const name = this.#freeLayerName(description.name);
    const write = <Result>(work: () => Result) => this.#write(work);
    const layer = write(() => {
      database.prepare('INSERT INTO landscribe_unfinished_layers VALUES (?)').run(tableName(name));
      return new PolygonLayer(database, { ...description, name });
    });
    const { table } = layer;
    return {
      table,
      add: (batch) => write(() => layer.add(batch)),
      finish: <Result>(also?: () => Result) =>
        write(() => {
          const count = layer.finish();
          database.prepare('DELETE FROM landscribe_unfinished_layers WHERE table_name = ?').run(table);
          return (also ? also() : count) as Result & number;
        }),
      discard: () => write(() => dropLayer(database, table)),
    };
  }

  /** Changes of the project's own tables or of layers, as one step of undo. */
  change<Result>(label: string, work: (recorder: Recorder) => Result): Result {
    return this.#write(() => this.#history.change(label, work), false);
  }

  /** What undo and redo would do next. */
  nextSteps(): { undo: Step | null; redo: Step | null } {
    return this.#read(() => this.#history.next());
  }

  undo(): Step | null {
    return this.#write(() => this.#history.undo(), false);
  }

  redo(): Step | null {
    return this.#write(() => this.#history.redo(), false);
  }

  /** Scenes and rasters whose files are gone, with what they may be now. */
  missingFiles(signal?: AbortSignal): Promise<MissingFile[]> {
    return findMissing(this.path, this.#links(), signal);
  }

  /** Lets a link point to where its file is now. */
  async relink(kind: FileLink['kind'], id: number, file: string): Promise<void> {
    const size = await bytesOfScene(file);
    const fingerprint = kind === 'scene' ? await fingerprintFile(file) : null;
    const stored = toStored(this.path, file);
    if (kind === 'scene')
      this.change('Repair link', (recorder) => {
        if (!recorder.update('landscribe_scenes', BigInt(id), { path: stored, fingerprint, bytes: size }))
          throw noSuch('scene', id);
      });
    else
      this.#write(() => {
        const { changes } = this.#database
          .prepare('UPDATE landscribe_rasters SET path = ?, bytes = ? WHERE id = ?')
          .run(stored, size, id);
        if (changes === 0) throw noSuch('raster', id);
      });
  }

  /**
   * A copy under another name, with its own copies of the rasters in the project's folder; links are relative to where
   * it lies. Unfinished jobs stay with the original. This project stays open.
   */
  async saveAs(file: string, options: { overwrite?: boolean } = {}): Promise<void> {
    await saveProjectAs(this.path, this.#database, file, options.overwrite ?? false);
  }

  /** Leaves one file without journal, which may be copied and read anywhere. */
  close(): void {
    if (!this.#database.open) return;
    if (this.#lock) {
      try {
        this.#database.pragma('busy_timeout = 100');
        this.#database.pragma('journal_mode = DELETE');
      } catch {
        // Another program has it open: the journal stays until it closes.
      }
    }
    this.#close();
    this.#lock?.release();
  }

  #links(): FileLink[] {
    const rasters = this.runs().flatMap((run) =>
      run.rasters.map(({ id, kind, path: file, bytes }) => ({
        kind: 'raster' as const,
        id,
        name: `${kind} of ${run.layer ?? `run ${run.id}`}`,
        path: file,
        bytes,
        fingerprint: null,
      })),
    );
    return [...this.scenes().map((scene) => ({ ...scene, kind: 'scene' as const })), ...rasters];
  }

  #freeLayerName(wanted: string): string {
    const taken = this.#database.prepare('SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?)');
    const identifier = this.#database.prepare(
      'SELECT 1 FROM gpkg_contents WHERE lower(identifier) = lower(?)',
    );
    for (let i = 1; ; i++) {
      const name = i === 1 ? wanted : `${wanted} ${i}`;
      const table = tableName(name);
      const isFree =
        [table, rtreeName(table)].every((each) => !taken.get(each)) &&
        [table, name].every((each) => !identifier.get(each));
      if (isFree) return name;
      if (i > 1 && table === tableName(wanted))
        throw new Problem('project/layer-name', `${wanted}: the name is too long.`, 'Choose a shorter one.');
    }
  }

  #lastPosition(table: string): number {
    return this.#database
      .prepare(`SELECT coalesce(max(position), -1) + 1 FROM ${table}`)
      .pluck()
      .get() as number;
  }

  #all<Schema extends z.ZodType>(sql: string, row: Schema): z.output<Schema>[] {
    return this.#read(() => z.array(row).parse(this.#database.prepare(sql).all()));
  }

  #read<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof z.ZodError || error instanceof SyntaxError)
        throw new Problem(
          'project/damaged',
          `${this.path}: holds values that Landscribe did not write.`,
          'Go on from a backup.',
          error,
        );
      throw sqliteProblem(error, this.path);
    }
  }

  /** One transaction. Throws `project/read-only` where this is not the writer. */
  #write<Result>(work: () => Result, transaction = true): Result {
    if (this.access.mode === 'read')
      throw new Problem(
        'project/read-only',
        `${this.path}: is open for reading only. ${this.access.reason}`,
        'Save it under another name to change it.',
      );
    return this.#read(() => (transaction ? this.#database.transaction(work).immediate() : work()));
  }
}

function writing(target: string): Reading {
  const database = openForWriting(target);
  return { database, close: () => database.close() };
}

function noSuch(what: string, id: number): Problem {
  return new Problem(
    'project/no-such-row',
    `There is no ${what} ${id} in this project.`,
    'Reload the project.',
  );
}
