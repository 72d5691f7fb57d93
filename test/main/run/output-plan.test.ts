import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryName } from '../../../src/main/export/staged-file.ts';
import { formatNamed } from '../../../src/main/run/formats.ts';
import {
  lockPartial,
  planOutputs,
  prepareOutputs,
  releasePartial,
} from '../../../src/main/run/output-plan.ts';

const planFile = pathToFileURL(
  path.resolve(import.meta.dirname, '../../../src/main/run/output-plan.ts'),
).href;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'landscribe-plan-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('where a run writes', () => {
  it('adds each format’s ending to a base name', () => {
    const plan = planOutputs('/maps/out', ['tif', 'shp', 'gpkg', 'geojson']);
    expect(plan.formats).toEqual(['gpkg', 'geojson', 'shp', 'tif']);
    expect(plan.files).toEqual({
      gpkg: '/maps/out.gpkg',
      geojson: '/maps/out.geojson',
      shp: '/maps/out.shp',
      tif: '/maps/out.tif',
    });
    expect(plan.confidence).toBe('/maps/out.confidence.tif');
    expect(plan.partial).toBe('/maps/out.landscribe-partial');
    expect(plan.all).toContain('/maps/out.dbf');
  });

  it('lets the ending choose the format', () => {
    expect(planOutputs('/maps/result.gpkg', null).files).toEqual({ gpkg: '/maps/result.gpkg' });
    expect(planOutputs('/maps/result.json', null).files).toEqual({ geojson: '/maps/result.json' });
    expect(planOutputs('/maps/result.json', ['geojson']).files).toEqual({ geojson: '/maps/result.json' });
    expect(planOutputs('/maps/result', null).formats).toEqual(['gpkg', 'tif']);
  });

  it('takes an ending that is no format’s as part of the name', () => {
    expect(planOutputs('/maps/koeln.v2', ['gpkg']).files.gpkg).toBe('/maps/koeln.v2.gpkg');
    expect(planOutputs('/maps/out.gpkg', ['gpkg', 'tif']).files.tif).toBe('/maps/out.tif');
  });

  it('refuses an ending that contradicts the format, and a folder’s name', () => {
    expect(() => planOutputs('/maps/out.gpkg', ['geojson'])).toThrow(/gpkg.*geojson/);
    expect(() => planOutputs('/maps/', null)).toThrow(/file name/);
  });

  it('knows formats by their other names', () => {
    expect(['gpkg', 'GeoPackage', ' shapefile', 'json', 'tiff', 'dxf'].map(formatNamed)).toEqual([
      'gpkg',
      'gpkg',
      'shp',
      'geojson',
      'tif',
      null,
    ]);
  });
});

