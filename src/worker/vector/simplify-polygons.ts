import { throwIfCancelled } from '../report/problem.ts';
import { FewestSegments } from './fewest-segments.ts';
import { isInside, signedArea } from './planar-rings.ts';

/**
 * Simplifies polygons that share borders, each as closed rings (x, y, …, exterior first): a border between two of them
 * is simplified once, so that neighbours fit without gaps. Corners where three borders meet stay. No dropped corner lies
 * farther than `tolerance` (units of the coordinates) from what replaces it. A polygon that would vanish or cross itself
 * keeps its corners, and with it its neighbours' on the same borders.
 */
export function simplifyPolygons(
  polygons: readonly (readonly Float64Array[])[],
  tolerance: number,
  signal?: AbortSignal,
): Float64Array[][] {
  const net = new BorderNet(polygons);
  const borders = new Borders(net, tolerance);
  const simplified = net.rings.map((rings) => rings.map((ring) => borders.simplify(ring)));
  // Whose borders are kept exact may spoil nobody else, but its neighbours have to be made again.
  for (let doubtful = [...polygons.keys()]; doubtful.length > 0; ) {
    throwIfCancelled(signal);
    for (const index of doubtful)
      if (!isSound(simplified[index]!, polygons[index]!))
        for (const ring of net.rings[index]!) borders.keepExact(ring);
    borders.keepCrossingExact();
    // All that are touched, before the first of them is made again.
    doubtful = [...net.rings.keys()].filter((index) =>
      net.rings[index]!.some((ring) => borders.isTouchedBy(ring)),
    );
    for (const index of doubtful) simplified[index] = net.rings[index]!.map((ring) => borders.simplify(ring));
  }
  return simplified;
}

/** The polygons' corners, each once, and which of them are ends of borders. */
class BorderNet {
  /** Corners of each ring by number, without the last that repeats the first. */
  readonly rings: Int32Array[][];
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** 1 for corners where more than two edges meet. */
  readonly isNode: Uint8Array;

  constructor(polygons: readonly (readonly Float64Array[])[]) {
    let count = 0;
    for (const rings of polygons) for (const ring of rings) count += ring.length >> 1;
    this.x = new Float64Array(count);
    this.y = new Float64Array(count);
    const size = 2 ** Math.ceil(Math.log2(Math.max(8, 2 * count)));
    const table = new Int32Array(size).fill(-1);
    const bits = new Float64Array(2);
    const words = new Uint32Array(bits.buffer);
    let vertices = 0;
    const numberOf = (x: number, y: number): number => {
      // Adding 0 makes -0 and 0 one.
      bits[0] = x + 0;
      bits[1] = y + 0;
      let hash = 0;
      for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ words[i]!, 0x9e3779b1) ^ (hash >>> 15);
      for (let at = (hash ^ (hash >>> 13)) & (size - 1); ; at = (at + 1) & (size - 1)) {
        const known = table[at]!;
        if (known < 0) {
          table[at] = vertices;
          this.x[vertices] = x;
          this.y[vertices] = y;
          return vertices++;
        }
        if (this.x[known] === x && this.y[known] === y) return known;
      }
    };
    this.rings = polygons.map((rings) =>
      rings.map((ring) => {
        const corners = new Int32Array(Math.max(0, (ring.length >> 1) - 1));
        for (let i = 0; i < corners.length; i++) corners[i] = numberOf(ring[2 * i]!, ring[2 * i + 1]!);
        return corners;
      }),
    );
    this.isNode = this.#findNodes(vertices);
  }

  #findNodes(vertices: number): Uint8Array {
    const first = new Int32Array(vertices).fill(-1);
    const second = new Int32Array(vertices).fill(-1);
    const isNode = new Uint8Array(vertices);
    const meet = (at: number, other: number) => {
      if (first[at] === -1) first[at] = other;
      else if (first[at] !== other) {
        if (second[at] === -1) second[at] = other;
        else if (second[at] !== other) isNode[at] = 1;
      }
    };
    for (const rings of this.rings)
      for (const ring of rings)
        for (let i = 0; i < ring.length; i++) {
          const next = ring[(i + 1) % ring.length]!;
          meet(ring[i]!, next);
          meet(next, ring[i]!);
        }
    return isNode;
  }
}

/** A border between two nodes, in the direction in which it is simplified. */
interface Border {
  corners: Int32Array;
  /** Places among `corners` that stay; made when first asked for. */
  kept: Int32Array | null;
  isExact: boolean;
}

