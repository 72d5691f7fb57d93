import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../../src/main/rpc/contract.ts';
import { usualSettings } from '../../../src/renderer/state/run-settings.ts';
import { buildRandomPack } from '../../../src/worker/steps/random-pack.ts';
import { syntheticFiles, writeProduct } from '../../worker/scene/safe/synthetic-product.ts';
import { zip } from '../../worker/weights/zip-writer.ts';
import { admitted, connect } from '../serve/client.ts';
import { type Door, openDoor } from '../serve/door.ts';

const shared = path.resolve('../shared/data');
const chips = path.join(shared, 'pairs/terramind');
const india = path.join(shared, 'pairs/india-s1s2');
const here = existsSync(chips) && existsSync(india);
if (!here) console.log('Radar through the host is not tested with real scenes: there are none.');

const side = 96;
/** A product of two polarisations with tables. */
const product = syntheticFiles({
  width: side,
  height: side,
  channels: ['VV', 'VH'].map((polarisation, channel) => ({
    polarisation,
    pixels: Uint16Array.from({ length: side * side }, (_, at) => 60 + ((at * 7919) % 200) * (channel + 1)),
  })),
  amplitude: () => 400,
  noise: () => 50,
  noiseFactor: () => 1,
  place: (line, pixel) => [10 + pixel * 1.4e-4, 50 - line * 9e-5],
});

let folder: string;
let outside: string;
let door: Door;
let host: Host;
let close: () => void;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'landscribe-radar-'));
  outside = mkdtempSync(path.join(tmpdir(), 'landscribe-outside-'));
  const safe = path.join(folder, 'S1A_TEST.SAFE');
  writeProduct(safe, product);
  const entries = [...product].map(([name, bytes]) => ({
    name: `S1A_TEST.SAFE/${name}`,
    bytes,
    deflated: true,
  }));
  writeFileSync(path.join(folder, 'S1A_TEST.zip'), zip(entries));
  for (const polarisation of ['vv', 'vh']) {
    const tiff = readdirSync(path.join(safe, 'measurement')).find((name) =>
      name.includes(`-${polarisation}-`),
    )!;
    copyFileSync(path.join(safe, 'measurement', tiff), path.join(folder, `stack_${polarisation}.tif`));
  }
  copyFileSync(path.join(folder, 'stack_vv.tif'), path.join(outside, 'secret.tif'));
  mkdirSync(path.join(folder, 'projects'));
  door = await openDoor(['--root', folder]);
  ({ host, close } = await connect(door.origin, await admitted(door.url)));
}, 60_000);
afterAll(async () => {
  close?.();
  await door?.end();
  for (const made of [folder, outside]) if (made) rmSync(made, { recursive: true, force: true });
});

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'none',
    (error: { data?: { code?: string } }) => error.data?.code ?? String(error),
  );
const newProject = (name: string) =>
  host.project.create({ path: path.join(folder, 'projects', `${name}.gpkg`), overwrite: true });
