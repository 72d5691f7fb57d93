import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isRadar } from '../../../src/worker/prep/sar/propose-recipe.ts';
import { fingerprintFile } from '../../../src/worker/scene/fingerprint.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { zip } from '../weights/zip-writer.ts';
import { gdalRun, hasGdal } from './gdal.ts';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-stack-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);
const canWrite =
  hasGdal && gdalRun("print(gdal.GetDriverByName('JP2OpenJPEG') is not None)").trim() === 'True';

/** Bands of 10, 20 and 60 m of one place, as GeoTIFF and JP2, and what gdalwarp makes of them on the finest grid. */
const make = (): void => {
  gdalRun(
    `folder = sys.argv[1]; jp2 = sys.argv[2] == 'true'
rng = np.random.default_rng(8)
for name, metres in (('B02', 10), ('B03', 10), ('B04', 10), ('B05', 20), ('B01', 60)):
    side = 2400 // metres
    ds = gdal.GetDriverByName('GTiff').Create(f'{folder}/{name}.tif', side, side, 1, gdal.GDT_UInt16)
    ds.SetGeoTransform([600000, metres, 0, 4200000, 0, -metres])
    srs = osr.SpatialReference(); srs.ImportFromEPSG(32633); ds.SetProjection(srs.ExportToWkt())
    values = rng.integers(1, 9000, (side, side)); values[:side // 12, :side // 6] = 0
    ds.GetRasterBand(1).WriteArray(values); ds.FlushCache()
    if jp2: gdal.GetDriverByName('JP2OpenJPEG').CreateCopy(f'{folder}/{name}.jp2', ds, options=['QUALITY=100', 'REVERSIBLE=YES', 'BLOCKXSIZE=64', 'BLOCKYSIZE=64'])
    gdal.Warp('', ds, format='MEM', xRes=10, yRes=10, resampleAlg='near').ReadAsArray().astype('<u2').tofile(f'{folder}/{name}.raw')
ds = gdal.GetDriverByName('GTiff').Create(f'{folder}/elsewhere.tif', 240, 240, 1, gdal.GDT_UInt16)
ds.SetGeoTransform([600100, 10, 0, 4200000, 0, -10]); ds.SetProjection(srs.ExportToWkt())`,
    folder,
    String(canWrite),
  );
};
if (hasGdal) make();

