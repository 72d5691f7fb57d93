import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type Affine, applyAffine, invertAffine, scaleAffine } from '../../../src/worker/raster/affine.ts';
import {
  crsFromEpsg,
  crsFromWkt,
  findEpsg,
  spheroid,
  toOwnGeographic,
  transformer,
  wgs84,
} from '../../../src/worker/raster/crs.ts';
import { shiftAccuracy } from '../../../src/worker/raster/datum-shift.ts';
import { parseWkt, wktFromProj4 } from '../../../src/worker/raster/wkt.ts';
import { gdalRun, hasGdal } from '../scene/gdal.ts';

const epsgFolder = path.dirname(createRequire(import.meta.url).resolve('epsg-index/s/4326.json'));

describe('EPSG', () => {
  test('codes of everyday imagery', () => {
    expect(crsFromEpsg(25832)).toMatchObject({
      epsg: 25832,
      name: 'ETRS89 / UTM zone 32N',
      kind: 'projected',
      metresPerUnit: 1,
    });
    expect(crsFromEpsg(4326)).toMatchObject({ kind: 'geographic', metresPerUnit: 1 });
    expect(crsFromEpsg(2263).metresPerUnit).toBeCloseTo(1200 / 3937, 10);
    expect(crsFromEpsg(3857).wkt).toContain('Pseudo-Mercator');
    expect(findEpsg(123456)).toBeNull();
    expect(findEpsg(-1)).toBeNull();
    expect(() => crsFromEpsg(123456)).toThrowError(/not a known system/);
  });

  test('no system of the register needs a grid file but those of one datum', () => {
    const lost = readdirSync(epsgFolder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => findEpsg(Number.parseInt(file, 10))!)
      .filter((crs) => /\+nadgrids=(?!@null)/.test(crs.proj4 ?? ''))
      .map((crs) => crs.name.split(' / ')[0]);
    expect([...new Set(lost)]).toEqual(['ATS77']);
  });

  test('a datum that grid files describe goes to WGS 84 by parameters, and nothing is printed', () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => {});
    // Caister Water Tower, longitude and latitude on ETRS89, of the Ordnance Survey's worked example (accuracy 2 m: atol 5 m).
    const [longitude, latitude] = transformer(crsFromEpsg(27700), wgs84)!(651409.804, 313177.45);
    expect(Math.abs(longitude - 1.716073972) * 111_320 * Math.cos(0.918)).toBeLessThan(5);
    expect(Math.abs(latitude - 52.658007833) * 111_320).toBeLessThan(5);
    expect(shiftAccuracy(crsFromEpsg(27700))).toBe(2);
    expect(shiftAccuracy(crsFromEpsg(25832))).toBeNull();
    for (const code of [31467, 3398, 3396, 26915, 20349, 22523, 27200, 2019, 2010, 5537])
      expect(transformer(wgs84, crsFromEpsg(code))!(10, 20).every(Number.isFinite), `${code}`).toBe(true);
    // Without parameters there is no way, rather than a line for every point.
    expect(transformer(crsFromEpsg(4122), wgs84)).toBeNull();
    expect(print).not.toHaveBeenCalled();
    print.mockRestore();
  });

  test.skipIf(!hasGdal)('points land where PROJ puts them, with its grids or without (atol 10 m)', () => {
    const points: Record<number, [number, number]> = {
      27700: [400000, 300000],
      31467: [3500000, 5600000],
      26915: [500000, 4500000],
      20355: [500000, 6000000],
      27200: [2510000, 6023150],
      22523: [500000, 7800000],
    };
    const truth = JSON.parse(
      gdalRun(
        `
import json
out = {}
for code, (x, y) in json.loads(sys.argv[1]).items():
    a = osr.SpatialReference(); a.ImportFromEPSG(int(code)); a.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    b = osr.SpatialReference(); b.ImportFromEPSG(4326); b.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    out[code] = osr.CoordinateTransformation(a, b).TransformPoint(x, y)[:2]
print(json.dumps(out))
`,
        JSON.stringify(points),
      ),
    ) as Record<string, [number, number]>;
    for (const [code, point] of Object.entries(points)) {
      const [x, y] = transformer(crsFromEpsg(Number(code)), wgs84)!(...point);
      const [longitude, latitude] = truth[code]!;
      const away = Math.hypot((x - longitude) * Math.cos((y * Math.PI) / 180), y - latitude) * 111_320;
      expect(away, code).toBeLessThan(10);
    }
  });

  test.skipIf(!hasGdal)('points land where PROJ puts them (atol 0.01 m)', () => {
    const codes = [25832, 32633, 32759, 3857, 3035, 2154, 3031, 5070, 6933, 32119];
    const points: Record<number, [number, number]> = {
      25832: [6.8, 50.9],
      32633: [15.2, 44],
      32759: [169.4, -19.5],
      3857: [39.2, -6],
      3035: [9, 48],
      2154: [3, 46],
      3031: [45, -75],
      5070: [-96, 40],
      6933: [20, 10],
      32119: [-79, 35.5],
    };
    const output = gdalRun(
      `
import json
out = {}
for code, (lon, lat) in json.loads(sys.argv[1]).items():
    a = osr.SpatialReference(); a.ImportFromEPSG(4326); a.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    b = osr.SpatialReference(); b.ImportFromEPSG(int(code)); b.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    base = b.CloneGeogCS(); base.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    out[code] = osr.CoordinateTransformation(base, b).TransformPoint(lon, lat)[:2]
print(json.dumps(out))
`,
      JSON.stringify(points),
    );
    const truth = JSON.parse(output) as Record<string, [number, number]>;
    for (const code of codes) {
      const crs = crsFromEpsg(code);
      const back = toOwnGeographic(crs)!;
      const [longitude, latitude] = back(...truth[code]!);
      expect(Math.abs(longitude - points[code]![0]), `longitude of EPSG:${code}`).toBeLessThan(1e-7);
      expect(Math.abs(latitude - points[code]![1]), `latitude of EPSG:${code}`).toBeLessThan(1e-7);
    }
  });
});

