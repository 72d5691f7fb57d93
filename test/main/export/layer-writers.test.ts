import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type LayerFormat, layerPath, writeLayers } from '../../../src/main/export/layer-writers.ts';
import { ShapefileWriter } from '../../../src/main/export/shapefile.ts';
import { outputProblem, publishAll, type WritableHandle } from '../../../src/main/export/staged-file.ts';
import { Cancelled, Problem } from '../../../src/worker/report/problem.ts';
import type { PolygonFeature } from '../../../src/worker/vector/feature.ts';
import { gdalMissing, ogrinfo, ogrinfoMissing, readWithOgr, transformWithOgr } from './gdal.ts';
import {
  batches,
  classes,
  cologne,
  describeLayer,
  epsgCrs,
  pixelPolygons,
  random,
  temporaryFolder,
} from './layers.ts';

const root = temporaryFolder();
const newFolder = () => mkdtempSync(join(root, 'case-'));
const all: LayerFormat[] = ['gpkg', 'geojson', 'shp'];

async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw error;
  return error;
}

/** Rings without regard to where a ring starts and which way it runs, as comparable text. */
function canonical(rings: ArrayLike<number>[]): string {
  const edges = rings.map((ring) => {
    const list: string[] = [];
    for (let i = 0; i + 3 < ring.length; i += 2) {
      const ends = [`${ring[i]} ${ring[i + 1]}`, `${ring[i + 2]} ${ring[i + 3]}`].sort();
      list.push(ends.join('-'));
    }
    return list.sort().join('|');
  });
  return edges.join('\n');
}

describe('file names', () => {
  test.each([
    ['out', 'gpkg', 'out.gpkg'],
    ['out.gpkg', 'gpkg', 'out.gpkg'],
    ['out.gpkg', 'geojson', 'out.geojson'],
    ['dir/out.v2', 'shp', 'dir/out.v2.shp'],
    ['/out.JSON', 'geojson', '/out.JSON'],
    ['/out.json', 'shp', '/out.shp'],
    ['a.b/out.tif', 'tif', 'a.b/out.tif'],
    ['out.tiff', 'gpkg', 'out.gpkg'],
  ] as const)('--out %s as %s is %s', (out, format, path) => {
    expect(layerPath(out, format)).toBe(path);
  });
});

