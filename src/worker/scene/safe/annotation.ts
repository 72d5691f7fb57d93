import type { GroundControlPoint } from '../../raster/ground-control.ts';
import { type Orbit, rangeDoppler, speedOfLight, toEarthFixed } from './orbit.ts';
import { type Element, parseXml } from './xml.ts';

/** A Sentinel-1 image annotation (Sentinel-1 Product Specification, S1-RS-MDA-52-7441). */
export interface Annotation {
  mission: string;
  /** `GRD` or `SLC`. */
  productType: string;
  mode: string;
  swath: string;
  polarisation: string;
  pass: string;
  startTime: string;
  width: number;
  height: number;
  /** Metres. */
  rangeSpacing: number;
  azimuthSpacing: number;
  /** Range looks times azimuth looks, the mean over the swaths. */
  looks: number;
  noiseRemoved: boolean;
  grid: GeolocationPoint[];
  orbit: Orbit;
}

/** `line` and `pixel` count from 0 at the first pixel's centre. */
export interface GeolocationPoint {
  line: number;
  pixel: number;
  longitude: number;
  latitude: number;
  /** Metres above the ellipsoid. */
  height: number;
  /** Seconds since 1970. */
  time: number;
  slantRangeTime: number;
}

const largestSide = 2 ** 20;
const mostGridPoints = 65_536;

/** Throws `scene/corrupt`. */
export function parseAnnotation(text: string, file: string): Annotation {
  const root = parseXml(text, file, 'product');
  const header = root.need('adsHeader');
  const image = root.need('imageAnnotation/imageInformation');
  const side = (name: string): number => {
    const value = image.number(name);
    if (!Number.isInteger(value) || value < 1 || value > largestSide)
      throw image.damaged(`says ${name} is ${value}`);
    return value;
  };
  const points = root.all('geolocationGrid/geolocationGridPointList/geolocationGridPoint');
  if (points.length > mostGridPoints) throw root.damaged(`holds ${points.length} geolocation points`);
  const swaths = root.all('imageAnnotation/processingInformation/swathProcParamsList/swathProcParams');
  const looks = swaths.map(
    (swath) =>
      swath.positive('rangeProcessing/numberOfLooks') * swath.positive('azimuthProcessing/numberOfLooks'),
  );
  return {
    mission: header.need('missionId').text,
    productType: header.need('productType').text,
    mode: header.need('mode').text,
    swath: header.need('swath').text,
    polarisation: header.need('polarisation').text,
    startTime: header.need('startTime').text,
    pass: root.find('generalAnnotation/productInformation/pass')?.text ?? '',
    width: side('numberOfSamples'),
    height: side('numberOfLines'),
    rangeSpacing: image.positive('rangePixelSpacing'),
    azimuthSpacing: image.positive('azimuthPixelSpacing'),
    looks: looks.length === 0 ? 1 : looks.reduce((sum, value) => sum + value, 0) / looks.length,
    noiseRemoved:
      root.find('imageAnnotation/processingInformation/thermalNoiseCorrectionPerformed')?.text === 'true',
    grid: points.map(gridPoint),
    orbit: orbitOf(root),
  };
}

function gridPoint(point: Element): GeolocationPoint {
  return {
    line: point.number('line'),
    pixel: point.number('pixel'),
    longitude: point.within('longitude', 180),
    latitude: point.within('latitude', 90),
    height: point.number('height'),
    time: point.seconds('azimuthTime'),
    slantRangeTime: point.number('slantRangeTime'),
  };
}

function orbitOf(root: Element): Orbit {
  const vectors = root.all('generalAnnotation/orbitList/orbit');
  const axes = ['x', 'y', 'z'];
  return {
    times: Float64Array.from(vectors, (vector) => vector.seconds('time')),
    positions: Float64Array.from(
      vectors.flatMap((vector) => axes.map((axis) => vector.number(`position/${axis}`))),
    ),
    velocities: Float64Array.from(
      vectors.flatMap((vector) => axes.map((axis) => vector.number(`velocity/${axis}`))),
    ),
  };
}

/** The geolocation grid as ground control: its whole lines and pixels are pixel centres, ours are corners. */
export function groundPoints(grid: readonly GeolocationPoint[]): GroundControlPoint[] {
  return grid.map(({ line, pixel, longitude, latitude }) => [pixel + 0.5, line + 0.5, longitude, latitude]);
}

/** A product's corners as its manifest gives them, and how well the annotation's orbit and ranges explain them. */
export interface FootprintCheck {
  /** Largest distance between a corner computed and given, metres; infinite where orbit and ranges contradict each other. */
  worst: number;
  /** Height above the ellipsoid of the first and the last line's corners that explains them best, metres. */
  heights: [number, number];
}

/**
 * A manifest's footprint lies on a surface at the scene's mean terrain height, so it is up to kilometres away from the
 * corners of the geolocation grid, which lie on the terrain. The check finds one height for both corners of the first
 * line and one for the last, by range-Doppler from the annotation's orbit: eight coordinates, two unknowns.
 */
export function checkFootprint(
  annotation: Annotation,
  footprint: readonly (readonly [longitude: number, latitude: number])[],
): FootprintCheck | null {
  const { grid, orbit } = annotation;
  if (footprint.length < 4 || orbit.times.length < 4 || grid.length < 4) return null;
  const ends = [
    Math.min(...grid.map(({ line }) => line)),
    Math.max(...grid.map(({ line }) => line)),
  ] as const;
  const heights: number[] = [];
  let worst = 0;
  for (const end of ends) {
    const line = grid.filter((point) => point.line === end).sort((a, b) => a.pixel - b.pixel);
    const corners = [line[0]!, line[line.length - 1]!].map((point) => ({
      point,
      given: nearest(footprint, point),
    }));
    const miss = (height: number): number =>
      Math.max(
        ...corners.map(({ point, given }) => {
          const range = (point.slantRangeTime * speedOfLight) / 2;
          const found = rangeDoppler(orbit, point.time, range, height, [point.longitude, point.latitude]);
          return found === null ? Number.POSITIVE_INFINITY : distance(found, given);
        }),
      );
    const height = lowest(miss, -500, 9000);
    heights.push(height);
    worst = Math.max(worst, miss(height));
  }
  return { worst, heights: [heights[0]!, heights[1]!] };
}

type Place = readonly [longitude: number, latitude: number];

function nearest(places: readonly Place[], { longitude, latitude }: GeolocationPoint): Place {
  return places.reduce((best, place) =>
    distance(place, [longitude, latitude]) < distance(best, [longitude, latitude]) ? place : best,
  );
}

/** Straight distance of two places on the ellipsoid, metres. */
function distance(a: Place, b: Place): number {
  const p = toEarthFixed(a[0], a[1], 0);
  const q = toEarthFixed(b[0], b[1], 0);
  return Math.hypot(p[0]! - q[0]!, p[1]! - q[1]!, p[2]! - q[2]!);
}

/** Where a function with a single minimum is least: golden section. */
function lowest(f: (value: number) => number, low: number, high: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [from, to] = [low, high];
  let left = to - ratio * (to - from);
  let right = from + ratio * (to - from);
  let [atLeft, atRight] = [f(left), f(right)];
  while (to - from > 0.01) {
    if (atLeft < atRight) {
      [to, right, atRight] = [right, left, atLeft];
      left = to - ratio * (to - from);
      atLeft = f(left);
    } else {
      [from, left, atLeft] = [left, right, atRight];
      right = from + ratio * (to - from);
      atRight = f(right);
    }
  }
  return (from + to) / 2;
}
