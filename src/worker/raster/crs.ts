import { createRequire } from 'node:module';
import proj4 from 'proj4';
import { Problem } from '../report/problem.ts';
import { withParameters } from './datum-shift.ts';
import { parseWkt, type WktNode, wktChild, wktNumber, wktText } from './wkt.ts';

/** A coordinate reference system as a raster declares it. */
export interface Crs {
  /** EPSG code, or null for a custom system. */
  epsg: number | null;
  /** Name a person knows: `ETRS89 / UTM zone 32N`. */
  name: string;
  kind: 'geographic' | 'projected' | 'other';
  /** Definition that proj4 understands, or null where none could be derived. */
  proj4: string | null;
  /** Well-known text (WKT 1, OGC), or null where none could be derived. */
  wkt: string | null;
  /** Metres per unit of a projected system (1 for metres, 0.3048 for feet); radians do not occur: geographic is in degrees. */
  metresPerUnit: number;
}

/** Maps x and y of one system to x and y of another; geographic systems are longitude, latitude in degrees. */
export type Transformer = (x: number, y: number) => [number, number];

interface EpsgEntry {
  code: string;
  kind: string;
  name: string;
  wkt: string | null;
  proj4: string | null;
}

const requireJson = createRequire(import.meta.url);

function epsgEntry(code: number): EpsgEntry | null {
  if (!Number.isInteger(code) || code <= 0) return null;
  try {
    return requireJson(`epsg-index/s/${code}.json`) as EpsgEntry;
  } catch {
    return null;
  }
}

/** The system of an EPSG code, or null when the register that ships with the program does not hold it. */
export function findEpsg(code: number): Crs | null {
  const entry = epsgEntry(code);
  if (entry === null) return null;
  const kind = kindOfEntry(entry.kind);
  const definition =
    entry.proj4 === null ? null : withParameters(entry.name, entry.proj4.replace(/\s*\+type=crs/, '').trim());
  const unit = entry.wkt === null ? null : linearUnit(parseWkt(entry.wkt));
  return {
    epsg: code,
    name: entry.name,
    kind,
    proj4: definition,
    wkt: entry.wkt,
    metresPerUnit: kind === 'projected' ? (unit ?? unitOfProj4(definition)) : 1,
  };
}

/** As `findEpsg`; throws `crs/unknown-epsg` for a code that is not in the register. */
export function crsFromEpsg(code: number): Crs {
  const crs = findEpsg(code);
  if (crs === null) {
    throw new Problem(
      'crs/unknown-epsg',
      `EPSG:${code} is not a known system.`,
      'Check the code at epsg.io.',
    );
  }
  return crs;
}

function kindOfEntry(kind: string): Crs['kind'] {
  if (kind === 'CRS-PROJCRS') return 'projected';
  if (kind === 'CRS-GEOGCRS' || kind === 'CRS-GEOG3DCRS') return 'geographic';
  return 'other';
}

const geographicRoots = new Set(['GEOGCS', 'GEOGCRS', 'GEODCRS', 'GEODETICCRS', 'GEOGRAPHICCRS']);
const projectedRoots = new Set(['PROJCS', 'PROJCRS', 'PROJECTEDCRS']);
const wrappers = new Set(['COMPD_CS', 'COMPOUNDCRS', 'BOUNDCRS', 'SOURCECRS']);

/**
 * The system of a well-known text, WKT 1 (OGC or ESRI) or WKT 2. The EPSG code comes from the text's own authority, or
 * from ESRI's names of the common systems. Returns null for text that is no definition of a system.
 */
export function crsFromWkt(text: string): Crs | null {
  let node = parseWkt(text);
  // A compound system holds its horizontal part first; a bound one its source.
  for (let depth = 0; node !== null && wrappers.has(node.keyword) && depth < 4; depth++) {
    node =
      (node.children.find((child) => typeof child !== 'string' && isSystem(child)) as WktNode | undefined) ??
      null;
  }
  if (node === null || !isSystem(node)) return null;
  const name = wktText(node) ?? 'unnamed';
  const authority = wktChild(node, 'AUTHORITY') ?? wktChild(node, 'ID');
  const declared =
    authority !== null && wktText(authority)?.toUpperCase() === 'EPSG' ? wktNumber(authority, 1) : null;
  const code = declared ?? epsgOfEsriName(name);
  const known = code === null ? null : findEpsg(code);
  if (known !== null) return known;
  const kind = geographicRoots.has(node.keyword)
    ? 'geographic'
    : projectedRoots.has(node.keyword)
      ? 'projected'
      : 'other';
  const wkt = text.trim();
  const extension = wktChild(node, 'EXTENSION');
  const embedded = extension !== null && wktText(extension) === 'PROJ4' ? wktText(extension, 1) : null;
  const definition =
    [embedded, geostationary(node), wkt].find(
      (candidate) => candidate !== null && proj4Understands(candidate),
    ) ?? null;
  return {
    epsg: code,
    name,
    kind,
    proj4: definition,
    wkt: /^(PROJCS|GEOGCS|LOCAL_CS|COMPD_CS|GEOCCS)\b/i.test(wkt) ? wkt : null,
    metresPerUnit: kind === 'projected' ? (linearUnit(node) ?? 1) : 1,
  };
}

