import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { gdalRun, hasGdal } from './gdal.ts';

interface Layout {
  name: string;
  type: string;
  bands: number;
  options: string[];
  /** Greatest difference of a lossy codec. */
  tolerance?: number;
}

const tiles = ['TILED=YES', 'BLOCKXSIZE=32', 'BLOCKYSIZE=16'];
const layouts: Layout[] = [
  { name: 'strips', type: 'Byte', bands: 3, options: [] },
  { name: 'one strip', type: 'UInt16', bands: 3, options: ['BLOCKYSIZE=53'] },
  { name: 'one strip, compressed', type: 'Int16', bands: 2, options: ['BLOCKYSIZE=53', 'COMPRESS=LZW'] },
  { name: 'tiles', type: 'Byte', bands: 4, options: [...tiles, 'ALPHA=NO'] },
  { name: 'tiles, band by band', type: 'Int16', bands: 3, options: [...tiles, 'INTERLEAVE=BAND'] },
  { name: 'deflate', type: 'UInt16', bands: 3, options: [...tiles, 'COMPRESS=DEFLATE'] },
  { name: 'deflate, differences', type: 'UInt16', bands: 3, options: ['COMPRESS=DEFLATE', 'PREDICTOR=2'] },
  { name: 'LZW, differences of 4 bytes', type: 'Int32', bands: 3, options: ['COMPRESS=LZW', 'PREDICTOR=2'] },
  { name: 'LZW, 8 bits', type: 'Byte', bands: 1, options: [...tiles, 'COMPRESS=LZW', 'PREDICTOR=2'] },
  { name: 'PackBits', type: 'Byte', bands: 3, options: ['COMPRESS=PACKBITS'] },
  { name: 'Zstandard', type: 'Float32', bands: 2, options: [...tiles, 'COMPRESS=ZSTD'] },
  {
    name: 'Zstandard, floating differences',
    type: 'Float32',
    bands: 2,
    options: ['COMPRESS=ZSTD', 'PREDICTOR=3'],
  },
  {
    name: 'deflate, doubles, floating differences',
    type: 'Float64',
    bands: 3,
    options: [...tiles, 'COMPRESS=DEFLATE', 'PREDICTOR=3'],
  },
  { name: 'big-endian', type: 'UInt16', bands: 3, options: ['ENDIANNESS=BIG'] },
  {
    name: 'big-endian, differences',
    type: 'UInt16',
    bands: 3,
    options: [...tiles, 'ENDIANNESS=BIG', 'COMPRESS=LZW', 'PREDICTOR=2'],
  },
  {
    name: 'big-endian floats, floating differences',
    type: 'Float32',
    bands: 1,
    options: ['ENDIANNESS=BIG', 'COMPRESS=DEFLATE', 'PREDICTOR=3'],
  },
  { name: 'BigTIFF', type: 'UInt32', bands: 2, options: [...tiles, 'BIGTIFF=YES'] },
  {
    name: 'BigTIFF, big-endian',
    type: 'Int32',
    bands: 2,
    options: ['BIGTIFF=YES', 'ENDIANNESS=BIG', 'INTERLEAVE=BAND'],
  },
  { name: '1 bit', type: 'Byte', bands: 1, options: ['NBITS=1'] },
  { name: '4 bits', type: 'Byte', bands: 3, options: ['NBITS=4'] },
  { name: '12 bits', type: 'UInt16', bands: 3, options: [...tiles, 'NBITS=12'] },
  { name: 'half floats', type: 'Float32', bands: 2, options: ['NBITS=16'] },
  {
    name: 'JPEG, YCbCr',
    type: 'Byte',
    bands: 3,
    options: [...tiles, 'COMPRESS=JPEG', 'PHOTOMETRIC=YCBCR', 'JPEG_QUALITY=95'],
    tolerance: 2,
  },
  {
    name: 'JPEG, RGB',
    type: 'Byte',
    bands: 3,
    options: [...tiles, 'COMPRESS=JPEG', 'JPEG_QUALITY=95'],
    tolerance: 1,
  },
  { name: 'JPEG, grey strips', type: 'Byte', bands: 1, options: ['COMPRESS=JPEG'], tolerance: 1 },
  {
    name: 'JPEG, band by band',
    type: 'Byte',
    bands: 3,
    options: [...tiles, 'COMPRESS=JPEG', 'INTERLEAVE=BAND'],
    tolerance: 1,
  },
  {
    name: 'JPEG, four bands',
    type: 'Byte',
    bands: 4,
    options: [...tiles, 'COMPRESS=JPEG', 'PHOTOMETRIC=MINISBLACK', 'ALPHA=NO'],
    tolerance: 1,
  },
  {
    name: 'WebP without loss',
    type: 'Byte',
    bands: 3,
    options: [...tiles, 'COMPRESS=WEBP', 'WEBP_LOSSLESS=YES'],
  },
  { name: 'LERC', type: 'Float32', bands: 1, options: [...tiles, 'COMPRESS=LERC'] },
  {
    name: 'LERC and Zstandard, three bands',
    type: 'UInt16',
    bands: 3,
    options: [...tiles, 'COMPRESS=LERC_ZSTD'],
  },
  { name: 'sparse', type: 'UInt16', bands: 2, options: [...tiles, 'SPARSE_OK=TRUE'] },
];

