import { FewestSegments, squaredDistances } from './fewest-segments.ts';

const up = 1;
const right = 2;
const down = 4;
const left = 8;

/** Corners of the lattice that boundaries pass: removable ones are on one boundary only and bend it. */
const removable = 1;
const fixed = 2;

const none = -1;

/**
 * The boundaries between pieces in one square of a class map, as a planar graph on the pixel lattice, and their
 * simplification. Arcs run between fixed corners: those where three or more edges meet and those on the square's
 * border. A boundary that meets no fixed corner begins and ends at its topmost, then leftmost corner.
 *
 * First each arc takes as much as possible of the polyline of fewest segments within the tolerance. Then single corners
 * go in order of the area of the triangle with their neighbours (Visvalingam and Whyatt 1993), smallest first, while
 * every corner dropped from an arc stays within the tolerance of the segment that replaces it.
 *
 * Either way the graph must stay planar and every face in place (de Berg, van Kreveld and Schirra 1998): the part
 * between the old line and the new segment, its edge included, may hold no other corner of any boundary; the new
 * segment may not exist already, and it may not lie on the square's border. These tests are exact in integers.
 */
export class TileBoundaries {
  private readonly capacity: number;
  /** Columns and rows of pixels. */
  private width = 0;
  private height = 0;
  /** Corners of the lattice per row. */
  private stride = 0;
  /** Edges that leave each corner, those on the border excluded; walked edges are erased. */
  private readonly edges: Uint8Array;
  private readonly kind: Uint8Array;
  /** Index + 1 of a fixed corner that ends arcs, in `arcEnds`. */
  private readonly junction: Int32Array;
  private junctions = 0;
  /** Corners of arcs that lie on a junction, four places each. */
  private arcEnds = new Int32Array(1 << 10);

  // Corners of all arcs, in order along each arc; an arc's ends are corners of its own, even where arcs meet.
  private corners = 0;
  private cornerX = new Int16Array(1 << 10);
  private cornerY = new Int16Array(1 << 10);
  private previous = new Int32Array(1 << 10);
  private next = new Int32Array(1 << 10);
  /** Arcs that begin and end at one corner, by their corners' arc: corners left. */
  private arcOf = new Int32Array(1 << 10);
  private closedArcCorners: number[] = [];

  /** Corners that are to stay. */
  private chosen = new Uint8Array(1 << 10);
  private readonly fewest = new FewestSegments();
  private readonly queue = new AreaQueue();

  constructor(capacity: number) {
    this.capacity = capacity;
    const lattice = (capacity + 1) * (capacity + 1);
    this.edges = new Uint8Array(lattice);
    this.kind = new Uint8Array(lattice);
    this.junction = new Int32Array(lattice);
  }

  /**
   * Takes the boundaries of `width` × `height` pixels from rows of classes that are framed by one pixel on each side:
   * the tile's pixel (column, row) is `padded[(row + 1) · stride + firstColumn + column + 1]`.
   */
  read(padded: Uint16Array, stride: number, firstColumn: number, width: number, height: number): void {
    if (width > this.capacity || height > this.capacity)
      throw new RangeError('The tile is larger than its lattice.');
    this.width = width;
    this.height = height;
    this.stride = width + 1;
    this.corners = 0;
    this.junctions = 0;
    this.closedArcCorners = [];
    const { edges, kind } = this;
    let at = 0;
    for (let y = 0; y <= height; y++) {
      const onRow = y === 0 || y === height;
      let pixel = y * stride + firstColumn;
      let a = padded[pixel]!;
      let c = padded[pixel + stride]!;
      for (let x = 0; x <= width; x++, at++) {
        pixel++;
        const b = padded[pixel]!;
        const d = padded[pixel + stride]!;
        let bits = (a !== b ? up : 0) | (b !== d ? right : 0) | (d !== c ? down : 0) | (c !== a ? left : 0);
        a = b;
        c = d;
        let found = 0;
        if (bits !== 0) {
          const onColumn = x === 0 || x === width;
          const alongRow = bits === (left | right);
          const alongColumn = bits === (up | down);
          if (onRow || onColumn) {
            // A boundary along the border passes; everything else that touches the border holds on to it.
            if (!(onRow && alongRow) && !(onColumn && alongColumn)) found = fixed;
            if (onRow) bits &= y === 0 ? down : up;
            if (onColumn) bits &= x === 0 ? right : left;
          } else if (!alongRow && !alongColumn) {
            found = (bits & (bits - 1) & ((bits & (bits - 1)) - 1)) === 0 ? removable : fixed;
          }
        }
        edges[at] = bits;
        kind[at] = found;
      }
    }
    this.junction.fill(0, 0, at);
    this.traceArcs();
  }

