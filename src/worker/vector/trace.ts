/** A piece of the class map: a 4-connected component of one class. */
export interface TracedPolygon {
  classId: number;
  pixels: number;
  /** Mean of the confidence bytes / 255 over the pixels, 0-1; 1 where the class map carries no confidence. */
  confidence: number;
  /**
   * Pixel corners x, y, x, y, …, rows downwards, not closed, no collinear points; the interior lies on the left as
   * the image is displayed. Ring 0 is the exterior. Rings touch themselves nowhere and each other at points only.
   */
  rings: Int32Array[];
}

const up = 1;
const right = 2;
const down = 4;
const left = 8;

/** Bits beside x in a vertex: `dropped` vertices hold a chain together and are never emitted. */
const dropped = 1;
const saddle = 2;

/** The runs of equal class of one row, from left to right, class 0 included. */
interface RowOfRuns {
  count: number;
  start: Int32Array;
  classId: Uint16Array;
  /** Component of the run; -1 for class 0. */
  component: Int32Array;
  /** Sum of the confidence bytes. */
  confidence: Float64Array;
  /** The walk down the run's left side: its last vertex so far. */
  tail: Int32Array;
  /** The walk up the run's right side: its first vertex so far. */
  head: Int32Array;
}

function emptyRow(width: number): RowOfRuns {
  return {
    count: 0,
    start: new Int32Array(width + 1),
    classId: new Uint16Array(width + 1),
    component: new Int32Array(width + 1),
    confidence: new Float64Array(width + 1),
    tail: new Int32Array(width + 1),
    head: new Int32Array(width + 1),
  };
}

/**
 * Turns rows of classes into polygons, one row at a time; memory holds two rows and the vertices of unfinished
 * polygons.
 *
 * Every boundary is walked with its component on the left. At each corner of the pixel lattice the pixels around it
 * form sectors of equal, edge-connected class, and each sector passes one walk on from the edge where it begins
 * (clockwise) to the edge where it ends. Two diagonal pixels of one class are two sectors, so walks never cross; if
 * they belong to one component after all, its walk visits the corner twice and is cut there when the polygon is
 * emitted. Because the component is 4-connected, the parts so cut are one simple exterior and simple holes.
 */
export class Tracer {
  private readonly width: number;
  private row = 0;
  private above: RowOfRuns;
  private below: RowOfRuns;
  private hasConfidence = false;
  private finished: TracedPolygon[] = [];

  // Vertices: singly linked walks. `partner` of an open walk's end is its other end; of a closed ring's first vertex,
  // the first vertex of the component's next ring.
  private vertexCapacity = 1 << 12;
  private vertexCount = 0;
  private freeVertex = -1;
  private vertexX = new Int32Array(this.vertexCapacity);
  private vertexY = new Int32Array(this.vertexCapacity);
  private next = new Int32Array(this.vertexCapacity);
  private partner = new Int32Array(this.vertexCapacity);

  // Components: a forest of merged labels.
  private componentCapacity = 1 << 10;
  private componentCount = 0;
  private freeComponents: number[] = [];
  private mergedComponents: number[] = [];
  private parent = new Int32Array(this.componentCapacity);
  private pixels = new Float64Array(this.componentCapacity);
  private confidenceSum = new Float64Array(this.componentCapacity);
  private lastRow = new Int32Array(this.componentCapacity);
  private firstRing = new Int32Array(this.componentCapacity);
  private lastRing = new Int32Array(this.componentCapacity);

  // One ring on its way out.
  private outX = new Int32Array(1 << 10);
  private outY = new Int32Array(1 << 10);

  constructor(width: number) {
    this.width = width;
    this.above = emptyRow(width);
    this.below = emptyRow(width);
    this.above.count = 1;
    this.above.component[0] = -1;
  }

  /**
   * Adds the next row: `classes[offset …]` and, if the map carries it, `confidence[offset …]`. `keep[keepOffset + x]`
   * says which lattice corners on the row's upper edge belong to simplified boundaries; without it every true corner.
   */
  addRow(
    classes: Uint8Array | Uint16Array,
    offset: number,
    confidence: Uint8Array | null,
    keep: Uint8Array | null,
    keepOffset: number,
  ): void {
    const { below, width } = this;
    const { start, classId, component, confidence: runConfidence } = below;
    let count = 0;
    let x = 0;
    while (x < width) {
      const value = classes[offset + x]!;
      start[count] = x;
      classId[count] = value;
      component[count] = -1;
      x++;
      if (confidence !== null && value !== 0) {
        let sum = confidence[offset + x - 1]!;
        while (x < width && classes[offset + x]! === value) sum += confidence[offset + x++]!;
        runConfidence[count] = sum;
      } else {
        while (x < width && classes[offset + x]! === value) x++;
        runConfidence[count] = 0;
      }
      count++;
    }
    below.count = count;
    this.hasConfidence ||= confidence !== null;
    this.traceLine(keep, keepOffset);
  }

