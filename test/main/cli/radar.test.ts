import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { syntheticFiles, writeProduct } from '../../worker/scene/safe/synthetic-product.ts';
import { runCli } from './run-cli.ts';

const chips = path.resolve('../shared/data/pairs/terramind');
const classesFile = path.resolve('configs/classes/esri-land-cover.txt');
if (!existsSync(chips)) console.log('Radar on the command line is not tested: there are no chips.');
const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-cli-radar-'));
afterAll(() => rmSync(folder, { recursive: true }));
const evaluate = [
  ...['evaluate', '--images', path.join(chips, 'S1RTC'), '--labels', path.join(chips, 'LULC')],
  ...[
    '--classes-file',
    classesFile,
    '--label-values',
    '1,2,3,4,5,6,9',
    '--modality',
    'sar',
    '--threads',
    '2',
  ],
];

describe.skipIf(!existsSync(chips))('radar on the command line', () => {
  it('is measured against land cover, with baselines and a confusion matrix', async () => {
    const csv = path.join(folder, 'confusion.csv');
    const result = await runCli([...evaluate, '--baseline', '--csv', csv, '--json']);
    expect(result.code, result.stderr).toBe(0);
    const scores = JSON.parse(result.stdout) as {
      pixelAccuracy: number;
      mIoU: number;
      classes: { name: string; iou: number | null }[];
      baselines: Record<string, { pixelAccuracy: number }>;
    };
    expect(scores.classes.map(({ name }) => name)).toContain('rangeland');
    // Poor, as the model card says; better than always saying cropland all the same.
    expect(scores.pixelAccuracy).toBeGreaterThan(scores.baselines['majority class']!.pixelAccuracy);
    expect(scores.classes[0]!.iou).toBeGreaterThan(0.25);
    expect(readFileSync(csv, 'utf8')).toMatch(/^label,water,tree,/);
  }, 120_000);

  it('says how the pictures are looked at, counts a part, and refuses what cannot be', async () => {
    const part = await runCli([...evaluate, '--part', '0.7,0,1,1', '--speckle', 'lee']);
    expect(part.code, part.stderr).toBe(0);
    expect(part.stderr).toMatch(/lee 7 × 7[\s\S]*Encoder for SAR of starter/);
    // 67 of 224 columns of three chips.
    expect(part.stdout).toMatch(/mean +[\d.]+ +45024\n/);
    const wrong = await runCli([...evaluate.slice(0, 7), '--label-values', '1,2', '--modality', 'sar']);
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringMatching(/2 label values are given for 7 classes/),
    ]);
    const looks = await runCli([...evaluate, '--multilook', '2x2']);
    expect([looks.code, looks.stderr]).toEqual([1, expect.stringMatching(/has 224 × 224 pixels/)]);
  }, 120_000);

  it('two maps of one place are compared by classes of two names', async () => {
    const chip = '282D_485L_3_3.tif';
    const map = async (kind: string, modality: string, classes: string): Promise<string> => {
      const out = path.join(folder, `${modality}.tif`);
      const scene = path.join(chips, kind, chip);
      const made = await runCli([
        'segment',
        scene,
        '--modality',
        modality,
        '--classes',
        classes,
        '--out',
        out,
      ]);
      expect(made.code, made.stderr).toBe(0);
      return out;
    };
    const optical = await map('S2RGB', 'optical', 'lake,water; land');
    const radar = await map('S1RTC', 'sar', 'land; water');
    const found = await runCli([
      'compare',
      optical,
      radar,
      '--class',
      'lake',
      '--second-class',
      'water',
      '--json',
    ]);
    expect(found.code, found.stderr).toBe(0);
    const { legend, areaUnit } = JSON.parse(found.stdout);
    expect(areaUnit).toBe('m²');
    expect(legend.map(({ name }: { name: string }) => name)).toEqual([
      'lake and water',
      'lake only in the first',
      'water only in the second',
    ]);
    const covered = legend.reduce((sum: number, { pixels }: { pixels: number }) => sum + pixels, 0);
    expect(covered).toBeGreaterThan(1000);
    expect(covered).toBeLessThanOrEqual(224 * 224);
    const shift = await runCli([
      'shift',
      path.join(chips, 'S2RGB', chip),
      path.join(chips, 'S1RTC', chip),
      '--json',
    ]);
    expect(shift.code, shift.stderr).toBe(0);
    const { east, north, metres } = JSON.parse(shift.stdout);
    expect(Math.hypot(east, north)).toBeCloseTo(metres, 0);
  }, 180_000);
});

it('an extent of a product is in the degrees that info prints, though the map lies in its zone', async () => {
  const side = 160;
  const product = writeProduct(
    path.join(folder, 'S1.SAFE'),
    syntheticFiles({
      width: side,
      height: side,
      channels: [
        { polarisation: 'VV', pixels: Uint16Array.from({ length: side * side }, (_, at) => 50 + (at % 251)) },
      ],
      amplitude: () => 400,
      noise: () => 0,
      noiseFactor: () => 1,
      place: (line, pixel) => [10 + pixel * 1.4e-4, 50 - line * 9e-5],
    }),
  );
  // Fifty lines of 10 m, and as many pixels.
  const extent = ['--extent', '10.007,49.991,10.014,49.9955'];
  const out = path.join(folder, 'part.tif');
  const made = await runCli([
    'segment',
    product,
    '--classes',
    'water; land',
    ...extent,
    '--out',
    out,
    '--json',
  ]);
  expect(made.code, made.stderr).toBe(0);
  const { width, height, crs } = JSON.parse(made.stdout);
  expect(crs).toBe('EPSG:32632');
  for (const side of [width, height]) expect(Math.abs(side - 50)).toBeLessThan(5);
}, 120_000);