/** A view from a geostationary satellite for proj4, which has the projection but does not read it from WKT. */
function geostationary(node: WktNode): string | null {
  const method = wktChild(node, 'PROJECTION');
  const spheroid = wktChild(wktChild(wktChild(node, 'GEOGCS') ?? node, 'DATUM') ?? node, 'SPHEROID');
  if (method === null || spheroid === null) return null;
  const sweep = /^Geostationary_Satellite(?:_\(?Sweep_([XY])\)?)?$/i.exec(
    (wktText(method) ?? '').replaceAll(' ', '_'),
  );
  if (sweep === null) return null;
  const parameters = new Map<string, number>();
  for (const child of node.children) {
    if (typeof child === 'string' || child.keyword !== 'PARAMETER') continue;
    const value = wktNumber(child, 1);
    if (value !== null) parameters.set((wktText(child) ?? '').toLowerCase(), value);
  }
  const height = parameters.get('satellite_height') ?? parameters.get('height');
  const semiMajorAxis = wktNumber(spheroid, 1);
  const flattening = wktNumber(spheroid, 2);
  if (height === undefined || semiMajorAxis === null || flattening === null) return null;
  const longitude = parameters.get('central_meridian') ?? parameters.get('longitude_of_center') ?? 0;
  const shape = flattening === 0 ? `+b=${semiMajorAxis}` : `+rf=${flattening}`;
  const unit = linearUnit(node) ?? 1;
  return (
    `+proj=geos +lon_0=${longitude} +h=${height} +sweep=${(sweep[1] ?? 'y').toLowerCase()}` +
    ` +x_0=${parameters.get('false_easting') ?? 0} +y_0=${parameters.get('false_northing') ?? 0}` +
    ` +a=${semiMajorAxis} ${shape}${unit === 1 ? '' : ` +to_meter=${unit}`} +no_defs`
  );
}

function isSystem(node: WktNode): boolean {
  return (
    geographicRoots.has(node.keyword) ||
    projectedRoots.has(node.keyword) ||
    wrappers.has(node.keyword) ||
    /^(LOCAL_CS|ENGCRS|ENGINEERINGCRS|GEOCCS|FITTED_CS)$/.test(node.keyword)
  );
}

/** ESRI's .prj files name systems without a code; these are the families that imagery comes in. */
function epsgOfEsriName(name: string): number | null {
  if (/^GCS_WGS_1984$/i.test(name)) return 4326;
  if (/^WGS_1984_Web_Mercator(_Auxiliary_Sphere)?$/i.test(name)) return 3857;
  const utm = /^(WGS_1984|ETRS_1989|NAD_1983)_UTM_Zone_(\d{1,2})([NS])$/i.exec(name);
  if (utm === null) return null;
  const zone = Number(utm[2]);
  const north = utm[3]!.toUpperCase() === 'N';
  const family = utm[1]!.toUpperCase();
  if (family === 'WGS_1984' && zone >= 1 && zone <= 60) return (north ? 32600 : 32700) + zone;
  if (family === 'ETRS_1989' && north && zone >= 28 && zone <= 38) return 25800 + zone;
  if (family === 'NAD_1983' && north && zone >= 1 && zone <= 23) return 26900 + zone;
  return null;
}

function linearUnit(node: WktNode | null): number | null {
  if (node === null) return null;
  const unit = wktChild(node, 'UNIT') ?? wktChild(node, 'LENGTHUNIT');
  if (unit !== null) return wktNumber(unit, 1);
  // WKT 2 may hang the unit on the coordinate system's axes.
  for (const child of node.children) {
    if (typeof child === 'string' || child.keyword !== 'AXIS') continue;
    const axisUnit = wktChild(child, 'LENGTHUNIT') ?? wktChild(child, 'UNIT');
    if (axisUnit !== null) return wktNumber(axisUnit, 1);
  }
  return null;
}