describe('transformer', () => {
  test('law: there and back is where it started (1 mm)', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 6, max: 12, noNaN: true }),
        fc.double({ min: 40, max: 60, noNaN: true }),
        (longitude, latitude) => {
          const [x, y] = transformer(wgs84, crsFromEpsg(32632))!(longitude, latitude);
          const [lon, lat] = transformer(crsFromEpsg(32632), wgs84)!(x, y);
          expect(Math.abs(lon - longitude)).toBeLessThan(1e-8);
          expect(Math.abs(lat - latitude)).toBeLessThan(1e-8);
        },
      ),
    );
  });

  test('nothing to project with, and points without an image', () => {
    const custom = { ...wgs84, epsg: null, proj4: null };
    expect(transformer(custom, wgs84)).toBeNull();
    const [x] = transformer(wgs84, crsFromEpsg(3857))!(0, 90);
    expect(Number.isFinite(x) || Number.isNaN(x)).toBe(true);
  });
});

describe('WKT', () => {
  test('OGC, ESRI and WKT 2 name the same systems', () => {
    expect(crsFromWkt(crsFromEpsg(25832).wkt!)).toEqual(crsFromEpsg(25832));
    const esri =
      'PROJCS["WGS_1984_UTM_Zone_33S",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",10000000.0],PARAMETER["Central_Meridian",15.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]';
    expect(crsFromWkt(esri)?.epsg).toBe(32733);
    const modern =
      'PROJCRS["WGS 84 / UTM zone 31N",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]]],CONVERSION["UTM zone 31N",METHOD["Transverse Mercator"]],CS[Cartesian,2],AXIS["(E)",east],AXIS["(N)",north],LENGTHUNIT["metre",1],ID["EPSG",32631]]';
    expect(crsFromWkt(modern)?.epsg).toBe(32631);
    const feet = esri
      .replace('WGS_1984_UTM_Zone_33S', 'Mine')
      .replace('UNIT["Meter",1.0]', 'UNIT["Foot_US",0.3048006096012192]');
    expect(crsFromWkt(feet)).toMatchObject({
      epsg: null,
      name: 'Mine',
      kind: 'projected',
      metresPerUnit: 0.3048006096012192,
    });
  });

  test('law: any text is a system or null, never an error', () => {
    expect(crsFromWkt('')).toBeNull();
    expect(crsFromWkt('nonsense')).toBeNull();
    expect(crsFromWkt(`PROJCS[${'['.repeat(5000)}`)).toBeNull();
    expect(parseWkt(`A[${'B['.repeat(100)}1${']'.repeat(101)}`)).toBeNull();
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('P', '[', ']', '"', ',', '1', ' ', 'GEOGCS[') }),
        (text) => {
          crsFromWkt(text);
        },
      ),
    );
  });

  test.skipIf(!hasGdal)('what we write for custom systems, GDAL reads as the same system', () => {
    const definitions = [
      '+proj=longlat +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=tmerc +lat_0=10 +lon_0=129 +k_0=0.9996 +x_0=500000 +y_0=1000 +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=utm +zone=17 +south +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=merc +lat_ts=20 +lon_0=5 +x_0=1 +y_0=2 +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=lcc +lat_1=30 +lat_2=60 +lat_0=40 +lon_0=10 +x_0=7 +y_0=8 +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +x_0=0 +y_0=0 +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=eqc +lat_ts=-10 +lat_0=0 +lon_0=180 +x_0=0 +y_0=0 +a=3395582.0270805 +b=3395582.0270805 +no_defs',
      '+proj=sinu +lon_0=12 +x_0=0 +y_0=0 +a=6371007.181 +b=6371007.181 +no_defs',
      '+proj=cea +lat_ts=30 +lon_0=0 +x_0=0 +y_0=0 +a=6378137 +b=6356752.314245179 +no_defs',
      '+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=0 +x_0=0 +y_0=0 +a=6378137 +b=6356752.314245179 +no_defs',
    ];
    const texts = definitions.map((definition) => {
      const a = Number(/\+a=(\S+)/.exec(definition)![1]);
      const b = Number(/\+b=(\S+)/.exec(definition)![1]);
      return wktFromProj4('custom "one"', definition, a, 1 - (b / a) ** 2, 1)!;
    });
    // Compared by where a point lands: equal definitions can be spelt in many ways.
    const output = gdalRun(
      `
import json
worst = []
for wkt, p4 in json.loads(sys.argv[1]):
    a = osr.SpatialReference(); a.ImportFromWkt(wkt); b = osr.SpatialReference(); b.ImportFromProj4(p4)
    for s in (a, b): s.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    assert a.Validate() == 0, wkt
    lon, lat = (30, -75) if 'stere' in p4 else (-80, -20) if 'zone=17' in p4 else (12, 43)
    g = b.CloneGeogCS(); g.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    h = a.CloneGeogCS(); h.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    p = osr.CoordinateTransformation(h, a).TransformPoint(lon, lat) if a.IsProjected() else (lon, lat)
    q = osr.CoordinateTransformation(g, b).TransformPoint(lon, lat) if b.IsProjected() else (lon, lat)
    worst.append(max(abs(p[0] - q[0]), abs(p[1] - q[1])))
print(json.dumps(worst))
`,
      JSON.stringify(texts.map((text, index) => [text, definitions[index]])),
    );
    const distances = JSON.parse(output) as number[];
    for (const [index, distance] of distances.entries())
      expect(distance, definitions[index]).toBeLessThan(1e-3);
  });
});