  simplify(tolerance: number): void {
    this.replaceSpans(tolerance);
    this.dropCorners(tolerance);
  }

  /** Replaces the spans of the best polyline of each arc, where nothing lies between the span and its segment. */
  private replaceSpans(tolerance: number): void {
    if (this.chosen.length < this.corners) this.chosen = new Uint8Array(2 * this.corners);
    const { chosen } = this;
    let spans: number[] = [];
    for (let first = 0; first < this.corners; ) {
      let last = first;
      while (this.next[last] !== none) last++;
      this.fewest.mark(this.cornerX, this.cornerY, first, last, tolerance, chosen);
      for (let start = first, corner = first + 1; corner <= last; corner++) {
        if (chosen[corner] === 0) continue;
        if (corner > start + 1) spans.push(start, corner);
        start = corner;
      }
      first = last + 1;
    }
    // Spans that something lies behind get another chance once it may have gone.
    for (let replaced = true; replaced; ) {
      const waiting: number[] = [];
      for (let k = 0; k < spans.length; k += 2) {
        if (!this.replaceSpan(spans[k]!, spans[k + 1]!)) waiting.push(spans[k]!, spans[k + 1]!);
      }
      replaced = waiting.length < spans.length;
      spans = waiting;
    }
  }

  /** Drops the corners between two of an arc, all of them present, unless that would tangle boundaries. */
  private replaceSpan(from: number, to: number): boolean {
    const { cornerX, cornerY, kind, stride } = this;
    const arc = this.arcOf[from]!;
    const dropped = to - from - 1;
    if (this.closedArcCorners[arc]! - dropped < 4 || this.isForbidden(from, to)) return false;
    for (let k = from + 1; k < to; k++) kind[cornerY[k]! * stride + cornerX[k]!] = 0;
    if (this.isSpanOccupied(from, to)) {
      for (let k = from + 1; k < to; k++) kind[cornerY[k]! * stride + cornerX[k]!] = removable;
      return false;
    }
    this.next[from] = to;
    this.previous[to] = from;
    this.closedArcCorners[arc]! -= dropped;
    return true;
  }

  /** Whether a corner of another part of the boundaries lies between a span and its segment, or on the segment. */
  private isSpanOccupied(from: number, to: number): boolean {
    const { cornerX, cornerY, kind, stride } = this;
    let top = cornerY[from]!;
    let bottom = top;
    for (let k = from + 1; k <= to; k++) {
      top = Math.min(top, cornerY[k]!);
      bottom = Math.max(bottom, cornerY[k]!);
    }
    for (let y = top; y <= bottom; y++) {
      let west = Number.POSITIVE_INFINITY;
      let east = Number.NEGATIVE_INFINITY;
      for (let k = from; k <= to; k++) {
        const [x1, y1] = [cornerX[k]!, cornerY[k]!];
        const following = k === to ? from : k + 1;
        const [x2, y2] = [cornerX[following]!, cornerY[following]!];
        if (y < Math.min(y1, y2) || y > Math.max(y1, y2)) continue;
        const crossing = y1 === y2 ? x1 : x1 + ((y - y1) * (x2 - x1)) / (y2 - y1);
        west = Math.min(west, crossing, y1 === y2 ? x2 : crossing);
        east = Math.max(east, crossing, y1 === y2 ? x2 : crossing);
      }
      const end = Math.floor(east + 1e-6);
      for (let x = Math.ceil(west - 1e-6); x <= end; x++) {
        if (kind[y * stride + x] === 0) continue;
        if (x === cornerX[from] && y === cornerY[from]) continue;
        if (x === cornerX[to] && y === cornerY[to]) continue;
        if (this.isEnclosed(x, y, from, to)) return true;
      }
    }
    return false;
  }

