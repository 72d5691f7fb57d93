import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runDemo } from '../../src/main/run/demo.ts';
import { runSegment } from '../../src/main/run/segment.ts';
import { parseClasses } from '../../src/worker/classmap/classes.ts';
import { generateScene } from '../../src/worker/synthetic/generate-scene.ts';
import { writeSceneImage } from '../../src/worker/synthetic/write-scene.ts';

const python = '/usr/bin/python3';
const gdalPresent = spawnSync(python, ['-c', 'import osgeo, numpy']).status === 0;
if (!gdalPresent)
  console.warn('skipped: python3-gdal is not installed (apt-get install gdal-bin python3-gdal)');

const cologne = path.resolve(import.meta.dirname, '../../../shared/data/scenes/oem_koeln_50.tif');

/** Everything GDAL and GEOS say about a run's outputs, as JSON; warnings are errors. */
const inspect = `
import json, sys
from osgeo import gdal, ogr
import numpy as np
gdal.UseExceptions(); ogr.UseExceptions()
complaints = []
def complain(level, number, text):
    complaints.append(text)
gdal.PushErrorHandler(complain)
base, scene = sys.argv[1:3]
source = gdal.Open(scene)
tif = gdal.Open(base + '.tif')
classes = tif.ReadAsArray()
out = {
    'sameGrid': list(tif.GetGeoTransform()) == list(source.GetGeoTransform()) and classes.shape == source.ReadAsArray().shape[-2:],
    'epsg': tif.GetSpatialRef().GetAuthorityCode(None),
    'categories': tif.GetRasterBand(1).GetCategoryNames(),
    'colours': tif.GetRasterBand(1).GetColorTable() is not None,
    'classified': int((classes > 0).sum()),
    'pixelArea': abs(tif.GetGeoTransform()[1] * tif.GetGeoTransform()[5]),
    'layers': {},
}
for ending in ('gpkg', 'shp', 'geojson'):
    opened = ogr.Open(base + '.' + ending)
    layer = opened.GetLayer(0)
    features = list(layer)
    back = gdal.GetDriverByName('MEM').Create('', tif.RasterXSize, tif.RasterYSize, 1, gdal.GDT_UInt16)
    back.SetGeoTransform(tif.GetGeoTransform())
    if ending != 'geojson':
        gdal.RasterizeLayer(back, [1], layer, options=['ATTRIBUTE=class_id'])
    out['layers'][ending] = {
        'epsg': layer.GetSpatialRef().GetAuthorityCode(None),
        'count': len(features),
        'invalid': sum(not f.GetGeometryRef().IsValid() for f in features),
        'area': sum(f['area_m2'] for f in features),
        'planar': sum(f.GetGeometryRef().GetArea() for f in features),
        'names': sorted({f['class_name'] for f in features}),
        'different': int((back.ReadAsArray() != classes).sum()),
    }
out['complaints'] = complaints
print(json.dumps(out))
`;

interface Inspection {
  sameGrid: boolean;
  epsg: string;
  categories: string[];
  colours: boolean;
  classified: number;
  pixelArea: number;
  layers: Record<
    string,
    {
      epsg: string;
      count: number;
      invalid: number;
      area: number;
      planar: number;
      names: string[];
      different: number;
    }
  >;
  complaints: string[];
}

describe.skipIf(!gdalPresent)('from a scene to layers that GDAL opens', () => {
  let folder: string;
  const pack = () => path.join(folder, 'pack');
  const synthetic = () => path.join(folder, 'synthetic.tif');

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'landscribe-road-'));
    await runDemo({ out: path.join(folder, 'demo'), seed: 2, size: 64, pack: null });
    execFileSync('mv', [path.join(folder, 'demo/random-pack'), pack()]);
    const scene = generateScene({ seed: 7, width: 331, height: 270, resolution: 0.5 });
    await writeSceneImage(scene, synthetic(), 'test');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    { name: 'a synthetic scene', scene: synthetic, epsg: '32632' },
    { name: 'Cologne', scene: () => cologne, epsg: '25832' },
  ])('$name', async ({ name, scene, epsg }) => {
    if (!existsSync(scene())) {
      console.warn(`skipped: ${scene()} is not there`);
      return;
    }
    const classes = parseClasses('building,roof,house; road; water,river; tree,forest; grass');
    const out = path.join(folder, name.replaceAll(' ', '-'));
    const summary = await runSegment({
      scene: scene(),
      pack: pack(),
      classes,
      out,
      formats: ['gpkg', 'geojson', 'shp', 'tif'],
      resolution: 'native',
      stride: 224,
      threads: 2,
    });
    const seen = JSON.parse(
      execFileSync(python, ['-c', inspect, out, scene()], { encoding: 'utf8', maxBuffer: 1e8 }),
    ) as Inspection;
    expect(seen.complaints).toEqual([]);
    expect(seen.sameGrid).toBe(true);
    expect(seen.epsg).toBe(epsg);
    expect(seen.colours).toBe(true);
    expect(seen.categories).toEqual(['unclassified', ...classes.map(({ name: one }) => one)]);
    const total = seen.classified * seen.pixelArea;
    for (const [format, layer] of Object.entries(seen.layers)) {
      expect(layer.count, format).toBe(summary.polygons);
      expect(layer.invalid, format).toBe(0);
      expect(layer.area, format).toBeCloseTo(total, 3);
      expect(layer.epsg, format).toBe(format === 'geojson' ? '4326' : epsg);
    }
    for (const format of ['gpkg', 'shp']) {
      expect(seen.layers[format]!.different, format).toBe(0);
      expect(seen.layers[format]!.planar, format).toBeCloseTo(total, 3);
    }
  }, 300_000);
});
