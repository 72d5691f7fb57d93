import { execFileSync, spawnSync } from 'node:child_process';

export interface OgrLayer {
  name: string;
  epsg: string | null;
  srs: string | null;
  fields: string[];
  /** Of geometries that GEOS calls invalid. */
  invalid: number;
  features: { attributes: Record<string, string | number | null>; type: string; polygons: number[][][][] }[];
}

const python = '/usr/bin/python3';

/** Null, or why GDAL's own view of a file cannot be asked for. */
export const gdalMissing: string | null = (() => {
  const found = spawnSync(python, ['-c', 'from osgeo import ogr']);
  return found.status === 0 ? null : 'python3-gdal is not installed';
})();

export const ogrinfoMissing: string | null =
  spawnSync('ogrinfo', ['--version']).status === 0 ? null : 'ogrinfo (gdal-bin) is not installed';

/** Standard output of `ogrinfo -al -so`; throws if it warns about anything. */
export function ogrinfo(path: string): string {
  const result = spawnSync('ogrinfo', ['-ro', '-al', '-so', path], { encoding: 'utf8' });
  if (result.status !== 0 || result.stderr !== '') throw new Error(`ogrinfo ${path}: ${result.stderr}`);
  return result.stdout;
}

const script = `
import json, sys
from osgeo import ogr, osr
ogr.UseExceptions()
source = ogr.Open(sys.argv[1])
layer = source.GetLayer(0)
srs = layer.GetSpatialRef()
definition = layer.GetLayerDefn()
fields = [definition.GetFieldDefn(i).GetName() for i in range(definition.GetFieldCount())]
code = srs.GetAuthorityCode(None) if srs else None
features = []
invalid = 0
for feature in layer:
    geometry = feature.GetGeometryRef()
    invalid += 0 if geometry.IsValid() else 1
    parts = [geometry] if geometry.GetGeometryType() == ogr.wkbPolygon else [geometry.GetGeometryRef(i) for i in range(geometry.GetGeometryCount())]
    polygons = [[[list(p[:2]) for p in part.GetGeometryRef(r).GetPoints()] for r in range(part.GetGeometryCount())] for part in parts]
    features.append({'attributes': {name: feature.GetField(name) for name in fields}, 'type': geometry.GetGeometryName(), 'polygons': polygons})
print(json.dumps({'name': layer.GetName(), 'epsg': code, 'srs': srs.ExportToWkt() if srs else None, 'fields': fields, 'invalid': invalid, 'features': features}))
`;

/** The first layer of a file as GDAL reads it; throws if GDAL says anything on standard error. */
export function readWithOgr(path: string): OgrLayer {
  const result = spawnSync(python, ['-c', script, path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status !== 0 || result.stderr !== '') throw new Error(`OGR on ${path}: ${result.stderr}`);
  return JSON.parse(result.stdout);
}

/** `points` (x, y) of one system in another, by PROJ. */
export function transformWithOgr(
  points: readonly [number, number][],
  from: string,
  to: string,
): [number, number][] {
  const output = execFileSync(
    python,
    [
      '-c',
      `
import json, sys
from osgeo import osr
def system(text):
    srs = osr.SpatialReference()
    srs.SetFromUserInput(text)
    srs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return srs
transform = osr.CoordinateTransformation(system(sys.argv[1]), system(sys.argv[2]))
print(json.dumps([transform.TransformPoint(x, y)[:2] for x, y in json.load(sys.stdin)]))
`,
      from,
      to,
    ],
    { input: JSON.stringify(points), encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  return JSON.parse(output);
}
