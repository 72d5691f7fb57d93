import { Problem } from '../report/problem.ts';

/** Points nearer than this share of the largest coordinate are one: half a millimetre on a UTM grid. */
const relativeTolerance = 1e-10;

/**
 * Directed edges between numbered vertices, the inside of the polygons on their left. Rings of polygons that share
 * borders become edges that meet only at vertices, so that shared borders cancel and a cut separates.
 */
export class PlanarEdges {
  readonly x: number[] = [];
  readonly y: number[] = [];
  readonly #tolerance: number;
  readonly #cells = new Map<string, number[]>();

  constructor(largest: number) {
    this.#tolerance = Math.max(largest, Number.MIN_VALUE) * relativeTolerance;
  }

  /** For polygons given as closed rings x, y, x, y, …. Throws a `Problem` for numbers that are no coordinates. */
  static around(polygons: readonly (readonly Float64Array[])[]): PlanarEdges {
    let largest = 0;
    for (const rings of polygons)
      for (const ring of rings) {
        if (ring.length < 8 || ring.length % 2 !== 0 || !ring.every(Number.isFinite))
          throw new Problem('edit/ring', 'A ring needs three corners at least.', 'Draw it again.');
        for (const value of ring) largest = Math.max(largest, Math.abs(value));
      }
    return new PlanarEdges(largest);
  }

