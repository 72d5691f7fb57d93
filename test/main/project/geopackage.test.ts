import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addSpatialReference,
  createPrivateGeoPackage,
  PolygonLayer,
  registerSpatialFunctions,
} from '../../../src/main/project/geopackage.ts';
import {
  blobEnvelope,
  decodePolygon,
  PolygonEncoder,
} from '../../../src/main/project/geopackage-geometry.ts';
import { polygonTable, tableName } from '../../../src/main/project/geopackage-schema.ts';
import { readLayerCrs } from '../../../src/main/project/layer-crs.ts';
import { floatAbove, floatBelow, RtreeBulkLoader } from '../../../src/main/project/rtree-bulk.ts';
import { gdalMissing, ogrinfo, ogrinfoMissing, readWithOgr } from '../export/gdal.ts';
import { classes, cologne, describeLayer, pixelPolygons, random, temporaryFolder } from '../export/layers.ts';

const folder = temporaryFolder();

function layerOf(name: string) {
  const { provenance, crs } = describeLayer();
  return {
    name,
    description: 'd',
    crs,
    classes,
    provenance,
    style: { name: 'classes', qml: '<qgis/>', sld: '' },
  };
}

describe('geometry blobs', () => {
  const coordinate = fc.double({ noNaN: true, noDefaultInfinity: true });
  const ring = fc
    .array(fc.tuple(coordinate, coordinate), { minLength: 4, maxLength: 20 })
    .map((points) => Float64Array.from(points.flat()));

  test('decoding what was encoded gives every coordinate back', () => {
    const encoder = new PolygonEncoder(25832);
    fc.assert(
      fc.property(fc.array(ring, { minLength: 1, maxLength: 5 }), (rings) => {
        const blob = encoder.encode(rings);
        expect(decodePolygon(blob)).toEqual({ srsId: 25832, rings });
        const xs = rings[0].filter((_, i) => i % 2 === 0);
        const ys = rings[0].filter((_, i) => i % 2 === 1);
        expect([...(blobEnvelope(blob) ?? [])]).toEqual([
          Math.min(...xs),
          Math.max(...xs),
          Math.min(...ys),
          Math.max(...ys),
        ]);
      }),
    );
  });

  test('a blob cut anywhere is refused, not read beyond its end', () => {
    const blob = Buffer.from(new PolygonEncoder(-1).encode(pixelPolygons(1, 3)[0].rings));
    for (let length = 0; length < blob.length; length++)
      expect(() => decodePolygon(blob.subarray(0, length)), String(length)).toThrow(RangeError);
    const lying = Buffer.from(blob);
    lying.writeUInt32LE(0xffffffff, 45);
    expect(() => decodePolygon(lying)).toThrow(/more rings/);
    lying.set(blob);
    lying.writeUInt32LE(0xffffffff, 49);
    expect(() => decodePolygon(lying)).toThrow(/more points/);
  });
});

describe('R-tree written node by node', () => {
  test.each([
    0, 1, 48, 49, 51, 52, 500, 3000, 66_000,
  ])('%i rows: sound, and finds what a full search finds', (count) => {
    const database = createPrivateGeoPackage(':memory:');
    database.exec('CREATE VIRTUAL TABLE boxes USING rtree(id, minx, maxx, miny, maxy)');
    const next = random(count);
    const boxes: number[][] = [];
    const loader = new RtreeBulkLoader(database, 'boxes');
    database.transaction(() => {
      for (let i = 0; i < count; i++) {
        const x = (next() - 0.5) * 1e6;
        const y = 5e6 + next() * 1e6;
        const box = [x, x + next() * 1000, y, y + next() * 1000];
        boxes.push(box);
        loader.add(i + 1, Float64Array.from(box));
      }
      loader.finish();
    })();
    expect(database.prepare("SELECT rtreecheck('boxes')").pluck().get()).toBe('ok');
    const search = database
      .prepare('SELECT id FROM boxes WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ? ORDER BY id')
      .pluck();
    for (let q = 0; q < 20; q++) {
      const x = (next() - 0.5) * 1e6;
      const y = 5e6 + next() * 1e6;
      const window = [x, x + 50_000, y, y + 50_000];
      const found = new Set(search.all(...window) as number[]);
      // 32-bit envelopes reach up to one step further: 0.5 at 6e6.
      const within = ([x1, x2, y1, y2]: number[], by: number) =>
        x2 >= window[0] - by && x1 <= window[1] + by && y2 >= window[2] - by && y1 <= window[3] + by;
      const missed = boxes.filter((box, i) => within(box, 0) && !found.has(i + 1));
      const surplus = boxes.filter((box, i) => !within(box, 0.6) && found.has(i + 1));
      expect({ missed, surplus }).toEqual({ missed: [], surplus: [] });
    }
    database.prepare('INSERT INTO boxes VALUES (?, 0, 1, 0, 1)').run(count + 1);
    database.prepare('DELETE FROM boxes WHERE id = 1').run();
    expect(database.prepare("SELECT rtreecheck('boxes')").pluck().get()).toBe('ok');
    expect(() => database.prepare('DELETE FROM boxes_node')).toThrow(/may not be modified/);
    database.close();
  });

  test('32-bit bounds enclose the value and are next to it', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e30, max: 1e30 }), (value) => {
        const below = floatBelow(value);
        const above = floatAbove(value);
        expect(below <= value && value <= above).toBe(true);
        expect(Math.fround(below)).toBe(below);
        expect(Math.fround(above)).toBe(above);
        expect(above - below).toBeLessThanOrEqual(Math.max(Math.abs(value) * 2 ** -23, 2 ** -149));
      }),
    );
  });
});

