/**
 * Well-known text as shapefiles expect it in `.prj`: ESRI's dialect of WKT 1. It differs from OGC's in names (of
 * datums, projections and parameters) and has neither authorities nor axes.
 */
type Node = { keyword: string; values: (string | number | Node)[] };

/** OGC name: ESRI name, where it is not the OGC name with other capitals. */
const projections: Record<string, string> = {
  Albers_Conic_Equal_Area: 'Albers',
  American_Polyconic: 'Polyconic',
  Polyconic: 'Polyconic',
  Cassini_Soldner: 'Cassini',
  Equirectangular: 'Equidistant_Cylindrical',
  Hotine_Oblique_Mercator: 'Hotine_Oblique_Mercator_Azimuth_Natural_Origin',
  Hotine_Oblique_Mercator_Azimuth_Center: 'Hotine_Oblique_Mercator_Azimuth_Center',
  Lambert_Conformal_Conic_1SP: 'Lambert_Conformal_Conic',
  Lambert_Conformal_Conic_2SP: 'Lambert_Conformal_Conic',
  Mercator_1SP: 'Mercator',
  Mercator_2SP: 'Mercator',
  Oblique_Stereographic: 'Double_Stereographic',
  Oblique_Mercator: 'Hotine_Oblique_Mercator_Azimuth_Center',
  Transverse_Mercator: 'Transverse_Mercator',
  Lambert_Azimuthal_Equal_Area: 'Lambert_Azimuthal_Equal_Area',
  Cylindrical_Equal_Area: 'Cylindrical_Equal_Area',
  Krovak: 'Krovak',
  New_Zealand_Map_Grid: 'New_Zealand_Map_Grid',
  Sinusoidal: 'Sinusoidal',
  Mollweide: 'Mollweide',
  Azimuthal_Equidistant: 'Azimuthal_Equidistant',
  Equidistant_Conic: 'Equidistant_Conic',
  Orthographic: 'Orthographic',
  Stereographic: 'Stereographic',
};

const datums: Record<string, string> = {
  Australian_Geodetic_Datum_1966: 'D_Australian_1966',
  Australian_Geodetic_Datum_1984: 'D_Australian_1984',
  Deutsches_Hauptdreiecksnetz: 'D_Deutsches_Hauptdreiecksnetz',
  European_Datum_1950: 'D_European_1950',
  European_Terrestrial_Reference_System_1989: 'D_ETRS_1989',
  Geocentric_Datum_of_Australia_1994: 'D_GDA_1994',
  Geocentric_Datum_of_Australia_2020: 'GDA2020',
  Japanese_Geodetic_Datum_2000: 'D_JGD_2000',
  Japanese_Geodetic_Datum_2011: 'D_JGD_2011',
  NAD83_Canadian_Spatial_Reference_System: 'D_North_American_1983_CSRS',
  NAD83_High_Accuracy_Reference_Network: 'D_North_American_1983_HARN',
  'NAD83_High_Accuracy_Reference_Network_-_Corrected': 'D_NAD_1983_HARN_Corrected',
  NAD83_National_Spatial_Reference_System_2007: 'D_NAD_1983_NSRS2007',
  NAD83_National_Spatial_Reference_System_2011: 'D_NAD_1983_2011',
  New_Zealand_Geodetic_Datum_1949: 'D_New_Zealand_1949',
  New_Zealand_Geodetic_Datum_2000: 'D_NZGD_2000',
  North_American_Datum_1927: 'D_North_American_1927',
  North_American_Datum_1983: 'D_North_American_1983',
  OSGB_1936: 'D_OSGB_1936',
  Ordnance_Survey_of_Great_Britain_1936: 'D_OSGB_1936',
  Pulkovo_1942: 'D_Pulkovo_1942',
  Sistema_de_Referencia_Geocentrico_para_las_AmericaS_2000: 'D_SIRGAS_2000',
  South_American_Datum_1969: 'D_South_American_1969',
  World_Geodetic_System_1972: 'D_WGS_1972',
  World_Geodetic_System_1984: 'D_WGS_1984',
  WGS_1972: 'D_WGS_1972',
  WGS_1984: 'D_WGS_1984',
};

