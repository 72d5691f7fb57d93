import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Problem } from '../../../src/worker/report/problem.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { randomNumbers } from '../prep/memory-scene.ts';
import { gdalRun, hasGdal } from './gdal.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const band = resolve(fixtures, '../../data/tricky-rasters/stars__B01.jp2');
const folder = mkdtempSync(join(tmpdir(), 'landscribe-jp2-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Whether GDAL here can write JPEG 2000. */
const canWrite =
  hasGdal && gdalRun("print(gdal.GetDriverByName('JP2OpenJPEG') is not None)").trim() === 'True';

describe.skipIf(!existsSync(band))('a band of Sentinel-2', () => {
  test.skipIf(!canWrite)('all pixels and all overviews are GDAL’s', async () => {
    const scene = await openScene(band);
    const { overviews, grid, details } = scene.header;
    expect(details.layout).toBe('tiles of 192 × 192');
    expect(grid.crs?.epsg).toBe(32610);
    const sizes = [{ width: grid.width, height: grid.height }, ...overviews];
    for (const [level, { width, height }] of sizes.entries()) {
      const file = join(folder, `level-${level}.raw`);
      gdalRun(
        `ds = gdal.Open(sys.argv[1]); b = ds.GetRasterBand(1); level = int(sys.argv[2])
(b if level == 0 else b.GetOverview(level - 1)).ReadAsArray().astype('<u2').tofile(sys.argv[3])`,
        band,
        String(level),
        file,
      );
      const bytes = readFileSync(file);
      const truth = new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      const { planes } = await scene.read({ column: 0, row: 0, width, height }, [0], level);
      expect(truth.length).toBe(width * height);
      const differing = truth.findIndex((value, at) => value !== planes[0]![at]);
      expect(differing, `level ${level}`).toBe(-1);
    }
    await scene.close();
  });

  test('a window decodes only the tiles it touches', async () => {
    const scene = await openScene(band);
    const read = await scene.read({ column: 190, row: 190, width: 4, height: 4 }, [0], 0);
    expect(read.valid.every((set) => set === 1)).toBe(true);
    expect(scene.blockReads()).toBe(4);
    await scene.close();
  });

  test('damaged files are Problems, never anything else', async () => {
    const sound = readFileSync(band);
    const path = join(folder, 'damaged.jp2');
    const attempt = async (bytes: Uint8Array): Promise<string> => {
      writeFileSync(path, bytes);
      try {
        const scene = await openScene(path);
        try {
          await scene.read({ column: 0, row: 0, width: 400, height: 200 }, [0], 0);
        } finally {
          await scene.close();
        }
        return 'read';
      } catch (failure) {
        if (failure instanceof Problem) return failure.code;
        throw failure;
      }
    };
    expect(await attempt(sound.subarray(0, sound.length >> 1))).toBe('scene/truncated');
    expect(await attempt(sound.subarray(0, 1950))).toBe('scene/corrupt');
    const huge = Buffer.from(sound);
    const size = huge.indexOf(Buffer.from('ff51', 'hex'));
    for (const offset of [6, 10, 22, 26]) huge.writeUInt32BE(2 ** 31 - 1, size + offset);
    // One tile as large as the image, and parts of more tiles than that.
    expect(await attempt(huge)).toBe('scene/corrupt');
    const random = randomNumbers(21);
    const outcomes = new Set<string>();
    for (let round = 0; round < 25; round++) {
      const bytes = Buffer.from(sound);
      // The boxes and main header, or the first tiles.
      const reach = round % 2 === 0 ? 2200 : 40_000;
      for (let change = 0; change < 6; change++)
        bytes[Math.floor(random() * reach)] = Math.floor(random() * 256);
      outcomes.add(await attempt(bytes));
    }
    expect([...outcomes].every((outcome) => outcome === 'read' || outcome.startsWith('scene/'))).toBe(true);
    expect(await attempt(sound)).toBe('read');
  });
});

test.skipIf(!canWrite)('colour, 8 and signed 16 bits, untiled, bare codestream, GeoJP2', async () => {
  gdalRun(
    `folder = sys.argv[1]
rng = np.random.default_rng(4)
def make(name, bands, kind, tile, options):
    mem = gdal.GetDriverByName('MEM').Create('', 150, 110, bands, kind)
    mem.SetGeoTransform([500000, 10, 0, 4100000, 0, -10])
    srs = osr.SpatialReference(); srs.ImportFromEPSG(32633); mem.SetProjection(srs.ExportToWkt())
    for i in range(bands):
        low, high = (0, 256) if kind == gdal.GDT_Byte else (-3000, 3000)
        mem.GetRasterBand(i + 1).WriteArray(rng.integers(low, high, (110, 150)))
    gdal.GetDriverByName('JP2OpenJPEG').CreateCopy(folder + '/' + name, mem, options=[f'BLOCKXSIZE={tile}', f'BLOCKYSIZE={tile}', 'QUALITY=100', 'REVERSIBLE=YES'] + options)
    np.stack([mem.GetRasterBand(i + 1).ReadAsArray() for i in range(bands)]).astype('<f8').tofile(folder + '/' + name + '.raw')
make('colour.jp2', 3, gdal.GDT_Byte, 64, ['GMLJP2=NO', 'YCBCR420=NO'])
make('signed.jp2', 1, gdal.GDT_Int16, 1024, ['GeoJP2=YES'])
make('bare.j2k', 1, gdal.GDT_Byte, 64, ['CODEC=J2K'])`,
    folder,
  );
  for (const [name, bands, epsg] of [
    ['colour.jp2', 3, 32633],
    ['signed.jp2', 1, 32633],
    ['bare.j2k', 1, null],
  ] as const) {
    const scene = await openScene(join(folder, name));
    const { grid } = scene.header;
    expect(grid.crs?.epsg ?? null, name).toBe(epsg);
    if (epsg !== null) expect(grid.transform).toEqual([500000, 10, 0, 4100000, 0, -10]);
    const wanted = Array.from({ length: bands }, (_, index) => index);
    const { planes } = await scene.read({ column: 0, row: 0, width: 150, height: 110 }, wanted, 0);
    const bytes = readFileSync(join(folder, `${name}.raw`));
    const truth = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    for (const index of wanted)
      expect(Array.from(planes[index]!), `${name} ${index}`).toEqual(
        Array.from(truth.subarray(index * 16_500, (index + 1) * 16_500)),
      );
    await scene.close();
  }
  // One tile that claims to be larger than anything that is decoded at once.
  const huge = readFileSync(join(folder, 'signed.jp2'));
  const size = huge.indexOf(Buffer.from('ff4fff51', 'hex')) + 2;
  for (const offset of [6, 10, 22, 26]) huge.writeUInt32BE(2 ** 31 - 1, size + offset);
  const path = join(folder, 'huge.jp2');
  writeFileSync(path, huge);
  await expect(openScene(path)).rejects.toMatchObject({ code: 'scene/block-too-large' });
});
