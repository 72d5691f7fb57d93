import proj4 from 'proj4';
import { type Crs, needsGrids } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';

/** Metres on the ground below which a straight edge is as good as its projection: half a unit of 1e-7 degrees. */
const tolerance = 0.005;
/** Metres. Shorter edges bend less than the tolerance wherever a map projection is used sensibly (L²/8R). */
const shortEdge = 200;
/** Metres. Longer edges are halved even if they seem straight: they may run around the globe. */
const longEdge = 2_000_000;
const metresPerDegree = 111_320;
const maximumDepth = 24;

/**
 * Turns rings of a reference system into WGS 84 longitudes and latitudes. Longitudes are continuous along a ring and
 * from the exterior to its holes, so they may leave [-180, 180]; see `cutAtAntimeridian`. Edges that a projection
 * bends get points in between, so that neighbours and holes do not come to cross a chord.
 */
export class LongitudeLatitude {
  readonly #forward: ((point: [number, number]) => [number, number]) | null;
  readonly #geographic: boolean;
  /** Metres per unit of the source, roughly. */
  readonly #metres: number;
  readonly #name: string;

  /** Throws a Problem `output/no-transform` for a system without a definition that proj4 understands. */
  constructor(crs: Crs) {
    this.#name = crs.name;
    this.#geographic = crs.kind === 'geographic';
    this.#metres = this.#geographic ? metresPerDegree : crs.metresPerUnit;
    const definition = crs.proj4 ?? crs.wkt;
    try {
      if (definition === null) throw new Error('it has no definition');
      if (needsGrids(definition)) throw new Error('its datum is described by a grid file');
      this.#forward = crs.epsg === 4326 ? null : proj4(definition, 'EPSG:4326').forward;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Problem(
        'output/no-transform',
        `GeoJSON needs longitudes and latitudes, and ${crs.name} cannot be turned into them (${reason}).`,
        'Use --format gpkg or shp, which keep the coordinates of the scene.',
        error,
      );
    }
  }

  /** lon, lat, … closed up to a multiple of 360°. Throws a Problem for points that have no longitude and latitude. */
  ring(source: Float64Array, reference: number | null): Float64Array {
    const points: number[] = [];
    let [fromX, fromY] = [source[0], source[1]];
    let from = this.#point(fromX, fromY);
    if (reference !== null && !this.#geographic) from[0] += 360 * Math.round((reference - from[0]) / 360);
    points.push(from[0], from[1]);
    for (let i = 2; i + 1 < source.length; i += 2) {
      const x = source[i];
      const y = source[i + 1];
      const to = this.#point(x, y);
      from = this.#edge(points, fromX, fromY, from, x, y, to, 0);
      fromX = x;
      fromY = y;
    }
    return Float64Array.from(points);
  }

  /** Whether the axes of the source run so that rings change their direction, at a point and thus everywhere. */
  mirrors(x: number, y: number): boolean {
    const step = 1 / this.#metres;
    const origin = this.#point(x, y);
    const right = this.#point(x + step, y);
    const up = this.#point(x, y + step);
    const turn = (degrees: number) => degrees - 360 * Math.round(degrees / 360);
    const determinant =
      turn(right[0] - origin[0]) * (up[1] - origin[1]) - turn(up[0] - origin[0]) * (right[1] - origin[1]);
    return determinant < 0;
  }

  /** Appends the edge's points without its first; returns its last, in continuous longitude. */
  #edge(
    points: number[],
    x1: number,
    y1: number,
    from: [number, number],
    x2: number,
    y2: number,
    to: [number, number],
    depth: number,
  ): [number, number] {
    if (!this.#geographic) to[0] += 360 * Math.round((from[0] - to[0]) / 360);
    const length = Math.max(Math.abs(x2 - x1), Math.abs(y2 - y1)) * this.#metres;
    if (this.#forward && length > shortEdge && depth < maximumDepth) {
      const x = (x1 + x2) / 2;
      const y = (y1 + y2) / 2;
      const middle = this.#point(x, y);
      if (!this.#geographic) middle[0] += 360 * Math.round((from[0] - middle[0]) / 360);
      const east = (middle[0] - (from[0] + to[0]) / 2) * Math.cos((middle[1] * Math.PI) / 180);
      const north = middle[1] - (from[1] + to[1]) / 2;
      const bend = Math.max(Math.abs(east), Math.abs(north)) * metresPerDegree;
      if (bend > tolerance || (length > longEdge && !this.#geographic)) {
        const end = this.#edge(points, x1, y1, from, x, y, middle, depth + 1);
        return this.#edge(points, x, y, end, x2, y2, to, depth + 1);
      }
    }
    points.push(to[0], to[1]);
    return to;
  }

  #point(x: number, y: number): [number, number] {
    if (!this.#forward) return [x, y];
    const point = this.#forward([x, y]);
    // A geographic system has continuous longitudes already; a change of datum must not wrap them.
    if (this.#geographic) point[0] += 360 * Math.round((x - point[0]) / 360);
    if (!Number.isFinite(point[0]) || !Number.isFinite(point[1]))
      throw new Problem(
        'output/no-transform',
        `GeoJSON needs longitudes and latitudes, and the point ${x}, ${y} in ${this.#name} has none.`,
        'Check the reference system of the scene, or use --format gpkg or shp, which keep its coordinates.',
      );
    return point;
  }
}
