import { type Crs, spheroid, wgs84 } from '../raster/crs.ts';
import type { Grid } from '../raster/grid.ts';
import { signedDoubleArea } from './trace.ts';

/** Square metres and metres, or square pixels and pixels without a CRS; the perimeter counts all rings. */
export interface Measurement {
  area: number;
  perimeter: number;
}

/** Measures a polygon from its pixel rings (open, as traced) and its georeferenced rings (closed). */
export type Measure = (pixelRings: readonly Int32Array[], rings: readonly Float64Array[]) => Measurement;

/**
 * How polygons on this grid are measured: on the spheroid for geographic systems and Web Mercator, in the plane of
 * the projection for every other system, in pixels without a CRS.
 */
export function measureOn(grid: Grid): Measure {
  const { crs, transform } = grid;
  if (crs === null) return planarMeasure([0, 1, 0, 0, 0, -1], 1);
  if (crs.kind === 'geographic') return spheroidMeasure(spheroid(crs), degrees);
  if (isWebMercator(crs)) return spheroidMeasure(spheroid(wgs84), webMercator);
  return planarMeasure(transform, crs.metresPerUnit);
}

function planarMeasure(transform: Grid['transform'], metresPerUnit: number): Measure {
  const [, a, b, , d, e] = transform;
  // The area of the pixel lattice is exact in integers, whatever the size of the coordinates.
  const pixelArea = Math.abs(a * e - b * d) * metresPerUnit * metresPerUnit;
  return (pixelRings) => {
    let doubleArea = 0;
    let perimeter = 0;
    for (const ring of pixelRings) {
      doubleArea += signedDoubleArea(ring);
      let x = ring[ring.length - 2]!;
      let y = ring[ring.length - 1]!;
      for (let k = 0; k < ring.length; k += 2) {
        const columns = ring[k]! - x;
        const rows = ring[k + 1]! - y;
        perimeter += Math.hypot(a * columns + b * rows, d * columns + e * rows);
        x = ring[k]!;
        y = ring[k + 1]!;
      }
    }
    return { area: (Math.abs(doubleArea) / 2) * pixelArea, perimeter: perimeter * metresPerUnit };
  };
}

/** Longitude and latitude in radians of a point of the system, written to `place`. */
type ToGeographic = (x: number, y: number, place: Float64Array) => void;

const radiansPerDegree = Math.PI / 180;

function degrees(x: number, y: number, place: Float64Array): void {
  place[0] = x * radiansPerDegree;
  place[1] = y * radiansPerDegree;
}

const webMercatorRadius = 6378137;

/** Web Mercator projects geodetic latitudes as if they were spherical (EPSG method 1024). */
function webMercator(x: number, y: number, place: Float64Array): void {
  place[0] = x / webMercatorRadius;
  place[1] = 2 * Math.atan(Math.exp(y / webMercatorRadius)) - Math.PI / 2;
}

export function isWebMercator(crs: Crs): boolean {
  if (crs.epsg !== null) return crs.epsg === 3857;
  const definition = crs.proj4 ?? '';
  const sphere = /\+a=6378137(\.0*)?(\s|$)/.test(definition) && /\+b=6378137(\.0*)?(\s|$)/.test(definition);
  return definition.includes('+proj=merc') && sphere;
}

/** A Gauss-Legendre rule on [0, 1]. */
interface Quadrature {
  abscissae: readonly number[];
  weights: readonly number[];
}

/** On a parallel nothing varies: one sample stands for all. */
const anyPoint: Quadrature = { abscissae: [0], weights: [1] };
const twoPoints: Quadrature = { abscissae: [0.21132486540518713, 0.7886751345948129], weights: [0.5, 0.5] };
const fivePoints: Quadrature = {
  abscissae: [0.04691007703066802, 0.23076534494715845, 0.5, 0.7692346550528415, 0.953089922969332],
  weights: [
    0.11846344252809454, 0.23931433524968324, 0.28444444444444444, 0.23931433524968324, 0.11846344252809454,
  ],
};

