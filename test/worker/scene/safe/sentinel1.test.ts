import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isRadar } from '../../../../src/worker/prep/sar/propose-recipe.ts';
import { groundMapping } from '../../../../src/worker/raster/ground-control.ts';
import { openScene } from '../../../../src/worker/scene/open-scene.ts';
import { parseAnnotation } from '../../../../src/worker/scene/safe/annotation.ts';
import { rangeDoppler, speedOfLight, toEarthFixed } from '../../../../src/worker/scene/safe/orbit.ts';
import { plainName } from '../../../../src/worker/scene/safe/product-files.ts';
import { describeScene } from '../../../../src/worker/steps/info.ts';
import { zip } from '../../weights/zip-writer.ts';
import { plainTiff, type SyntheticProduct, syntheticFiles, writeProduct } from './synthetic-product.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const radar = resolve(fixtures, '../../data/sar');
const real = existsSync(radar)
  ? join(radar, readdirSync(radar).find((name) => name.endsWith('.SAFE')) ?? '')
  : '';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-safe-'));
afterAll(() => rmSync(folder, { recursive: true }));

const width = 60;
const height = 40;
const product: SyntheticProduct = {
  width,
  height,
  channels: ['VH', 'VV'].map((polarisation, channel) => ({
    polarisation,
    pixels: Uint16Array.from({ length: width * height }, (_, at) =>
      at % width < 3 ? 0 : 100 * (channel + 1) + (at % 97),
    ),
  })),
  amplitude: () => 500,
  noise: () => 0,
  noiseFactor: () => 1,
  place: (line, pixel) => [10 + pixel * 1e-4, 50 - line * 1e-4],
};
const files = syntheticFiles(product);

/** Metres between two places on the ellipsoid. */
function apart(a: readonly [number, number], b: readonly [number, number]): number {
  const [p, q] = [toEarthFixed(a[0], a[1], 0), toEarthFixed(b[0], b[1], 0)];
  return Math.hypot(p[0]! - q[0]!, p[1]! - q[1]!, p[2]! - q[2]!);
}

