import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { createPrivateGeoPackage, registerSpatialFunctions } from '../../../src/main/project/geopackage.ts';
import { migrate, projectVersion } from '../../../src/main/project/migrate.ts';
import { migrations, newestVersion } from '../../../src/main/project/project-schema.ts';
import { ProjectStore } from '../../../src/main/project/project-store.ts';
import type { Problem } from '../../../src/worker/report/problem.ts';
import { gdalMissing, ogrinfo, ogrinfoMissing } from '../export/gdal.ts';
import { classes, describeLayer, pixelPolygons, random, temporaryFolder } from '../export/layers.ts';

const folder = temporaryFolder();
const child = path.join(import.meta.dirname, 'project-process.ts');
let count = 0;
const newPath = () => path.join(folder, `project-${count++}.gpkg`);

function layerOf(name: string) {
  const { provenance, crs } = describeLayer();
  const style = { name: 'classes', qml: '<qgis/>', sld: '' };
  return { name, description: 'd', crs, classes, provenance, style };
}

function fill(store: ProjectStore, name: string, polygons = pixelPolygons(200, 1)): string {
  const layer = store.addLayer(layerOf(name));
  for (let i = 0; i < polygons.length; i += 50) layer.add(polygons.slice(i, i + 50));
  expect(layer.finish()).toBe(polygons.length);
  return layer.table;
}

/**
 * Every table's rows, R-trees' included; not what an undone edit rightly leaves: the history, the numbers that are never
 * given twice, and the time of the last change.
 */
function snapshot(file: string): Record<string, unknown[]> {
  const database = new Database(file, { readonly: true });
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'landscribe_history%'")
    .pluck()
    .all() as string[];
  const rows: Record<string, unknown[]> = {};
  for (const table of tables) {
    if (table === 'sqlite_sequence' || /_geom_(node|parent|rowid)$/.test(table)) continue;
    const found = database.prepare(`SELECT * FROM "${table.replaceAll('"', '""')}"`).all() as object[];
    const undated = found.map((row) => ('last_change' in row ? { ...row, last_change: '' } : row));
    const order = (row: object) => JSON.stringify(Object.values(row).slice(0, 2));
    rows[table] = undated.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }
  database.close();
  return rows;
}

function expectSound(file: string): void {
  const database = new Database(file, { readonly: true });
  registerSpatialFunctions(database);
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(database.pragma('foreign_key_check')).toEqual([]);
  const layers = database
    .prepare("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'")
    .pluck()
    .all() as string[];
  for (const table of layers) {
    const index = `rtree_${table}_geom`;
    expect(database.prepare('SELECT rtreecheck(?)').pluck().get(index)).toBe('ok');
    const outside = database
      .prepare(
        `SELECT count(*) FROM "${table}" t LEFT JOIN "${index}" r ON r.id = t.fid
         WHERE r.id IS NULL OR r.minx > ST_MinX(geom) OR r.maxx < ST_MaxX(geom) OR r.miny > ST_MinY(geom) OR r.maxy < ST_MaxY(geom)`,
      )
      .pluck()
      .get();
    expect(outside).toBe(0);
    const [rows, indexed, counted] = database
      .prepare(
        `SELECT (SELECT count(*) FROM "${table}"), (SELECT count(*) FROM "${index}"), (SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = ?)`,
      )
      .raw()
      .get(table) as number[];
    expect([indexed, counted]).toEqual([rows, rows]);
    const extent = database.prepare(
      'SELECT min_x, max_x, min_y, max_y FROM gpkg_contents WHERE table_name = ?',
    );
    const exact = database.prepare(
      `SELECT min(ST_MinX(geom)), max(ST_MaxX(geom)), min(ST_MinY(geom)), max(ST_MaxY(geom)) FROM "${table}"`,
    );
    expect(extent.raw().get(table)).toEqual(exact.raw().get());
  }
  database.close();
}

async function problemOf(work: () => unknown): Promise<Problem> {
  try {
    await work();
  } catch (error) {
    return error as Problem;
  }
  throw new Error('nothing was thrown');
}

