import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type MapDifference, mapDifference } from '../../../src/worker/steps/map-difference.ts';
import { gdalRun, hasGdal } from '../scene/gdal.ts';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-difference-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

function differ(
  first: string,
  second: string,
  className: string | null,
  out: string | null = null,
  secondClassName: string | null = null,
): Promise<MapDifference> {
  return mapDifference(
    {
      first: file(first),
      second: file(second),
      className,
      secondClassName,
      out,
      program: 'test',
      version: '0',
    },
    { signal: new AbortController().signal, report: () => {}, note: () => {}, emit: async () => {} } as never,
  );
}

const names = (path: string, list: readonly string[]): void =>
  writeFileSync(
    `${path}.aux.xml`,
    `<PAMDataset><PAMRasterBand band="1"><CategoryNames>${['unclassified', ...list].map((name) => `<Category>${name}</Category>`).join('')}</CategoryNames></PAMRasterBand></PAMDataset>`,
  );

describe.skipIf(!hasGdal)('the difference of two class maps', () => {
  if (hasGdal) {
    gdalRun(
      `folder = sys.argv[1]
rng = np.random.default_rng(5)
def save(name, values, left, top, pixel, epsg):
    ds = gdal.GetDriverByName('GTiff').Create(folder + '/' + name, values.shape[1], values.shape[0], 1, gdal.GDT_Byte)
    ds.SetGeoTransform([left, pixel, 0, top, 0, -pixel])
    if epsg:
        srs = osr.SpatialReference(); srs.ImportFromEPSG(epsg); ds.SetProjection(srs.ExportToWkt())
    ds.GetRasterBand(1).WriteArray(values); ds = None
blocks = lambda h, w: np.kron(rng.integers(0, 4, (h // 10, w // 10)), np.ones((10, 10), int)).astype(np.uint8)
save('first.tif', blocks(300, 520), 500000, 5500000, 10, 32633)
save('second.tif', blocks(400, 600), 499400, 5500210, 7, 32633)
gdal.Warp(folder + '/turned.tif', folder + '/second.tif', dstSRS='EPSG:4326', resampleAlg='near')
save('plain.tif', blocks(300, 520), 0, 0, 1, 0)
save('apart.tif', blocks(100, 100), 600000, 5500000, 10, 32633)
save('smaller.tif', blocks(100, 100), 0, 0, 1, 0)`,
      folder,
    );
    names(file('first.tif'), ['water', 'wood &amp; trees', 'field']);
    names(file('second.tif'), ['field', 'water', 'wood &amp; trees']);
  }

  test('pixels, areas and every pair are gdalwarp’s, on a shifted, finer and smaller grid and in another system', async () => {
    for (const second of ['second.tif', 'turned.tif']) {
      const truth = JSON.parse(
        gdalRun(
          `import json
a = gdal.Open(sys.argv[1]); g = a.GetGeoTransform()
w = gdal.Warp('', sys.argv[2], format='MEM', dstSRS='EPSG:32633', outputBounds=(g[0], g[3] - 3000, g[0] + 5200, g[3]), xRes=10, yRes=10, resampleAlg='near', dstNodata=255, errorThreshold=0)
a = a.ReadAsArray(); b = w.ReadAsArray()
print(json.dumps({'outside': int((b == 255).sum()), 'pairs': {f'{i}-{j}': int(((a == i) & (b == j)).sum()) for i in range(4) for j in range(4)}}))`,
          file('first.tif'),
          file(second),
        ),
      ) as { outside: number; pairs: Record<string, number> };
      const found = await differ('first.tif', second, null);
      const total = 300 * 520;
      // Pixel centres on an edge of the other map may fall to either side.
      const slack = second === 'second.tif' ? 0 : total * 0.001;
      expect(Math.abs(found.outside - truth.outside), second).toBeLessThanOrEqual(slack);
      for (const pair of found.pairs) {
        const expected = truth.pairs[`${pair.first}-${pair.second}`]!;
        expect(
          Math.abs(pair.pixels - expected),
          `${second} ${pair.first}-${pair.second}`,
        ).toBeLessThanOrEqual(slack);
        // Ground metres: the projection's scale is below 0.1 % here.
        expect(Math.abs(pair.area / (pair.pixels * 100) - 1)).toBeLessThan(2e-3);
      }
      expect(found.pairs.reduce((sum, { pixels }) => sum + pixels, 0) + found.outside).toBe(total);
    }
  });

  test('a class by its name in both maps, whatever its ids; the raster holds what the table counts', async () => {
    const out = file('water.tif');
    const found = await differ('first.tif', 'second.tif', 'Water', out);
    const sum = (test: (a: number, b: number) => boolean): number =>
      found.pairs
        .filter(({ first, second }) => test(first, second))
        .reduce((all, { pixels }) => all + pixels, 0);
    expect(found.legend.map(({ pixels }) => pixels)).toEqual([
      sum((a, b) => a === 1 && b === 2),
      sum((a, b) => a === 1 && b !== 2),
      sum((a, b) => a !== 1 && b === 2),
    ]);
    expect(found.legend.every(({ pixels }) => pixels > 1000)).toBe(true);
    const counts = gdalRun(
      'a = gdal.Open(sys.argv[1]).ReadAsArray(); print([int((a == i).sum()) for i in (1, 2, 3)])',
      out,
    );
    expect(JSON.parse(counts)).toEqual(found.legend.map(({ pixels }) => pixels));
    expect(existsSync(`${out}.part`)).toBe(false);
    expect(found.pairs.find(({ first }) => first === 2)?.firstName).toBe('wood & trees');
  });

  test('classes of two names, by id or name, are told by their names', async () => {
    const found = await differ('first.tif', 'second.tif', '2', null, 'field');
    expect(found.legend.map(({ name }) => name)).toEqual([
      'wood & trees and field',
      'wood & trees only in the first',
      'field only in the second',
    ]);
    const both = found.pairs.find(({ first, second }) => first === 2 && second === 1);
    expect(found.legend[0]!.pixels).toBe(both!.pixels);
  });

  test('law: a map differs nowhere from itself', async () => {
    const found = await differ('plain.tif', 'plain.tif', null);
    expect(found.areaUnit).toBe('pixels');
    expect(found.outside).toBe(0);
    expect(found.pairs.every(({ first, second }) => first === second)).toBe(true);
    expect(found.legend[1]!.pixels).toBe(0);
  });

  test('maps that do not go together, and classes that are not there, are Problems', async () => {
    await expect(differ('plain.tif', 'smaller.tif', null)).rejects.toMatchObject({
      code: 'compare/no-place',
    });
    await expect(differ('first.tif', 'plain.tif', null)).rejects.toMatchObject({ code: 'compare/no-place' });
    const out = file('nothing.tif');
    await expect(differ('first.tif', 'apart.tif', null, out)).rejects.toMatchObject({
      code: 'compare/apart',
    });
    expect([existsSync(out), existsSync(`${out}.part`)]).toEqual([false, false]);
    await expect(differ('first.tif', 'second.tif', 'glacier')).rejects.toMatchObject({
      code: 'compare/no-class',
    });
  });
});