const truth = (name: string): Uint16Array => {
  const bytes = readFileSync(file(`${name}.raw`));
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const whole = { column: 0, row: 0, width: 240, height: 240 };
const differing = (plane: ArrayLike<number>, name: string): number =>
  truth(name).findIndex((value, at) => value !== plane[at]);

describe.skipIf(!hasGdal)('bands of several files', () => {
  test('come as one scene on the finest grid, as gdalwarp brings them there', async () => {
    const path = ['B01', 'B04', 'B05'].map((name) => file(`${name}.tif`)).join('+');
    const scene = await openScene(path);
    const { grid, bands } = scene.header;
    expect(bands.map(({ name, role }) => [name, role])).toEqual([
      ['B01', null],
      ['B04', 'red'],
      ['B05', null],
    ]);
    expect([grid.width, grid.crs?.epsg]).toEqual([240, 32633]);
    const { planes } = await scene.read(whole, [0, 1, 2], 0);
    for (const [index, name] of ['B01', 'B04', 'B05'].entries())
      expect(differing(planes[index]!, name), name).toBe(-1);
    // The same pixels whatever the window, and nothing beyond the border.
    const part = await scene.read({ column: 233, row: 101, width: 11, height: 3 }, [0], 0);
    for (let column = 0; column < 7; column++)
      expect(part.planes[0]![11 + column]).toBe(planes[0]![102 * 240 + 233 + column]);
    expect([...part.valid.subarray(0, 11)]).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
    await scene.close();
    expect(await fingerprintFile(path)).not.toBe(await fingerprintFile(file('B01.tif')));
  });

  test('polarisations are told by their names; other places are Problems; a plus in a name is no stack', async () => {
    copyFileSync(file('B02.tif'), file('S1_vv.tif'));
    copyFileSync(file('B03.tif'), file('S1_vh.tif'));
    const radar = await openScene(`${file('S1_vv.tif')}+${file('S1_vh.tif')}`);
    expect(radar.header.bands.map(({ role }) => role)).toEqual(['VV', 'VH']);
    expect(isRadar(radar)).toBe(true);
    await radar.close();
    await expect(openScene(`${file('B02.tif')}+${file('elsewhere.tif')}`)).rejects.toMatchObject({
      code: 'scene/stack-mismatch',
    });
    await expect(openScene(`${file('B02.tif')}+${file('none.tif')}`)).rejects.toMatchObject({
      code: 'scene/missing',
    });
    copyFileSync(file('B02.tif'), file('a+b.tif'));
    const single = await openScene(file('a+b.tif'));
    expect(single.header.format).toBe('GeoTIFF');
    await single.close();
  });
});

describe.skipIf(!canWrite)('a Sentinel-2 product', () => {
  test('has its bands by wavelength at their finest, their roles, 0 as nodata, and says what is missing', async () => {
    const product = file('S2A_MSIL2A.SAFE');
    const images = 'GRANULE/L2A_T33/IMG_DATA';
    const listed: [string, string | null][] = [
      [`${images}/R10m/T33_B02_10m.jp2`, 'B02'],
      [`${images}/R10m/T33_B03_10m.jp2`, 'B03'],
      [`${images}/R10m/T33_B04_10m.jp2`, 'B04'],
      [`${images}/R20m/T33_B05_20m.jp2`, 'B05'],
      // A coarser copy, which is not taken.
      [`${images}/R20m/T33_B02_20m.jp2`, 'B05'],
      [`${images}/R60m/T33_B01_60m.jp2`, 'B01'],
      [`${images}/R60m/T33_B09_60m.jp2`, null],
      [`${images}/R10m/T33_TCI_10m.jp2`, null],
    ];
    for (const [name, band] of listed) {
      mkdirSync(join(product, name, '..'), { recursive: true });
      if (band !== null) copyFileSync(file(`${band}.jp2`), join(product, name));
    }
    writeFileSync(
      join(product, 'manifest.safe'),
      `<?xml version="1.0"?><xfdu:XFDU xmlns:xfdu="u"><metadataSection><metadataObject ID="platform"><metadataWrap><xmlData><safe:platform xmlns:safe="s"><safe:familyName>SENTINEL</safe:familyName></safe:platform></xmlData></metadataWrap></metadataObject></metadataSection><dataObjectSection>${listed.map(([name]) => `<dataObject ID="x"><byteStream><fileLocation locatorType="URL" href="./${name}"/></byteStream></dataObject>`).join('')}</dataObjectSection></xfdu:XFDU>`,
    );
    expect(existsSync(join(product, images))).toBe(true);
    const scene = await openScene(product);
    const { bands, details, groundSampleDistance } = scene.header;
    expect(bands.map(({ name, role, nodata }) => [name, role, nodata])).toEqual([
      ['B01', null, 0],
      ['B02', 'blue', 0],
      ['B03', 'green', 0],
      ['B04', 'red', 0],
      ['B05', null, 0],
    ]);
    expect(details.warning).toBe('not in the product: T33_B09_60m.jp2');
    expect(groundSampleDistance).toBeCloseTo(10, 1);
    const { planes, valid } = await scene.read(whole, [0, 1, 2, 3, 4], 0);
    for (const [index, name] of ['B01', 'B02', 'B03', 'B04', 'B05'].entries())
      expect(differing(planes[index]!, name), name).toBe(-1);
    const all = ['B01', 'B02', 'B03', 'B04', 'B05'].map(truth);
    expect(valid.every((set, at) => (set === 1) === all.every((plane) => plane[at] !== 0))).toBe(true);
    await scene.close();

    // The same product as an archive, stored and compressed, and by its manifest.
    const inside = ['manifest.safe', ...listed.filter(([, band]) => band !== null).map(([name]) => name)];
    const entries = inside.map((name) => ({
      name: `S2A_MSIL2A.SAFE/${name}`,
      bytes: readFileSync(join(product, name)),
    }));
    for (const deflated of [false, true]) {
      const archive = file(`product-${deflated}.zip`);
      writeFileSync(archive, zip(entries.map((entry) => ({ ...entry, deflated }))));
      const zipped = await openScene(archive);
      expect(zipped.header.bands.map(({ name }) => name)).toEqual(bands.map(({ name }) => name));
      const again = await zipped.read(whole, [0, 1, 2, 3, 4], 0);
      again.planes.forEach((plane, band) => {
        expect(
          plane.findIndex((value, at) => value !== planes[band]![at]),
          bands[band]!.name,
        ).toBe(-1);
      });
      await zipped.close();
    }
    const byManifest = await openScene(join(product, 'manifest.safe'));
    expect(byManifest.header.bands).toHaveLength(5);
    await byManifest.close();
  });

  test('several granules, and bands too large to unpack at each opening, are Problems that say what to do', async () => {
    const manifest = (names: readonly string[]): Buffer =>
      Buffer.from(
        `<XFDU><dataObjectSection>${names.map((name) => `<dataObject><byteStream><fileLocation href="./${name}"/></byteStream></dataObject>`).join('')}</dataObjectSection></XFDU>`,
      );
    const bands = ['T33', 'T34'].map((tile) => `GRANULE/${tile}/IMG_DATA/${tile}_B02.jp2`);
    const many = file('many.zip');
    const stored = (name: string, bytes: Buffer, deflated = false) => ({ name, bytes, deflated });
    writeFileSync(many, zip([stored('manifest.safe', manifest(bands))]));
    await expect(openScene(many)).rejects.toMatchObject({
      code: 'scene/unsupported',
      message: expect.stringMatching(/2 granules/),
    });
    const large = file('large.zip');
    const zeros = Buffer.alloc(257 * 2 ** 20);
    writeFileSync(
      large,
      zip([stored('manifest.safe', manifest([bands[0]!])), stored(bands[0]!, zeros, true)]),
    );
    await expect(openScene(large)).rejects.toMatchObject({
      code: 'scene/unsupported',
      hint: expect.stringMatching(/Unpack it/),
    });
  });
});