/** Radians: two points integrate an edge up to the first to 1e-14 of its value, five points up to the second. */
const shortEdge = 1e-3;
const longestPiece = 0.035;

/**
 * Area and perimeter on the spheroid of polygons whose edges are straight in the coordinates of the system: along
 * parallels and meridians, as the edges of pixels are, not along geodesics. So neighbours share their edges exactly
 * and the areas of a partition add up to the whole; geodesic edges differ by parts per million for edges of a
 * kilometre.
 *
 * By Green's theorem the area is the contour integral of the authalic function Q(φ), the area between the equator and
 * latitude φ per radian of longitude (Snyder 1987, Map Projections, eq. 3-12), over longitude.
 */
function spheroidMeasure(shape: ReturnType<typeof spheroid>, toGeographic: ToGeographic): Measure {
  const { semiMajorAxis, eccentricitySquared } = shape;
  const eccentricity = Math.sqrt(eccentricitySquared);
  const polarScale = (semiMajorAxis * semiMajorAxis * (1 - eccentricitySquared)) / 2;

  function areaFunction(latitude: number): number {
    const sine = Math.sin(Math.min(Math.max(latitude, -Math.PI / 2), Math.PI / 2));
    const bulge = eccentricity === 0 ? sine : Math.atanh(eccentricity * sine) / eccentricity;
    return polarScale * (sine / (1 - eccentricitySquared * sine * sine) + bulge);
  }

  const start = new Float64Array(2);
  const end = new Float64Array(2);
  const place = new Float64Array(2);
  return (_pixelRings, rings) => {
    let area = 0;
    let perimeter = 0;
    for (const ring of rings) {
      toGeographic(ring[0]!, ring[1]!, start);
      // Measured from the ring's own latitude, so that a small ring far from the equator keeps its digits.
      const base = areaFunction(start[1]!);
      for (let k = 2; k < ring.length; k += 2) {
        const x = ring[k - 2]!;
        const y = ring[k - 1]!;
        const alongX = ring[k]! - x;
        const alongY = ring[k + 1]! - y;
        toGeographic(ring[k]!, ring[k + 1]!, end);
        const longitudes = end[0]! - start[0]!;
        const latitudes = end[1]! - start[1]!;
        const extent = Math.max(Math.abs(longitudes), Math.abs(latitudes));
        const rule = alongY === 0 ? anyPoint : extent < shortEdge ? twoPoints : fivePoints;
        const pieces = rule === fivePoints ? Math.ceil(extent / longestPiece) : 1;
        for (let piece = 0; piece < pieces; piece++) {
          for (let point = 0; point < rule.weights.length; point++) {
            const fraction = (piece + rule.abscissae[point]!) / pieces;
            const weight = rule.weights[point]! / pieces;
            toGeographic(x + fraction * alongX, y + fraction * alongY, place);
            const latitude = place[1]!;
            const sine = Math.sin(latitude);
            const squeeze = 1 - eccentricitySquared * sine * sine;
            const meridianRadius =
              (semiMajorAxis * (1 - eccentricitySquared)) / (squeeze * Math.sqrt(squeeze));
            const parallelRadius = (semiMajorAxis / Math.sqrt(squeeze)) * Math.cos(latitude);
            // Straight in Mercator's y is not uniform in latitude: dφ/dy = cos φ / R.
            const latitudeRate =
              toGeographic === webMercator ? (alongY / webMercatorRadius) * Math.cos(latitude) : latitudes;
            if (longitudes !== 0) area -= weight * (areaFunction(latitude) - base) * longitudes;
            perimeter += weight * Math.hypot(meridianRadius * latitudeRate, parallelRadius * longitudes);
          }
        }
        start.set(end);
      }
    }
    return { area: Math.abs(area), perimeter };
  };
}
