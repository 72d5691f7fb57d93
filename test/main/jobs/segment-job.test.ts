import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineThread } from '../../../src/main/engine/engine-thread.ts';
import { JobQueue } from '../../../src/main/jobs/job-queue.ts';
import { type SegmentJobRequest, segmentJob } from '../../../src/main/jobs/segment-job.ts';
import { ProjectStore } from '../../../src/main/project/project-store.ts';
import { parseClasses } from '../../../src/worker/classmap/classes.ts';
import { ogrinfo, ogrinfoMissing } from '../export/gdal.ts';

const child = path.join(import.meta.dirname, 'job-process.ts');
const base = mkdtempSync(path.join(tmpdir(), 'landscribe-segment-job-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const pack = path.join(base, 'pack');
let scene: string;

beforeAll(async () => {
  const thread = new EngineThread('test');
  const made = await thread.run('makeDemoScene', { folder: base, seed: 2, size: 512, software: 'test' });
  scene = made.scenePath;
  await thread.run('buildRandomPack', { out: pack, overwrite: false });
  await thread.close();
}, 120_000);

/** A project with one queued run over the scene. */
async function projectWithJob(
  name: string,
  extent: SegmentJobRequest['settings']['extent'] = null,
): Promise<string> {
  const folder = path.join(base, name);
  mkdirSync(folder);
  const store = await ProjectStore.create(path.join(folder, 'p.gpkg'));
  const sceneId = await store.addScene(scene);
  const request: SegmentJobRequest = {
    sceneId,
    layer: 'land cover',
    settings: {
      pack,
      classes: parseClasses('building,roof; road; tree; water'),
      templates: 'single',
      upsampler: 'none',
      resolution: 'native',
      window: 64,
      stride: 64,
      extent,
      threads: 1,
      minArea: 4,
    },
  };
  new JobQueue(store, { segment: segmentJob(store) }).add('segment', JSON.parse(JSON.stringify(request)));
  store.close();
  return store.path;
}

/** Bytes of a raster; the date of the run's beginning, which they tell, made one. */
function undated(file: string): string {
  return readFileSync(file, 'latin1').replace(
    /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g,
    '2026-01-01T00:00:00.000Z',
  );
}

function polygons(file: string): unknown[] {
  const database = new Database(file, { readonly: true });
  const rows = database.prepare('SELECT * FROM land_cover ORDER BY fid').raw().all();
  database.close();
  return rows;
}

function expectResult(project: string, whole: string): void {
  const folder = (file: string) => file.replace('.gpkg', '.landscribe');
  expect(readdirSync(folder(project)).sort()).toEqual(readdirSync(folder(whole)).sort());
  for (const name of ['run-1.tif', 'run-1.confidence.tif'])
    expect(undated(path.join(folder(project), name)) === undated(path.join(folder(whole), name)), name).toBe(
      true,
    );
  expect(polygons(project)).toEqual(polygons(whole));
}

test('killed in the middle, found again, resumed: the same bytes and polygons as without', async () => {
  const whole = await projectWithJob('whole');
  const finished = spawnSync(process.execPath, [child, whole], { encoding: 'utf8' });
  expect(finished.stdout.trim(), finished.stderr).toBe('done');
  expect(polygons(whole).length).toBeGreaterThan(0);

  const project = await projectWithJob('killed');
  const partial = path.join(path.dirname(project), 'p.landscribe/run-1.landscribe-partial');
  const killed = spawn(process.execPath, [child, project], { stdio: 'inherit' });
  // A journal begins with a line about the run and gains one with each finished strip; a strip counts in both rasters.
  const strips = () =>
    Math.min(
      ...['classes', 'confidence'].map((raster) => {
        const journal = path.join(partial, `${raster}.tif.part.journal`);
        return existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length - 2 : 0;
      }),
    );
  const ended = new Promise((resolve) => killed.on('exit', (_, signal) => resolve(signal)));
  const timer = setInterval(() => {
    if (strips() > 0) killed.kill('SIGKILL');
  }, 5);
  expect(await ended).toBe('SIGKILL');
  clearInterval(timer);
  const kept = strips();
  expect(kept).toBeGreaterThan(0);

  const store = await ProjectStore.open(project);
  expect(store.notes.join()).toMatch(/1 job was interrupted/);
  const queue = new JobQueue(store, { segment: segmentJob(store) });
  expect(queue.job(1)).toMatchObject({
    state: 'interrupted',
    resumable: true,
    progress: { phase: expect.any(String) },
  });
  queue.start();
  expect(queue.job(1)!.state).toBe('interrupted');
  queue.resume(1);
  await queue.idle();
  expect(queue.job(1)).toMatchObject({ state: 'done', problem: null, result: { layer: 'land_cover' } });
  const [run] = store.runs();
  expect(run).toMatchObject({ layer: 'land_cover', sceneId: 1, summary: { resumed: true } });
  expect(run!.rasters.map(({ kind }) => kind)).toEqual(['class-map', 'confidence']);
  expect(await store.missingFiles()).toEqual([]);
  store.close();
  expectResult(project, whole);
  if (!ogrinfoMissing) expect(ogrinfo(project)).toContain('Layer name: land_cover');
}, 240_000);

test('wherever it ends after the rasters stand, it goes on without doing anything twice', async () => {
  const project = await projectWithJob('late', { unit: 'pixels', box: [0, 0, 128, 128] });
  let store = await ProjectStore.open(project);
  let stop = '';
  let segmented = 0;
  const { runSegment } = await import('../../../src/main/run/segment.ts');
  /** Opens the project again and resumes the job; it is cut off at `stop`. */
  const attempt = async (): Promise<string> => {
    store.close();
    store = await ProjectStore.open(project);
    const queue = new JobQueue(store, {
      segment: segmentJob(store, async (input, options) => {
        segmented++;
        if (stop === 'before') throw new Error('cut off');
        const summary = await runSegment(input, options);
        if (stop === 'published') throw new Error('cut off');
        return summary;
      }),
    });
    queue.onChange((id) => {
      if (stop === 'adding' && queue.job(id)?.progress?.phase === 'adding to the project') queue.cancel(id);
    });
    queue.start();
    if (queue.job(1)!.resumable) queue.resume(1);
    await queue.idle();
    return queue.job(1)!.state;
  };
  stop = 'before';
  expect(await attempt()).toBe('failed');
  stop = 'published';
  expect(await attempt()).toBe('failed');
  expect(segmented).toBe(2);
  stop = 'adding';
  expect(await attempt()).toBe('cancelled');
  expect(store.layers()).toEqual([]);
  stop = '';
  expect(await attempt()).toBe('done');
  expect(segmented).toBe(2);
  expect(store.runs()).toHaveLength(1);
  // Killed between the layer and the word that the job is done.
  store.jobs.set(1, { state: 'running' });
  expect(await attempt()).toBe('done');
  expect(store.runs()).toHaveLength(1);
  expect(store.layers()).toHaveLength(1);
  store.close();
}, 240_000);