const namedUnits: Record<string, number> = {
  m: 1,
  km: 1000,
  ft: 0.3048,
  'us-ft': 1200 / 3937,
  cm: 0.01,
  mm: 0.001,
};

function unitOfProj4(definition: string | null): number {
  const factor = /\+to_meter=([\d.eE+-]+)/.exec(definition ?? '');
  if (factor !== null && Number(factor[1]) > 0) return Number(factor[1]);
  return namedUnits[/\+units=(\S+)/.exec(definition ?? '')?.[1] ?? 'm'] ?? 1;
}

/** The system of a definition in proj4's own words (`+proj=…`); null where it is none. */
export function crsFromProj4(name: string, definition: string): Crs | null {
  if (!/\+proj=/.test(definition) || !proj4Understands(definition)) return null;
  const geographic = /\+proj=(longlat|latlong)\b/.test(definition);
  return {
    epsg: null,
    name,
    kind: geographic ? 'geographic' : 'projected',
    proj4: definition,
    wkt: null,
    metresPerUnit: geographic ? 1 : unitOfProj4(definition),
  };
}

/** Whether proj4 can build a projection from `definition`. */
export function proj4Understands(definition: string): boolean {
  try {
    proj4(definition);
    return true;
  } catch {
    return false;
  }
}

/** Whether proj4 would look for a grid file that nobody has: it says so on standard output, point by point. */
export function needsGrids(definition: string): boolean {
  const { datum } = new proj4.Proj(definition) as unknown as {
    datum?: { grids?: { isNull: boolean; grid: unknown }[] | null };
  };
  const grids = datum?.grids ?? [];
  return grids.length > 0 && !grids.some(({ isNull, grid }) => isNull || grid !== null);
}

/** Longitude and latitude on WGS 84, degrees. */
export const wgs84: Crs = crsFromEpsg(4326);

/**
 * Coordinates of `from` in `to`, or null where either has no proj4 definition, or one that needs a grid file. The function
 * returned gives NaN for points that have no image (beyond the horizon, say); it never throws.
 */
export function transformer(from: Crs, to: Crs): Transformer | null {
  if (from.proj4 === null || to.proj4 === null) return null;
  if (from.proj4 === to.proj4) return (x, y) => [x, y];
  if (needsGrids(from.proj4) || needsGrids(to.proj4)) return null;
  return between(from.proj4, to.proj4);
}

function between(from: string, to: string): Transformer {
  const converter = proj4(from, to);
  return (x, y) => {
    try {
      const [px, py] = converter.forward([x, y]);
      return Number.isFinite(px) && Number.isFinite(py) ? [px, py] : [Number.NaN, Number.NaN];
    } catch {
      return [Number.NaN, Number.NaN];
    }
  };
}

/** The spheroid of a system: semi-major axis in metres and squared first eccentricity. WGS 84 where it is unknown. */
export function spheroid(crs: Crs): { semiMajorAxis: number; eccentricitySquared: number } {
  const earth = { semiMajorAxis: 6378137, eccentricitySquared: 0.00669437999014 };
  // Pseudo-Mercator computes on a sphere but its latitudes are those of WGS 84.
  if (crs.proj4 === null || crs.proj4.includes('@null')) return earth;
  try {
    const projection = new proj4.Proj(crs.proj4) as unknown as { a?: number; b?: number };
    if (!(projection.a! > 0) || !(projection.b! > 0)) return earth;
    return { semiMajorAxis: projection.a!, eccentricitySquared: 1 - (projection.b! / projection.a!) ** 2 };
  } catch {
    return earth;
  }
}

/** To longitude and latitude (degrees) on the system's own spheroid, without a change of datum; null without proj4. */
export function toOwnGeographic(crs: Crs): Transformer | null {
  if (crs.proj4 === null) return null;
  if (crs.kind === 'geographic') return (x, y) => [x, y];
  if (crs.proj4.includes('@null')) return between(crs.proj4, wgs84.proj4!);
  const { semiMajorAxis, eccentricitySquared } = spheroid(crs);
  const semiMinorAxis = semiMajorAxis * Math.sqrt(1 - eccentricitySquared);
  const datumless = crs.proj4.replace(/\s\+(datum|towgs84|nadgrids|ellps|a|b|rf|R)=\S+/g, '');
  const axes = ` +a=${semiMajorAxis} +b=${semiMinorAxis} +no_defs`;
  if (!datumless.startsWith('+proj')) return between(crs.proj4, wgs84.proj4!);
  return between(datumless + axes, `+proj=longlat${axes}`);
}
