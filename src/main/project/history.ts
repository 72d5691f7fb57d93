import type Database from 'better-sqlite3';
import { Problem } from '../../worker/report/problem.ts';
import { geometryColumn, quoteName, rtreeName } from './geopackage-schema.ts';
import { refreshLayer } from './layer-extent.ts';
import { type Cell, decodeRow, encodeRow } from './row-image.ts';

/** Tables besides the layers whose rows may be changed with undo. */
const ownTables = new Set([
  'landscribe_scenes',
  'landscribe_prompts',
  'landscribe_views',
  'landscribe_settings',
  'gpkg_contents',
  'gpkg_geometry_columns',
  'gpkg_ogr_contents',
  'gpkg_metadata',
  'layer_styles',
]);

/** Steps kept for undo; beyond either bound the oldest go, but never the last. */
const keptSteps = 500;
const keptBytes = 512 * 2 ** 20;

export interface Step {
  /** What the menu says after "Undo". */
  label: string;
  date: string;
}

interface StoredRow {
  table_name: string;
  columns: string;
  key: Uint8Array;
  before: Uint8Array | null;
  after: Uint8Array | null;
}

interface TableShape {
  table: string;
  columns: string[];
  /** Position of the key among the columns. */
  key: number;
  select: Database.Statement;
  update: Database.Statement;
  insert: Database.Statement;
  remove: Database.Statement;
  /** R-tree of a feature table: kept by triggers, recorded beside its rows. */
  index: TableShape | null;
  isIndex: boolean;
}

/** Values by column. */
export type Row = Record<string, Cell>;

/**
 * Undo and redo that outlive the program: every change of a row is recorded with the row before and after it, in the
 * transaction that makes it. Undoing puts rows back bit for bit, index included; it is refused where another program
 * has changed one of the rows since.
 */
export class History {
  readonly #database: Database.Database;
  readonly #shapes = new Map<string, TableShape>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Runs `work` as one step, or not at all if it throws. Undone steps are forgotten. A step without changes is none. */
  change<Result>(label: string, work: (recorder: Recorder) => Result): Result {
    const database = this.#database;
    this.#shapes.clear();
    return database
      .transaction(() => {
        const recorder = new Recorder(this);
        const result = work(recorder);
        if (recorder.changes.length === 0) return result;
        database.prepare('DELETE FROM landscribe_history WHERE undone = 1').run();
        const bytes = recorder.changes.reduce(
          (sum, { before, after }) => sum + (before?.length ?? 0) + (after?.length ?? 0),
          0,
        );
        const { lastInsertRowid: step } = database
          .prepare('INSERT INTO landscribe_history (label, date, bytes) VALUES (?, ?, ?)')
          .run(label, new Date().toISOString(), bytes);
        const insert = database.prepare(
          'INSERT INTO landscribe_history_rows (step, table_name, columns, key, before, after) VALUES (?, ?, ?, ?, ?, ?)',
        );
        for (const { shape, key, before, after } of recorder.changes)
          insert.run(step, shape.table, JSON.stringify(shape.columns), key, before, after);
        this.#forgetOld();
        this.#refresh(recorder.changes.map(({ shape }) => shape.table));
        return result;
      })
      .immediate();
  }

  /** What undo and redo would do next. */
  next(): { undo: Step | null; redo: Step | null } {
    const find = (undone: number, order: string) =>
      (this.#database
        .prepare(`SELECT label, date FROM landscribe_history WHERE undone = ? ORDER BY step ${order} LIMIT 1`)
        .get(undone) as Step | undefined) ?? null;
    return { undo: find(0, 'DESC'), redo: find(1, 'ASC') };
  }

  /** Takes the last step back and returns it; null where there is none. Throws `history/changed-outside`. */
  undo(): Step | null {
    return this.#move(0, 'DESC');
  }

  /** Does the last undone step again; as `undo`. */
  redo(): Step | null {
    return this.#move(1, 'ASC');
  }