  /** Whether a point has a winding number in the ring of a span and its segment, or lies on the segment. */
  private isEnclosed(x: number, y: number, from: number, to: number): boolean {
    const { cornerX, cornerY } = this;
    let winding = 0;
    for (let k = from; k <= to; k++) {
      const following = k === to ? from : k + 1;
      const x1 = cornerX[k]! - x;
      const y1 = cornerY[k]! - y;
      const x2 = cornerX[following]! - x;
      const y2 = cornerY[following]! - y;
      const cross = x1 * y2 - x2 * y1;
      if (cross === 0 && x1 * x2 + y1 * y2 <= 0) return true;
      if (y1 <= 0 && y2 > 0 && cross > 0) winding++;
      else if (y1 > 0 && y2 <= 0 && cross < 0) winding--;
    }
    return winding !== 0;
  }

  /** Drops single corners until none can go. */
  private dropCorners(tolerance: number): void {
    const { queue, cornerX, cornerY } = this;
    const limit = tolerance * tolerance;
    queue.clear();
    for (let corner = 0; corner < this.corners; corner++) this.enqueue(corner);
    // Corners whose triangle is occupied get another chance once others have gone.
    let blocked: number[] = [];
    let dropped = true;
    while (dropped) {
      dropped = false;
      for (;;) {
        const corner = queue.pop();
        if (corner === none) break;
        // An entry for a triangle that has changed since, or a corner that is gone.
        if (!this.isRemovable(corner) || this.doubleArea(corner) !== queue.poppedArea) continue;
        const before = this.previous[corner]!;
        const after = this.next[corner]!;
        if (squaredDistances(cornerX, cornerY, before, after, limit) === Number.POSITIVE_INFINITY) continue;
        if (this.tangles(corner)) {
          blocked.push(corner);
          continue;
        }
        this.drop(corner);
        dropped = true;
      }
      for (const corner of blocked) this.enqueue(corner);
      blocked = [];
    }
  }

  /** Writes 1 for each corner kept into a map of corners with `stride` places a row, from column `firstColumn` on. */
  writeKept(keep: Uint8Array, stride: number, firstColumn: number): void {
    let at = 0;
    for (let y = 0; y <= this.height; y++) {
      const row = y * stride + firstColumn;
      for (let x = 0; x <= this.width; x++, at++) {
        if (this.kind[at] !== 0) keep[row + x] = 1;
      }
    }
  }

  private traceArcs(): void {
    const { edges, kind } = this;
    const lattice = (this.height + 1) * this.stride;
    for (let at = 0; at < lattice; at++) {
      if (kind[at] !== fixed) continue;
      for (let direction = up; direction <= left; direction <<= 1) {
        if (edges[at]! & direction) this.traceArc(at, direction);
      }
    }
    // What is left meets no fixed corner. The first corner of each in reading order bends to the right and down.
    for (let at = 0; at < lattice; at++) {
      if (edges[at] !== 0 && kind[at] === removable) {
        kind[at] = fixed;
        this.traceArc(at, right);
      }
    }
  }

  private traceArc(from: number, firstDirection: number): void {
    const { kind, stride } = this;
    const edges = this.edges;
    const arc = this.closedArcCorners.length;
    const first = this.corners;
    this.addCorner(from, arc);
    let at = from;
    let direction = firstDirection;
    for (;;) {
      edges[at]! &= ~direction;
      at += direction === up ? -stride : direction === down ? stride : direction === right ? 1 : -1;
      edges[at]! &= ~(direction === up ? down : direction === down ? up : direction === right ? left : right);
      if (kind[at] === 0) continue;
      this.addCorner(at, arc);
      if (kind[at] === fixed) break;
      direction = edges[at]!;
    }
    const last = this.corners - 1;
    this.previous[first] = none;
    this.next[last] = none;
    this.endArc(from, first);
    this.endArc(at, last);
    this.closedArcCorners.push(at === from ? last - first : Number.POSITIVE_INFINITY);
  }

