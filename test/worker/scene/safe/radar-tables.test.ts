import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lookupRow } from '../../../../src/worker/scene/safe/lookup-table.ts';
import { noiseRow, parseCalibration, parseNoise } from '../../../../src/worker/scene/safe/radar-tables.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const samples = resolve(fixtures, '../../data/sar/calibration-samples');

function sample(kind: string): string {
  return readFileSync(join(samples, readdirSync(samples).find((name) => name.startsWith(kind))!), 'utf8');
}

describe('lookup tables', () => {
  test('a bilinear field is met everywhere inside, the nearest value beyond, whatever part of a row is asked for', () => {
    const field = (line: number, pixel: number): number =>
      3 + 0.2 * line - 0.05 * pixel + 0.001 * line * pixel;
    const lines = Float64Array.of(-7, 10, 44);
    const pixels = [Float64Array.of(0, 13, 60), Float64Array.of(0, 30, 60), Float64Array.of(0, 1, 59, 60)];
    const values = pixels.map((row, index) => row.map((pixel) => field(lines[index]!, pixel)));
    const table = { lines, pixels, values };
    fc.assert(
      fc.property(fc.integer({ min: -20, max: 60 }), fc.integer({ min: -5, max: 70 }), (line, pixel) => {
        const row = new Float64Array(80);
        lookupRow(table, line, -5, row);
        const alone = new Float64Array(1);
        lookupRow(table, line, pixel, alone);
        expect(alone[0]).toBe(row[pixel + 5]);
        const clampedLine = Math.min(44, Math.max(-7, line));
        const clampedPixel = Math.min(60, Math.max(0, pixel));
        expect(alone[0]).toBeCloseTo(field(clampedLine, clampedPixel), 10);
      }),
      { seed: 6 },
    );
  });

  test('noise of processors before azimuth vectors', () => {
    const text =
      '<noise><noiseVectorList><noiseVector><line>0</line><pixel>0 10</pixel><noiseLut>4 6</noiseLut></noiseVector></noiseVectorList></noise>';
    const row = new Float64Array(3);
    noiseRow(parseNoise(text, 'noise.xml'), 99, 4, row);
    expect([...row]).toEqual([4.8, 5, 5.2]);
  });
});

describe.skipIf(!existsSync(samples))('a calibration annotation', () => {
  test('is read and interpolated as by hand', () => {
    const { sigma0, beta0, gamma0 } = parseCalibration(sample('calibration'), 'calibration.xml');
    expect(sigma0.lines.length).toBe(30);
    expect([sigma0.lines[0], sigma0.lines[29]]).toEqual([-1042, 14661]);
    expect(sigma0.pixels[0]!.length).toBe(542);
    expect(sigma0.pixels[0]![541]).toBe(21631);
    for (const table of [beta0, gamma0]) expect(table.lines).toEqual(sigma0.lines);
    // First vector, pixels 40 and 80: 331.8600 and 331.7972, a quarter of the way: 331.8443.
    const row = new Float64Array(1);
    lookupRow(sigma0, -1042, 50, row);
    expect(row[0]).toBeCloseTo(331.8443, 9);
    // Read off the file by splitting its text: line 300 lies 209 / 486 of the way from vector 91 to 577.
    const vectors = sample('calibration').split('<calibrationVector>').slice(1);
    const at = (vector: number, name: string, index: number): number =>
      Number(new RegExp(`<${name}[^>]*>([^<]*)<`).exec(vectors[vector]!)![1]!.split(' ')[index]);
    for (const [table, name] of [
      [sigma0, 'sigmaNought'],
      [beta0, 'betaNought'],
      [gamma0, 'gamma'],
    ] as const) {
      const along = (vector: number): number => at(vector, name, 250) * 0.75 + at(vector, name, 251) * 0.25;
      const expected = along(2) * (1 - 209 / 486) + along(3) * (209 / 486);
      lookupRow(table, 300, 10_010, row);
      expect(row[0]).toBeCloseTo(expected, 9);
    }
  });

  test('noise is range table times azimuth factor', () => {
    const noise = parseNoise(sample('noise'), 'noise.xml');
    expect(noise.range.lines.length).toBe(10);
    expect(noise.azimuth.length).toBe(1);
    const text = sample('noise');
    const numbers = (name: string, nth: number): number[] =>
      [...text.matchAll(new RegExp(`<${name}[^>]*>([^<]*)</${name}>`, 'g'))]
        [nth]![1]!.trim()
        .split(/\s+/)
        .map(Number);
    const lines = noise.range.lines;
    const [first, second] = [lines[1]!, lines[2]!];
    const line = Math.round((2 * first + second) / 3);
    const share = (line - first) / (second - first);
    // Pixel 410: a quarter of the way from the 11th to the 12th entry (pixels 400 and 440).
    const along = (vector: number): number =>
      numbers('noiseRangeLut', vector)[10]! * 0.75 + numbers('noiseRangeLut', vector)[11]! * 0.25;
    const factors = numbers('noiseAzimuthLut', 0);
    const node = Math.floor(line / 10);
    const factor = factors[node]! + (factors[node + 1]! - factors[node]!) * (line / 10 - node);
    const row = new Float64Array(1);
    noiseRow(noise, line, 410, row);
    expect(row[0]).toBeCloseTo((along(1) * (1 - share) + along(2) * share) * factor, 9);
  });
});
