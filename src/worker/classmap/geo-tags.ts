import type { Crs } from '../raster/crs.ts';
import type { Affine } from '../raster/grid.ts';
import type { TiffField } from './tiff-directory.ts';

/** A GeoTIFF 1.1 key with a short value, or text that goes to the ASCII parameters. */
type GeoKey = [key: number, value: number | string];

const userDefined = 32_767;

/** An EPSG code that a GeoKey can hold. */
function shortCode(crs: Crs): number | null {
  return crs.epsg !== null && crs.epsg > 0 && crs.epsg < userDefined ? crs.epsg : null;
}

/** Keys 1024 model, 1025 raster, 1026 citation, 2048/3072 code, 2054/3076 units, 2049/3073 citation. */
function geoKeys(crs: Crs | null): GeoKey[] {
  const pixelIsArea: GeoKey = [1025, 1];
  if (crs === null || crs.kind === 'other') return [pixelIsArea];
  const projected = crs.kind === 'projected';
  const model: GeoKey = [1024, projected ? 1 : 2];
  const citation: GeoKey = [1026, crs.name];
  const code = shortCode(crs);
  if (code !== null) {
    return [model, pixelIsArea, citation, projected ? [3072, code] : [2048, code]];
  }
  // GDAL, QGIS and ArcGIS read a well-known text from this citation; other programs see a system without a code.
  const definition = crs.wkt === null ? crs.name : `ESRI PE String = ${crs.wkt}`;
  return projected
    ? [model, pixelIsArea, citation, [3072, userDefined], [3073, definition]]
    : [model, pixelIsArea, citation, [2048, userDefined], [2049, definition], [2054, 9102]];
}

/** GeoTIFF 1.1 tags for a transform and a reference system, pixel-is-area. */
export function geoTags(transform: Affine, crs: Crs | null): TiffField[] {
  const [x, xColumn, xRow, y, yColumn, yRow] = transform;
  const fields: TiffField[] = [];
  if (xRow === 0 && yColumn === 0 && xColumn > 0 && yRow < 0) {
    fields.push(
      { tag: 33_550, type: 'float64', values: [xColumn, -yRow, 0] },
      { tag: 33_922, type: 'float64', values: [0, 0, 0, x, y, 0] },
    );
  } else {
    fields.push({
      tag: 34_264,
      type: 'float64',
      values: [xColumn, xRow, 0, x, yColumn, yRow, 0, y, 0, 0, 0, 0, 0, 0, 0, 1],
    });
  }
  const keys = geoKeys(crs);
  const directory = [1, 1, 0, keys.length];
  let text = '';
  for (const [key, value] of keys) {
    if (typeof value === 'number') {
      directory.push(key, 0, 1, value);
    } else {
      // The parameters are ASCII by the standard, and '|' ends each.
      const ascii = `${value.replace(/[^\x20-\x7e]/g, '?').replaceAll('|', '/')}|`;
      directory.push(key, 34_737, ascii.length, text.length);
      text += ascii;
    }
  }
  fields.push({ tag: 34_735, type: 'uint16', values: directory });
  if (text !== '') fields.push({ tag: 34_737, type: 'ascii', values: text });
  return fields;
}
