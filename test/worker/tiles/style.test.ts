import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { TileRenderer } from '../../../src/worker/steps/render-tile.ts';
import { backscatter } from '../../../src/worker/tiles/draw-tile.ts';
import { type RadarStyle, type TileStyle, tileStyle } from '../../../src/worker/tiles/style.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const product = resolve(
  fixtures,
  '../../data/sar/S1B_IW_GRDH_1SDV_20210401T052623_20210401T052648_026269_032297_ECC8.SAFE',
);
const folder = mkdtempSync(join(tmpdir(), 'landscribe-style-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const range = { low: 0, high: 255 };
const styles: TileStyle[] = [
  { kind: 'imagery', bands: [0, 1, 2], stretch: [range, range, range], gamma: 1.2 },
  {
    kind: 'radar',
    quantity: 'amplitude',
    channels: [
      { band: 0, by: null },
      { band: 1, by: null },
      { band: 0, by: 1 },
    ],
    scale: 'decibel',
    stretch: [range, range, range],
    gamma: 1,
  },
  { kind: 'classes', band: 0, colours: [{ value: 3, colour: '#00ff7F', opacity: 0.5 }] },
];

describe('tile styles', () => {
  test('survive being written as JSON and read again', () => {
    for (const style of styles) expect(tileStyle.parse(JSON.parse(JSON.stringify(style)))).toEqual(style);
  });

  test('that are none are refused, and the place is named', () => {
    for (const [style, place] of [
      [{ ...styles[0], gamma: 0 }, 'gamma'],
      [{ ...styles[0], bands: [0, 1] }, 'bands'],
      [{ ...styles[1], scale: 'log' }, 'scale'],
      [{ ...styles[2], colours: [{ value: 1, colour: 'red' }] }, 'colours.0.colour'],
      [null, ''],
    ] as const) {
      const [issue] = tileStyle.safeParse(style).error!.issues;
      expect(issue!.path.join('.')).toBe(place);
    }
  });

  test('of radar: the same power however it was stored, and quotients are differences in decibels', () => {
    const power = [Float32Array.of(1, 0.01, 4), Float32Array.of(0.1, 0.01, 1)];
    const valid = Uint8Array.of(1, 1, 1);
    const { channels } = styles[1] as RadarStyle;
    const of = (
      quantity: RadarStyle['quantity'],
      planes: Float32Array[],
      scale: RadarStyle['scale'] = 'decibel',
    ) => backscatter(planes, valid, { quantity, channels, scale }, [0, 1]);
    const expected = of('power', power);
    const amplitudes = power.map((plane) => plane.map(Math.sqrt));
    const decibels = power.map((plane) => plane.map((value) => 10 * Math.log10(value)));
    for (const planes of [of('amplitude', amplitudes), of('decibel', decibels)]) {
      planes.forEach((plane, channel) => {
        plane.forEach((value, at) => {
          expect(value).toBeCloseTo(expected[channel]![at]!, 4);
        });
      });
    }
    expect(expected[0]![1]).toBeCloseTo(-20, 4);
    for (let at = 0; at < 3; at++)
      expect(expected[2]![at]).toBeCloseTo(expected[0]![at]! - expected[1]![at]!, 4);
    expect(of('power', power, 'linear')[2]![2]).toBeCloseTo(4, 5);
    expect(of('power', [Float32Array.of(0, -1, 0), power[1]!])[0]).toEqual(Float32Array.of(-100, -100, -100));
  });
});

describe.skipIf(!existsSync(product))('a radar product (needs the shared Sentinel-1 product)', () => {
  test('of one polarisation begins in grey and in decibels', async () => {
    const renderer = new TileRenderer({ overviewFolder: folder });
    const style = (await renderer.defaultStyle(product)) as RadarStyle;
    const grey = { band: 0, by: null };
    expect(style).toMatchObject({
      kind: 'radar',
      quantity: 'amplitude',
      channels: [grey, grey, grey],
      scale: 'decibel',
    });
    for (const { low, high } of style.stretch) expect(low).toBeLessThan(high);
    expect(tileStyle.parse(style)).toEqual(style);
    await renderer.close();
  });
});