  private addCorner(at: number, arc: number): void {
    const corner = this.corners++;
    if (corner === this.cornerX.length) {
      const capacity = corner * 2;
      this.cornerX = grownInt16(this.cornerX, capacity);
      this.cornerY = grownInt16(this.cornerY, capacity);
      this.previous = grownInt32(this.previous, capacity);
      this.next = grownInt32(this.next, capacity);
      this.arcOf = grownInt32(this.arcOf, capacity);
    }
    this.cornerY[corner] = Math.floor(at / this.stride);
    this.cornerX[corner] = at % this.stride;
    this.previous[corner] = corner - 1;
    this.next[corner] = corner + 1;
    this.arcOf[corner] = arc;
  }

  private endArc(at: number, corner: number): void {
    if (this.junction[at] === 0) {
      this.junction[at] = ++this.junctions;
      if (this.junctions * 4 > this.arcEnds.length)
        this.arcEnds = grownInt32(this.arcEnds, this.arcEnds.length * 2);
      this.arcEnds.fill(none, (this.junctions - 1) * 4, this.junctions * 4);
    }
    let place = (this.junction[at]! - 1) * 4;
    while (this.arcEnds[place] !== none) place++;
    this.arcEnds[place] = corner;
  }

  private isRemovable(corner: number): boolean {
    return this.kind[this.cornerY[corner]! * this.stride + this.cornerX[corner]!] === removable;
  }

  private enqueue(corner: number): void {
    if (this.chosen[corner] === 0 && this.isRemovable(corner))
      this.queue.push(corner, this.doubleArea(corner));
  }

  private doubleArea(corner: number): number {
    const { cornerX, cornerY } = this;
    const before = this.previous[corner]!;
    const after = this.next[corner]!;
    const x = cornerX[corner]!;
    const y = cornerY[corner]!;
    return Math.abs(
      (cornerX[before]! - x) * (cornerY[after]! - y) - (cornerX[after]! - x) * (cornerY[before]! - y),
    );
  }

  /** Whether dropping the corner would touch another boundary or fold its own. */
  private tangles(corner: number): boolean {
    const { cornerX, cornerY } = this;
    const before = this.previous[corner]!;
    const after = this.next[corner]!;
    // A boundary all around a piece keeps four corners, so that one pixel stays a square.
    if (this.closedArcCorners[this.arcOf[corner]!]! <= 4 || this.isForbidden(before, after)) return true;
    return this.isOccupied(
      cornerX[before]!,
      cornerY[before]!,
      cornerX[corner]!,
      cornerY[corner]!,
      cornerX[after]!,
      cornerY[after]!,
    );
  }

  /** Whether a segment would have no length, lie on the square's border or lie on another segment. */
  private isForbidden(from: number, to: number): boolean {
    const { cornerX, cornerY, width, height } = this;
    const ax = cornerX[from]!;
    const ay = cornerY[from]!;
    const cx = cornerX[to]!;
    const cy = cornerY[to]!;
    if (ax === cx && (ax === 0 || ax === width || ay === cy)) return true;
    if (ay === cy && (ay === 0 || ay === height)) return true;
    return this.isSegment(from, to) || this.isSegment(to, from);
  }

  /** Whether one segment already joins a corner that ends arcs with another corner. */
  private isSegment(from: number, to: number): boolean {
    const { cornerX, cornerY } = this;
    const junction = this.junction[cornerY[from]! * this.stride + cornerX[from]!]!;
    if (junction === 0) return false;
    for (let place = (junction - 1) * 4; place < junction * 4; place++) {
      const end = this.arcEnds[place]!;
      if (end === none) return false;
      const neighbour = this.next[end] === none ? this.previous[end]! : this.next[end]!;
      if (cornerX[neighbour] === cornerX[to] && cornerY[neighbour] === cornerY[to]) return true;
    }
    return false;
  }

