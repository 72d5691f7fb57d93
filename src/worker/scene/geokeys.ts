import { toProj4 } from 'geotiff-geokeys-to-proj4';
import { type Crs, crsFromWkt, findEpsg, proj4Understands, spheroid } from '../raster/crs.ts';
import { wktFromProj4 } from '../raster/wkt.ts';

/** Keys of a GeoTIFF's GeoKeyDirectory (OGC 19-008r4), by name. */
export type GeoKeys = Record<string, unknown>;

const userDefined = 32767;

function code(keys: GeoKeys, ...names: string[]): number | null {
  for (const name of names) {
    const value = keys[name];
    if (typeof value === 'number' && value > 0 && value !== userDefined) return value;
  }
  return null;
}

function citation(keys: GeoKeys, ...names: string[]): string {
  for (const name of names) {
    const value = keys[name];
    if (typeof value !== 'string') continue;
    // GDAL writes `PCS Name = …|Datum = …|`; ESRI repeats the name before its own text.
    const text = value.replace(/\0/g, '').trim();
    const named = /(?:PCS Name|GCS Name)\s*=\s*([^|]+)/.exec(text)?.[1] ?? text.split('|')[0]!;
    if (named.trim() !== '') return named.trim();
  }
  return '';
}

/** The coordinate system that a GeoTIFF's keys describe, or null when they describe none. */
export function crsFromGeoKeys(keys: GeoKeys): Crs | null {
  const model = keys.GTModelTypeGeoKey;
  const projected = code(keys, 'ProjectedCSTypeGeoKey', 'ProjectedCRSGeoKey');
  const geographic = code(keys, 'GeographicTypeGeoKey', 'GeodeticCRSGeoKey');
  if (model !== 2 && projected !== null) {
    const known = findEpsg(projected);
    if (known !== null) return known;
  }
  for (const name of ['GTCitationGeoKey', 'PCSCitationGeoKey', 'GeogCitationGeoKey']) {
    const text = keys[name];
    const wkt =
      typeof text === 'string' ? /ESRI PE String\s*=\s*((?:PROJCS|GEOGCS)[^|]*)/.exec(text)?.[1] : undefined;
    const known = wkt === undefined ? null : crsFromWkt(wkt.replace(/\0/g, ''));
    if (known !== null) return known;
  }
  if (
    (model === 2 || (model !== 1 && projected === null && keys.ProjCoordTransGeoKey === undefined)) &&
    geographic !== null
  ) {
    const known = findEpsg(geographic);
    if (known !== null) return known;
  }
  if (model === undefined && projected === null && geographic === null) return null;
  return customSystem(keys, model === 2 ? 'geographic' : model === 1 ? 'projected' : 'other');
}

function customSystem(keys: GeoKeys, kind: Crs['kind']): Crs {
  const name =
    kind === 'geographic'
      ? citation(keys, 'GeogCitationGeoKey', 'GTCitationGeoKey')
      : citation(keys, 'PCSCitationGeoKey', 'GTCitationGeoKey', 'GeogCitationGeoKey');
  const unknown: Crs = {
    epsg: null,
    name: name || 'unnamed',
    kind,
    proj4: null,
    wkt: null,
    metresPerUnit: 1,
  };
  if (kind === 'other') return unknown;
  let parameters: ReturnType<typeof toProj4>;
  try {
    parameters = toProj4(keys as unknown as Parameters<typeof toProj4>[0]);
  } catch {
    return unknown;
  }
  const metresPerUnit = kind === 'projected' ? parameters.coordinatesConversionParameters.x : 1;
  // A projected system whose projection the keys do not name comes back as longitude and latitude: no definition at all.
  if (parameters.isGCS !== (kind === 'geographic') || !(metresPerUnit > 0)) return unknown;
  const base = standardParallel(parameters.proj4.trim());
  const definition = metresPerUnit === 1 ? base : `${base} +to_meter=${metresPerUnit}`;
  if (!proj4Understands(definition)) return unknown;
  const utm = metresPerUnit === 1 ? universalTransverseMercator(keys, definition) : null;
  if (utm !== null) return utm;
  const crs: Crs = { ...unknown, proj4: definition, metresPerUnit };
  const { semiMajorAxis, eccentricitySquared } = spheroid(crs);
  crs.wkt = wktFromProj4(crs.name, base, semiMajorAxis, eccentricitySquared, metresPerUnit);
  return crs;
}

/** The library calls every standard parallel lat_1; projections with a single true latitude want lat_ts. */
function standardParallel(definition: string): string {
  return /\+proj=(eqc|merc|cea)\b/.test(definition) && !definition.includes('+lat_ts=')
    ? definition.replace('+lat_1=', '+lat_ts=')
    : definition;
}

/** Some writers spell WGS 84's UTM zones out, parameter by parameter. */
function universalTransverseMercator(keys: GeoKeys, definition: string): Crs | null {
  const onWgs84 =
    keys.GeographicTypeGeoKey === 4326 ||
    keys.GeogGeodeticDatumGeoKey === 6326 ||
    /^WGS[ _]?(19)?84$/i.test(citation(keys, 'GeogCitationGeoKey'));
  if (!onWgs84) return null;
  const value = (key: string): number =>
    Number(new RegExp(`\\+${key}=(\\S+)`).exec(definition)?.[1] ?? Number.NaN);
  const zone = (value('lon_0') + 183) / 6;
  const south = value('y_0') === 10_000_000;
  const matches =
    /\+proj=tmerc\b/.test(definition) &&
    Number.isInteger(zone) &&
    value('lat_0') === 0 &&
    value('k_0') === 0.9996 &&
    value('x_0') === 500_000 &&
    (south || value('y_0') === 0);
  return matches ? findEpsg((south ? 32700 : 32600) + zone) : null;
}
