import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { methodSettings } from '../../../src/worker/benchmark/methods.ts';
import { findSet, readBenchmarkSets } from '../../../src/worker/benchmark/sets.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'landscribe-benchmark-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const settings = path.resolve(import.meta.dirname, '../../../configs/benchmarks.json');
const sets = await readBenchmarkSets();
const designFile = path.resolve(import.meta.dirname, '../../../../shared/design/benchmarks.json');
const withDesign = existsSync(designFile);
if (!withDesign) console.warn(`skipped: no design page at ${designFile}`);

describe('the sets of the papers', () => {
  it('are all there: 17 optical and 8 SAR sets, 9 of the optical ones with one class', () => {
    expect(sets.length).toBe(25);
    expect(new Set(sets.map(({ name }) => name)).size).toBe(25);
    expect(sets.filter(({ modality }) => modality === 'sar').length).toBe(8);
    expect(sets.filter(({ metric }) => metric === 'IoU').length).toBe(9);
  });

  it.skipIf(!withDesign)('say what the design page says, set by set', () => {
    const design = JSON.parse(readFileSync(designFile, 'utf8'));
    for (const page of design.sets) {
      const set = findSet(sets, page.name);
      expect(set).toMatchObject({
        metric: page.metric,
        supervisedOracle: page.supervisedOracle,
        modality: page.modality,
        encoder: page.encoder,
        attention: page.attention.toLowerCase(),
        lastLayers: page.lastLayers,
        clsTokenLambda: page.clsTokenLambda,
        probabilityThreshold: page.probabilityThreshold,
        longSide: page.longSide,
        slidingWindow: page.slidingWindow,
        slidingStride: page.slidingStride,
        classes: page.classes,
      });
      expect(set.published.segearth).toBe(page.published);
    }
    const rows = { CLIP: 'clip', MaskCLIP: 'maskclip', SCLIP: 'sclip', GEM: 'gem', ClearCLIP: 'clearclip' };
    const { columns, ...scores } = design.opticalBaselinesViTB16;
    for (const [row, method] of Object.entries(rows))
      expect(columns.map((name: string) => findSet(sets, name).published[method])).toEqual(scores[row]);
  });

  it('follow the rules of their data sets', () => {
    const zeroLabel = sets
      .filter(({ layouts }) => layouts.some(({ codes }) => codes.kind === 'values' && codes.reduceZeroLabel))
      .map(({ name }) => name);
    expect(zeroLabel.sort()).toEqual(['LoveDA', 'Potsdam', 'Vaihingen', 'WHU-SAR']);
    const background = (name: string) => {
      const set = findSet(sets, name);
      return set.classes[set.background];
    };
    expect(background('Potsdam')).toEqual(['clutter', 'background']);
    expect(background('UDD5')).toEqual(['background']);
    expect(background('WHU-SAR')).toEqual(['others']);
    expect(findSet(sets, 'xBD-pre').clsTokenLambda).toBe(0);
    for (const set of sets) expect(set.slidingWindow === 0).toBe(set.longSide === 224);
  });

  it('are found by name, however it is written', () => {
    expect(findSet(sets, 'whu sat ii').name).toBe('WHU-Sat.II');
    expect(() => findSet(sets, 'Cityscapes')).toThrow(/no benchmark set named Cityscapes/);
  });

  it('are refused, by field, where the file is wrong', async () => {
    const file = path.join(folder, 'sets.json');
    const change = async (edit: (set: Record<string, unknown>) => void) => {
      const json = JSON.parse(await readFile(settings, 'utf8'));
      edit(json.sets[0]);
      await writeFile(file, JSON.stringify(json));
      return readBenchmarkSets(file);
    };
    expect((await change(() => {})).length).toBe(25);
    await expect(change((set) => (set.background = 9))).rejects.toThrow(/background is no class/);
    await expect(change((set) => (set.treshold = 1))).rejects.toThrow(/sets\.0/);
    await expect(change((set) => (set.longSide = -1))).rejects.toThrow(/sets\.0\.longSide/);
    await writeFile(file, '{');
    await expect(readBenchmarkSets(file)).rejects.toMatchObject({ code: 'config/json' });
  });
});

describe('methods', () => {
  const none = { lastLayers: null, upsample: null, lambda: null, modality: null };

  it('takes what was published for the set, or what it was compared with', () => {
    expect(methodSettings('segearth', findSet(sets, 'PIE-SAR'), none)).toEqual({
      modality: 'sar',
      attention: 'sclip',
      lastLayers: 2,
      lambda: -0.3,
      upsample: true,
    });
    expect(methodSettings('gem', findSet(sets, 'PIE-SAR'), none)).toEqual({
      modality: 'sar',
      attention: 'gem',
      lastLayers: 1,
      lambda: 0,
      upsample: false,
    });
  });

  it('lets every part be changed', () => {
    const changes = { lastLayers: 2, upsample: true, lambda: -0.1, modality: 'optical' } as const;
    expect(methodSettings('clearclip', findSet(sets, 'PIE-SAR'), changes)).toEqual({
      modality: 'optical',
      attention: 'clearclip',
      lastLayers: 2,
      lambda: -0.1,
      upsample: true,
    });
  });
});