  #move(undone: 0 | 1, order: 'ASC' | 'DESC'): Step | null {
    const database = this.#database;
    this.#shapes.clear();
    return database
      .transaction(() => {
        const found = database
          .prepare(
            `SELECT step, label, date FROM landscribe_history WHERE undone = ? ORDER BY step ${order} LIMIT 1`,
          )
          .get(undone) as (Step & { step: number }) | undefined;
        if (!found) return null;
        const { step, label, date } = found;
        const stored = database
          .prepare(
            `SELECT table_name, columns, key, before, after FROM landscribe_history_rows WHERE step = ? ORDER BY id ${order}`,
          )
          .all(step) as StoredRow[];
        const indexRows: [TableShape, Cell, Cell[] | null][] = [];
        for (const row of stored) {
          const shape = this.shapeOf(row.table_name);
          if (row.columns !== JSON.stringify(shape.columns)) throw changedOutside(label, shape.table);
          const [key] = decodeRow(row.key);
          const [from, to] = undone ? [row.before, row.after] : [row.after, row.before];
          const target = to && decodeRow(to);
          if (shape.key < 0 || key === undefined || (target && target.length !== shape.columns.length))
            throw changedOutside(label, shape.table);
          if (shape.isIndex) {
            indexRows.push([shape, key, target]);
            continue;
          }
          const present = this.read(shape, key);
          if (!sameImage(present && encodeRow(present), from)) throw changedOutside(label, shape.table);
          this.put(shape, key, present, target);
        }
        // The triggers have kept the index true; its rows get their own bounds back, which SQLite rounds wider.
        for (const [shape, key, target] of indexRows) this.put(shape, key, this.read(shape, key), target);
        this.#refresh(stored.map((row) => row.table_name));
        database.prepare('UPDATE landscribe_history SET undone = ? WHERE step = ?').run(undone ? 0 : 1, step);
        return { label, date };
      })
      .immediate();
  }

  /** Extent and date of the layers among the tables. */
  #refresh(tables: string[]): void {
    for (const table of new Set(tables)) if (this.shapeOf(table).index) refreshLayer(this.#database, table);
  }

  #forgetOld(): void {
    const steps = this.#database
      .prepare('SELECT step, bytes FROM landscribe_history ORDER BY step DESC')
      .all() as { step: number; bytes: number }[];
    let bytes = 0;
    const first = steps.findIndex((step, index) => {
      bytes += step.bytes;
      return index > 0 && (index >= keptSteps || bytes > keptBytes);
    });
    if (first > 0)
      this.#database.prepare('DELETE FROM landscribe_history WHERE step <= ?').run(steps[first]!.step);
  }

  /**
   * Columns and statements of a table that may be changed with undo. Throws for every other: names also come from the
   * file, which anybody may have written.
   */
  shapeOf(table: string): TableShape {
    const known = this.#shapes.get(table);
    if (known) return known;
    const database = this.#database;
    const layer = database
      .prepare("SELECT 1 FROM gpkg_contents WHERE table_name = ? AND data_type = 'features'")
      .pluck();
    const isLayer = layer.get(table) !== undefined;
    const indexed = /^rtree_(.+)_geom$/s.exec(table)?.[1];
    const isLayerIndex = indexed !== undefined && layer.get(indexed) !== undefined;
    if (!isLayer && !isLayerIndex && !ownTables.has(table))
      throw new Problem(
        'history/not-undoable',
        `Table ${table} is not part of the project.`,
        'Check the layer.',
      );
    const about = database.pragma(`table_info(${quoteName(table)})`) as { name: string; pk: number }[];
    const columns = about.map(({ name }) => name);
    const keyName = isLayerIndex ? 'id' : about.find(({ pk }) => pk === 1)?.name;
    if (keyName === undefined)
      throw new Problem('history/not-undoable', `Table ${table} has no key.`, 'Check the layer.');
    const name = quoteName(table);
    const where = `WHERE ${quoteName(keyName)} = ?`;
    const list = columns.map(quoteName).join(', ');
    const shape: TableShape = {
      table,
      columns,
      key: columns.indexOf(keyName),
      select: database.prepare(`SELECT ${list} FROM ${name} ${where}`).raw().safeIntegers(),
      update: database.prepare(
        `UPDATE ${name} SET ${columns.map((column) => `${quoteName(column)} = ?`).join(', ')} ${where}`,
      ),
      insert: database.prepare(`INSERT INTO ${name} (${list}) VALUES (${columns.map(() => '?').join(', ')})`),
      remove: database.prepare(`DELETE FROM ${name} ${where}`),
      index: null,
      isIndex: isLayerIndex && !isLayer,
    };
    if (isLayer && about.some((column) => column.name === geometryColumn) && this.#hasTable(rtreeName(table)))
      shape.index = this.shapeOf(rtreeName(table));
    this.#shapes.set(table, shape);
    return shape;
  }

  #hasTable(table: string): boolean {
    return this.#database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) !== undefined;
  }

  read(shape: TableShape, key: Cell): Cell[] | null {
    return (shape.select.get(key) as Cell[] | undefined) ?? null;
  }

  /** Makes the row `target`; null takes it away. */
  put(shape: TableShape, key: Cell, present: Cell[] | null, target: Cell[] | null): void {
    if (!target) {
      if (present) shape.remove.run(key);
    } else if (present) shape.update.run(...target, key);
    else shape.insert.run(...target);
  }

  /** A new row's key. */
  create(shape: TableShape, values: Row): bigint {
    const names = Object.keys(values);
    const { lastInsertRowid } = this.#database
      .prepare(
        `INSERT INTO ${quoteName(shape.table)} (${names.map(quoteName).join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
      )
      .run(...Object.values(values));
    return BigInt(lastInsertRowid);
  }
}

interface Change {
  shape: TableShape;
  key: Buffer;
  before: Buffer | null;
  after: Buffer | null;
}

/** Changes rows and remembers them, within `History.change`. */
export class Recorder {
  readonly changes: Change[] = [];
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  /** The row, integers as bigint; null where there is none. */
  read(table: string, key: Cell): Row | null {
    const shape = this.#history.shapeOf(table);
    const cells = this.#history.read(shape, key);
    return cells && Object.fromEntries(shape.columns.map((column, i) => [column, cells[i]!]));
  }

  insert(table: string, values: Row): bigint {
    const shape = this.#history.shapeOf(table);
    const key = this.#history.create(shape, values);
    this.#record(shape, values[shape.columns[shape.key]!] ?? key, null, null);
    return key;
  }

  /** Columns that are not named keep their values. Says whether there is such a row. */
  update(table: string, key: Cell, values: Row): boolean {
    const history = this.#history;
    const shape = history.shapeOf(table);
    const before = history.read(shape, key);
    if (!before) return false;
    const target = shape.columns.map((column, i) => (column in values ? values[column]! : before[i]!));
    const beforeIndex = shape.index && history.read(shape.index, key);
    history.put(shape, key, before, target);
    this.#record(shape, key, before, beforeIndex);
    return true;
  }

  remove(table: string, key: Cell): boolean {
    const history = this.#history;
    const shape = history.shapeOf(table);
    const before = history.read(shape, key);
    if (!before) return false;
    const beforeIndex = shape.index && history.read(shape.index, key);
    history.put(shape, key, before, null);
    this.#record(shape, key, before, beforeIndex);
    return true;
  }

  #record(shape: TableShape, key: Cell, before: Cell[] | null, beforeIndex: Cell[] | null): void {
    const history = this.#history;
    const add = (changed: TableShape, was: Cell[] | null) => {
      const image = was && encodeRow(was);
      const present = history.read(changed, key);
      const after = present && encodeRow(present);
      if (!sameImage(image, after))
        this.changes.push({ shape: changed, key: encodeRow([key]), before: image, after });
    };
    add(shape, before);
    if (shape.index) add(shape.index, beforeIndex);
  }
}

function sameImage(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}

function changedOutside(label: string, table: string): Problem {
  return new Problem(
    'history/changed-outside',
    `"${label}" cannot be undone or redone: ${table} was changed by another program since.`,
    'Take the change back there, or go on from the layer as it is.',
  );
}