test('spheroids', () => {
  expect(spheroid(wgs84).semiMajorAxis).toBe(6378137);
  expect(spheroid(crsFromEpsg(3857)).eccentricitySquared).toBeGreaterThan(0.006);
  expect(spheroid(crsFromEpsg(2056)).semiMajorAxis).toBeCloseTo(6377397.155, 3);
});

describe('affine', () => {
  const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  test('law: inverse ∘ apply = identity, rotated and south-up too', () => {
    fc.assert(
      fc.property(
        finite,
        finite,
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.double({ min: 0, max: 6.28, noNaN: true }),
        fc.boolean(),
        (x, y, size, angle, southUp) => {
          const flip = southUp ? 1 : -1;
          const transform: Affine = [
            x,
            size * Math.cos(angle),
            flip * -size * Math.sin(angle),
            y,
            size * Math.sin(angle),
            flip * size * Math.cos(angle),
          ];
          const [column, row] = applyAffine(
            invertAffine(transform),
            ...applyAffine(transform, 123.5, 456.25),
          );
          // Coordinates of a million carry 1e-10; a pixel of a centimetre multiplies it.
          expect(Math.abs(column - 123.5)).toBeLessThan(1e-5);
          expect(Math.abs(row - 456.25)).toBeLessThan(1e-5);
        },
      ),
    );
  });

  test('degenerate transforms have no inverse; scaling keeps the corner', () => {
    expect(() => invertAffine([0, 1, 2, 0, 2, 4])).toThrowError(RangeError);
    const transform: Affine = [10, 2, 0.5, 20, -0.5, -2];
    expect(applyAffine(scaleAffine(transform, 3, 4), 1, 1)).toEqual(applyAffine(transform, 3, 4));
  });
});
