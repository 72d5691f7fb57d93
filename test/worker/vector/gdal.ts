import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ClassMap } from './class-maps.ts';

const python = '/usr/bin/python3';

/** Whether Debian's python3-gdal answers. */
export const hasPythonGdal = spawnSync(python, ['-c', 'from osgeo import gdal, ogr']).status === 0;
export const hasGdalRasterize = spawnSync('gdal_rasterize', ['--version']).status === 0;

/** Runs a python program with `input` as its standard input; what it prints must be JSON. */
export function askPython(program: string, input: unknown, ...args: string[]): unknown {
  const output = execFileSync(python, ['-c', program, ...args], {
    input: JSON.stringify(input),
    maxBuffer: 1 << 28,
  });
  return JSON.parse(output.toString());
}

export type RingList = number[][][];

/** Polygons as lists of closed rings of [x, y]. */
export function ringLists(polygons: readonly { rings: readonly ArrayLike<number>[] }[]): RingList[] {
  return polygons.map((polygon) =>
    polygon.rings.map((ring) => {
      const points: number[][] = [];
      for (let k = 0; k < ring.length; k += 2) points.push([ring[k]!, ring[k + 1]!]);
      const [first, last] = [points[0]!, points[points.length - 1]!];
      if (first[0] !== last[0] || first[1] !== last[1]) points.push(first);
      return points;
    }),
  );
}

/** Indices of the polygons that GEOS finds invalid. */
export function invalidPolygons(polygons: readonly { rings: readonly ArrayLike<number>[] }[]): number[] {
  return askPython(
    `
import json, sys
from osgeo import ogr
ogr.UseExceptions()
bad = []
for index, rings in enumerate(json.load(sys.stdin)):
    geometry = ogr.CreateGeometryFromJson(json.dumps({'type': 'Polygon', 'coordinates': rings}))
    if geometry is None or not geometry.IsValid(): bad.append(index)
print(json.dumps(bad))
`,
    ringLists(polygons),
  ) as number[];
}

/** Polygons of gdal_polygonize's algorithm, 4-connected, class 0 masked: how many, and their areas by class, sorted. */
export function gdalPolygonize(map: ClassMap): { count: number; areas: Record<string, number[]> } {
  return askPython(
    `
import json, sys
import numpy
from osgeo import gdal, ogr
gdal.UseExceptions()
m = json.load(sys.stdin)
raster = gdal.GetDriverByName('MEM').Create('', m['width'], m['height'], 1, gdal.GDT_Byte)
raster.GetRasterBand(1).WriteArray(numpy.array(m['classes'], dtype=numpy.uint8).reshape(m['height'], m['width']))
store = ogr.GetDriverByName('Memory').CreateDataSource('')
layer = store.CreateLayer('pieces', geom_type=ogr.wkbPolygon)
layer.CreateField(ogr.FieldDefn('id', ogr.OFTInteger))
band = raster.GetRasterBand(1)
gdal.Polygonize(band, band, layer, 0)
areas = {}
for feature in layer:
    areas.setdefault(str(feature.GetField(0)), []).append(feature.GetGeometryRef().GetArea())
print(json.dumps({'count': layer.GetFeatureCount(), 'areas': {k: sorted(v) for k, v in areas.items()}}))
`,
    { width: map.width, height: map.height, classes: [...map.classes] },
  ) as { count: number; areas: Record<string, number[]> };
}

/** The polygons burnt by gdal_rasterize on a grid of unit pixels, as classes; `rings` with y downwards negative. */
export function gdalRasterize(
  polygons: readonly { classId: number; rings: readonly ArrayLike<number>[] }[],
  width: number,
  height: number,
): Uint8Array {
  const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-vector-'));
  try {
    const lists = ringLists(polygons);
    writeFileSync(
      path.join(folder, 'polygons.geojson'),
      JSON.stringify({
        type: 'FeatureCollection',
        features: polygons.map((polygon, index) => ({
          type: 'Feature',
          properties: { class_id: polygon.classId },
          geometry: { type: 'Polygon', coordinates: lists[index] },
        })),
      }),
    );
    const raster = path.join(folder, 'classes.img');
    execFileSync('gdal_rasterize', [
      ...['-q', '-a', 'class_id', '-ot', 'Byte', '-init', '0', '-of', 'ENVI'],
      ...['-te', '0', String(-height), String(width), '0', '-ts', String(width), String(height)],
      path.join(folder, 'polygons.geojson'),
      raster,
    ]);
    return Uint8Array.from(execFileSync('cat', [raster]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