/** The borders of a net, each simplified once, whichever ring asks and in whichever direction it runs. */
class Borders {
  readonly #net: BorderNet;
  readonly #tolerance: number;
  readonly #known = new Map<number, Border>();
  readonly #segments = new FewestSegments();

  constructor(net: BorderNet, tolerance: number) {
    this.#net = net;
    this.#tolerance = tolerance;
  }

  /** The ring of the net, closed again. */
  simplify(ring: Int32Array): Float64Array {
    const { x, y } = this.#net;
    const coordinates: number[] = [];
    for (const { border, reversed } of this.#bordersOf(ring)) {
      border.kept ??= this.#keep(border);
      const { corners, kept } = border;
      // The last corner is the next border's first.
      for (let i = 0; i < kept.length - 1; i++) {
        const corner = corners[kept[reversed ? kept.length - 1 - i : i]!]!;
        coordinates.push(x[corner]!, y[corner]!);
      }
    }
    coordinates.push(coordinates[0] ?? Number.NaN, coordinates[1] ?? Number.NaN);
    return Float64Array.from(coordinates);
  }

  /** The ring's borders keep all their corners from now on. */
  keepExact(ring: Int32Array): void {
    for (const { border } of this.#bordersOf(ring)) makeExact(border);
  }

  /** Borders that cross or touch another one between its nodes keep all their corners from now on, and so do those. */
  keepCrossingExact(): void {
    const edges: Edge[] = [];
    const owners: Border[] = [];
    const { x, y } = this.#net;
    for (const border of this.#known.values()) {
      const { corners, kept } = border;
      if (!kept) continue;
      for (let i = 0; i + 1 < kept.length; i++) {
        const [from, to] = [corners[kept[i]!]!, corners[kept[i + 1]!]!];
        edges.push([x[from]!, y[from]!, x[to]!, y[to]!]);
        owners.push(border);
      }
    }
    // A long edge does not fill thousands of squares.
    const longest = edges.reduce(
      (most, [ax, ay, bx, by]) => Math.max(most, Math.abs(bx - ax), Math.abs(by - ay)),
      0,
    );
    for (const [a, b] of crossings(edges, Math.max(4 * this.#tolerance, longest / 64))) {
      makeExact(owners[a]!);
      makeExact(owners[b]!);
    }
  }

  /** Whether a border of the ring was made exact since the ring was simplified. */
  isTouchedBy(ring: Int32Array): boolean {
    for (const { border } of this.#bordersOf(ring)) if (border.kept === null) return true;
    return false;
  }

  *#bordersOf(ring: Int32Array): Generator<{ border: Border; reversed: boolean }> {
    const count = ring.length;
    if (count < 3) return;
    const { isNode } = this.#net;
    let start = ring.findIndex((corner) => isNode[corner] === 1);
    const breaks: number[] = [];
    if (start < 0) {
      // A ring of its own, such as an island in another polygon: cut at its first corner and the one farthest from it,
      // whoever walks it.
      start = ring.indexOf(smallest(ring));
      breaks.push(0, this.#farthest(ring, start), count);
    } else {
      for (let i = 0; i < count; i++) if (isNode[ring[(start + i) % count]!] === 1) breaks.push(i);
      breaks.push(count);
    }
    for (let b = 0; b + 1 < breaks.length; b++) {
      const corners = new Int32Array(breaks[b + 1]! - breaks[b]! + 1);
      for (let i = 0; i < corners.length; i++) corners[i] = ring[(start + breaks[b]! + i) % count]!;
      const reversed = isReversed(corners);
      if (reversed) corners.reverse();
      // Inside a border every corner has two neighbours: its first edge says which border it is.
      const key = corners[0]! * isNode.length + corners[1]!;
      let border = this.#known.get(key);
      if (!border) {
        border = { corners, kept: null, isExact: false };
        this.#known.set(key, border);
      }
      yield { border, reversed };
    }
  }

  /** Steps from `start` to the corner farthest from it; of several, the one of the smallest number. */
  #farthest(ring: Int32Array, start: number): number {
    const { x, y } = this.#net;
    const from = ring[start]!;
    let best = 1;
    let bestDistance = -1;
    for (let i = 1; i < ring.length; i++) {
      const corner = ring[(start + i) % ring.length]!;
      const distance = (x[corner]! - x[from]!) ** 2 + (y[corner]! - y[from]!) ** 2;
      const before = ring[(start + best) % ring.length]!;
      if (distance > bestDistance || (distance === bestDistance && corner < before)) {
        best = i;
        bestDistance = distance;
      }
    }
    return best;
  }

  #keep({ corners, isExact }: Border): Int32Array {
    const count = corners.length;
    if (isExact || count <= 2) return Int32Array.from({ length: count }, (_, i) => i);
    const { x, y } = this.#net;
    // Near zero, where coordinates have digits to spare.
    const ownX = Float64Array.from(corners, (corner) => x[corner]! - x[corners[0]!]!);
    const ownY = Float64Array.from(corners, (corner) => y[corner]! - y[corners[0]!]!);
    const chosen = new Uint8Array(count);
    this.#segments.mark(ownX, ownY, 0, count - 1, this.#tolerance, chosen);
    const kept: number[] = [];
    for (let i = 0; i < count; i++) if (chosen[i] === 1) kept.push(i);
    return Int32Array.from(kept);
  }
}

function smallest(ring: Int32Array): number {
  let least = ring[0]!;
  for (const corner of ring) if (corner < least) least = corner;
  return least;
}

function isReversed(corners: Int32Array): boolean {
  const last = corners.length - 1;
  if (corners[0] !== corners[last]) return corners[0]! > corners[last]!;
  return corners[1]! > corners[last - 1]!;
}

function makeExact(border: Border): void {
  if (border.isExact) return;
  border.isExact = true;
  border.kept = null;
}

/** Whether rings still enclose something, the same way round, and the holes lie inside. */
function isSound(rings: readonly Float64Array[], before: readonly Float64Array[]): boolean {
  for (const [index, ring] of rings.entries()) {
    if (ring.length < 8) return false;
    if (Math.sign(signedArea(ring)) !== Math.sign(signedArea(before[index]!))) return false;
    // Borders do not cross, so one corner speaks for all; a corner on the exterior itself may go either way.
    if (index > 0 && !isInside([rings[0]!], (ring[0]! + ring[2]!) / 2, (ring[1]! + ring[3]!) / 2))
      return false;
  }
  return true;
}

/** x, y of both ends. */
type Edge = readonly [number, number, number, number];

/** Pairs of edges that cross or touch, found among those that share a square of the plane of this side. */
function* crossings(edges: readonly Edge[], side: number): Generator<[number, number]> {
  const cells = new Map<number, number[]>();
  for (const [index, [ax, ay, bx, by]] of edges.entries()) {
    const lastRow = Math.floor(Math.max(ay, by) / side);
    const lastColumn = Math.floor(Math.max(ax, bx) / side);
    for (let row = Math.floor(Math.min(ay, by) / side); row <= lastRow; row++)
      for (let column = Math.floor(Math.min(ax, bx) / side); column <= lastColumn; column++) {
        // Squares that share a number only cost a comparison.
        const key = row * 0x4000000 + column;
        const cell = cells.get(key);
        if (cell === undefined) {
          cells.set(key, [index]);
          continue;
        }
        for (const other of cell) if (cross(edges[index]!, edges[other]!)) yield [index, other];
        cell.push(index);
      }
  }
}

/** Whether edges share more than a corner that is an end of both: an end inside the other edge counts. */
function cross([ax, ay, bx, by]: Edge, [cx, cy, dx, dy]: Edge): boolean {
  const [ux, uy, vx, vy] = [bx - ax, by - ay, dx - cx, dy - cy];
  const own = Math.hypot(ux, uy);
  const other = Math.hypot(vx, vy);
  // Corners of a lattice that is no power of two wide are off their lines by rounding.
  const nothing = 1e-9 * Math.max(own, other);
  const sign = (distance: number) => (Math.abs(distance) <= nothing ? 0 : Math.sign(distance));
  const c = sign((ux * (cy - ay) - uy * (cx - ax)) / own);
  const d = sign((ux * (dy - ay) - uy * (dx - ax)) / own);
  const a = sign((vx * (ay - cy) - vy * (ax - cx)) / other);
  const b = sign((vx * (by - cy) - vy * (bx - cx)) / other);
  if (c * d > 0 || a * b > 0) return false;
  if (c === 0 && d === 0) {
    const along = (x: number, y: number) => (ux * (x - ax) + uy * (y - ay)) / own;
    const [from, to] = [along(cx, cy), along(dx, dy)];
    return Math.min(Math.max(from, to), own) - Math.max(Math.min(from, to), 0) > nothing;
  }
  const sharesCorner =
    (ax === cx && ay === cy) ||
    (ax === dx && ay === dy) ||
    (bx === cx && by === cy) ||
    (bx === dx && by === dy);
  return !sharesCorner;
}