  /** Closes what is open at the last row's lower edge. `keep` as in `addRow`. */
  finish(keep: Uint8Array | null, keepOffset: number): void {
    this.below.count = 1;
    this.below.start[0] = 0;
    this.below.classId[0] = 0;
    this.below.component[0] = -1;
    this.traceLine(keep, keepOffset);
  }

  /** The polygons finished since the last call, in order of their last row, then from left to right. */
  take(): TracedPolygon[] {
    const finished = this.finished;
    this.finished = [];
    return finished;
  }

  /** Vertices that memory is held for. */
  capacity(): number {
    return this.vertexCapacity;
  }

  private traceLine(keep: Uint8Array | null, keepOffset: number): void {
    const { above, below, width, row } = this;
    const aboveStart = above.start;
    const aboveClass = above.classId;
    const belowStart = below.start;
    const belowClass = below.classId;
    const aboveCount = above.count;
    const belowCount = below.count;
    // Runs to the right of x; those to the left are one before them where x is a start.
    let i = 0;
    let j = 0;
    let runA = -1;
    let runC = -1;
    let a = 0;
    let c = 0;
    // The walk along the lower side of the run above (its last vertex), and along the upper side of the run below,
    // which comes towards us (its first vertex).
    let east = -1;
    let west = -1;
    let x = 0;
    for (;;) {
      const inside = x < width;
      const b = inside ? aboveClass[i]! : 0;
      const d = inside ? belowClass[j]! : 0;
      const edges = (a !== b ? up : 0) | (b !== d ? right : 0) | (d !== c ? down : 0) | (c !== a ? left : 0);
      const crossed = edges === 15;
      const kept = keep === null || keep[keepOffset + x]! !== 0;
      const keptStraight = keep !== null && kept;
      const oldEast = east;
      const oldWest = west;

      if (b !== 0 && (edges & up) !== 0) {
        const out = edges & right ? right : edges & down ? down : left;
        const flags = crossed && b === c ? saddle : 0;
        const t = above.tail[i]!;
        const corner = out === down ? keptStraight : kept;
        if (out === left) this.join(t, oldWest, corner, x, flags, above.component[i]!);
        else {
          const end = corner ? this.append(t, x, flags) : t;
          if (out === right) east = end;
          else below.tail[j] = end;
        }
      }
      if (d !== 0 && (edges & right) !== 0) {
        const flags = crossed && a === d ? saddle : 0;
        if (edges & down) {
          const v = this.addVertex(x, kept ? flags : flags | dropped);
          below.tail[j] = v;
          west = v;
        } else if (edges & left) {
          west = keptStraight ? this.prepend(oldWest, x, flags) : oldWest;
        } else {
          west = kept ? this.prepend(above.head[runA]!, x, flags) : above.head[runA]!;
        }
      }
      if (c !== 0 && (edges & down) !== 0) {
        const flags = crossed && b === c ? saddle : 0;
        if (edges & left) below.head[runC] = kept ? this.prepend(oldWest, x, flags) : oldWest;
        else if (edges & up) {
          const h = above.head[runA]!;
          below.head[runC] = keptStraight ? this.prepend(h, x, flags) : h;
        } else {
          const v = this.addVertex(x, kept ? flags : flags | dropped);
          below.head[runC] = v;
          east = v;
        }
      }
      if (a !== 0 && (edges & left) !== 0) {
        const flags = crossed && a === d ? saddle : 0;
        if (edges & up) this.join(oldEast, above.head[runA]!, kept, x, flags, above.component[runA]!);
        else if (edges & right) east = keptStraight ? this.append(oldEast, x, flags) : oldEast;
        else below.tail[j] = kept ? this.append(oldEast, x, flags) : oldEast;
      }

      if (!inside) break;
      const aboveEnd = i + 1 < aboveCount ? aboveStart[i + 1]! : width;
      const belowEnd = j + 1 < belowCount ? belowStart[j + 1]! : width;
      if (b === d) {
        if (b !== 0) this.connect(i, j);
      } else if (keep !== null) {
        // Points that hold a simplified boundary where it runs straight along the line.
        const end = Math.min(aboveEnd, belowEnd);
        for (let between = x + 1; between < end; between++) {
          if (keep[keepOffset + between] === 0) continue;
          if (b !== 0) east = this.append(east, between, 0);
          if (d !== 0) west = this.prepend(west, between, 0);
        }
      }
      a = b;
      c = d;
      runA = i;
      runC = j;
      if (aboveEnd <= belowEnd) {
        x = aboveEnd;
        i++;
        if (aboveEnd === belowEnd) j++;
      } else {
        x = belowEnd;
        j++;
      }
    }
    this.settleLine();
    this.below = above;
    this.above = below;
    this.row = row + 1;
  }