  /** Whether the closed triangle holds a corner besides its own three. */
  private isOccupied(ax: number, ay: number, bx: number, by: number, cx: number, cy: number): boolean {
    const { kind, stride } = this;
    const lowest = Math.max(ay, by, cy);
    for (let y = Math.min(ay, by, cy); y <= lowest; y++) {
      let from = Number.POSITIVE_INFINITY;
      let to = Number.NEGATIVE_INFINITY;
      for (let edge = 0; edge < 3; edge++) {
        const [x1, y1] = edge === 0 ? [ax, ay] : edge === 1 ? [bx, by] : [cx, cy];
        const [x2, y2] = edge === 0 ? [bx, by] : edge === 1 ? [cx, cy] : [ax, ay];
        if (y < Math.min(y1, y2) || y > Math.max(y1, y2)) continue;
        if (y1 === y2) {
          from = Math.min(from, x1, x2);
          to = Math.max(to, x1, x2);
        } else {
          const x = x1 + ((y - y1) * (x2 - x1)) / (y2 - y1);
          from = Math.min(from, x);
          to = Math.max(to, x);
        }
      }
      // Crossings are fractions of at most the tile's size, so the slack decides no case wrongly.
      const end = Math.floor(to + 1e-6);
      for (let x = Math.ceil(from - 1e-6); x <= end; x++) {
        if (kind[y * stride + x] === 0) continue;
        if ((x === ax && y === ay) || (x === bx && y === by) || (x === cx && y === cy)) continue;
        return true;
      }
    }
    return false;
  }

  private drop(corner: number): void {
    const before = this.previous[corner]!;
    const after = this.next[corner]!;
    this.kind[this.cornerY[corner]! * this.stride + this.cornerX[corner]!] = 0;
    this.next[before] = after;
    this.previous[after] = before;
    this.closedArcCorners[this.arcOf[corner]!]!--;
    this.enqueue(before);
    this.enqueue(after);
  }
}

/** Corners by area, then by number; a binary heap that also holds outdated entries. */
class AreaQueue {
  poppedArea = 0;
  private size = 0;
  private area = new Int32Array(1 << 10);
  private corner = new Int32Array(1 << 10);

  clear(): void {
    this.size = 0;
  }

  push(corner: number, area: number): void {
    if (this.size === this.area.length) {
      this.area = grownInt32(this.area, this.size * 2);
      this.corner = grownInt32(this.corner, this.size * 2);
    }
    let place = this.size++;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.before(area, corner, parent)) break;
      this.area[place] = this.area[parent]!;
      this.corner[place] = this.corner[parent]!;
      place = parent;
    }
    this.area[place] = area;
    this.corner[place] = corner;
  }

  /** The corner of the smallest area, which is left in `poppedArea`; -1 when the queue is empty. */
  pop(): number {
    if (this.size === 0) return none;
    const popped = this.corner[0]!;
    this.poppedArea = this.area[0]!;
    const area = this.area[--this.size]!;
    const corner = this.corner[this.size]!;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.before(this.area[child + 1]!, this.corner[child + 1]!, child))
        child++;
      if (this.before(area, corner, child)) break;
      this.area[place] = this.area[child]!;
      this.corner[place] = this.corner[child]!;
      place = child;
    }
    this.area[place] = area;
    this.corner[place] = corner;
    return popped;
  }

  private before(area: number, corner: number, place: number): boolean {
    return area < this.area[place]! || (area === this.area[place]! && corner < this.corner[place]!);
  }
}

function grownInt16(array: Int16Array<ArrayBuffer>, capacity: number): Int16Array<ArrayBuffer> {
  const grown = new Int16Array(capacity);
  grown.set(array);
  return grown;
}

function grownInt32(array: Int32Array<ArrayBuffer>, capacity: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity);
  grown.set(array);
  return grown;
}
