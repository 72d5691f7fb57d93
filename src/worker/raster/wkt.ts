/** One element of a well-known text: `UNIT["metre", 1]` is keyword UNIT with children "metre" and "1". */
export interface WktNode {
  keyword: string;
  /** Nested elements, and the text of plain values (quotes removed). */
  children: (WktNode | string)[];
}

const longestText = 65_536;
const deepestNesting = 32;

/** Parses WKT 1 or WKT 2 into a tree; null for anything that is not well formed. Keywords come back in capitals. */
export function parseWkt(text: string): WktNode | null {
  if (text.length > longestText) return null;
  let position = 0;

  function skipSpace(): void {
    while (position < text.length && /\s/.test(text[position]!)) position++;
  }

  function value(depth: number): WktNode | string | null {
    skipSpace();
    if (depth > deepestNesting) return null;
    if (text[position] === '"') {
      let content = '';
      position++;
      for (; position < text.length; position++) {
        if (text[position] === '"') {
          if (text[position + 1] !== '"') {
            position++;
            return content;
          }
          position++;
        }
        content += text[position];
      }
      return null;
    }
    const start = position;
    while (position < text.length && !/[[\](),\s]/.test(text[position]!)) position++;
    const word = text.slice(start, position);
    if (word === '') return null;
    skipSpace();
    if (text[position] !== '[' && text[position] !== '(') return word;
    position++;
    const node: WktNode = { keyword: word.toUpperCase(), children: [] };
    for (;;) {
      const child = value(depth + 1);
      if (child === null) return null;
      node.children.push(child);
      skipSpace();
      const mark = text[position++];
      if (mark === ']' || mark === ')') return node;
      if (mark !== ',') return null;
    }
  }

  const root = value(0);
  return root === null || typeof root === 'string' ? null : root;
}

/** The first nested element with this keyword, directly below `node`. */
export function wktChild(node: WktNode, keyword: string): WktNode | null {
  for (const child of node.children) if (typeof child !== 'string' && child.keyword === keyword) return child;
  return null;
}

/** The plain value at `index`. */
export function wktText(node: WktNode, index = 0): string | null {
  const child = node.children[index];
  return typeof child === 'string' ? child : null;
}

