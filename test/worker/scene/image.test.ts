import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crsFromEpsg } from '../../../src/worker/raster/crs.ts';
import { fingerprintFile } from '../../../src/worker/scene/fingerprint.ts';
import { inMemoryBytes } from '../../../src/worker/scene/image.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';

let folder = '';
const width = 61;
const height = 37;

function pattern(channels: number): Uint8Array {
  const bytes = new Uint8Array(width * height * channels);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 31 + (at >> 5)) & 255;
  return bytes;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'landscribe-test-image-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('PNG and JPEG', () => {
  for (const channels of [1, 3, 4] as const) {
    test(`PNG of ${channels} channels: every pixel as stored, alpha as validity`, async () => {
      const bytes = pattern(channels);
      const path = join(folder, `plain${channels}.png`);
      await sharp(bytes, { raw: { width, height, channels } })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .png()
        .toFile(path);
      const scene = await openScene(path);
      expect(scene.header).toMatchObject({
        format: 'PNG',
        grid: { width, height, crs: null },
        groundSampleDistance: null,
      });
      expect(scene.header.bands.map((band) => band.role)).toEqual(
        channels === 1 ? ['grey'] : ['red', 'green', 'blue', 'alpha'].slice(0, channels),
      );
      const bands = scene.header.bands.map((_, band) => band);
      const { planes, valid } = await scene.read({ column: 0, row: 0, width, height }, bands, 0);
      for (let at = 0; at < width * height; at++) {
        for (const band of bands) expect(planes[band]![at]).toBe(bytes[at * channels + band]);
        expect(valid[at]).toBe(channels === 4 && bytes[at * 4 + 3] === 0 ? 0 : 1);
      }
      await scene.close();
    });
  }

  test('16-bit PNG keeps its 16 bits', async () => {
    const values = new Uint16Array(width * height * 3).map((_, at) => (at * 257 + 3) & 65_535);
    const path = join(folder, 'deep.png');
    await sharp(values, { raw: { width, height, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toFile(path);
    const scene = await openScene(path);
    expect(scene.header.bands.map((band) => band.type)).toEqual(['uint16', 'uint16', 'uint16']);
    const { planes } = await scene.read({ column: 5, row: 6, width: 7, height: 8 }, [2], 0);
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 7; x++)
        expect(planes[0]![y * 7 + x]).toBe(values[((y + 6) * width + x + 5) * 3 + 2]);
    }
    await scene.close();
  });

  test('a world file and a .prj place the image; the ending of the image does not matter', async () => {
    const path = join(folder, 'placed.png');
    await sharp(pattern(3), { raw: { width, height, channels: 3 } })
      .jpeg()
      .toFile(path);
    writeFileSync(join(folder, 'placed.pgw'), '0.5\n0\n0\n-0.5\n346000.25\n5647999.75\n');
    writeFileSync(join(folder, 'placed.prj'), crsFromEpsg(25832).wkt!);
    const scene = await openScene(path);
    expect(scene.header.format).toBe('JPEG');
    expect(scene.header.grid.transform).toEqual([346000, 0.5, 0, 5648000, 0, -0.5]);
    expect(scene.header.grid.crs?.epsg).toBe(25832);
    expect(scene.header.groundSampleDistance).toBeCloseTo(0.5, 3);
    await scene.close();
  });

  test('a large image goes through a temporary file, which does not stay', async () => {
    const side = Math.ceil(Math.sqrt(inMemoryBytes / 3)) + 10;
    const path = join(folder, 'large.png');
    await sharp({ create: { width: side, height: side, channels: 3, background: { r: 9, g: 8, b: 7 } } })
      .composite([
        {
          input: { create: { width: 5, height: 5, channels: 3, background: 'white' } },
          left: side - 8,
          top: side - 9,
        },
      ])
      .png({ compressionLevel: 1 })
      .toFile(path);
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('landscribe-image-')).length;
    const scene = await openScene(path);
    expect(scene.header.details.layout).toContain('temporary file');
    const { planes } = await scene.read({ column: side - 9, row: side - 9, width: 3, height: 1 }, [0, 2], 0);
    expect(Array.from(planes[0]!)).toEqual([9, 255, 255]);
    expect(Array.from(planes[1]!)).toEqual([7, 255, 255]);
    await scene.close();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('landscribe-image-')).length).toBe(before);
  });

  test('cut short: a Problem', async () => {
    for (const ending of ['png', 'jpg'] as const) {
      const whole = join(folder, `whole.${ending}`);
      const image = sharp(pattern(3), { raw: { width, height, channels: 3 } });
      await (ending === 'png' ? image.png() : image.jpeg()).toFile(whole);
      const bytes = readFileSync(whole);
      for (const share of [0.02, 0.3, 0.7]) {
        const path = join(folder, `cut.${ending}`);
        writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length * share)));
        await expect(openScene(path), `${ending} ${share}`).rejects.toMatchObject({
          name: 'Problem',
          code: 'scene/corrupt',
        });
      }
    }
  });
});

describe('what is no scene', () => {
  test('missing, empty, a folder, text: one line that says so', async () => {
    writeFileSync(join(folder, 'empty.tif'), '');
    writeFileSync(join(folder, 'text.tif'), 'hello');
    for (const [name, code] of [
      ['missing.tif', 'scene/missing'],
      ['empty.tif', 'scene/not-a-raster'],
      ['.', 'scene/not-a-raster'],
      ['text.tif', 'scene/not-a-raster'],
      ['text.tif/inside.tif', 'scene/missing'],
    ] as const) {
      const path = join(folder, name);
      const failure = await openScene(path).catch((problem: unknown) => problem);
      expect(failure).toMatchObject({ name: 'Problem', code });
      expect((failure as Error).message).not.toContain('\n');
    }
  });
});

test.skipIf(process.platform === 'win32')('a pipe is not waited for', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await expect(openScene(pipe)).rejects.toMatchObject({
    code: 'scene/not-a-raster',
    message: expect.stringMatching(/is no file/),
  });
});

test('fingerprint: stable, and another after any change at the ends or in size', async () => {
  const path = join(folder, 'print.bin');
  const bytes = new Uint8Array(300_000).map((_, at) => (at * 7) & 255);
  writeFileSync(path, bytes);
  const first = await fingerprintFile(path);
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(await fingerprintFile(path)).toBe(first);
  const others = new Set([first]);
  for (const change of [0, 65_535, bytes.length - 1, -1]) {
    const changed = change < 0 ? bytes.subarray(0, bytes.length - 1) : Uint8Array.from(bytes);
    if (change >= 0) changed[change] = changed[change]! ^ 1;
    writeFileSync(path, changed);
    others.add(await fingerprintFile(path));
  }
  expect(others.size).toBe(5);
  writeFileSync(path, '');
  expect(await fingerprintFile(path)).toMatch(/^[0-9a-f]{64}$/);
});