  /** Counts the runs below into their components and emits the components that end above the line. */
  private settleLine(): void {
    const { above, below, row, width } = this;
    for (let j = 0; j < below.count; j++) {
      if (below.classId[j] === 0) continue;
      let component = below.component[j]!;
      component = component < 0 ? this.addComponent() : this.find(component);
      below.component[j] = component;
      this.pixels[component]! += (j + 1 < below.count ? below.start[j + 1]! : width) - below.start[j]!;
      this.confidenceSum[component]! += below.confidence[j]!;
      this.lastRow[component] = row;
    }
    const { freeComponents, mergedComponents } = this;
    for (let i = 0; i < above.count; i++) {
      if (above.classId[i] === 0) continue;
      const component = this.find(above.component[i]!);
      if (this.lastRow[component] === row) continue;
      this.lastRow[component] = row;
      this.emit(component, above.classId[i]!);
      mergedComponents.push(component);
    }
    // Only now does no run refer to a merged label any more.
    while (mergedComponents.length > 0) freeComponents.push(mergedComponents.pop()!);
  }

  private connect(i: number, j: number): void {
    const upper = this.find(this.above.component[i]!);
    const current = this.below.component[j]!;
    if (current < 0) {
      this.below.component[j] = upper;
      return;
    }
    const lower = this.find(current);
    if (lower === upper) return;
    this.parent[upper] = lower;
    this.pixels[lower]! += this.pixels[upper]!;
    this.confidenceSum[lower]! += this.confidenceSum[upper]!;
    if (this.firstRing[upper]! >= 0) {
      if (this.firstRing[lower]! < 0) this.firstRing[lower] = this.firstRing[upper]!;
      else this.partner[this.lastRing[lower]!] = this.firstRing[upper]!;
      this.lastRing[lower] = this.lastRing[upper]!;
    }
    this.mergedComponents.push(upper);
  }

  private find(component: number): number {
    const { parent } = this;
    let root = component;
    while (parent[root]! !== root) root = parent[root]!;
    let label = component;
    while (label !== root) {
      const above = parent[label]!;
      parent[label] = root;
      label = above;
    }
    return root;
  }

  private addComponent(): number {
    let component: number;
    if (this.freeComponents.length > 0) component = this.freeComponents.pop()!;
    else {
      component = this.componentCount++;
      if (component === this.componentCapacity) this.growComponents();
    }
    this.parent[component] = component;
    this.pixels[component] = 0;
    this.confidenceSum[component] = 0;
    this.firstRing[component] = -1;
    this.lastRing[component] = -1;
    return component;
  }

  private growComponents(): void {
    this.componentCapacity *= 2;
    const capacity = this.componentCapacity;
    this.parent = grownInt32(this.parent, capacity);
    this.lastRow = grownInt32(this.lastRow, capacity);
    this.firstRing = grownInt32(this.firstRing, capacity);
    this.lastRing = grownInt32(this.lastRing, capacity);
    this.pixels = grownFloat64(this.pixels, capacity);
    this.confidenceSum = grownFloat64(this.confidenceSum, capacity);
  }

  private addVertex(x: number, flags: number): number {
    let vertex = this.freeVertex;
    if (vertex >= 0) this.freeVertex = this.next[vertex]!;
    else {
      vertex = this.vertexCount++;
      if (vertex === this.vertexCapacity) {
        this.vertexCapacity *= 2;
        this.vertexX = grownInt32(this.vertexX, this.vertexCapacity);
        this.vertexY = grownInt32(this.vertexY, this.vertexCapacity);
        this.next = grownInt32(this.next, this.vertexCapacity);
        this.partner = grownInt32(this.partner, this.vertexCapacity);
      }
    }
    this.vertexX[vertex] = (x << 2) | flags;
    this.vertexY[vertex] = this.row;
    this.partner[vertex] = vertex;
    return vertex;
  }

  private append(tail: number, x: number, flags: number): number {
    const vertex = this.addVertex(x, flags);
    const head = this.partner[tail]!;
    this.next[tail] = vertex;
    this.partner[vertex] = head;
    this.partner[head] = vertex;
    return vertex;
  }