  /** Number of the vertex at a point, new if there is none within the tolerance. */
  vertex(x: number, y: number): number {
    const size = this.#tolerance * 2;
    const column = Math.floor(x / size);
    const row = Math.floor(y / size);
    for (let dx = -1; dx <= 1; dx++)
      for (let dy = -1; dy <= 1; dy++)
        for (const v of this.#cells.get(`${column + dx},${row + dy}`) ?? [])
          if (Math.hypot(this.x[v]! - x, this.y[v]! - y) <= this.#tolerance) return v;
    const v = this.x.push(x) - 1;
    this.y.push(y);
    const key = `${column},${row}`;
    const cell = this.#cells.get(key);
    if (cell) cell.push(v);
    else this.#cells.set(key, [v]);
    return v;
  }

  /** The edges of a line or closed ring as pairs of vertices, flat. */
  edges(points: Float64Array): number[] {
    const pairs: number[] = [];
    let from = this.vertex(points[0]!, points[1]!);
    for (let i = 2; i < points.length; i += 2) {
      const to = this.vertex(points[i]!, points[i + 1]!);
      if (to !== from) pairs.push(from, to);
      from = to;
    }
    return pairs;
  }

  /** The edges cut at every vertex that lies on them. */
  node(pairs: readonly number[]): number[] {
    const { x, y } = this;
    const order = x.map((_, v) => v).sort((a, b) => x[a]! - x[b]!);
    const sorted = order.map((v) => x[v]!);
    const noded: number[] = [];
    for (let e = 0; e < pairs.length; e += 2) {
      const from = pairs[e]!;
      const to = pairs[e + 1]!;
      const [x0, y0] = [x[from]!, y[from]!];
      const [dx, dy] = [x[to]! - x0, y[to]! - y0];
      const length = Math.hypot(dx, dy);
      const low = Math.min(x0, x[to]!) - this.#tolerance;
      const high = Math.max(x0, x[to]!) + this.#tolerance;
      const on: [number, number][] = [];
      for (let i = lowerBound(sorted, low); i < order.length && sorted[i]! <= high; i++) {
        const v = order[i]!;
        if (v === from || v === to) continue;
        const along = ((x[v]! - x0) * dx + (y[v]! - y0) * dy) / length;
        const across = ((x[v]! - x0) * dy - (y[v]! - y0) * dx) / length;
        if (along > 0 && along < length && Math.abs(across) <= this.#tolerance) on.push([along, v]);
      }
      on.sort((a, b) => a[0] - b[0]);
      let previous = from;
      for (const [, v] of on) {
        noded.push(previous, v);
        previous = v;
      }
      noded.push(previous, to);
    }
    return noded;
  }

  /**
   * Where edges of `a` cross edges of `b` between their ends: edge numbers and the point. Edges that only touch do not
   * cross.
   */
  crossings(a: readonly number[], b: readonly number[]): { a: number; b: number; x: number; y: number }[] {
    const { x, y } = this;
    const found: { a: number; b: number; x: number; y: number }[] = [];
    const cross = (e: number, f: number) => {
      const [p, q, r, s] = [a[2 * e]!, a[2 * e + 1]!, b[2 * f]!, b[2 * f + 1]!];
      if (p === r || p === s || q === r || q === s) return;
      const side = (u: number, v: number, w: number) =>
        (x[v]! - x[u]!) * (y[w]! - y[u]!) - (y[v]! - y[u]!) * (x[w]! - x[u]!);
      const [c, d] = [side(p, q, r), side(p, q, s)];
      const [g, h] = [side(r, s, p), side(r, s, q)];
      if (c * d >= 0 || g * h >= 0) return;
      const t = g / (g - h);
      found.push({ a: e, b: f, x: x[p]! + t * (x[q]! - x[p]!), y: y[p]! + t * (y[q]! - y[p]!) });
    };
    // A line sweeps from left to right over both; `open` are the edges that it has entered and not yet left.
    const entering = [a, b].flatMap((pairs, list) =>
      Array.from({ length: pairs.length / 2 }, (_, e) => {
        const ends = [x[pairs[2 * e]!]!, x[pairs[2 * e + 1]!]!];
        return { list, e, left: Math.min(...ends), right: Math.max(...ends) };
      }),
    );
    entering.sort((p, q) => p.left - q.left);
    const open: [typeof entering, typeof entering] = [[], []];
    for (const edge of entering) {
      const other = edge.list === 0 ? 1 : 0;
      open[other] = open[other].filter(({ right }) => right >= edge.left);
      for (const { e } of open[other]) {
        if (edge.list === 0) cross(edge.e, e);
        else cross(e, edge.e);
      }
      open[edge.list === 0 ? 0 : 1].push(edge);
    }
    return found;
  }

  /** Closed rings along the edges, each keeping to its inside on the left; no ring meets a vertex twice. */
  rings(pairs: readonly number[]): Float64Array[] {
    return this.cycles(pairs)
      .flatMap(({ vertices }) => simpleLoops(vertices))
      .filter((loop) => loop.length >= 3)
      .map((loop) => {
        const ring = new Float64Array(loop.length * 2 + 2);
        for (let i = 0; i <= loop.length; i++) {
          ring[2 * i] = this.x[loop[i % loop.length]!]!;
          ring[2 * i + 1] = this.y[loop[i % loop.length]!]!;
        }
        return ring;
      });
  }

  /** Closed walks that turn as far left as they can; each edge is in one. */
  cycles(pairs: readonly number[]): { vertices: number[]; edges: number[] }[] {
    const { x, y } = this;
    const outgoing = new Map<number, number[]>();
    for (let e = 0; e < pairs.length / 2; e++) {
      const list = outgoing.get(pairs[2 * e]!);
      if (list) list.push(e);
      else outgoing.set(pairs[2 * e]!, [e]);
    }
    const used = new Uint8Array(pairs.length / 2);
    const angle = (from: number, to: number) => Math.atan2(y[to]! - y[from]!, x[to]! - x[from]!);
    const cycles: { vertices: number[]; edges: number[] }[] = [];
    for (let start = 0; start < used.length; start++) {
      if (used[start]) continue;
      const vertices: number[] = [];
      const edges: number[] = [];
      let e = start;
      do {
        used[e] = 1;
        edges.push(e);
        vertices.push(pairs[2 * e]!);
        const at = pairs[2 * e + 1]!;
        const back = angle(at, pairs[2 * e]!);
        let best = -1;
        let bestTurn = Number.POSITIVE_INFINITY;
        for (const candidate of outgoing.get(at) ?? []) {
          if (used[candidate] && candidate !== start) continue;
          let turn = back - angle(at, pairs[2 * candidate + 1]!);
          while (turn <= 0) turn += 2 * Math.PI;
          if (turn < bestTurn) {
            bestTurn = turn;
            best = candidate;
          }
        }
        if (best === -1) throw new Problem('edit/open-ring', 'The border is not closed.', 'Draw it again.');
        e = best;
      } while (e !== start);
      cycles.push({ vertices, edges });
    }
    return cycles;
  }
}

/** Twice the signed area of a closed ring, from its own first point: positive counter-clockwise. */
export function signedArea(ring: Float64Array): number {
  let sum = 0;
  for (let i = 2; i + 3 < ring.length; i += 2) {
    sum +=
      (ring[i]! - ring[0]!) * (ring[i + 3]! - ring[1]!) -
      (ring[i + 2]! - ring[0]!) * (ring[i + 1]! - ring[1]!);
  }
  return sum;
}

/** Whether a point lies inside rings taken together, holes being outside. */
export function isInside(rings: readonly Float64Array[], x: number, y: number): boolean {
  let inside = false;
  for (const ring of rings)
    for (let i = 0; i + 3 < ring.length; i += 2) {
      const [x0, y0, x1, y1] = [ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!];
      if (y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)) inside = !inside;
    }
  return inside;
}

/** Polygons of simple rings: each counter-clockwise ring with the clockwise ones directly in it. */
export function polygonsOf(rings: readonly Float64Array[]): Float64Array[][] {
  const exteriors = rings
    .filter((ring) => signedArea(ring) > 0)
    .sort((a, b) => signedArea(a) - signedArea(b));
  const polygons = exteriors.map((ring) => [ring]);
  for (const ring of rings) {
    if (signedArea(ring) >= 0) continue;
    // A ring on which the middle of the hole's edge lies is a piece within the hole, so it is not the larger.
    const hole = -signedArea(ring) * (1 + 1e-12);
    const [x, y] = [(ring[0]! + ring[2]!) / 2, (ring[1]! + ring[3]!) / 2];
    const owner = exteriors.findIndex(
      (exterior) => signedArea(exterior) > hole && isInside([exterior], x, y),
    );
    if (owner === -1)
      throw new Problem('edit/hole-outside', 'A hole lies outside its polygon.', 'Draw it again.');
    polygons[owner]!.push(ring);
  }
  return polygons;
}

/** A closed walk cut into loops that meet no vertex twice. */
function simpleLoops(walk: readonly number[]): number[][] {
  const loops: number[][] = [];
  const trail: number[] = [];
  const position = new Map<number, number>();
  for (const v of walk) {
    const at = position.get(v);
    if (at !== undefined) {
      const loop = trail.splice(at);
      for (const each of loop) position.delete(each);
      loops.push(loop);
    }
    position.set(v, trail.length);
    trail.push(v);
  }
  loops.push(trail);
  return loops;
}

function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