describe('tables', () => {
  test('an empty GeoPackage has the identity and rows that the standard requires', () => {
    const database = createPrivateGeoPackage(':memory:');
    expect(database.pragma('application_id', { simple: true })).toBe(0x47504b47);
    expect(database.pragma('user_version', { simple: true })).toBe(10300);
    expect(
      database
        .prepare('SELECT srs_id, organization, organization_coordsys_id FROM gpkg_spatial_ref_sys')
        .raw()
        .all(),
    ).toEqual([
      [-1, 'NONE', -1],
      [0, 'NONE', 0],
      [4326, 'EPSG', 4326],
    ]);
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    database.close();
  });

  test('reference systems: EPSG codes as they are, custom ones numbered once each, none is -1', () => {
    const database = createPrivateGeoPackage(':memory:');
    const custom = { ...cologne, epsg: null, name: 'Local grid', wkt: 'LOCAL_CS["Local grid"]' };
    expect(addSpatialReference(database, null)).toBe(-1);
    expect(addSpatialReference(database, cologne)).toBe(25832);
    expect(addSpatialReference(database, cologne)).toBe(25832);
    expect(addSpatialReference(database, custom)).toBe(100_000);
    expect(addSpatialReference(database, { ...custom, wkt: 'LOCAL_CS["Other grid"]' })).toBe(100_001);
    expect(addSpatialReference(database, custom)).toBe(100_000);
    const row = database
      .prepare('SELECT definition FROM gpkg_spatial_ref_sys WHERE srs_id = 25832')
      .pluck()
      .get();
    expect(row).toBe(cologne.wkt);
    database.close();
  });

  test('layer names become table names that need no care anywhere', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (layer) => {
        const name = tableName(layer);
        expect(name).toMatch(/^[\p{L}\p{M}_][\p{L}\p{M}\p{N}_]*$/u);
        expect(name).not.toMatch(/^(gpkg_|rtree_|sqlite_)/i);
      }),
    );
    expect(tableName('oem_koeln_50')).toBe('oem_koeln_50');
    expect(tableName('gpkg_contents')).toBe('layer_gpkg_contents');
    expect(tableName('Köln 水.v2')).toBe('Köln_水_v2');
  });

  test('two layers share a file; GDAL reads both without a warning', () => {
    const path = join(folder, 'two.gpkg');
    const database = createPrivateGeoPackage(path);
    const features = pixelPolygons(30, 1);
    for (const name of ['first', 'second \'quoted" 水']) {
      const layer = new PolygonLayer(database, layerOf(name));
      layer.add(features);
      expect(layer.finish()).toBe(30);
    }
    expect(database.pragma('foreign_key_check')).toEqual([]);
    expect(() => new PolygonLayer(database, layerOf('first'))).toThrow(/already exists/);
    database.close();
    if (ogrinfoMissing) return;
    expect(ogrinfo(path).match(/Feature Count: 30/g)).toHaveLength(2);
  });

  test('edits by a connection with the spatial functions keep index and count true', () => {
    const database = createPrivateGeoPackage(':memory:');
    const layer = new PolygonLayer(database, layerOf('edited'));
    layer.add(pixelPolygons(100, 2));
    layer.finish();
    registerSpatialFunctions(database);
    const moved = Buffer.from(new PolygonEncoder(25832).encode([Float64Array.of(0, 0, 1, 0, 1, 1, 0, 0)]));
    database.prepare('UPDATE edited SET geom = ? WHERE fid = 7').run(moved);
    database.prepare('UPDATE edited SET geom = NULL WHERE fid = 8').run();
    database.prepare('UPDATE edited SET fid = 1000 WHERE fid = 9').run();
    database.prepare('DELETE FROM edited WHERE fid BETWEEN 10 AND 19').run();
    database.prepare('INSERT INTO edited (geom, class_id) VALUES (?, 1)').run(moved);
    const near = database
      .prepare('SELECT id FROM rtree_edited_geom WHERE maxx < 2 ORDER BY id')
      .pluck()
      .all();
    expect(near).toEqual([7, 1001]);
    expect(database.prepare('SELECT count(*) FROM rtree_edited_geom').pluck().get()).toBe(90);
    expect(
      database.prepare('SELECT id FROM rtree_edited_geom WHERE id IN (8, 9, 1000)').pluck().all(),
    ).toEqual([1000]);
    const counted = database.prepare(
      "SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = 'edited'",
    );
    expect(counted.pluck().get()).toBe(91);
    expect(database.prepare("SELECT rtreecheck('rtree_edited_geom')").pluck().get()).toBe('ok');
    database.close();
  });

  test.skipIf(gdalMissing)(
    'GDAL reads a custom reference system and edits the layer through the triggers',
    () => {
      const path = join(folder, 'custom.gpkg');
      const database = createPrivateGeoPackage(path);
      const wkt = cologne.wkt?.replace(/,AUTHORITY\["EPSG","25832"\]\]$/, ']') ?? null;
      const layer = new PolygonLayer(database, {
        ...layerOf('custom'),
        crs: { ...cologne, epsg: null, name: 'My zone', wkt },
      });
      layer.add(pixelPolygons(60, 4));
      layer.finish();
      database.close();
      const read = readWithOgr(path);
      expect(read.srs).toContain('UTM zone 32N');
      expect(read.epsg).toBe(null);
      expect(read.features).toHaveLength(60);
      execFileSync('/usr/bin/python3', [
        '-c',
        `
import sys
from osgeo import ogr
ogr.UseExceptions()
source = ogr.Open(sys.argv[1], 1)
layer = source.GetLayer('custom')
layer.DeleteFeature(5)
feature = layer.GetFeature(6)
feature.SetGeometry(ogr.CreateGeometryFromWkt('POLYGON ((0 0,1 0,1 1,0 0))'))
layer.SetFeature(feature)
feature.SetFID(-1)
layer.CreateFeature(feature)
`,
        path,
      ]);
      const reopened = new Database(path);
      expect(reopened.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(reopened.prepare('SELECT id FROM rtree_custom_geom WHERE maxx < 2').pluck().all()).toEqual([
        6, 61,
      ]);
      expect(
        reopened
          .prepare("SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = 'custom'")
          .pluck()
          .get(),
      ).toBe(60);
      reopened.close();
    },
  );

  test('a custom system without well-known text comes back by its definition for proj4', () => {
    const definition = '+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80 +to_meter=0.3048';
    for (const [name, proj4, kind, metresPerUnit] of [
      ['feet', definition, 'projected', 0.3048],
      ['sphere', '+proj=longlat +R=6371000', 'geographic', 1],
    ] as const) {
      const database = createPrivateGeoPackage(':memory:');
      const crs = { epsg: null, name, kind, proj4, wkt: null, metresPerUnit };
      const layer = new PolygonLayer(database, { ...layerOf(name), crs });
      layer.finish();
      expect(readLayerCrs(database, layer.table)).toMatchObject({
        epsg: null,
        name,
        kind,
        proj4,
        metresPerUnit,
      });
      database.close();
    }
    const database = createPrivateGeoPackage(':memory:');
    const layer = new PolygonLayer(database, { ...layerOf('pixels'), crs: null });
    layer.finish();
    expect(readLayerCrs(database, layer.table)).toBeNull();
    database.close();
  });

  test('a table named like a keyword or a quote is created as asked', () => {
    const database = createPrivateGeoPackage(':memory:');
    database.exec(polygonTable('select"drop'));
    expect(
      database.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'select\"drop'").pluck().get(),
    ).toBe(1);
    database.close();
  });
});