const geographicSystems: Record<string, string> = {
  'WGS 84': 'GCS_WGS_1984',
  'WGS 72': 'GCS_WGS_1972',
  ETRS89: 'GCS_ETRS_1989',
  NAD27: 'GCS_North_American_1927',
  NAD83: 'GCS_North_American_1983',
  'NAD83(CSRS)': 'GCS_North_American_1983_CSRS',
  'NAD83(HARN)': 'GCS_North_American_1983_HARN',
  'NAD83(NSRS2007)': 'GCS_NAD_1983_NSRS2007',
  'NAD83(2011)': 'GCS_NAD_1983_2011',
  ED50: 'GCS_European_1950',
  GDA94: 'GCS_GDA_1994',
  JGD2000: 'GCS_JGD_2000',
  JGD2011: 'GCS_JGD_2011',
  NZGD2000: 'GCS_NZGD_2000',
  'OSGB 1936': 'GCS_OSGB_1936',
  OSGB36: 'GCS_OSGB_1936',
  SAD69: 'GCS_South_American_1969',
  'SIRGAS 2000': 'GCS_SIRGAS_2000',
};

const spheroids: Record<string, string> = {
  'WGS 84': 'WGS_1984',
  'WGS 72': 'WGS_1972',
  'GRS 1980': 'GRS_1980',
  'International 1924': 'International_1924',
};

const units: Record<string, string> = {
  metre: 'Meter',
  meter: 'Meter',
  degree: 'Degree',
  grad: 'Grad',
  foot: 'Foot',
  'US survey foot': 'Foot_US',
};

const parameters: Record<string, string> = {
  latitude_of_center: 'Latitude_Of_Center',
  longitude_of_center: 'Longitude_Of_Center',
  latitude_of_origin: 'Latitude_Of_Origin',
  pseudo_standard_parallel_1: 'Pseudo_Standard_Parallel_1',
};