const width = 75;
const height = 53;

const writer = `
import json
folder, text = sys.argv[1], sys.argv[2]
made = {}
for k, layout in enumerate(json.loads(text)):
    rng = np.random.default_rng(k)
    path = f'{folder}/{k}.tif'
    options = layout['options']
    try:
        ds = gdal.GetDriverByName('GTiff').Create(path, ${width}, ${height}, layout['bands'], getattr(gdal, 'GDT_' + layout['type']), options)
    except RuntimeError as e:
        made[k] = None
        continue
    ds.SetGeoTransform((100, 2, 0, 500, 0, -2))
    bits = next((int(o[6:]) for o in options if o.startswith('NBITS=')), 8 if layout['type'] == 'Byte' else 15)
    smooth = np.add.outer(np.arange(${height}), np.arange(${width}))
    a = np.stack([(smooth * (b + 1) + rng.integers(0, 3, smooth.shape)) % 2 ** min(bits, 15) for b in range(layout['bands'])])
    if 'JPEG' in layout['name']: a = np.stack([smooth + 20 * b for b in range(layout['bands'])])
    if layout['type'].startswith('Float') and bits != 16: a = a / 7 - 3
    if layout['type'].startswith('Int'): a = a - 9000
    if layout['name'] == 'sparse': ds.GetRasterBand(1).WriteArray(a[0, 16:32, 32:64], 32, 16)
    else: ds.WriteArray(a)
    ds = None
    made[k] = gdal.Open(path).ReadAsArray().astype('float64').ravel().tolist()
json.dump(made, open(f'{folder}/truth.json', 'w'))
`;

let folder = '';
let truth: Record<string, number[] | null> = {};

