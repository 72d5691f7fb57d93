import type { Affine } from '../raster/affine.ts';
import type { Crs } from '../raster/crs.ts';
import type { TiffField } from './tiff-directory.ts';

/** A GeoTIFF 1.1 key with a short value, or text that goes to the ASCII parameters. */
type GeoKey = [key: number, value: number | string];

/**
 * Whether GeoKeys can name the system: by its EPSG code. Others would need their projection spelled out key by key;
 * the class map carries their well-known text in its sidecar instead, where GDAL and QGIS look first.
 */
export function hasGeoKeys(crs: Crs | null): crs is Crs & { epsg: number } {
  return crs !== null && crs.kind !== 'other' && crs.epsg !== null && crs.epsg > 0 && crs.epsg < 32_767;
}

/** Keys 1024 model, 1025 raster (pixel is area), 1026 citation, 3072 projected or 2048 geographic code. */
function geoKeys(crs: Crs & { epsg: number }): GeoKey[] {
  const projected = crs.kind === 'projected';
  return [
    [1024, projected ? 1 : 2],
    [1025, 1],
    [1026, crs.name],
    projected ? [3072, crs.epsg] : [2048, crs.epsg],
  ];
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
  // Pixel-is-area goes without saying.
  if (!hasGeoKeys(crs)) return fields;
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