/** ESRI well-known text for OGC WKT 1; the text unchanged where it is not WKT 1 or the projection has no ESRI name. */
export function esriWellKnownText(text: string): string {
  let root: Node;
  try {
    root = parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
  if (root.keyword === 'COMPD_CS') {
    // A height system means nothing to plane polygons.
    const plane = root.values.find((value) => isNode(value, 'PROJCS') || isNode(value, 'GEOGCS'));
    if (!plane) return text;
    root = plane as Node;
  }
  if (root.keyword === 'GEOGCS') return write(geographic(root));
  if (root.keyword !== 'PROJCS') return text;
  const system = projected(root);
  return system ? write(system) : text;
}

function projected(node: Node): Node | null {
  const base = child(node, 'GEOGCS');
  const projection = child(node, 'PROJECTION')?.values[0];
  const unit = child(node, 'UNIT');
  if (!base || typeof projection !== 'string' || !unit) return null;
  const given = new Map<string, number>();
  for (const value of node.values)
    if (isNode(value, 'PARAMETER')) given.set(String(value.values[0]).toLowerCase(), Number(value.values[1]));

  let name = projections[projection];
  const drop = (parameter: string) => given.delete(parameter);
  const rename = (from: string, to: string) => {
    const value = given.get(from);
    if (value === undefined) return;
    given.delete(from);
    given.set(to, value);
  };
  const extension = child(node, 'EXTENSION');
  if (extension?.values[0] === 'PROJ4' && /\+nadgrids=@null/.test(String(extension.values[1]))) {
    // Web Mercator: a sphere for the projection, an ellipsoid for the datum.
    name = 'Mercator_Auxiliary_Sphere';
    drop('scale_factor');
    given.set('standard_parallel_1', 0);
    given.set('auxiliary_sphere_type', 0);
  } else if (projection === 'Mercator_1SP') {
    // ESRI's Mercator has a standard parallel and no scale factor.
    if ((given.get('scale_factor') ?? 1) !== 1 || (given.get('latitude_of_origin') ?? 0) !== 0) return null;
    drop('scale_factor');
    drop('latitude_of_origin');
    given.set('standard_parallel_1', 0);
  } else if (projection === 'Mercator_2SP') {
    drop('latitude_of_origin');
  } else if (projection === 'Polar_Stereographic') {
    const latitude = given.get('latitude_of_origin') ?? 0;
    if ((given.get('scale_factor') ?? 1) !== 1 && Math.abs(latitude) === 90) {
      name = 'Stereographic';
    } else {
      name = latitude < 0 ? 'Stereographic_South_Pole' : 'Stereographic_North_Pole';
      drop('scale_factor');
      rename('latitude_of_origin', 'standard_parallel_1');
    }
  } else if (projection === 'Lambert_Conformal_Conic_1SP') {
    given.set('standard_parallel_1', given.get('latitude_of_origin') ?? 0);
  } else if (projection === 'Albers_Conic_Equal_Area' || projection === 'Equidistant_Conic') {
    rename('latitude_of_center', 'latitude_of_origin');
    rename('longitude_of_center', 'central_meridian');
  } else if (projection === 'Lambert_Azimuthal_Equal_Area' || projection === 'Azimuthal_Equidistant') {
    rename('latitude_of_center', 'latitude_of_origin');
    rename('longitude_of_center', 'central_meridian');
  } else if (/^Hotine|^Oblique_Mercator/.test(projection)) {
    const azimuth = given.get('azimuth');
    const grid = given.get('rectified_grid_angle');
    // ESRI has no grid angle of its own.
    if (azimuth === undefined || (grid !== undefined && Math.abs(grid - azimuth) > 1e-9)) return null;
    drop('rectified_grid_angle');
  } else if (projection === 'Krovak') {
    return null;
  }
  if (!name) return null;
  const list = [...given].map(
    ([parameter, value]): Node => ({
      keyword: 'PARAMETER',
      values: [parameters[parameter] ?? capitals(parameter), value],
    }),
  );
  return {
    keyword: 'PROJCS',
    values: [
      underscores(String(node.values[0])),
      geographic(base),
      { keyword: 'PROJECTION', values: [name] },
      ...list,
      unitNode(unit),
    ],
  };
}

function geographic(node: Node): Node {
  const name = String(node.values[0]);
  const datum = child(node, 'DATUM');
  const spheroid = datum && child(datum, 'SPHEROID');
  const meridian = child(node, 'PRIMEM');
  const unit = child(node, 'UNIT');
  const datumName = String(datum?.values[0] ?? '');
  const spheroidName = String(spheroid?.values[0] ?? '');
  return {
    keyword: 'GEOGCS',
    values: [
      geographicSystems[name] ?? `GCS_${underscores(name)}`,
      {
        keyword: 'DATUM',
        values: [
          datums[datumName] ?? `D_${underscores(datumName)}`,
          {
            keyword: 'SPHEROID',
            values: [
              spheroids[spheroidName] ?? underscores(spheroidName),
              ...(spheroid?.values.slice(1, 3) ?? []),
            ],
          },
        ],
      },
      {
        keyword: 'PRIMEM',
        values: [String(meridian?.values[0] ?? 'Greenwich'), Number(meridian?.values[1] ?? 0)],
      },
      unit ? unitNode(unit) : { keyword: 'UNIT', values: ['Degree', Math.PI / 180] },
    ],
  };
}

function unitNode(node: Node): Node {
  const name = String(node.values[0]);
  return { keyword: 'UNIT', values: [units[name] ?? underscores(name), node.values[1]] };
}

/** `false_easting` → `False_Easting`. */
function capitals(name: string): string {
  return name.replace(/(^|_)([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}

function underscores(name: string): string {
  return name.replace(/[^A-Za-z0-9+]+/g, '_').replace(/^_|_$/g, '');
}

function isNode(value: Node['values'][number], keyword: string): value is Node {
  return typeof value === 'object' && value.keyword === keyword;
}

function child(node: Node, keyword: string): Node | undefined {
  return node.values.find((value): value is Node => isNode(value, keyword));
}

function write(node: Node): string {
  const values = node.values.map((value) => {
    if (typeof value === 'object') return write(value);
    if (typeof value === 'string') return `"${value}"`;
    return Number.isInteger(value) ? value.toFixed(1) : String(value);
  });
  return `${node.keyword}[${values.join(',')}]`;
}

/** Deeper than any system; a file could nest without end. */
const maximumDepth = 16;

/** Throws a SyntaxError for text that is not WKT. Bare words (axis directions) become strings. */
function parse(text: string): Node {
  const token = /\s*(?:"((?:[^"]|"")*)"|([-+]?[\d.]+(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|([[(\]),]))/gy;
  const take = (): RegExpExecArray => {
    const match = token.exec(text);
    if (!match) throw new SyntaxError('not well-known text');
    return match;
  };
  const node = (keyword: string, depth: number): Node => {
    if (depth > maximumDepth) throw new SyntaxError('nested too deeply');
    const values: Node['values'] = [];
    for (;;) {
      const [, quoted, number, word, mark] = take();
      if (mark !== undefined) throw new SyntaxError(`unexpected ${mark}`);
      let after: RegExpExecArray | null = null;
      if (quoted !== undefined) values.push(quoted.replaceAll('""', '"'));
      else if (number !== undefined) values.push(Number(number));
      else {
        after = take();
        if (after[4] === '[' || after[4] === '(') {
          values.push(node(word.toUpperCase(), depth + 1));
          after = null;
        } else values.push(word);
      }
      const separator = (after ?? take())[4];
      if (separator === ']' || separator === ')') return { keyword, values };
      if (separator !== ',') throw new SyntaxError('expected a comma');
    }
  };
  const [, , , word] = take();
  const open = take()[4];
  if (word === undefined || (open !== '[' && open !== '(')) throw new SyntaxError('not well-known text');
  return node(word.toUpperCase(), 0);
}