  private prepend(head: number, x: number, flags: number): number {
    const vertex = this.addVertex(x, flags);
    const tail = this.partner[head]!;
    this.next[vertex] = head;
    this.partner[vertex] = tail;
    this.partner[tail] = vertex;
    return vertex;
  }

  /** Leads the walk that ends at `tail` on into the one that begins at `head`, which may be itself: a ring. */
  private join(
    tail: number,
    head: number,
    corner: boolean,
    x: number,
    flags: number,
    component: number,
  ): void {
    const end = corner ? this.append(tail, x, flags) : tail;
    this.next[end] = head;
    const first = this.partner[end]!;
    if (first !== head) {
      const last = this.partner[head]!;
      this.partner[first] = last;
      this.partner[last] = first;
      return;
    }
    const root = this.find(component);
    this.partner[head] = -1;
    if (this.firstRing[root]! < 0) this.firstRing[root] = head;
    else this.partner[this.lastRing[root]!] = head;
    this.lastRing[root] = head;
  }

  private emit(component: number, classId: number): void {
    const rings: Int32Array[] = [];
    let first = this.firstRing[component]!;
    while (first >= 0) {
      const following = this.partner[first]!;
      this.emitRing(first, rings);
      first = following;
    }
    let exterior = 0;
    // The exterior is the one ring that runs counter-clockwise, and the one with the topmost corner of all.
    while (exterior < rings.length - 1 && signedDoubleArea(rings[exterior]!) > 0) exterior++;
    if (exterior > 0) rings.unshift(...rings.splice(exterior, 1));
    const pixels = this.pixels[component]!;
    const confidence = this.hasConfidence ? this.confidenceSum[component]! / (255 * pixels) : 1;
    this.finished.push({ classId, pixels, confidence, rings });
  }

  /** Copies a closed walk out, cut at the corners it visits twice, and frees its vertices. */
  private emitRing(first: number, rings: Int32Array[]): void {
    let { outX, outY } = this;
    const { vertexX, vertexY, next } = this;
    let length = 0;
    let saddles = 0;
    let vertex = first;
    for (;;) {
      const packed = vertexX[vertex]!;
      if ((packed & dropped) === 0) {
        if (length === outX.length) {
          outX = this.outX = grownInt32(outX, length * 2);
          outY = this.outY = grownInt32(outY, length * 2);
        }
        outX[length] = packed;
        outY[length] = vertexY[vertex]!;
        length++;
        if (packed & saddle) saddles++;
      }
      const following = next[vertex]!;
      if (following === first) break;
      vertex = following;
    }
    next[vertex] = this.freeVertex;
    this.freeVertex = first;

    if (saddles > 1) {
      // A stack of the corners since the last cut; a saddle met again closes the part of the walk between.
      const place = new Map<number, number>();
      const stride = this.width + 1;
      let top = 0;
      for (let k = 0; k < length; k++) {
        const packed = outX[k]!;
        const y = outY[k]!;
        if (packed & saddle) {
          const key = y * stride + (packed >> 2);
          const earlier = place.get(key);
          if (earlier !== undefined) {
            rings.push(this.copyRing(earlier, top));
            for (let m = earlier + 1; m < top; m++) {
              if (outX[m]! & saddle) place.delete(outY[m]! * stride + (outX[m]! >> 2));
            }
            top = earlier + 1;
            continue;
          }
          place.set(key, top);
        }
        outX[top] = packed;
        outY[top] = y;
        top++;
      }
      length = top;
    }
    rings.push(this.copyRing(0, length));
  }

  private copyRing(from: number, to: number): Int32Array {
    const ring = new Int32Array(2 * (to - from));
    for (let k = from, m = 0; k < to; k++) {
      ring[m++] = this.outX[k]! >> 2;
      ring[m++] = this.outY[k]!;
    }
    return ring;
  }
}

/** Twice the area of a ring of pixel corners; negative where it runs counter-clockwise as the image is displayed. */
export function signedDoubleArea(ring: Int32Array): number {
  let sum = 0;
  let x = ring[ring.length - 2]!;
  let y = ring[ring.length - 1]!;
  for (let k = 0; k < ring.length; k += 2) {
    const nextX = ring[k]!;
    const nextY = ring[k + 1]!;
    sum += x * nextY - nextX * y;
    x = nextX;
    y = nextY;
  }
  return sum;
}

function grownInt32(array: Int32Array<ArrayBuffer>, capacity: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity);
  grown.set(array);
  return grown;
}

function grownFloat64(array: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity);
  grown.set(array);
  return grown;
}