const sceneOf = async (id: number) => (await host.project.state())!.scenes.find((scene) => scene.id === id)!;
const finished = async (jobId: number) => {
  for (;;) {
    const job = (await host.jobs.list()).find(({ id }) => id === jobId)!;
    if (job.state === 'done') return job;
    if (job.state === 'failed') throw new Error(job.problem!.message);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

describe('scenes of several files', () => {
  it('a product opens by its folder, its manifest and its archive, as radar', async () => {
    await newProject('products');
    const ways = ['S1A_TEST.SAFE', 'S1A_TEST.SAFE/manifest.safe', 'S1A_TEST.zip'];
    const ids = await host.scenes.add({ paths: ways.map((way) => path.join(folder, way)) });
    const scenes = await Promise.all(ids.map(sceneOf));
    expect(scenes.map(({ name }) => name)).toEqual(['S1A_TEST.SAFE', 'S1A_TEST.SAFE', 'S1A_TEST.zip']);
    for (const { info, problem } of scenes) {
      expect(problem).toBeNull();
      expect(info).toMatchObject({ width: side, height: side, modality: 'sar', format: 'SAFE' });
    }
  });

  it('files joined by + are one scene, kept by a project that moves', async () => {
    await newProject('stack');
    const files = ['stack_vv.tif', 'stack_vh.tif'].map((name) => path.join(folder, name));
    const [id] = await host.scenes.add({ paths: [files.join('+')] });
    const scene = await sceneOf(id!);
    expect(scene.name).toBe('stack_vv.tif + stack_vh.tif');
    expect(scene.info!.bands.map(({ role }) => role)).toEqual(['VV', 'VH']);
    expect(scene.info!.modality).toBe('sar');
    const copy = path.join(folder, 'projects/deeper');
    mkdirSync(copy);
    await host.project.saveAs({ path: path.join(copy, 'stack.gpkg'), overwrite: false });
    const again = (await host.project.state())!;
    expect(again.scenes[0]).toMatchObject({ path: files.join('+'), problem: null });
    expect(again.missing).toEqual([]);
    // What is drawn and asked on the map comes from the stack, too.
    const { values } = (await host.scenes.identify({
      id: again.scenes[0]!.id,
      crs: 'PIXELS',
      x: 10.5,
      y: -20.5,
    }))!;
    expect(values).toHaveLength(2);
    expect(values[0]).not.toBe(values[1]);
    // Those after the first may be named alone.
    const [short] = await host.scenes.add({ paths: [`${files[0]}+stack_vh.tif`] });
    expect((await sceneOf(short!)).path).toBe(files.join('+'));
  });

  it('a stack that has moved is found again, whole', async () => {
    const moved = path.join(folder, 'projects/moved');
    mkdirSync(moved);
    const names = ['away_vv.tif', 'away_vh.tif'];
    for (const [at, name] of names.entries())
      copyFileSync(path.join(folder, `stack_${['vv', 'vh'][at]}.tif`), path.join(folder, name));
    await newProject('missing');
    const [id] = await host.scenes.add({ paths: [names.map((name) => path.join(folder, name)).join('+')] });
    for (const name of names) {
      copyFileSync(path.join(folder, name), path.join(moved, name));
      rmSync(path.join(folder, name));
    }
    const [missing] = (await host.project.state())!.missing;
    const there = names.map((name) => path.join(moved, name)).join('+');
    expect(missing).toMatchObject({ kind: 'scene', id, found: there });
    await host.project.relink({ kind: 'scene', id: id!, path: there });
    expect(await sceneOf(id!)).toMatchObject({ path: there, problem: null });
  });

  it('law: no file of a stack lies outside the roots', async () => {
    const inside = path.join(folder, 'stack_vv.tif');
    for (const way of [
      `${inside}+${path.join(outside, 'secret.tif')}`,
      `${path.join(outside, 'secret.tif')}+${inside}`,
      `${inside}+${path.relative(folder, path.join(outside, 'secret.tif'))}`,
      `${inside}+${inside}+/etc/passwd`,
    ]) {
      expect(await codeOf(host.scenes.info({ path: way })), way).toBe('place/outside');
      expect(await codeOf(host.scenes.add({ paths: [way] })), way).toBe('place/outside');
    }
    expect(await codeOf(host.scenes.info({ path: `${inside}+${folder}/none.tif` }))).toBe('scene/missing');
  });
});

describe('the radar recipe of a scene', () => {
  it('is proposed, changed, kept with the scene and with the run, and taken back by undo', async () => {
    await newProject('recipe');
    const [id] = await host.scenes.add({ paths: [path.join(folder, 'S1A_TEST.SAFE')] });
    const proposed = await host.scenes.preparation({ id: id!, pack: 'starter' });
    expect(proposed).toMatchObject({
      modality: 'sar',
      calibration: true,
      noise: true,
      composites: ['all', 'VV', 'VH', 'ratio', 'false-colour'],
      recipe: { calibration: 'sigma0', noise: true, composite: 'VV', speckle: { filter: 'refined-lee' } },
    });
    expect(proposed.notes.join('\n')).toMatch(
      /sigma0[\s\S]*Encoder for SAR of starter: sclip attention in the last 2 layers/,
    );
    const radar = { speckle: 'lee', multilook: { range: 2, azimuth: 2 }, composite: 'false-colour' };
    await host.scenes.change({ id: id!, radar, label: 'recipe' });
    const changed = await host.scenes.preparation({ id: id!, pack: 'starter' });
    // Four times as many looks go with the multilook.
    const looks = (proposed.recipe as { speckle: { looks: number } }).speckle.looks;
    expect(changed.recipe).toMatchObject({ speckle: { filter: 'lee', side: 7, looks: 4 * looks } });
    expect(changed.proposed).toEqual(proposed.recipe);
    const prompts = ['water', 'cropland'].map((name) => ({
      name,
      words: [name],
      colour: '#0072b2',
      threshold: null,
    }));
    const settings = { ...usualSettings, prompts, extent: null, window: 48, stride: 48, threads: 1 };
    const estimate = await host.runs.estimate({ sceneId: id!, settings });
    expect(estimate.notes.join()).toMatch(/Encoder for SAR of starter/);
    const { jobId } = await host.runs.start({ sceneId: id!, name: 'radar', settings });
    const job = await finished(jobId);
    expect(job.notes.join('\n')).toMatch(
      /multilooked 2 × 2, lee 7 × 7, false-colour, dB[\s\S]*Encoder for SAR/,
    );
    const [layer] = (await host.project.state())!.layers;
    const recorded = (layer!.provenance.settings as { radar?: unknown }).radar;
    expect(recorded).toEqual(changed.recipe);
    // A recipe that cannot be is told when it is asked about, and undone.
    await host.scenes.change({ id: id!, radar: { multilook: { range: 0, azimuth: 1 } }, label: 'wrong' });
    expect(await codeOf(host.scenes.preparation({ id: id!, pack: 'starter' }))).toBe('prep/bad-recipe');
    await host.project.undo();
    expect((await sceneOf(id!)).radar).toEqual(radar);
  }, 120_000);

  it('a model without a radar encoder is warned of, before a run and by it', async () => {
    const quiet = { signal: new AbortController().signal, report: () => {}, note: () => {} };
    await buildRandomPack(path.join(door.home, 'packs/optical-only'), false, quiet as never);
    await newProject('warned');
    const [id] = await host.scenes.add({ paths: [path.join(folder, 'S1A_TEST.SAFE')] });
    const { notes } = await host.scenes.preparation({ id: id!, pack: 'optical-only' });
    expect(notes.at(-1)).toMatch(/^warning: pack .* has no encoder for SAR/);
    const settings = {
      ...usualSettings,
      pack: 'optical-only',
      prompts: [
        { name: 'water', words: ['water'], colour: '#0072b2', threshold: null },
        { name: 'land', words: ['land'], colour: '#e69f00', threshold: null },
      ],
      extent: null,
      threads: 1,
    };
    const estimate = await host.runs.estimate({ sceneId: id!, settings });
    expect(estimate.warnings.join()).toMatch(/radar scene.*only learnt optical/);
    expect(estimate.notes).toEqual([]);
    const job = await finished((await host.runs.start({ sceneId: id!, name: 'warned', settings })).jobId);
    expect(job.notes.join()).toMatch(/has no encoder for SAR/);
  }, 120_000);

  it.skipIf(!here)(
    'a scene that does not say so is radar when the user says so; a difference of maps has areas',
    async () => {
      for (const kind of ['S1RTC', 'S2RGB'])
        copyFileSync(path.join(chips, kind, '433D_629L_3_1.tif'), path.join(folder, `${kind}.tif`));
      await newProject('chips');
      const [sar, optical] = await host.scenes.add({
        paths: ['S1RTC', 'S2RGB'].map((kind) => path.join(folder, `${kind}.tif`)),
      });
      expect((await sceneOf(sar!)).info!.modality).toBe('optical');
      await host.scenes.change({ id: sar!, modality: 'sar', label: 'radar' });
      expect(await sceneOf(sar!)).toMatchObject({ modality: 'sar', info: { modality: 'sar' } });
      const preparation = await host.scenes.preparation({ id: sar!, pack: 'starter' });
      expect(preparation).toMatchObject({
        modality: 'sar',
        recipe: { input: 'decibel', calibration: 'none' },
      });
      const prompts = ['water', 'cropland'].map((name) => ({
        name,
        words: [name],
        colour: '#0072b2',
        threshold: null,
      }));
      const settings = { ...usualSettings, prompts, extent: null, threads: 2 };
      for (const [sceneId, name] of [
        [sar!, 'by radar'],
        [optical!, 'by light'],
      ] as const)
        await finished((await host.runs.start({ sceneId, name, settings })).jobId);
      const { layers } = (await host.project.state())!;
      const table = (name: string) => layers.find((layer) => layer.name === name)!.table;
      const { jobId } = await host.layers.difference({
        first: table('by light'),
        firstClass: 1,
        second: table('by radar'),
        secondClass: 1,
        name: 'water, light against radar',
      });
      await finished(jobId);
      const state = (await host.project.state())!;
      const raster = state.rasters.find(({ kind }) => kind === 'difference')!;
      expect(raster).toMatchObject({ name: 'water, light against radar', missing: false });
      expect(raster.classes.map(({ name }) => name)).toEqual([
        'water in both',
        'water only in the first',
        'water only in the second',
      ]);
      expect(state.tree.find(({ id }) => id === `raster:${raster.id}`)?.visible).toBe(true);
      const { unit, rows, outside: apart } = raster.areas!;
      expect([unit, apart]).toEqual(['m²', 0]);
      const [both, light, radar] = rows.map(({ area }) => area) as [number, number, number];
      // What the maps' own polygons cover.
      const covered = async (name: string) => {
        const polygons = await host.layers.at({
          layer: table(name),
          crs: state.system.crs,
          box: layers.find((layer) => layer.name === name)!.extent!,
          filter: { confidence: 0, area: 0 },
          limit: 1000,
        });
        return polygons.filter(({ classId }) => classId === 1).reduce((sum, { area }) => sum + area, 0);
      };
      expect(Math.abs(both + light - (await covered('by light')))).toBeLessThan(0.002 * (both + light + 1e4));
      expect(Math.abs(both + radar - (await covered('by radar')))).toBeLessThan(0.002 * (both + radar + 1e4));
      expect(both + light + radar).toBeGreaterThan(0);
    },
    240_000,
  );
});

it.skipIf(!here)(
  'tells the shift of a co-registered pair: less than a pixel',
  async () => {
    for (const name of ['Optical-Image-1.jpg', 'SAR-Image-1.jpg'])
      copyFileSync(path.join(india, name), path.join(folder, name));
    await newProject('shift');
    const [first, second] = await host.scenes.add({
      paths: ['Optical-Image-1.jpg', 'SAR-Image-1.jpg'].map((name) => path.join(folder, name)),
    });
    const shift = await host.scenes.shift({ first: first!, second: second! });
    expect(shift.pixels).toBeLessThan(1);
    expect(Math.hypot(shift.east, shift.north)).toBeCloseTo(shift.pixels, 6);
    expect(shift.confidence).toBeGreaterThan(0.7);
  },
  120_000,
);