describe('before any work', () => {
  const scene = () => path.join(folder, 'scene.tif');
  beforeEach(() => writeFileSync(scene(), 'scene'));

  it('refuses what exists, names it, and leaves nothing behind', async () => {
    const plan = planOutputs(path.join(folder, 'out'), ['gpkg', 'shp']);
    writeFileSync(path.join(folder, 'out.dbf'), '');
    await expect(prepareOutputs(plan, scene(), false)).rejects.toMatchObject({
      code: 'output/exists',
      message: expect.stringContaining('out.dbf'),
      hint: expect.stringContaining('--overwrite'),
    });
    expect(readdirSync(folder).sort()).toEqual(['out.dbf', 'scene.tif']);
    await prepareOutputs(plan, scene(), true);
  });

  it('never replaces the scene, not even when told to overwrite', async () => {
    const plan = planOutputs(path.join(folder, 'scene'), ['tif']);
    await expect(prepareOutputs(plan, scene(), true)).rejects.toMatchObject({ code: 'output/is-the-scene' });
  });

  it('refuses a folder that is missing or a file', async () => {
    const missing = planOutputs(path.join(folder, 'a', 'out'), ['gpkg']);
    await expect(prepareOutputs(missing, scene(), false)).rejects.toMatchObject({ code: 'output/no-folder' });
    const inFile = planOutputs(path.join(scene(), 'out'), ['gpkg']);
    await expect(prepareOutputs(inFile, scene(), false)).rejects.toMatchObject({ code: 'output/no-folder' });
    mkdirSync(path.join(folder, 'out.gpkg'));
    const folderThere = planOutputs(path.join(folder, 'out'), ['gpkg']);
    await expect(prepareOutputs(folderThere, scene(), true)).rejects.toMatchObject({
      code: 'output/is-a-folder',
    });
  });

  it('keeps a second run away from an output while the first one lives, and no longer', async () => {
    const plan = planOutputs(path.join(folder, 'out'), ['gpkg']);
    await prepareOutputs(plan, scene(), false);
    const lock = path.join(plan.partial, 'in-use');
    writeFileSync(lock, String(process.ppid));
    await expect(lockPartial(plan)).rejects.toMatchObject({ code: 'output/in-use' });
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(lock, String(pid));
    await lockPartial(plan);
    await lockPartial(plan);
    expect(await releasePartial(plan)).toBe(true);
    expect(readdirSync(folder)).toEqual(['scene.tif']);
  });

  it('lets one of several runs that start together have an output', async () => {
    const plan = planOutputs(path.join(folder, 'out'), ['gpkg']);
    await prepareOutputs(plan, scene(), false);
    const go = path.join(folder, 'go');
    const program = `
      import { existsSync } from 'node:fs';
      import { lockPartial, planOutputs } from ${JSON.stringify(planFile)};
      const plan = planOutputs(process.argv[1], ['gpkg']);
      process.stdout.write('ready ');
      while (!existsSync(process.argv[2]));
      await lockPartial(plan).then(() => process.stdout.write('got'), (problem) => process.stdout.write(problem.code));
      // Alive until all have tried.
      process.stdin.resume();`;
    const runs = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, plan.base, go], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      return { child, said: () => said };
    });
    try {
      await expect.poll(() => runs.every(({ said }) => said() === 'ready '), { timeout: 20_000 }).toBe(true);
      writeFileSync(go, '');
      await expect.poll(() => runs.every(({ said }) => said().length > 6), { timeout: 20_000 }).toBe(true);
      expect(runs.map(({ said }) => said()).sort()).toEqual([
        'ready got',
        ...Array.from({ length: 3 }, () => 'ready output/in-use'),
      ]);
    } finally {
      for (const { child } of runs) child.kill('SIGKILL');
    }
  });

  it('clears away what a killed run was writing, and nothing else', async () => {
    const plan = planOutputs(path.join(folder, 'out'), ['gpkg', 'shp']);
    await prepareOutputs(plan, scene(), false);
    const left = [temporaryName(plan.files.gpkg!), temporaryName(plan.files.shp!)];
    for (const file of [...left, `${left[0]}-journal`]) writeFileSync(file, '');
    const others = [
      '.out.gpkg.part',
      '.out.gpkg.0123456789ab.party',
      '.out.tif.0123456789ab.part',
      '.more.out.gpkg.part',
    ];
    for (const name of others) writeFileSync(path.join(folder, name), '');
    await lockPartial(plan);
    expect(readdirSync(folder).sort()).toEqual([...others, 'out.landscribe-partial', 'scene.tif'].sort());
  });

  it('keeps what can be resumed', async () => {
    const plan = planOutputs(path.join(folder, 'out'), ['gpkg']);
    await prepareOutputs(plan, scene(), false);
    await lockPartial(plan);
    writeFileSync(path.join(plan.partial, 'classes.tif.part'), 'strips');
    expect(await releasePartial(plan)).toBe(false);
    await prepareOutputs(plan, scene(), false);
    expect(readdirSync(plan.partial)).toEqual(['classes.tif.part']);
  });
});