/** The child's standard output until a line says `word`. */
function untilLine(process: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    process.stdout!.on('data', (chunk) => {
      text += chunk;
      if (text.includes(word)) resolve();
    });
    process.on('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}

describe('edits', () => {
  test('undo takes every edit back and redo makes it again, row for row, also after a restart', async () => {
    for (let seed = 0; seed < 6; seed++) {
      const file = newPath();
      let store = await ProjectStore.create(file);
      const table = fill(store, `Köln "${seed}"`, pixelPolygons(120, seed));
      const next = random(seed);
      const any = () => 1 + Math.floor(next() * 120);
      const states = [snapshot(file)];
      for (let tries = 0; tries < 60 && states.length < 15; tries++) {
        const { edits } = store;
        const choice = Math.floor(next() * 5);
        try {
          if (choice === 0) edits.changeClass(table, [any(), any()], 1 + Math.floor(next() * 3));
          else if (choice === 1) edits.remove(table, [any(), any()]);
          else if (choice === 2) {
            const [x0, y0, x1, y1] = store.layers()[0]!.extent!;
            const ring = Float64Array.of(x0, y0, x1, y0, x1, y1 + next() * 9, x0, y0);
            edits.reshape(table, any(), [ring]);
          } else if (choice === 3) {
            const [x0, y0, x1] = store.layers()[0]!.extent!;
            const y = y0 + next() * 50;
            const [fid, ...added] = edits.split(table, any(), Float64Array.of(x0 - 1, y, x1 + 1, y));
            if (next() < 0.5) {
              states.push(snapshot(file));
              edits.merge(table, [fid!, ...added]);
            }
          } else store.savePrompts([{ name: `p${tries}`, words: ['a'], colour: '#000000', threshold: null }]);
        } catch (error) {
          expect((error as Problem).code).toMatch(/^edit\//);
          continue;
        }
        const now = snapshot(file);
        if (JSON.stringify(now) !== JSON.stringify(states.at(-1))) states.push(now);
      }
      expect(states.length).toBeGreaterThan(8);
      const backwards = states.slice(0, -1).reverse();
      for (const [index, state] of backwards.entries()) {
        if (index === 3) {
          store.close();
          store = await ProjectStore.open(file);
        }
        expect(store.undo()).not.toBeNull();
        expect(snapshot(file)).toEqual(state);
      }
      expect(store.undo()).toBeNull();
      for (const state of states.slice(1)) {
        expect(store.redo()).not.toBeNull();
        expect(snapshot(file)).toEqual(state);
      }
      expect(store.redo()).toBeNull();
      store.close();
      expectSound(file);
    }
  }, 60_000);

  test('a new edit forgets what was undone; an edit that fails half way leaves nothing', async () => {
    const file = newPath();
    const store = await ProjectStore.create(file);
    const table = fill(store, 'layer');
    store.edits.remove(table, [1]);
    store.undo();
    expect(store.nextSteps()).toMatchObject({ undo: null, redo: { label: 'Delete polygon' } });
    store.edits.changeClass(table, [2], 1);
    store.edits.changeClass(table, [2], 2);
    expect(store.nextSteps().redo).toBeNull();
    const before = snapshot(file);
    expect((await problemOf(() => store.edits.remove(table, [3, 4, 9999]))).code).toBe(
      'edit/no-such-polygon',
    );
    expect((await problemOf(() => store.edits.changeClass(table, [3], 77))).code).toBe('edit/no-class');
    expect((await problemOf(() => store.edits.merge(table, [5, 90]))).code).toBe('edit/not-adjacent');
    expect(snapshot(file)).toEqual(before);
    store.close();
    expectSound(file);
  });

  test('a merge keeps the largest, adds the areas and averages the confidence by area', async () => {
    const store = await ProjectStore.create(newPath());
    const box = (x: number, width: number) => Float64Array.of(x, 0, x + width, 0, x + width, 2, x, 2, x, 0);
    const polygon = (classId: number, confidence: number, x: number, width: number) => ({
      classId,
      confidence,
      area: width * 2,
      perimeter: 2 * width + 4,
      rings: [box(x, width)],
    });
    const table = fill(store, 'boxes', [polygon(1, 0.2, 0, 1), polygon(2, 0.8, 1, 3)]);
    expect(store.edits.merge(table, [1, 2])).toBe(2);
    const database = new Database(store.path, { readonly: true });
    expect(database.prepare(`SELECT class_id, confidence, area_m2, perimeter_m FROM ${table}`).all()).toEqual(
      [{ class_id: 2, confidence: (0.2 * 2 + 0.8 * 6) / 8, area_m2: 8, perimeter_m: 12 }],
    );
    database.close();
    store.close();
  });

  test.skipIf(gdalMissing)(
    'undo is refused where another program changed the row, and loses nothing',
    async () => {
      const file = newPath();
      const store = await ProjectStore.create(file);
      const table = fill(store, 'shared');
      store.edits.changeClass(table, [7], 1);
      store.edits.changeClass(table, [7], 3);
      store.edits.remove(table, [8]);
      execFileSync('/usr/bin/python3', [
        '-c',
        `
import sys
from osgeo import ogr
ogr.UseExceptions()
source = ogr.Open(sys.argv[1], 1)
layer = source.GetLayer('shared')
feature = layer.GetFeature(7)
feature['class_name'] = 'by hand'
layer.SetFeature(feature)
`,
        file,
      ]);
      expect(store.undo()).toMatchObject({ label: 'Delete polygon' });
      const before = snapshot(file);
      expect((await problemOf(() => store.undo())).code).toBe('history/changed-outside');
      expect(snapshot(file)).toEqual(before);
      expect(JSON.stringify(before.shared)).toContain('by hand');
      store.close();
      expectSound(file);
    },
  );

  test('history from a stranger’s file touches the project’s own tables only', async () => {
    const file = newPath();
    (await ProjectStore.create(file)).close();
    const database = new Database(file);
    database.exec(`INSERT INTO landscribe_history (label, date, bytes) VALUES ('x', '', 0);
      INSERT INTO landscribe_history_rows (step, table_name, columns, key) VALUES (1, 'gpkg_spatial_ref_sys', '[]', x'00');`);
    database.close();
    const store = await ProjectStore.open(file);
    expect((await problemOf(() => store.undo())).code).toBe('history/not-undoable');
    store.close();
  });
});

describe('opening', () => {
  test('what was saved is there again; one file remains, which GDAL reads without complaint', async () => {
    const file = newPath();
    const scene = path.join(folder, 'scene.tif');
    writeFileSync(scene, 'pixels');
    const store = await ProjectStore.create(file);
    const id = await store.addScene(scene);
    store.changeScene(id, { name: 'Cologne', display: { bands: [3, 2, 1] } }, 'Change bands');
    store.savePrompts([{ name: 'water', words: ['river', 'lake'], colour: '#0072b2', threshold: 0.4 }]);
    const view = store.saveView({ name: 'map', kind: 'map', state: { x: 1, y: 2 } });
    store.saveView({ id: view, name: 'map', kind: 'map', state: { x: 5, y: 2 } });
    store.saveView({ name: 'home', kind: 'bookmark', state: {} });
    store.saveSetting('crs', { epsg: 25832 }, 'Set CRS');
    const tables = [fill(store, 'result'), fill(store, 'result'), fill(store, 'empty', [])];
    expect(tables).toEqual(['result', 'result_2', 'empty']);
    store.addRun({ sceneId: id, layer: 'result', request: { a: 1 }, summary: {}, rasters: [] });
    store.close();
    expect(existsSync(`${file}-wal`) || existsSync(`${file}.lock`)).toBe(false);
    const again = await ProjectStore.open(file);
    expect(again.access.mode).toBe('write');
    expect(again.notes).toEqual([]);
    expect(again.scenes()).toMatchObject([
      { id, name: 'Cologne', path: scene, bytes: 6, display: { bands: [3, 2, 1] } },
    ]);
    expect(again.prompts()).toEqual([
      { name: 'water', words: ['river', 'lake'], colour: '#0072b2', threshold: 0.4 },
    ]);
    expect(again.views()).toMatchObject([{ id: view, state: { x: 5 } }, { name: 'home' }]);
    expect(again.setting('crs')).toEqual({ epsg: 25832 });
    expect(again.layers().map(({ table, features }) => [table, features])).toEqual([
      ['result', 200],
      ['result_2', 200],
      ['empty', 0],
    ]);
    expect(again.runs()).toMatchObject([{ layer: 'result', request: { a: 1 } }]);
    expect(await again.missingFiles()).toEqual([]);
    again.close();
    expectSound(file);
    if (ogrinfoMissing) return;
    const seen = ogrinfo(file);
    expect(seen.match(/Feature Count: 200/g)).toHaveLength(2);
    expect(seen).not.toContain('landscribe_');
  });

  test('what QGIS keeps in the file stays as it is through edits, undo, and saving', async () => {
    const file = newPath();
    const store = await ProjectStore.create(file);
    const table = fill(store, 'layer');
    store.close();
    const database = new Database(file);
    database.exec(`CREATE TABLE qgis_projects (name TEXT PRIMARY KEY, metadata BLOB, content BLOB);
      INSERT INTO qgis_projects VALUES ('mine', x'00', x'0102');
      UPDATE layer_styles SET styleQML = '<qgis mine/>';
      ALTER TABLE layer ADD COLUMN remark TEXT;`);
    registerSpatialFunctions(database);
    database.exec("UPDATE layer SET remark = 'seen' WHERE fid < 5");
    database.close();
    const before = snapshot(file);
    const again = await ProjectStore.open(file);
    again.edits.remove(table, [1, 2]);
    again.edits.changeClass(table, [3], 1);
    const { qgis_projects, layer_styles, gpkg_spatial_ref_sys, gpkg_extensions } = snapshot(file);
    expect({ qgis_projects, layer_styles, gpkg_spatial_ref_sys, gpkg_extensions }).toEqual({
      qgis_projects: before.qgis_projects,
      layer_styles: before.layer_styles,
      gpkg_spatial_ref_sys: before.gpkg_spatial_ref_sys,
      gpkg_extensions: before.gpkg_extensions,
    });
    again.undo();
    again.undo();
    expect(snapshot(file)).toEqual(before);
    again.close();
  });

  test('two processes: the second reads, says who writes, and sees what is written', async () => {
    const file = newPath();
    (await ProjectStore.create(file)).close();
    const other = spawn(process.execPath, [child, 'hold', file], { stdio: ['pipe', 'pipe', 'inherit'] });
    await untilLine(other, 'open write, 0 layers');
    const second = await ProjectStore.open(file);
    expect(second.access).toMatchObject({ mode: 'read', holder: { pid: other.pid } });
    expect(second.access.mode === 'read' && second.access.reason).toContain(`Process ${other.pid}`);
    expect((await problemOf(() => second.savePrompts([]))).code).toBe('project/read-only');
    const version = second.dataVersion();
    const written = untilLine(other, 'written');
    other.stdin!.write('write\n');
    await written;
    expect(second.dataVersion()).not.toBe(version);
    expect(second.prompts()).toMatchObject([{ name: 'from the other process' }]);
    second.close();
    other.kill('SIGKILL');
    await new Promise((resolve) => other.on('exit', resolve));
    // The dead process's lock is none.
    expect(existsSync(`${file}.lock`)).toBe(true);
    const third = await ProjectStore.open(file);
    expect(third.access.mode).toBe('write');
    third.close();
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  test('within one process there is one writer, too; it can be opened again after it closed', async () => {
    const file = newPath();
    const first = await ProjectStore.create(file);
    const second = await ProjectStore.open(file);
    expect(second.access).toMatchObject({ mode: 'read', holder: { pid: process.pid } });
    second.close();
    const third = await ProjectStore.open(file);
    expect(third.access.mode).toBe('read');
    third.close();
    first.savePrompts([]);
    first.close();
    first.close();
    const fourth = await ProjectStore.open(file);
    expect(fourth.access.mode).toBe('write');
    fourth.close();
  });

  test('a process killed while it writes leaves a project that opens, without half a layer', async () => {
    const file = newPath();
    const store = await ProjectStore.create(file);
    const kept = fill(store, 'kept');
    store.close();
    for (const after of [0, 40, 150, 400]) {
      const writer = spawn(process.execPath, [child, 'fill', file], { stdio: ['pipe', 'pipe', 'inherit'] });
      await untilLine(writer, 'writing');
      await new Promise((resolve) => setTimeout(resolve, after));
      writer.kill('SIGKILL');
      await new Promise((resolve) => writer.on('exit', resolve));
      const again = await ProjectStore.open(file);
      expect(again.access.mode).toBe('write');
      expect(again.notes.join()).toMatch(/unfinished layer filling was removed/);
      expect(again.layers().map(({ table }) => table)).toEqual([kept]);
      again.edits.changeClass(kept, [1], 2);
      again.close();
      expectSound(file);
      if (!ogrinfoMissing) expect(ogrinfo(file)).toContain('Feature Count: 200');
    }
  }, 60_000);

  test('an older project is copied, then brought up to date; what is in it stays', async () => {
    expect(migrations.map(({ number }) => number)).toEqual(migrations.map((_, index) => index + 1));
    const file = newPath();
    const old = createPrivateGeoPackage(file);
    migrate(old, 1);
    old.exec(
      "INSERT INTO landscribe_prompts (name, words, colour, position) VALUES ('water', '[\"sea\"]', '#000000', 0)",
    );
    old.close();
    const before = snapshot(file);
    const store = await ProjectStore.open(file);
    expect(store.notes.join()).toMatch(/from format 1/);
    expect(store.prompts()).toEqual([{ name: 'water', words: ['sea'], colour: '#000000', threshold: null }]);
    store.savePrompts([]);
    expect(store.undo()).not.toBeNull();
    store.close();
    const backup = file.replace('.gpkg', '.backup-format-1.gpkg');
    const copy = new Database(backup, { readonly: true });
    expect(projectVersion(copy)).toBe(1);
    expect(copy.prepare('SELECT name FROM landscribe_prompts').pluck().all()).toEqual(['water']);
    copy.close();
    expect(snapshot(backup)).toEqual(before);
    // The same tables come out as in a new project.
    const fresh = newPath();
    (await ProjectStore.create(fresh)).close();
    const tables = (name: string) => {
      const database = new Database(name, { readonly: true });
      const found = database.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY name').all();
      database.close();
      return found;
    };
    expect(tables(file)).toEqual(tables(fresh));
  });

  test('newer, foreign, missing and damaged files are refused, each in its words, and stay as they are', async () => {
    const newer = newPath();
    (await ProjectStore.create(newer)).close();
    const database = new Database(newer);
    database.prepare("INSERT INTO landscribe_migrations VALUES (?, 'future', '', '')").run(newestVersion + 1);
    database.close();
    const plain = newPath();
    createPrivateGeoPackage(plain).close();
    const text = newPath();
    writeFileSync(text, 'not a database at all, but long enough to be looked at '.repeat(50));
    const damaged = newPath();
    const store = await ProjectStore.create(damaged);
    fill(store, 'layer');
    store.close();
    const bytes = readFileSync(damaged);
    const next = random(5);
    for (let i = 4096; i < bytes.length; i += 1500) bytes[i] = Math.floor(next() * 256);
    writeFileSync(damaged, bytes);
    const cut = newPath();
    writeFileSync(cut, readFileSync(damaged).subarray(0, 20_000));
    for (const [file, code] of [
      [newer, 'project/newer'],
      [plain, 'project/not-a-project'],
      [text, 'project/not-a-project'],
      [damaged, 'project/damaged'],
      [cut, 'project/damaged'],
    ] as const) {
      const before = readFileSync(file);
      const problem = await problemOf(() => ProjectStore.open(file));
      expect(problem.code, problem.message).toBe(code);
      expect(problem.message).toContain(file);
      expect(readFileSync(file).equals(before)).toBe(true);
      expect(existsSync(`${file}.lock`)).toBe(false);
      expect((await problemOf(() => ProjectStore.create(file))).code).toBe('project/exists');
    }
    expect((await problemOf(() => ProjectStore.open(newPath()))).code).toBe('project/missing');
    expect((await problemOf(() => ProjectStore.create(path.join(folder, 'x.db')))).code).toBe(
      'project/wrong-ending',
    );
    expect((await problemOf(() => ProjectStore.create(path.join(folder, 'no', 'x.gpkg')))).code).toBe(
      'file/missing',
    );
  });

  test('in a folder that may not be written a project opens for reading', async () => {
    const closed = path.join(folder, 'closed');
    chmodSync(folder, 0o755);
    mkdirSync(closed);
    const file = path.join(closed, 'a.gpkg');
    const store = await ProjectStore.create(file);
    fill(store, 'layer');
    // As a killed writer leaves it: the journal's mode stays in the file.
    const database = new Database(file);
    store.close();
    database.pragma('journal_mode = WAL');
    database.close();
    chmodSync(closed, 0o555);
    try {
      // Root may write anywhere, so a child is somebody else.
      const other = spawn(process.execPath, [child, 'hold', file], {
        stdio: ['pipe', 'pipe', 'inherit'],
        ...(process.getuid?.() === 0 && { uid: 65534, gid: 65534 }),
      });
      await untilLine(other, 'open read, 1 layers: You may not write');
      other.kill();
    } finally {
      chmodSync(closed, 0o755);
    }
  });
});

describe('files beside the project', () => {
  test('save as: a whole copy whose links hold where it lies, the original untouched', async () => {
    const home = path.join(folder, 'home');
    const away = path.join(folder, 'away', 'deep');
    mkdirSync(path.join(home, 'a.landscribe'), { recursive: true });
    mkdirSync(away, { recursive: true });
    const scene = path.join(home, 'scene.tif');
    writeFileSync(scene, 'pixels');
    const store = await ProjectStore.create(path.join(home, 'a.gpkg'));
    const raster = path.join(store.rasters, 'run 1.tif');
    writeFileSync(raster, 'classes');
    mkdirSync(path.join(store.rasters, 'run 2.landscribe-partial'));
    const id = await store.addScene(scene);
    fill(store, 'layer');
    store.addRun({
      sceneId: id,
      layer: 'layer',
      request: {},
      summary: {},
      rasters: [{ kind: 'class-map', path: raster }],
    });
    store.jobs.add('segment', {});
    const before = snapshot(store.path);
    const target = path.join(away, 'b.gpkg');
    await store.saveAs(target);
    expect(snapshot(store.path)).toEqual(before);
    expect((await problemOf(() => store.saveAs(target))).code).toBe('project/exists');
    expect((await problemOf(() => store.saveAs(store.path))).code).toBe('project/same-file');
    const copy = await ProjectStore.open(target);
    expect(copy.access.mode).toBe('write');
    expect((await problemOf(() => store.saveAs(target, { overwrite: true }))).code).toBe('project/in-use');
    expect(copy.scenes()[0]!.path).toBe(scene);
    const [copied] = copy.runs()[0]!.rasters;
    expect(copied!.path).toBe(path.join(away, 'b.landscribe', 'run 1.tif'));
    expect(readFileSync(copied!.path, 'utf8')).toBe('classes');
    expect(existsSync(path.join(away, 'b.landscribe', 'run 2.landscribe-partial'))).toBe(false);
    expect(copy.jobs.all()).toEqual([]);
    expect(copy.nextSteps()).toEqual({ undo: null, redo: null });
    expect(await copy.missingFiles()).toEqual([]);
    copy.close();
    await store.saveAs(target, { overwrite: true });
    store.close();
    expectSound(target);
  });

  test('a moved folder keeps its links; files that are gone are found again by name and content', async () => {
    const before = path.join(folder, 'before');
    const after = path.join(folder, 'after');
    mkdirSync(path.join(before, 'scenes'), { recursive: true });
    const names = ['kept.tif', 'moved.tif', 'lost.tif'];
    for (const name of names) writeFileSync(path.join(before, 'scenes', name), `pixels of ${name}`);
    const store = await ProjectStore.create(path.join(before, 'p.gpkg'));
    for (const name of names) await store.addScene(path.join(before, 'scenes', name));
    store.close();
    mkdirSync(path.join(after, 'elsewhere'), { recursive: true });
    mkdirSync(path.join(after, 'scenes', 'old'), { recursive: true });
    copyFileSync(path.join(before, 'p.gpkg'), path.join(after, 'p.gpkg'));
    copyFileSync(path.join(before, 'scenes', 'kept.tif'), path.join(after, 'scenes', 'kept.tif'));
    copyFileSync(path.join(before, 'scenes', 'moved.tif'), path.join(after, 'elsewhere', 'moved.tif'));
    writeFileSync(path.join(after, 'scenes', 'old', 'moved.tif'), 'another file of the same name');
    rmSync(before, { recursive: true });
    const moved = await ProjectStore.open(path.join(after, 'p.gpkg'));
    const missing = await moved.missingFiles();
    expect(missing.map(({ name }) => name)).toEqual(['moved.tif', 'lost.tif']);
    expect(missing[0]!.suggestions).toEqual([
      { path: path.join(after, 'elsewhere', 'moved.tif'), sure: true },
      { path: path.join(after, 'scenes', 'old', 'moved.tif'), sure: false },
    ]);
    expect(missing[1]!.suggestions).toEqual([]);
    await moved.relink('scene', missing[0]!.id, missing[0]!.suggestions[0]!.path);
    expect((await moved.missingFiles()).map(({ name }) => name)).toEqual(['lost.tif']);
    expect(moved.undo()).toMatchObject({ label: 'Repair link' });
    expect(await moved.missingFiles()).toHaveLength(2);
    moved.close();
  });
});
