import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { esriWellKnownText } from '../../../src/main/export/esri-projection.ts';
import { gdalMissing } from './gdal.ts';
import { cologne, epsgCrs } from './layers.ts';

describe('ESRI well-known text', () => {
  test('UTM zone 32N on ETRS89, as ESRI writes it', () => {
    expect(esriWellKnownText(cologne.wkt!)).toBe(
      'PROJCS["ETRS89_UTM_zone_32N",GEOGCS["GCS_ETRS_1989",DATUM["D_ETRS_1989",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["Latitude_Of_Origin",0.0],PARAMETER["Central_Meridian",9.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],UNIT["Meter",1.0]]',
    );
  });

  test('text that is not WKT 1 stays as it is', () => {
    for (const text of [
      '',
      'PROJCRS["x",BASEGEOGCRS["y"]]',
      'LOCAL_CS["grid",UNIT["metre",1]]',
      'PROJCS["half',
      'PROJCS["a","b"',
      `${'A['.repeat(10_000)}1${']'.repeat(10_000)}`,
    ])
      expect(esriWellKnownText(text)).toBe(text);
  });

  // The systems that scenes come in: UTM, national grids in several projections and units, polar, Web Mercator, plain
  // longitude and latitude.
  const codes = [
    25832, 32633, 32756, 3857, 4326, 4258, 2154, 27700, 3035, 3031, 3413, 3395, 31467, 2056, 21781, 28992,
    3006, 26918, 2263, 26331, 5880, 2193, 3577, 28355, 6933, 3067, 2180, 31370, 5070, 3978, 32119, 2229,
    26741, 22185, 6668, 4269,
  ];
  test.skipIf(gdalMissing)('GDAL recognises the systems of common scenes', () => {
    const texts = codes.map((code) => esriWellKnownText(epsgCrs(code).wkt!));
    const output = execFileSync(
      '/usr/bin/python3',
      [
        '-c',
        `
import json, sys
from osgeo import osr
osr.UseExceptions()
codes = []
for text in json.load(sys.stdin):
    srs = osr.SpatialReference()
    srs.ImportFromESRI([text])
    matches = srs.FindMatches()
    codes.append(int(matches[0][0].GetAuthorityCode(None)) if matches and matches[0][1] >= 70 else None)
print(json.dumps(codes))
`,
      ],
      { input: JSON.stringify(texts), encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual(codes);
  });
});