/** The plain value at `index` as a number, null where it is none. */
export function wktNumber(node: WktNode, index: number): number | null {
  const text = wktText(node, index);
  if (text === null || text.trim() === '') return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

interface ProjectionNames {
  /** WKT 1 name of the projection (OGC 01-009 and GDAL's list). */
  wkt: string;
  /** WKT parameter, proj4 key, value when the key is absent. */
  parameters: readonly (readonly [string, string, number])[];
}

const eastingNorthing = [
  ['false_easting', 'x_0', 0],
  ['false_northing', 'y_0', 0],
] as const;

const projections: Record<string, ProjectionNames> = {
  tmerc: {
    wkt: 'Transverse_Mercator',
    parameters: [
      ['latitude_of_origin', 'lat_0', 0],
      ['central_meridian', 'lon_0', 0],
      ['scale_factor', 'k_0', 1],
      ...eastingNorthing,
    ],
  },
  merc: {
    wkt: 'Mercator_1SP',
    parameters: [['central_meridian', 'lon_0', 0], ['scale_factor', 'k_0', 1], ...eastingNorthing],
  },
  lcc: {
    wkt: 'Lambert_Conformal_Conic_2SP',
    parameters: [
      ['standard_parallel_1', 'lat_1', 0],
      ['standard_parallel_2', 'lat_2', 0],
      ['latitude_of_origin', 'lat_0', 0],
      ['central_meridian', 'lon_0', 0],
      ...eastingNorthing,
    ],
  },
  aea: {
    wkt: 'Albers_Conic_Equal_Area',
    parameters: [
      ['standard_parallel_1', 'lat_1', 0],
      ['standard_parallel_2', 'lat_2', 0],
      ['latitude_of_center', 'lat_0', 0],
      ['longitude_of_center', 'lon_0', 0],
      ...eastingNorthing,
    ],
  },
  laea: {
    wkt: 'Lambert_Azimuthal_Equal_Area',
    parameters: [['latitude_of_center', 'lat_0', 0], ['longitude_of_center', 'lon_0', 0], ...eastingNorthing],
  },
  eqc: {
    wkt: 'Equirectangular',
    parameters: [
      ['standard_parallel_1', 'lat_ts', 0],
      ['latitude_of_origin', 'lat_0', 0],
      ['central_meridian', 'lon_0', 0],
      ...eastingNorthing,
    ],
  },
  sinu: { wkt: 'Sinusoidal', parameters: [['longitude_of_center', 'lon_0', 0], ...eastingNorthing] },
  cea: {
    wkt: 'Cylindrical_Equal_Area',
    parameters: [['standard_parallel_1', 'lat_ts', 0], ['central_meridian', 'lon_0', 0], ...eastingNorthing],
  },
  poly: {
    wkt: 'Polyconic',
    parameters: [['latitude_of_origin', 'lat_0', 0], ['central_meridian', 'lon_0', 0], ...eastingNorthing],
  },
  geos: {
    wkt: 'Geostationary_Satellite',
    parameters: [['central_meridian', 'lon_0', 0], ['satellite_height', 'h', 35785831], ...eastingNorthing],
  },
  moll: { wkt: 'Mollweide', parameters: [['central_meridian', 'lon_0', 0], ...eastingNorthing] },
  robin: { wkt: 'Robinson', parameters: [['longitude_of_center', 'lon_0', 0], ...eastingNorthing] },
};

const alternativeKeys: Record<string, string> = { k_0: 'k', lat_2: 'lat_1' };

/**
 * WKT 1 of a system that is known only by its proj4 string, on the spheroid given; null for projections without an entry
 * in the table above. `metresPerUnit` is the projected unit.
 */
export function wktFromProj4(
  name: string,
  definition: string,
  semiMajorAxis: number,
  eccentricitySquared: number,
  metresPerUnit: number,
): string | null {
  const keys = new Map<string, string>();
  for (const word of definition.split(/\s+/)) {
    const [key, value] = word.replace(/^\+/, '').split('=');
    if (key !== undefined) keys.set(key, value ?? '');
  }
  const flattening = 1 - Math.sqrt(1 - eccentricitySquared);
  // Twelve digits hide the rounding of a round trip through the semi-minor axis.
  const inverse = flattening === 0 ? 0 : Number((1 / flattening).toPrecision(12));
  const datum = keys.get('datum') === 'WGS84' ? 'WGS_1984' : 'unknown';
  const shift = keys.get('towgs84');
  const towgs84 =
    shift !== undefined && /^[-\d.,eE+]+$/.test(shift) ? `,TOWGS84[${sevenParameters(shift)}]` : '';
  const geographic =
    `GEOGCS["${datum === 'WGS_1984' ? 'WGS 84' : 'unknown'}",DATUM["${datum}",` +
    `SPHEROID["${datum === 'WGS_1984' ? 'WGS 84' : 'unknown'}",${semiMajorAxis},${inverse}]${towgs84}],` +
    `PRIMEM["Greenwich",${numberOf(keys.get('pm'), 0)}],UNIT["degree",0.0174532925199433]]`;
  const method = keys.get('proj');
  if (method === undefined) return null;
  const title = name.replaceAll('"', "'");
  if (method === 'longlat') return geographic.replace(/^GEOGCS\["[^"]*"/, () => `GEOGCS["${title}"`);
  const entry = entryOf(method, keys);
  if (entry === null) return null;
  const parameters = entry.parameters.map(([parameter, key, fallback]) => {
    const value = numberOf(keys.get(key) ?? keys.get(alternativeKeys[key] ?? key), fallback);
    // A false easting is written in the system's unit; proj4 keeps it in metres.
    return `PARAMETER["${parameter}",${key === 'x_0' || key === 'y_0' ? value / metresPerUnit : value}]`;
  });
  const unit = metresPerUnit === 1 ? 'metre' : 'unknown';
  return (
    `PROJCS["${title}",${geographic},PROJECTION["${entry.wkt}"],${parameters.join(',')},` +
    `UNIT["${unit}",${metresPerUnit}],AXIS["Easting",EAST],AXIS["Northing",NORTH]]`
  );
}

function entryOf(method: string, keys: Map<string, string>): ProjectionNames | null {
  if (method === 'utm') {
    const zone = numberOf(keys.get('zone'), 0);
    if (!(zone >= 1 && zone <= 60)) return null;
    keys
      .set('lon_0', String(zone * 6 - 183))
      .set('k_0', '0.9996')
      .set('x_0', '500000')
      .set('lat_0', '0');
    keys.set('y_0', keys.has('south') ? '10000000' : '0');
    return projections.tmerc!;
  }
  if (method === 'merc' && keys.has('lat_ts')) {
    return {
      wkt: 'Mercator_2SP',
      parameters: [
        ['standard_parallel_1', 'lat_ts', 0],
        ['central_meridian', 'lon_0', 0],
        ...eastingNorthing,
      ],
    };
  }
  if (method === 'lcc' && !keys.has('lat_2') && keys.has('lat_1')) {
    return {
      wkt: 'Lambert_Conformal_Conic_1SP',
      parameters: [
        ['latitude_of_origin', 'lat_1', 0],
        ['central_meridian', 'lon_0', 0],
        ['scale_factor', 'k_0', 1],
        ...eastingNorthing,
      ],
    };
  }
  if (method === 'stere') {
    const polar = Math.abs(numberOf(keys.get('lat_0'), 0)) === 90;
    const latitudeKey = polar && keys.has('lat_ts') ? 'lat_ts' : 'lat_0';
    return {
      wkt: polar ? 'Polar_Stereographic' : 'Stereographic',
      parameters: [
        ['latitude_of_origin', latitudeKey, 0],
        ['central_meridian', 'lon_0', 0],
        ['scale_factor', 'k_0', 1],
        ...eastingNorthing,
      ],
    };
  }
  return projections[method] ?? null;
}

function sevenParameters(shift: string): string {
  const numbers = shift.split(',').map(Number);
  while (numbers.length < 7) numbers.push(0);
  return numbers.slice(0, 7).join(',');
}

function numberOf(text: string | undefined, fallback: number): number {
  const number = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : fallback;
}