describe.skipIf(!hasGdal)('layouts that GDAL writes', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'landscribe-layouts-'));
    gdalRun(writer, folder, JSON.stringify(layouts));
    truth = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as typeof truth;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [index, layout] of layouts.entries()) {
    test(`${layout.name} (${layout.type}, ${layout.bands} bands)`, async (context) => {
      const expected = truth[index];
      if (expected === null || expected === undefined) return context.skip('this GDAL cannot write it');
      const scene = await openScene(join(folder, `${index}.tif`));
      const bands = scene.header.bands.map((_, band) => band);
      expect(bands.length).toBe(layout.bands);
      // Windows that overlap, one of them hanging over every border.
      for (const window of [
        { column: -3, row: -2, width: width + 7, height: height + 5 },
        { column: 31, row: 15, width: 3, height: 20 },
      ]) {
        const { planes, valid } = await scene.read(window, bands, 0);
        let worst = 0;
        let where = 'none';
        for (const band of bands) {
          for (let y = 0; y < window.height; y++) {
            for (let x = 0; x < window.width; x++) {
              const column = window.column + x;
              const row = window.row + y;
              const inside = column >= 0 && row >= 0 && column < width && row < height;
              if (valid[y * window.width + x] !== (inside ? 1 : 0))
                throw new Error(`validity at ${column}, ${row}`);
              if (!inside) continue;
              const wanted = expected[band * width * height + row * width + column]!;
              const got = planes[band]![y * window.width + x]!;
              const difference = Math.abs(got - wanted);
              if (!(difference <= worst)) {
                worst = difference;
                where = `band ${band} at ${column}, ${row}: ${got} instead of ${wanted}`;
              }
            }
          }
        }
        expect(worst, where).toBeLessThanOrEqual(layout.tolerance ?? 0);
      }
      await scene.close();
    });
  }

  test('a scan with overlapping windows decodes each block once', async () => {
    const scene = await openScene(join(folder, '5.tif'));
    for (let row = 0; row < height; row += 7) {
      for (let column = 0; column < width; column += 11) {
        await scene.read({ column, row, width: 24, height: 24 }, [0, 1, 2], 0);
      }
    }
    expect(scene.blockReads()).toBe(Math.ceil(width / 32) * Math.ceil(height / 16));
    await scene.close();
  });

  test('a cache of nothing still gives the same pixels', async () => {
    const small = await openScene(join(folder, '5.tif'), undefined, { cacheBytes: 0 });
    const large = await openScene(join(folder, '5.tif'));
    const window = { column: 10, row: 5, width: 60, height: 40 };
    expect(await small.read(window, [2, 0], 0)).toEqual(await large.read(window, [2, 0], 0));
    await small.close();
    await large.close();
  });

  test('nodata, masks and alpha', async () => {
    gdalRun(
      `
folder = sys.argv[1]
a = np.arange(100, dtype='int16').reshape(10, 10)
ds = gdal.GetDriverByName('GTiff').Create(folder + '/nodata.tif', 10, 10, 3, gdal.GDT_Byte)
for b in range(3):
    v = a.astype('uint8').copy(); v[0, :] = 0
    if b == 1: v[0, 5] = 9
    ds.GetRasterBand(b + 1).WriteArray(v); ds.GetRasterBand(b + 1).SetNoDataValue(0)
ds = None
ds = gdal.GetDriverByName('GTiff').Create(folder + '/signed.tif', 10, 10, 2, gdal.GDT_Float32)
for b in range(2):
    v = a.astype('float32').copy()
    v[b, b] = -9999; v[5, 5 + b] = np.nan; v[6, 6] = np.inf
    ds.GetRasterBand(b + 1).WriteArray(v); ds.GetRasterBand(b + 1).SetNoDataValue(-9999)
ds = None
gdal.SetConfigOption('GDAL_TIFF_INTERNAL_MASK', 'YES')
for name in ['mask', 'external']:
    if name == 'external': gdal.SetConfigOption('GDAL_TIFF_INTERNAL_MASK', 'NO')
    ds = gdal.GetDriverByName('GTiff').Create(folder + '/' + name + '.tif', 10, 10, 1, gdal.GDT_Byte)
    ds.WriteArray(a.astype('uint8')); ds.CreateMaskBand(gdal.GMF_PER_DATASET)
    m = np.full((10, 10), 255, 'uint8'); m[2:4, 3:7] = 0
    ds.GetRasterBand(1).GetMaskBand().WriteArray(m); ds = None
ds = gdal.GetDriverByName('GTiff').Create(folder + '/alpha.tif', 10, 10, 4, gdal.GDT_Byte, ['ALPHA=YES', 'PHOTOMETRIC=RGB'])
for b in range(3): ds.GetRasterBand(b + 1).WriteArray(a.astype('uint8'))
al = np.full((10, 10), 128, 'uint8'); al[7, 2:5] = 0
ds.GetRasterBand(4).WriteArray(al); ds = None
`,
      folder,
    );
    const invalid = async (name: string, bands: number[]): Promise<number[]> => {
      const scene = await openScene(join(folder, name));
      const { valid } = await scene.read({ column: 0, row: 0, width: 10, height: 10 }, bands, 0);
      await scene.close();
      return [...valid.keys()].filter((at) => valid[at] === 0);
    };
    // Unsigned: only where all bands are nodata.
    expect(await invalid('nodata.tif', [0, 1, 2])).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9]);
    expect(await invalid('nodata.tif', [0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Floating: where any band is, or is not finite.
    expect(await invalid('signed.tif', [0, 1])).toEqual([0, 11, 55, 56, 66]);
    expect(await invalid('signed.tif', [1])).toEqual([11, 56, 66]);
    const hole = [23, 24, 25, 26, 33, 34, 35, 36];
    expect(await invalid('mask.tif', [0])).toEqual(hole);
    expect(await invalid('external.tif', [0])).toEqual(hole);
    expect(await invalid('alpha.tif', [0, 1, 2])).toEqual([72, 73, 74]);
  });

  test('NaN in LERC blocks: some pixels, all pixels, none', async (context) => {
    if (
      !gdalRun(
        "print('LERC_ZSTD' in gdal.GetDriverByName('GTiff').GetMetadataItem('DMD_CREATIONOPTIONLIST'))",
      ).includes('True')
    ) {
      return context.skip('this GDAL has no LERC');
    }
    for (const compression of ['LERC', 'LERC_DEFLATE', 'LERC_ZSTD']) {
      gdalRun(
        `
a = np.arange(64 * 64, dtype='float32').reshape(64, 64); a[10:20, 5:13] = np.nan; a[32:, 32:] = np.nan
ds = gdal.GetDriverByName('GTiff').Create(sys.argv[1] + '/lerc.tif', 64, 64, 1, gdal.GDT_Float32,
  ['COMPRESS=' + sys.argv[2], 'TILED=YES', 'BLOCKXSIZE=32', 'BLOCKYSIZE=32'])
ds.WriteArray(a); ds = None
`,
        folder,
        compression,
      );
      const scene = await openScene(join(folder, 'lerc.tif'));
      const { planes, valid } = await scene.read({ column: 0, row: 0, width: 64, height: 64 }, [0], 0);
      for (let row = 0; row < 64; row++) {
        for (let column = 0; column < 64; column++) {
          const hole = (row >= 10 && row < 20 && column >= 5 && column < 13) || (row >= 32 && column >= 32);
          expect(planes[0]![row * 64 + column]).toBe(hole ? Number.NaN : row * 64 + column);
          expect(valid[row * 64 + column]).toBe(hole ? 0 : 1);
        }
      }
      await scene.close();
    }
  });

  test('a file cut anywhere is a Problem, never a crash', async () => {
    for (const index of [0, 4, 8, 16, 22]) {
      const whole = readFileSync(join(folder, `${index}.tif`));
      for (const share of [0.001, 0.01, 0.1, 0.4, 0.8, 0.97]) {
        const path = join(folder, 'cut.tif');
        writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
        const failure = await openScene(path).then(
          (scene) => scene.close(),
          (problem: unknown) => problem,
        );
        // GDAL writes the directory after the pixels here and before them there; what is left may still be whole.
        if (failure !== undefined) expect(failure).toMatchObject({ name: 'Problem' });
        else expect(share).toBeGreaterThan(0.9);
      }
    }
  });

  test('a file with damaged bytes is read or refused, never a crash', async () => {
    let state = 12345;
    const next = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (const index of [0, 5, 8, 9, 10, 16, 22, 28]) {
      const whole = readFileSync(join(folder, `${index}.tif`));
      for (let trial = 0; trial < 25; trial++) {
        const bytes = Buffer.from(whole);
        // Half of the damage goes to the directory, where it hurts most.
        for (let hit = 0; hit < 4; hit++) bytes[trial % 2 === 0 ? next(400) : next(bytes.length)] = next(256);
        const path = join(folder, 'damaged.tif');
        writeFileSync(path, bytes);
        const failure = await openScene(path, undefined, { allowIncomplete: true })
          .then(async (scene) => {
            const bands = scene.header.bands.length <= 16 ? scene.header.bands.map((_, band) => band) : [0];
            await scene
              .read({ column: 0, row: 0, width: 75, height: 53 }, bands, 0)
              .finally(() => scene.close());
            return null;
          })
          .catch((problem: unknown) => problem);
        if (failure !== null)
          expect(failure, `file ${index}, trial ${trial}`).toMatchObject({ name: 'Problem' });
      }
    }
  });
});
