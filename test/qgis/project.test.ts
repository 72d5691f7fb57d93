import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../src/main/rpc/contract.ts';
import type { ProjectLayer } from '../../src/main/rpc/project.ts';
import { usualSettings } from '../../src/renderer/state/run-settings.ts';
import { admitted, connect } from '../main/serve/client.ts';
import { type Door, openDoor } from '../main/serve/door.ts';

const scene = path.resolve('../shared/data/scenes/oem_koeln_50.tif');
/** Debian's `python3-qgis` is for Debian's own Python. */
const python = '/usr/bin/python3';
const environment = { ...process.env, QT_QPA_PLATFORM: 'offscreen', PYTHONNOUSERSITE: '1' };
const hasQgis = spawnSync(python, ['-c', 'import qgis.core'], { env: environment }).status === 0;
const missing = [hasQgis ? '' : 'python3-qgis', existsSync(scene) ? '' : scene].filter(Boolean).join(' and ');
if (missing) console.log(`QGIS is not asked what it makes of a project: ${missing} is missing.`);

const long = 600_000;
const classes = [
  { name: 'building', colour: '#e69f00' },
  { name: 'road', colour: '#56b4e9' },
  { name: 'cropland', colour: '#009e73' },
];
/** What the legend says after a colour and a name were changed. */
const restyled = classes.map((entry) =>
  entry.name === 'road' ? { name: 'roads & <paths>', colour: '#aa3377' } : entry,
);

interface QgisLayer {
  name: string;
  valid: boolean;
  crs: string;
  features: number;
  fields: string[];
  geometry: number;
  extent: number[];
  invalid: number;
  opacity: number;
  renderer: string;
  attribute: string;
  categories: { value: number | string; label: string; colour: string; alpha: number }[];
  drawn: Record<string, Record<string, number>>;
}

describe.skipIf(missing !== '')('QGIS opens a project as it is', () => {
  let folder: string;
  let door: Door;
  let ours: ProjectLayer;
  let told: { version: string; tables: string[]; layers: QgisLayer[] };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'landscribe-qgis-'));
    copyFileSync(scene, path.join(folder, 'cologne.tif'));
    door = await openDoor(['--root', folder]);
    const { host, close } = await connect(door.origin, await admitted(door.url));
    const project = path.join(folder, 'cologne.gpkg');
    await host.project.create({ path: project, overwrite: false });
    const [sceneId] = await host.scenes.add({ paths: [path.join(folder, 'cologne.tif')] });
    ours = await mapped(host, sceneId!);
    close();
    await door.end();
    const read = await promisify(execFile)(
      python,
      [path.join(import.meta.dirname, 'read_project.py'), project, path.join(folder, 'qgis.png')],
      { env: environment, maxBuffer: 2 ** 24 },
    );
    told = JSON.parse(read.stdout);
    console.log(`Read by QGIS ${told.version}.`);
    if (process.env.LANDSCRIBE_PICTURES)
      copyFileSync(path.join(folder, 'qgis.png'), path.join(process.env.LANDSCRIBE_PICTURES, 'qgis.png'));
  }, long);
  afterAll(async () => {
    await door?.end();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  it('with the layer of the run, and nothing else on the map', () => {
    expect(told.layers.map(({ name }) => name)).toEqual([ours.table]);
    const [layer] = told.layers as [QgisLayer];
    expect(layer.valid).toBe(true);
    // Polygons.
    expect(layer.geometry).toBe(2);
    expect(layer.invalid).toBe(0);
  });

  it('in the scene’s system, with as many polygons, at the same place', () => {
    const [layer] = told.layers as [QgisLayer];
    expect(layer.crs).toBe('EPSG:25832');
    expect(layer.features).toBe(ours.features);
    expect(ours.features).toBeGreaterThan(20);
    for (const [index, value] of ours.extent!.entries()) expect(layer.extent[index]).toBeCloseTo(value, 3);
  });

  it('with a category for each class, its colour and name as in the legend', () => {
    const [layer] = told.layers as [QgisLayer];
    expect(layer.renderer).toBe('categorizedSymbol');
    expect(layer.attribute).toBe('class_id');
    const legend = ours.classes.map(({ id, name, colour }) => ({
      value: id,
      label: name,
      colour,
      alpha: 255,
    }));
    expect(legend.map(({ label, colour }) => ({ name: label, colour }))).toEqual(restyled);
    // QGIS 3.22 reads values of categories as text, and matches them with numbers.
    expect(layer.categories.map((each) => ({ ...each, value: Number(each.value) }))).toEqual(legend);
  });

  it('and draws every polygon in the colour of its class', () => {
    const [layer] = told.layers as [QgisLayer];
    expect(layer.opacity).toBeCloseTo(0.7, 6);
    let seen = 0;
    for (const { id, colour } of ours.classes) {
      const onWhite = [1, 3, 5].map((at) => {
        const value = Number.parseInt(colour.slice(at, at + 2), 16);
        return value * layer.opacity + 255 * (1 - layer.opacity);
      });
      for (const [found, count] of Object.entries(layer.drawn[String(id)] ?? {})) {
        const apart = [1, 3, 5].map((at, index) =>
          Math.abs(Number.parseInt(found.slice(at, at + 2), 16) - onWhite[index]!),
        );
        expect(Math.max(...apart), `class ${id}: ${found} for ${onWhite}`).toBeLessThan(3);
        seen += count;
      }
    }
    expect(seen).toBeGreaterThan(10);
  });
});

/** Runs three classes on a part of the scene and changes one in the legend. */
async function mapped(host: Host, sceneId: number): Promise<ProjectLayer> {
  const state = (await host.project.state())!;
  const [left, bottom, right, top] = state.scenes[0]!.extent!;
  const extent: [number, number, number, number] = [left, bottom, (left + right) / 2, (bottom + top) / 2];
  await host.runs.start({
    sceneId,
    name: 'Classes of Köln',
    settings: {
      ...usualSettings,
      prompts: classes.map(({ name, colour }) => ({ name, words: [name], colour, threshold: null })),
      extent,
    },
  });
  const layer = await finished(host);
  await host.layers.style({
    layer: layer.table,
    classes: layer.classes.map(({ id }, index) => ({ id, ...restyled[index]! })),
    label: 'Style',
  });
  return (await host.project.state())!.layers[0]!;
}

async function finished(host: Host): Promise<ProjectLayer> {
  for (;;) {
    const [job] = await host.jobs.list();
    if (job && ['failed', 'cancelled', 'interrupted'].includes(job.state))
      throw new Error(job.problem?.message ?? job.state);
    const layer = (await host.project.state())?.layers[0];
    if (job?.state === 'done' && layer) return layer;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