describe.skipIf(real === '')('the Sentinel-1 product', () => {
  test('opens by its folder and by its manifest, with its true size, place and what is missing', async () => {
    for (const path of [real, join(real, 'manifest.safe')]) {
      const scene = await openScene(path);
      const { header } = scene;
      expect([header.grid.width, header.grid.height]).toEqual([25788, 16685]);
      expect(header.bands.map((band) => band.role)).toEqual(['VV']);
      expect(header.details.warning).toContain('IW GRD VH');
      expect(header.details.warning).toContain('no calibration tables');
      expect(header.groundSampleDistance).toBeGreaterThan(9.9);
      expect(header.groundSampleDistance).toBeLessThan(10.2);
      expect(await scene.radar!.tables(0)).toBeNull();
      const read = await scene.read({ column: 25780, row: 16680, width: 10, height: 6 }, [0], 0);
      // Beyond the border nothing is valid.
      expect([...read.valid.subarray(0, 10)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
      expect([...read.valid.subarray(50)]).toEqual(new Array(10).fill(0));
      await scene.close();
    }
  });

  test("corners lie where the manifest's footprint says, the grid's points where the annotation says", async () => {
    const scene = await openScene(real);
    const { grid, details } = scene.header;
    await scene.close();
    // Eight coordinates explained by two terrain heights.
    expect(Number(/within ([\d.]+) m/.exec(details.footprint!)![1])).toBeLessThan(30);
    expect(details.footprint).toBe(
      "the manifest's within 0.2 m, on terrain of 1707 m (first line) and 553 m (last)",
    );
    const mapping = groundMapping(grid.groundControl!);
    // First geolocation point: line 0, pixel 0, the first pixel's centre.
    expect(apart(mapping.toGround(0.5, 0.5), [12.43266946006738, 47.11702756724707])).toBeLessThan(0.01);
    // Line 16684, pixel 25787, read off the annotation's last point.
    const text = readFileSync(
      join(real, 'annotation', readdirSync(join(real, 'annotation')).find((name) => name.includes('-vv-'))!),
      'utf8',
    );
    const last = (name: string): number =>
      Number([...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].at(-1)![1]);
    const corner = mapping.toGround(25787.5, 16684.5);
    expect(apart(corner, [last('longitude'), last('latitude')])).toBeLessThan(0.01);
    const [column, row] = mapping.toPixel(...corner);
    expect(Math.hypot(column - 25787.5, row - 16684.5)).toBeLessThan(1e-4);
    // The orbit and ranges explain all 210 points, each at its height.
    const annotation = parseAnnotation(text, 'annotation');
    let worst = 0;
    for (const point of annotation.grid) {
      const near: [number, number] = [point.longitude, point.latitude];
      const range = (point.slantRangeTime * speedOfLight) / 2;
      const found = rangeDoppler(annotation.orbit, point.time, range, point.height, near)!;
      worst = Math.max(worst, apart(found, near));
    }
    expect(annotation.grid.length).toBe(210);
    expect(worst).toBeLessThan(0.05);
  });

  test('the extent that is told ends with the geolocation grid, not where its best fit does', async () => {
    const { extent, centre } = await describeScene(real);
    const scene = await openScene(real);
    const { header } = scene;
    await scene.close();
    const { points } = header.grid.groundControl!;
    const [longitudes, latitudes] = [points.map((point) => point[2]), points.map((point) => point[3])];
    const ofPoints = [
      Math.min(...longitudes),
      Math.min(...latitudes),
      Math.max(...longitudes),
      Math.max(...latitudes),
    ];
    // The manifest's footprint; the grid lies on terrain of up to 1.7 km, about a kilometre beside it.
    const footprint = [8.772268, 45.614502, 12.446052, 47.512238];
    extent!.forEach((value, edge) => {
      // Points are pixels' centres, half a pixel of 10 m inside; atol 3e-4 degrees.
      expect(Math.abs(value - ofPoints[edge]!), `edge ${edge}`).toBeLessThan(3e-4);
      expect(Math.abs(value - footprint[edge]!), `edge ${edge}`).toBeLessThan(0.02);
    });
    const middle = groundMapping(header.grid.groundControl!).toGround(25788 / 2, 16685 / 2);
    expect([centre!.longitude, centre!.latitude]).toEqual(middle);
  });
});

describe('synthetic products', () => {
  test('a folder, a stored zip and a deflated zip read the same pixels', async () => {
    const path = writeProduct(join(folder, 'PLAIN.SAFE'), files);
    const inFolder = [...files].map(([name, bytes]) => ({ name: `PLAIN.SAFE/${name}`, bytes }));
    const archives = [false, true].map((deflated) => {
      const file = join(folder, `product-${deflated}.zip`);
      writeFileSync(file, zip(inFolder.map((entry) => ({ ...entry, deflated }))));
      return file;
    });
    for (const place of [path, ...archives]) {
      const scene = await openScene(place);
      // Co-polarised first, whatever the manifest's order.
      expect(scene.header.bands.map((band) => band.name)).toEqual(['VV', 'VH']);
      expect(scene.header.format).toBe('SAFE');
      const { planes, valid } = await scene.read({ column: 0, row: 0, width, height }, [0, 1], 0);
      expect(planes[0]).toEqual(product.channels[1]!.pixels);
      expect(planes[1]).toEqual(product.channels[0]!.pixels);
      expect(valid).toEqual(Uint8Array.from(product.channels[0]!.pixels, (value) => (value === 0 ? 0 : 1)));
      const [longitude, latitude] = groundMapping(scene.header.grid.groundControl!).toGround(20.5, 10.5);
      expect(longitude).toBeCloseTo(10.002, 9);
      expect(latitude).toBeCloseTo(49.999, 9);
      expect((await scene.radar!.tables(1))!.calibration.sigma0.values[0]![0]).toBe(500);
      await scene.close();
    }
  });

  test('a single look complex product: magnitudes of its first swath, as radar, with a warning', async () => {
    const samples = Int16Array.from({ length: 2 * width * height }, (_, at) => ((at * 37) % 400) - 200);
    const swaths = new Map<string, Buffer>();
    const manifest: string[] = [];
    for (const [name, bytes] of files) {
      if (!name.includes('-vv-')) continue;
      for (const [index, swath] of ['iw2', 'iw1'].entries()) {
        const own = name.replaceAll('s1x-iw-grd', `s1x-${swath}-slc`);
        const text = bytes
          .toString('latin1')
          .replaceAll('>GRD<', '>SLC<')
          .replaceAll('<swath>IW<', `<swath>${swath.toUpperCase()}<`);
        // The second swath is darker.
        const scaled = samples.map((value) => value >> (1 - index));
        swaths.set(
          own,
          name.startsWith('measurement')
            ? plainTiff(width, height, scaled, true)
            : Buffer.from(text, 'latin1'),
        );
        const kind = name.startsWith('measurement')
          ? 'Measurement'
          : name.includes('/noise-')
            ? 'Noise'
            : name.includes('/calibration-')
              ? 'Calibration'
              : 'Product';
        manifest.push(
          `<dataObject repID="s1Level1${kind}Schema"><byteStream><fileLocation href="./${own}"/></byteStream></dataObject>`,
        );
      }
    }
    swaths.set(
      'manifest.safe',
      Buffer.from(
        files
          .get('manifest.safe')!
          .toString()
          .replace(
            /<dataObjectSection>.*<\/dataObjectSection>/,
            `<dataObjectSection>${manifest.join('')}</dataObjectSection>`,
          ),
      ),
    );
    const scene = await openScene(writeProduct(join(folder, 'SLC.SAFE'), swaths));
    const { bands, details } = scene.header;
    expect(bands.map(({ name, role, type }) => [name, role, type])).toEqual([['VV', 'VV', 'complex']]);
    expect(details.warning).toMatch(/single look complex: magnitudes in slant range, IW1 of 2 swaths alone/);
    expect(isRadar(scene)).toBe(true);
    expect(scene.radar!.quantity).toBe('amplitude');
    const { planes } = await scene.read({ column: 0, row: 0, width, height }, [0], 0);
    for (let at = 0; at < width * height; at++)
      expect(planes[0]![at]).toBeCloseTo(Math.hypot(samples[2 * at]!, samples[2 * at + 1]!), 4);
    await scene.close();
  });

  test('damaged and hostile products are Problems', async () => {
    const damage = async (name: string, change: (files: Map<string, Buffer>) => void): Promise<unknown> => {
      const changed = new Map(files);
      change(changed);
      return openScene(writeProduct(join(folder, name), changed)).then(
        async (scene) => {
          const tables = await scene.radar!.tables(0).catch((problem: unknown) => problem);
          await scene.close();
          return tables;
        },
        (problem: unknown) => problem,
      );
    };
    const edit = (part: string, from: string | RegExp, to: string) => (all: Map<string, Buffer>) => {
      for (const [name, bytes] of all)
        if (name.includes(part))
          all.set(name, Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1'));
    };
    const remove = (part: string) => (all: Map<string, Buffer>) => {
      for (const name of all.keys()) if (name.includes(part)) all.delete(name);
    };
    const cases: [string, string, (all: Map<string, Buffer>) => void][] = [
      ['no images', 'scene/incomplete-product', remove('measurement')],
      ['no manifest', 'scene/not-a-raster', remove('manifest')],
      ['broken XML', 'scene/corrupt', edit('annotation/s1x', /<\/product>/, '<')],
      ['no numbers', 'scene/corrupt', edit('annotation/s1x', /<latitude>[^<]*/, '<latitude>north')],
      ['sizes', 'scene/corrupt', edit('annotation/s1x', /<numberOfSamples>60/, '<numberOfSamples>61')],
      ['huge', 'scene/corrupt', edit('annotation/s1x', /<numberOfLines>40/, '<numberOfLines>4e9')],
      ['tables', 'scene/corrupt', edit('calibration-s1x', /<pixel>0 /, '<pixel>')],
      ['zero', 'scene/corrupt', edit('calibration-s1x', /<sigmaNought>500/, '<sigmaNought>0')],
      ['no looks', 'scene/corrupt', edit('annotation/s1x', /<numberOfLooks>5/, '<numberOfLooks>0')],
      [
        'no spacing',
        'scene/corrupt',
        edit('annotation/s1x', /<azimuthPixelSpacing>1/, '<azimuthPixelSpacing>-1'),
      ],
      ['no latitude', 'scene/corrupt', edit('annotation/s1x', /<latitude>5/, '<latitude>95')],
      ['a terminal obeys', 'scene/corrupt', edit('annotation/s1x', '>S1X<', '>\x1b[31mS1X<')],
      [
        'many tags',
        'scene/corrupt',
        edit('annotation/s1x', '</product>', `${'<a/>'.repeat(600_000)}</product>`),
      ],
      ['long', 'scene/corrupt', edit('annotation/s1x', '</product>', `${' '.repeat(2 ** 24)}</product>`)],
      [
        'many images',
        'scene/corrupt',
        edit(
          'manifest',
          '</dataObjectSection>',
          `${Array.from({ length: 600 }, (_, at) => `<dataObject repID="s1Level1ProductSchema"><byteStream><fileLocation href="./a${at}.xml"/></byteStream></dataObject>`).join('')}</dataObjectSection>`,
        ),
      ],
      ['other satellite', 'scene/unsupported', edit('manifest', 'SENTINEL-1', 'SENTINEL-9')],
    ];
    for (const [name, code, change] of cases)
      expect(await damage(name, change), name).toMatchObject({ name: 'Problem', code });
    for (const name of ['../secret', '/etc/passwd', 'a/../../b', 'C:/x', 'a\0b', ''])
      expect(plainName(name)).toBeNull();
    expect(plainName('./annotation/a.xml')).toBe('annotation/a.xml');
  });

  test('an image that the manifest names twice is one; a grid of one place does not place it', async () => {
    const changed = new Map(files);
    const manifest = files.get('manifest.safe')!.toString();
    changed.set(
      'manifest.safe',
      Buffer.from(manifest.replace(/<dataObject .*<\/dataObject>/s, (all) => all.repeat(2))),
    );
    for (const [name, bytes] of files)
      if (name.startsWith('annotation/s1x'))
        changed.set(name, Buffer.from(bytes.toString().replace(/<longitude>[^<]*/g, '<longitude>10')));
    const scene = await openScene(writeProduct(join(folder, 'TWICE.SAFE'), changed));
    expect(scene.header.bands).toHaveLength(2);
    expect(scene.header.grid.crs).toBeNull();
    expect(scene.header.details.warning).toMatch(/its geolocation grid does not place it/);
    await scene.close();
  });

  test('where orbit and range contradict each other there is no place', () => {
    const turn = (time: number, axis: number): number =>
      7e6 * [Math.cos(time / 1e3), Math.sin(time / 1e3), 0][axis]!;
    const times = Float64Array.from({ length: 8 }, (_, at) => at * 10);
    const positions = Float64Array.from({ length: 24 }, (_, at) => turn(10 * Math.floor(at / 3), at % 3));
    const velocities = Float64Array.from(
      { length: 24 },
      (_, at) => turn(10 * Math.floor(at / 3) + Math.PI * 500, at % 3) / 1e3,
    );
    const near = [0, 5] as const;
    const found = rangeDoppler({ times, positions, velocities }, 0, 850_000, 0, near)!;
    expect(found[0]).toBeCloseTo(0, 6);
    const place = toEarthFixed(...found, 0);
    expect(Math.hypot(place[0]! - 7e6, place[1]!, place[2]!)).toBeCloseTo(850_000, 2);
    // The ellipsoid is 622 km away.
    expect(rangeDoppler({ times, positions, velocities }, 0, 500_000, 0, near)).toBeNull();
    const stopped = { times: times.fill(0), positions, velocities };
    expect(rangeDoppler(stopped, 0, 850_000, 0, near)).toBeNull();
  });

  test('a damaged archive is a Problem', async () => {
    const parts = [...files].map(([name, bytes]) => ({ name, bytes, deflated: true }));
    const wrongSum = parts.map((part) =>
      part.name.includes('-vv-') ? { ...part, claims: { crc: 1 } } : part,
    );
    const file = join(folder, 'damaged.zip');
    for (const bytes of [
      zip(wrongSum),
      zip(parts).subarray(0, -30),
      zip([{ name: 'a.txt', bytes: Buffer.from('a') }]),
    ]) {
      writeFileSync(file, bytes);
      const failure: unknown = await openScene(file).catch((problem: unknown) => problem);
      expect(failure).toMatchObject({ name: 'Problem' });
      expect((failure as { code: string }).code).toMatch(/^scene\/(corrupt|unsupported)$/);
    }
  });

  test.skipIf(process.platform === 'win32')(
    'links that lead out of the product are not followed',
    async () => {
      const changed = new Map([...files].filter(([name]) => !name.includes('measurement')));
      const path = writeProduct(join(folder, 'LINKED.SAFE'), changed);
      symlinkSync(join(folder, 'PLAIN.SAFE/measurement'), join(path, 'measurement'));
      await expect(openScene(path)).rejects.toMatchObject({ code: 'scene/incomplete-product' });
    },
  );
});
