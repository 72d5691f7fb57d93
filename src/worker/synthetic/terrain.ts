import type { Layout, Parcel } from './layout.ts';
import { fractalNoise } from './noise.ts';
import { type Border, isRoad, type Partition, type Point } from './partition.ts';
import type { Random } from './random.ts';

/** The edges of a parcel nearest to a place in it, roads measured from their rim. */
export interface Place {
  parcel: number;
  /** Metres to the two nearest edges, in plan, and what runs there. */
  first: number;
  second: number;
  firstEdge: number;
  secondEdge: number;
  /** Metres along the nearest edge, from a fixed point of its line. */
  along: number;
}

/** Bent plan: straight cuts become curved roads and field edges. */
export class Terrain {
  readonly parcels: readonly Parcel[];
  readonly borders: Border[] = [];
  readonly #bendX: Float32Array;
  readonly #bendY: Float32Array;
  readonly #width: number;
  readonly #height: number;
  readonly #resolution: number;
  /** Cuts as nx, ny, c; children ≥ 0 are cuts, below 0 parcels (-1 - index). */
  readonly #cuts: Float64Array;
  readonly #children: Int32Array;
  /** Edges as inward normal and offset; parcel p has edges start[p] … start[p + 1] - 1. */
  readonly #edges: Float64Array;
  readonly #start: Int32Array;
  /** Half width of the road on each edge, 0 without one. */
  readonly #roads: Float64Array;

  constructor(random: Random, layout: Layout, width: number, height: number, resolution: number) {
    this.parcels = layout.parcels;
    this.#width = width;
    this.#height = height;
    this.#resolution = resolution;
    // Slope of the bend stays well below 1, so that it can be inverted and no road folds over itself.
    const amplitude = 9;
    this.#bendX = fractalNoise(random, width, height, 170 / resolution, 2, 0.35);
    this.#bendY = fractalNoise(random, width, height, 170 / resolution, 2, 0.35);
    for (let i = 0; i < this.#bendX.length; i++) {
      this.#bendX[i]! *= amplitude;
      this.#bendY[i]! *= amplitude;
    }

    const cuts: number[] = [];
    const children: number[] = [];
    const flatten = (node: Partition): number => {
      if ('leaf' in node) return -1 - node.leaf;
      const index = children.length / 2;
      cuts.push(node.nx, node.ny, node.c);
      children.push(0, 0);
      const inside = flatten(node.inside);
      const outside = flatten(node.outside);
      children[2 * index] = inside;
      children[2 * index + 1] = outside;
      return index;
    };
    const root = flatten(layout.tree);
    if (root < 0) {
      // One parcel alone: a cut that never takes the other side.
      cuts.push(0, 0, 1);
      children.push(root, root);
    }
    this.#cuts = Float64Array.from(cuts);
    this.#children = Int32Array.from(children);

    const edges: number[] = [];
    const start: number[] = [];
    for (const { cell } of layout.parcels) {
      start.push(edges.length / 3);
      for (let i = 0; i < cell.corners.length; i++) {
        const [x0, y0] = cell.corners[i]!;
        const [x1, y1] = cell.corners[(i + 1) % cell.corners.length]!;
        const length = Math.hypot(x1 - x0, y1 - y0) || 1;
        const nx = -(y1 - y0) / length;
        const ny = (x1 - x0) / length;
        edges.push(nx, ny, nx * x0 + ny * y0);
        this.borders.push(cell.borders[i]!);
      }
    }
    start.push(edges.length / 3);
    this.#roads = Float64Array.from(this.borders, (border) => (isRoad(border) ? border.halfWidth : 0));
    this.#edges = Float64Array.from(edges);
    this.#start = Int32Array.from(start);
  }

  /** Plan coordinates of a place in the scene, metres. */
  toPlan(x: number, y: number): Point {
    const column = Math.min(Math.max(Math.floor(x / this.#resolution), 0), this.#width - 1);
    const row = Math.min(Math.max(Math.floor(y / this.#resolution), 0), this.#height - 1);
    const i = row * this.#width + column;
    return [x + this.#bendX[i]!, y + this.#bendY[i]!];
  }

  /** The place in the scene that `toPlan` maps to these plan coordinates, to about a pixel. */
  fromPlan(px: number, py: number): Point {
    let x = px;
    let y = py;
    for (let step = 0; step < 6; step++) {
      const [bx, by] = this.toPlan(x, y);
      x += px - bx;
      y += py - by;
    }
    return [x, y];
  }

  /** Fills `place` for plan coordinates. */
  locate(px: number, py: number, place: Place): void {
    const cuts = this.#cuts;
    const edges = this.#edges;
    let node = 0;
    while (node >= 0) {
      const at = node * 3;
      const inside = cuts[at]! * px + cuts[at + 1]! * py < cuts[at + 2]!;
      node = this.#children[2 * node + (inside ? 0 : 1)]!;
    }
    const parcel = -1 - node;
    place.parcel = parcel;
    let first = Number.POSITIVE_INFINITY;
    let second = Number.POSITIVE_INFINITY;
    let firstEdge = -1;
    let secondEdge = -1;
    const end = this.#start[parcel + 1]!;
    for (let edge = this.#start[parcel]!; edge < end; edge++) {
      const distance =
        edges[edge * 3]! * px + edges[edge * 3 + 1]! * py - edges[edge * 3 + 2]! - this.#roads[edge]!;
      if (distance < first) {
        second = first;
        secondEdge = firstEdge;
        first = distance;
        firstEdge = edge;
      } else if (distance < second) {
        second = distance;
        secondEdge = edge;
      }
    }
    place.first = first + this.#roads[firstEdge]!;
    place.second = second + this.#roads[secondEdge]!;
    place.firstEdge = firstEdge;
    place.secondEdge = secondEdge;
    place.along = edges[firstEdge * 3]! * py - edges[firstEdge * 3 + 1]! * px;
  }
}