describe.skipIf(gdalMissing ?? ogrinfoMissing)('what GDAL reads back', () => {
  const features = pixelPolygons(700, 5);

  test('every format: no warning, counts, names, attributes, valid geometries equal to what was written', async () => {
    const out = join(newFolder(), 'result');
    const reports = await writeLayers(batches(features), all, out, describeLayer());
    for (const format of all) {
      const path = layerPath(out, format);
      expect(ogrinfo(path)).toContain('Feature Count: 700');
      const read = readWithOgr(path);
      expect(read.name).toBe('result');
      expect(read.invalid).toBe(0);
      const report = reports.find((one) => one.format === format);
      expect(report?.features).toBe(700);
      for (const file of report?.paths ?? []) expect(existsSync(file)).toBe(true);
      features.forEach((feature, i) => {
        const { attributes } = read.features[i];
        expect(attributes.class_id).toBe(feature.classId);
        expect(attributes.class_name).toBe(classes[feature.classId - 1].name);
        const exact = format === 'gpkg';
        expect(Math.abs(Number(attributes.confidence) - feature.confidence)).toBeLessThanOrEqual(
          exact ? 0 : 5.1e-7,
        );
        expect(Math.abs(Number(attributes.area_m2) - feature.area)).toBeLessThanOrEqual(exact ? 0 : 5.1e-5);
        const perimeter = attributes[format === 'shp' ? 'perim_m' : 'perimeter_m'];
        expect(Math.abs(Number(perimeter) - feature.perimeter)).toBeLessThanOrEqual(exact ? 0 : 5.1e-5);
        if (format === 'geojson') return;
        expect(read.features[i].polygons).toHaveLength(1);
        expect(canonical(read.features[i].polygons[0].map((ring) => ring.flat()))).toBe(
          canonical(feature.rings),
        );
      });
      expect(read.epsg).toBe(format === 'geojson' ? '4326' : '25832');
    }
  });

  test('GeoJSON coordinates are those of PROJ within half of the last decimal', async () => {
    const out = join(newFolder(), 'result.geojson');
    await writeLayers(batches(features), ['geojson'], out, describeLayer());
    const json = JSON.parse(readFileSync(out, 'utf8'));
    const source: [number, number][] = [];
    const written: [number, number][] = [];
    features.forEach((feature, i) => {
      feature.rings.forEach((ring, r) => {
        const points: [number, number][] = json.features[i].geometry.coordinates[r];
        expect(points).toHaveLength(ring.length / 2);
        points.forEach((point, p) => {
          source.push([ring[2 * p], ring[2 * p + 1]]);
          written.push(point);
        });
      });
    });
    const expected = transformWithOgr(source, 'EPSG:25832', 'EPSG:4326');
    let worst = { distance: 0, index: -1 };
    written.forEach(([x, y], index) => {
      const distance = Math.max(Math.abs(x - expected[index][0]), Math.abs(y - expected[index][1]));
      if (distance > worst.distance) worst = { distance, index };
    });
    expect(worst.distance, `at ${source[worst.index]}`).toBeLessThanOrEqual(0.51e-7);
    const xs = written.map(([x]) => x);
    const ys = written.map(([, y]) => y);
    expect(json.bbox).toEqual([Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]);
  });

  test('every coordinate is its value rounded to seven decimals', async () => {
    const next = random(17);
    const scales = [180, 90, 10, 1, 1e-3, 1e-6];
    const triangles = Array.from({ length: 500 }, (_, i) => {
      const scale = scales[i % scales.length];
      const value = () => (next() - 0.5) * (i % 2 ? scale : scale * 0.99);
      const [x, y, size] = [value(), value(), 1e-4 + next() * 5];
      const rings = [Float64Array.of(x, y, x + size, y, x, y + size, x, y)];
      return { classId: 1, confidence: 1, area: 1, perimeter: 1, rings };
    });
    const out = join(newFolder(), 'numbers.geojson');
    await writeLayers(batches(triangles), ['geojson'], out, describeLayer({ crs: epsgCrs(4326) }));
    const json = JSON.parse(readFileSync(out, 'utf8'));
    const expected = triangles.map(({ rings }) =>
      Array.from(rings[0], (value) => Math.round(value * 1e7) / 1e7 + 0),
    );
    expect(
      json.features.map((one: { geometry: { coordinates: number[][] } }) => one.geometry.coordinates.flat(2)),
    ).toEqual(expected);
  });

  test('a hole one pixel from a long border stays inside when the projection bends that border', async () => {
    // 40 km of border bend by more than 20 m in longitude and latitude; the pixel is half a metre.
    const [x, y, side] = [300000, 5650000, 40000];
    const exterior = Float64Array.of(x, y, x + side, y, x + side, y + side, x, y + side, x, y);
    const middle = x + side / 2;
    const hole = Float64Array.of(
      middle,
      y + 0.5,
      middle,
      y + 1,
      middle + 1,
      y + 1,
      middle + 1,
      y + 0.5,
      middle,
      y + 0.5,
    );
    const top = y + side;
    const other = Float64Array.of(
      middle,
      top - 1,
      middle,
      top - 0.5,
      middle + 1,
      top - 0.5,
      middle + 1,
      top - 1,
      middle,
      top - 1,
    );
    const feature = { classId: 1, confidence: 1, area: 1, perimeter: 1, rings: [exterior, hole, other] };
    const out = join(newFolder(), 'long.geojson');
    await writeLayers(batches([feature]), ['geojson'], out, describeLayer());
    const read = readWithOgr(out);
    expect(read.invalid).toBe(0);
    expect(read.features[0].polygons[0]).toHaveLength(3);
  });

  test('a polygon over the antimeridian in UTM zone 60 is cut, and the box says so', async () => {
    const crs = epsgCrs(32660);
    // 180° E is x = 833,978.6 at the equator.
    const rings = [
      Float64Array.of(800000, 10000, 870000, 10000, 870000, 60000, 800000, 60000, 800000, 10000),
      Float64Array.of(830000, 20000, 830000, 30000, 840000, 30000, 840000, 20000, 830000, 20000),
      Float64Array.of(850000, 40000, 850000, 45000, 855000, 45000, 855000, 40000, 850000, 40000),
    ];
    const features = [{ classId: 1, confidence: 1, area: 1, perimeter: 1, rings }];
    const out = join(newFolder(), 'across.geojson');
    await writeLayers(batches(features), ['geojson'], out, describeLayer({ crs }));
    const read = readWithOgr(out);
    expect(read.invalid).toBe(0);
    expect(read.features[0].type).toBe('MULTIPOLYGON');
    expect(read.features[0].polygons).toHaveLength(2);
    const [west, , east] = JSON.parse(readFileSync(out, 'utf8')).bbox;
    expect(west).toBeGreaterThan(179);
    expect(east).toBeLessThan(-179);
  });

  test.each([4326, 3857])('a map of the whole world in EPSG:%i is not cut', async (code) => {
    const edge = code === 4326 ? 180 : 20037508.342789244;
    const north = code === 4326 ? 80 : 15538711.096309224;
    const rings = [Float64Array.of(-edge, -north, edge, -north, edge, north, -edge, north, -edge, -north)];
    const out = join(newFolder(), 'world.geojson');
    await writeLayers(
      batches([{ classId: 2, confidence: 1, area: 1, perimeter: 1, rings }]),
      ['geojson'],
      out,
      describeLayer({ crs: epsgCrs(code), groundSampleDistance: 1000 }),
    );
    const json = JSON.parse(readFileSync(out, 'utf8'));
    expect(json.features[0].geometry.type).toBe('Polygon');
    expect(json.bbox).toEqual([-180, -80, 180, 80]);
    expect(readWithOgr(out).invalid).toBe(0);
  });

  test('a cap around the south pole in polar stereographic coordinates holds the pole', async () => {
    const points: number[] = [];
    for (let i = 0; i <= 360; i++) {
      const angle = ((i % 360) * Math.PI) / 180;
      points.push(1e6 * Math.cos(angle), 1e6 * Math.sin(angle));
    }
    const out = join(newFolder(), 'cap.geojson');
    await writeLayers(
      batches([{ classId: 1, confidence: 1, area: 1, perimeter: 1, rings: [Float64Array.from(points)] }]),
      ['geojson'],
      out,
      describeLayer({ crs: epsgCrs(3031), groundSampleDistance: 10 }),
    );
    const read = readWithOgr(out);
    expect(read.invalid).toBe(0);
    const json = JSON.parse(readFileSync(out, 'utf8'));
    expect(json.bbox.slice(0, 3)).toEqual([-180, -90, 180]);
    expect(json.bbox[3]).toBeLessThan(-80);
  });

  test('pixels of a millimetre keep their shape', async () => {
    const out = join(newFolder(), 'fine.geojson');
    const fine = pixelPolygons(50, 9, 346000, 5648000, 0.001);
    await writeLayers(batches(fine), ['geojson'], out, describeLayer({ groundSampleDistance: 0.001 }));
    const read = readWithOgr(out);
    expect(read.invalid).toBe(0);
    expect(read.features.map(({ polygons }) => polygons[0].length)).toEqual(
      fine.map(({ rings }) => rings.length),
    );
  });

  test('without georeference: pixel coordinates in every format, and each says so', async () => {
    const out = join(newFolder(), 'picture');
    const pixels = pixelPolygons(20, 3, 0, 0, 1);
    const reports = await writeLayers(
      batches(pixels),
      all,
      out,
      describeLayer({ crs: null, groundSampleDistance: null }),
    );
    for (const format of all) {
      const read = readWithOgr(layerPath(out, format));
      expect(read.srs ?? '').toMatch(
        { gpkg: /^LOCAL_CS\["Undefined Cartesian SRS"/, geojson: /^LOCAL_CS\["Pixels/, shp: /^$/ }[format],
      );
      expect(read.epsg).toBe(null);
      expect(read.invalid).toBe(0);
      expect(canonical(read.features[7].polygons[0].map((ring) => ring.flat()))).toBe(
        canonical(pixels[7].rings),
      );
    }
    expect(existsSync(`${out}.prj`)).toBe(false);
    expect(reports.flatMap(({ notes }) => notes)).toHaveLength(2);
  });

  test('a system known by its name alone: no warning, and a note', async () => {
    const out = join(newFolder(), 'named');
    const crs = { ...cologne, epsg: null, name: 'Site "A"', wkt: null, proj4: null };
    const [report] = await writeLayers(batches(features), ['gpkg'], out, describeLayer({ crs }));
    expect(report.notes).toEqual([expect.stringContaining('only its name')]);
    expect(ogrinfo(`${out}.gpkg`)).toContain('Feature Count: 700');
    expect(readWithOgr(`${out}.gpkg`).srs).toContain("Site 'A'");
  });

  test('an empty layer is a lawful file in every format', async () => {
    const out = join(newFolder(), 'nothing');
    await writeLayers(batches([]), all, out, describeLayer());
    for (const format of all) {
      expect(ogrinfo(layerPath(out, format))).toContain('Feature Count: 0');
      if (format !== 'geojson') expect(readWithOgr(layerPath(out, format)).fields).toHaveLength(5);
    }
  });

  test('a class name of 10,000 characters is kept whole, and cut between characters in a shapefile', async () => {
    const name = '水'.repeat(10_000);
    const long = [{ id: 1, name, words: ['water'], colour: '#0072b2' }];
    const out = join(newFolder(), 'long');
    const features = pixelPolygons(3, 3).map((feature) => ({ ...feature, classId: 1 }));
    const reports = await writeLayers(batches(features), all, out, describeLayer({ classes: long }));
    for (const format of all) {
      const read = readWithOgr(layerPath(out, format));
      expect(read.features[2].attributes.class_name).toBe(format === 'shp' ? name.slice(0, 84) : name);
    }
    expect(reports[2].notes).toEqual([expect.stringContaining('1 class names are shortened')]);
  });

  test('rings run as each format wants them', async () => {
    const out = join(newFolder(), 'result');
    await writeLayers(batches(features.slice(0, 50)), ['geojson', 'shp'], out, describeLayer());
    const area = (ring: number[][]) =>
      ring
        .slice(1)
        .reduce(
          (sum, [x, y], i) =>
            sum + (ring[i][0] - ring[0][0]) * (y - ring[0][1]) - (x - ring[0][0]) * (ring[i][1] - ring[0][1]),
          0,
        );
    const json = JSON.parse(readFileSync(`${out}.geojson`, 'utf8'));
    for (const { geometry } of json.features)
      geometry.coordinates.forEach((ring: number[][], r: number) => {
        expect(area(ring) > 0).toBe(r === 0);
      });
    // OGR turns rings around when it reads; the bytes say what was written.
    const shp = readFileSync(`${out}.shp`);
    let at = 100;
    let records = 0;
    while (at < shp.length) {
      const content = shp.readInt32BE(at + 4) * 2;
      const parts = shp.readInt32LE(at + 44);
      const points = shp.readInt32LE(at + 48);
      const first = Array.from({ length: parts + 1 }, (_, p) =>
        p < parts ? shp.readInt32LE(at + 52 + 4 * p) : points,
      );
      const start = at + 52 + 4 * parts;
      for (let p = 0; p < parts; p++) {
        const ring: number[][] = [];
        for (let i = first[p]; i < first[p + 1]; i++)
          ring.push([shp.readDoubleLE(start + 16 * i), shp.readDoubleLE(start + 16 * i + 8)]);
        expect(ring[0]).toEqual(ring[ring.length - 1]);
        expect(area(ring) < 0).toBe(p === 0);
      }
      at += 8 + content;
      records++;
    }
    expect(records).toBe(50);
    expect(shp.readInt32BE(24) * 2).toBe(shp.length);
    const shx = readFileSync(`${out}.shx`);
    expect(shx.length).toBe(100 + 8 * 50);
    expect(shx.readInt32BE(24) * 2).toBe(shx.length);
    expect(readFileSync(`${out}.cpg`, 'utf8')).toBe('UTF-8');
  });
});

describe('styles and provenance', () => {
  test('every layer carries its provenance and its colours', async () => {
    const out = join(newFolder(), 'result');
    const description = describeLayer();
    await writeLayers(batches(pixelPolygons(5, 1)), all, out, description);
    expect(JSON.parse(readFileSync(`${out}.geojson`, 'utf8')).provenance).toEqual(description.provenance);
    expect(JSON.parse(readFileSync(`${out}.provenance.json`, 'utf8'))).toEqual(description.provenance);
    const { default: Database } = await import('better-sqlite3');
    const database = new Database(`${out}.gpkg`, { readonly: true });
    const row = database
      .prepare(
        'SELECT metadata, mime_type FROM gpkg_metadata JOIN gpkg_metadata_reference ON md_file_id = id WHERE table_name = ?',
      )
      .get('result') as { metadata: string; mime_type: string };
    expect(row.mime_type).toBe('application/json');
    expect(JSON.parse(row.metadata)).toEqual(description.provenance);
    const style = database.prepare('SELECT * FROM layer_styles').get() as Record<string, string | number>;
    expect(style).toMatchObject({
      f_table_name: 'result',
      f_geometry_column: 'geom',
      useAsDefault: 1,
      f_table_schema: '',
    });
    expect(style.styleQML).toBe(readFileSync(`${out}.qml`, 'utf8'));
    expect(database.pragma('foreign_key_check')).toEqual([]);
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(database.pragma('journal_mode', { simple: true })).toBe('delete');
    database.close();
    if (gdalMissing) return;
    const parsed = execFileSync(
      '/usr/bin/python3',
      [
        '-c',
        `
import json, sys
import xml.etree.ElementTree as tree
qml, sld = [tree.fromstring(text.encode()) for text in json.load(sys.stdin)]
renderer = qml.find('renderer-v2')
symbols = {s.get('name'): s for s in renderer.find('symbols')}
se = '{http://www.opengis.net/se}'
print(json.dumps({
  'renderer': [renderer.get('type'), renderer.get('attr')],
  'geometry': qml.find('layerGeometryType').text,
  'categories': [[c.get('value'), c.get('label'), symbols[c.get('symbol')].find("layer/Option/Option[@name='color']").get('value'), symbols[c.get('symbol')].find("layer/prop[@k='color']").get('v')] for c in renderer.find('categories')],
  'rules': [[r.find('.//{http://www.opengis.net/ogc}Literal').text, r.find(se + 'Name').text, r.find('.//' + se + "SvgParameter[@name='fill']").text] for r in sld.iter(se + 'Rule')],
}))
`,
      ],
      { input: JSON.stringify([style.styleQML, style.styleSLD]), encoding: 'utf8' },
    );
    expect(JSON.parse(parsed)).toEqual({
      renderer: ['categorizedSymbol', 'class_id'],
      geometry: '2',
      categories: [
        ['1', classes[0].name, '213,94,0,255', '213,94,0,255'],
        ['2', classes[1].name, '0,114,178,255', '0,114,178,255'],
        ['3', classes[2].name, '0,158,115,255', '0,158,115,255'],
      ],
      rules: [
        ['1', classes[0].name, '#d55e00'],
        ['2', classes[1].name, '#0072b2'],
        ['3', classes[2].name, '#009e73'],
      ],
    });
  });
});

describe('failures leave nothing behind', () => {
  const features = pixelPolygons(300, 8);

  test('an existing output is refused, and replaced on request', async () => {
    const folder = newFolder();
    const out = join(folder, 'result');
    writeFileSync(`${out}.dbf`, 'mine');
    const problem = await problemOf(writeLayers(batches(features), all, out, describeLayer()));
    expect(problem.code).toBe('output/exists');
    expect(problem.message).toContain('result.dbf');
    expect(problem.hint).toContain('--overwrite');
    expect(readdirSync(folder)).toEqual(['result.dbf']);
    await writeLayers(batches(features), all, out, describeLayer(), { overwrite: true });
    await writeLayers(batches(features.slice(0, 10)), all, out, describeLayer(), { overwrite: true });
    expect(readdirSync(folder).sort()).toEqual(
      ['cpg', 'dbf', 'geojson', 'gpkg', 'prj', 'provenance.json', 'qml', 'shp', 'shx'].map(
        (e) => `result.${e}`,
      ),
    );
    expect(JSON.parse(readFileSync(`${out}.geojson`, 'utf8')).features).toHaveLength(10);
  });

  test('a folder of that name is not replaced', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'result.gpkg'));
    const problem = await problemOf(
      writeLayers(batches(features), ['gpkg'], join(folder, 'result'), describeLayer(), { overwrite: true }),
    );
    expect(problem.code).toBe('output/is-a-folder');
  });

  test.each(all)('%s: a missing folder', async (format) => {
    const problem = await problemOf(
      writeLayers(batches(features), [format], join(newFolder(), 'none', 'result'), describeLayer()),
    );
    expect(problem.code).toBe('output/no-folder');
  });

  test('an abort in the middle', async () => {
    const folder = newFolder();
    const abort = new AbortController();
    const stream = async function* () {
      yield features.slice(0, 100);
      abort.abort();
      yield features.slice(100);
    };
    const problem = await problemOf(
      writeLayers(stream(), all, join(folder, 'result'), describeLayer(), { signal: abort.signal }),
    );
    expect(problem).toBeInstanceOf(Cancelled);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('an error in the stream comes out as it is', async () => {
    const folder = newFolder();
    const stream = async function* (): AsyncGenerator<PolygonFeature[]> {
      yield features;
      throw new Problem('scene/truncated', 'scene.tif ends early.');
    };
    const problem = await problemOf(writeLayers(stream(), all, join(folder, 'result'), describeLayer()));
    expect(problem.code).toBe('scene/truncated');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a disk that fills up while writing or when it must keep the bytes', async () => {
    for (const failing of ['write', 'datasync'] as const) {
      const folder = newFolder();
      const openFile = async (path: string): Promise<WritableHandle> => {
        const { open } = await import('node:fs/promises');
        const handle = await open(path, 'wx');
        const fail = async () => {
          throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
        };
        return {
          write: (failing === 'write' ? fail : handle.write.bind(handle)) as WritableHandle['write'],
          datasync: failing === 'datasync' ? fail : () => handle.datasync(),
          close: () => handle.close(),
        };
      };
      const problem = await problemOf(
        writeLayers(batches(features), ['geojson', 'shp'], join(folder, 'result'), describeLayer(), {
          openFile,
        }),
      );
      expect(problem.code).toBe('disk/full');
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test('a rename that fails takes back those before it and restores what was replaced', async () => {
    const folder = newFolder();
    const path = (name: string) => join(folder, name);
    writeFileSync(path('a'), 'old');
    writeFileSync(path('.a'), 'new');
    const files = [
      { target: path('a'), temporary: path('.a') },
      { target: path('b'), temporary: path('.missing') },
    ];
    expect((await problemOf(publishAll(files, { overwrite: true }))).code).toMatch(/^output\//);
    expect(readFileSync(path('a'), 'utf8')).toBe('old');
    expect(readdirSync(folder).sort()).toEqual(['.a', 'a']);
  });

  test('a shapefile that would pass its limit says so in time', async () => {
    const folder = newFolder();
    const writer = await ShapefileWriter.open(join(folder, 'big.shp'), describeLayer(), {}, 20_000);
    const problem = await problemOf(writer.add(features));
    expect(problem.code).toBe('output/too-large');
    expect(problem.hint).toContain('gpkg');
    await writer.discard();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a GeoPackage that another program has open is left alone', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'result.gpkg'), 'theirs');
    writeFileSync(join(folder, 'result.gpkg-wal'), '');
    const problem = await problemOf(
      writeLayers(batches(features), ['gpkg'], join(folder, 'result'), describeLayer(), { overwrite: true }),
    );
    expect(problem.code).toBe('output/in-use');
    expect(readdirSync(folder).sort()).toEqual(['result.gpkg', 'result.gpkg-wal']);
  });

  test('GeoJSON of a system without a way to longitude and latitude', async () => {
    const folder = newFolder();
    const crs = { ...cologne, epsg: null, name: 'Site grid', proj4: null, wkt: null };
    const problem = await problemOf(
      writeLayers(batches(features), ['geojson'], join(folder, 'result'), describeLayer({ crs })),
    );
    expect(problem.code).toBe('output/no-transform');
    expect(problem.message).toContain('Site grid');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('what the system and SQLite report becomes a Problem with a hint', () => {
    for (const [code, expected] of [
      ['ENOSPC', 'disk/full'],
      ['EDQUOT', 'disk/full'],
      ['SQLITE_FULL', 'disk/full'],
      ['EACCES', 'output/not-writable'],
      ['EROFS', 'output/not-writable'],
      ['ENOENT', 'output/no-folder'],
      ['EBUSY', 'output/in-use'],
      ['EIO', 'output/failed'],
    ]) {
      const problem = outputProblem(Object.assign(new Error('x'), { code }), '/data/out.gpkg');
      expect(problem.code).toBe(expected);
      expect(problem.message).toContain('/data/out.gpkg');
      expect(problem.message).not.toContain('\n');
      expect(problem.hint).not.toBe('');
    }
  });

  const isRoot = process.getuid?.() === 0;
  test.skipIf(isRoot || process.platform === 'win32')('a folder without permission', async () => {
    const folder = newFolder();
    chmodSync(folder, 0o555);
    for (const format of all) {
      const problem = await problemOf(
        writeLayers(batches(features), [format], join(folder, 'x'), describeLayer()),
      );
      expect(problem.code).toBe('output/not-writable');
    }
    chmodSync(folder, 0o755);
  });

  test('a full disk of 256 kB, then the same read-only', async ({ skip }) => {
    const small = newFolder();
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]).status === 0;
    if (!mounted) return skip('this process may not mount a small disk');
    try {
      const many = pixelPolygons(3000, 2);
      for (const format of all) {
        const work = writeLayers(batches(many), [format], join(small, 'result'), describeLayer());
        expect([format, (await problemOf(work)).code]).toEqual([format, 'disk/full']);
        expect(readdirSync(small)).toEqual([]);
      }
      spawnSync('mount', ['-o', 'remount,ro', small]);
      for (const format of all) {
        const work = writeLayers(batches(many), [format], join(small, 'result'), describeLayer());
        const problem = await problemOf(work);
        expect([format, problem.code]).toEqual([format, 'output/not-writable']);
        expect(problem.message).toContain('read-only');
      }
    } finally {
      spawnSync('umount', [small]);
    }
  });

  test('progress never goes back and ends at the number of polygons', async () => {
    const seen: number[] = [];
    await writeLayers(batches(features, 70), ['geojson'], join(newFolder(), 'r'), describeLayer(), {
      progress: ({ done }) => seen.push(done),
    });
    expect(seen).toEqual([70, 140, 210, 280, 300]);
  });
});
