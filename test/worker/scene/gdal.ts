import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const python = '/usr/bin/python3';

/** Whether Debian's python3-gdal is here. */
export const hasGdal = ((): boolean => {
  if (!existsSync(python)) return false;
  try {
    execFileSync(python, ['-c', 'from osgeo import gdal, osr'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

export interface GdalWindow {
  column: number;
  row: number;
  width: number;
  height: number;
}

export interface GdalScene {
  size: [number, number];
  transform: number[] | null;
  epsg: string | null;
  proj4: string;
  nodata: (number | string | null)[];
  overviews: number[];
  /** Of each window and band: values row-major, null for NaN. */
  values: (number | null)[][][];
  /** Of each window: 1 where GDAL's mask of the first band is set. */
  masks: number[][];
}

const script = `
import sys, json, math
import numpy as np
from osgeo import gdal, osr
gdal.UseExceptions()
request = json.load(sys.stdin)
ds = gdal.Open(request['path'])
first = ds.GetRasterBand(1)
overviews = [first.GetOverview(i).XSize for i in range(first.GetOverviewCount())]
del first
if request['expand']:
    ds = gdal.Translate('', ds, format='MEM', rgbExpand='rgb')
gt = ds.GetGeoTransform(can_return_null=True)
srs = ds.GetSpatialRef()
epsg = None; proj4 = ''
if srs is not None:
    try: srs.AutoIdentifyEPSG()
    except Exception: pass
    epsg = srs.GetAuthorityCode(None)
    try: proj4 = srs.ExportToProj4()
    except Exception: pass
bands = [ds.GetRasterBand(i + 1) for i in range(ds.RasterCount)]
def plain(v):
    if v is None: return None
    return 'nan' if math.isnan(v) else v
values = []; masks = []
for w in request['windows']:
    args = (w['column'], w['row'], w['width'], w['height'])
    per = []
    for b in bands:
        a = b.ReadAsArray(*args)
        if np.iscomplexobj(a): a = np.abs(a)
        per.append([None if v != v else float(v) for v in a.astype('float64').ravel()])
    values.append(per)
    masks.append([1 if v else 0 for v in bands[0].GetMaskBand().ReadAsArray(*args).ravel()])
json.dump(dict(size=[ds.RasterXSize, ds.RasterYSize], transform=list(gt) if gt else None, epsg=epsg, proj4=proj4,
  nodata=[plain(b.GetNoDataValue()) for b in bands],
  overviews=overviews,
  values=values, masks=masks), sys.stdout)
`;

/** What GDAL reads: header, and the pixels of windows. Palettes become colours with `expand`. */
export function gdalRead(path: string, windows: readonly GdalWindow[], expand = false): GdalScene {
  const output = execFileSync(python, ['-c', script], {
    input: JSON.stringify({ path, windows, expand }),
    maxBuffer: 2 ** 28,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return JSON.parse(output.toString()) as GdalScene;
}

/** Runs a Python snippet with `gdal`, `osr` and `np` imported; throws with its output when it fails. */
export function gdalRun(snippet: string, ...args: string[]): string {
  return execFileSync(
    python,
    [
      '-c',
      `import sys, numpy as np\nfrom osgeo import gdal, osr, ogr\ngdal.UseExceptions()\n${snippet}`,
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  ).toString();
}
