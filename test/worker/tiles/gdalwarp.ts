import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TileFrame } from '../../../src/worker/tiles/tile-grid.ts';

const script = `
import sys, json
import numpy as np
from osgeo import gdal
gdal.UseExceptions()
gdal.SetConfigOption('GDAL_PAM_ENABLED', 'NO')
request = json.load(sys.stdin)
t = request['transform']; w = request['width']; h = request['height']
options = dict(format='MEM', width=w, height=h, resampleAlg=request['resampling'], dstAlpha=True,
  outputBounds=(t[0], t[3] + h * t[5], t[0] + w * t[1], t[3]), errorThreshold=request['threshold'])
if request['ignoreNodata']: options['srcNodata'] = 'None'
if request['crs']: options['dstSRS'] = request['crs']
if request['splines']: options['tps'] = True
ds = gdal.Open(request['path'])
if request['magnitude']:
    # GDAL blends real and imaginary parts; we blend magnitudes.
    plain = gdal.GetDriverByName('MEM').Create('', ds.RasterXSize, ds.RasterYSize, ds.RasterCount, gdal.GDT_Float32)
    plain.SetGeoTransform(ds.GetGeoTransform()); plain.SetProjection(ds.GetProjection())
    for b in range(ds.RasterCount):
        plain.GetRasterBand(b + 1).WriteArray(np.abs(ds.GetRasterBand(b + 1).ReadAsArray()).astype('float32'))
    ds = plain
out = gdal.Warp('', ds, **options)
chosen = request['bands'] + [out.RasterCount]
values = np.stack([out.GetRasterBand(b).ReadAsArray() for b in chosen]).astype('float32')
values.tofile(request['out'])
print(json.dumps(values.shape))
`;

/** What gdalwarp draws on a tile: values `[band][row · width + column]`, and alpha (0 transparent) the same way. */
export function gdalwarp(
  path: string,
  tile: TileFrame,
  resampling: 'bilinear' | 'near',
  folder: string,
  bands: readonly number[],
  options: { threshold?: number; ignoreNodata?: boolean; magnitude?: boolean; splines?: boolean } = {},
): { planes: Float32Array[]; alpha: Float32Array } {
  const out = join(folder, 'gdalwarp.raw');
  const crs = tile.crs === null ? null : tile.crs.epsg === null ? tile.crs.wkt : `EPSG:${tile.crs.epsg}`;
  const { width, height, transform } = tile;
  const request = {
    path,
    width,
    height,
    transform,
    crs,
    resampling,
    out,
    // GDAL counts bands from 1.
    bands: bands.map((band) => band + 1),
    // Beside a mask GDAL takes nodata band by band, and loses the dark pixels of single bands.
    ignoreNodata: options.ignoreNodata ?? false,
    threshold: options.threshold ?? 0.125,
    magnitude: options.magnitude ?? false,
    splines: options.splines ?? false,
  };
  const shape = JSON.parse(
    execFileSync('/usr/bin/python3', ['-c', script], {
      input: JSON.stringify(request),
      stdio: ['pipe', 'pipe', 'pipe'],
      // GDAL would write statistics beside the files it opens.
      env: { ...process.env, GDAL_PAM_ENABLED: 'NO' },
    }).toString(),
  ) as [number, number, number];
  const raw = readFileSync(out);
  const values = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength));
  const count = width * height;
  const planes = Array.from({ length: shape[0] }, (_, band) =>
    values.subarray(band * count, (band + 1) * count),
  );
  return { alpha: planes.pop()!, planes };
}
