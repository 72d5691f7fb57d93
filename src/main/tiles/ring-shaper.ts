import type { Box, TileMapping } from './tile-mapping.ts';

/** A polygon in tile units, as `VectorTileWriter.add` takes it. */
export interface TileShape {
  points: Int32Array;
  ends: number[];
  /** Square tile units. */
  size: number;
}

/**
 * Brings polygons onto a tile: clips them to the mapping's box, maps them, moves every vertex to the nearest of a fine
 * grid, and drops the vertices that this makes superfluous. Vertices that two polygons share stay shared.
 */
export class RingShaper {
  readonly #mapping: TileMapping;
  readonly #snap: number;
  #ring = new Float64Array(1024);
  #other = new Float64Array(1024);
  #points = new Int32Array(1024);

  /** @param snap spacing of the fine grid, whole tile units */
  constructor(mapping: TileMapping, snap: number) {
    this.#mapping = mapping;
    this.#snap = Math.max(1, Math.round(snap));
  }

  /**
   * The shape of a polygon (rings x, y, … closed, exterior first; envelope min x, max x, min y, max y). Null where it is
   * smaller than `small` tile units both ways, `outside` where nothing of it is in the box.
   */
  shape(
    rings: readonly Float64Array[],
    envelope: readonly [number, number, number, number],
    small: number,
  ): TileShape | null | 'outside' {
    const { box } = this.#mapping;
    const [left, bottom, right, top] = box;
    const inside = envelope[0] >= left && envelope[1] <= right && envelope[2] >= bottom && envelope[3] <= top;
    const ends: number[] = [];
    let end = 0;
    let size = 0;
    for (const [index, ring] of rings.entries()) {
      const exterior = index === 0;
      const count = inside ? this.#copy(ring) : this.#clip(ring, box);
      if (count < 3) {
        if (exterior) return 'outside';
        continue;
      }
      this.#mapping.toTile(this.#ring, count);
      const start = end;
      end = this.#snapRing(count, start);
      const bounds = this.#bounds(start, end);
      const isSmall = end - start < 6 || Math.max(bounds.width, bounds.height) < small;
      const area = isSmall ? 0 : this.#area(start, end);
      if (isSmall || area === 0) {
        if (exterior) return inside ? null : 'outside';
        // A hole below a pixel shows nothing through.
        end = start;
        continue;
      }
      // Clockwise to the eye, y downwards, is a positive area; holes go the other way.
      if (area > 0 !== exterior) this.#reverse(start, end);
      ends.push(end);
      if (exterior) size = Math.abs(area);
    }
    return ends.length === 0 ? 'outside' : { points: this.#points.slice(0, end), ends, size };
  }

  /** Without the last point, which repeats the first; returns the number of points. */
  #copy(ring: Float64Array): number {
    const count = openCount(ring);
    this.#reserve(count);
    this.#ring.set(ring.subarray(0, 2 * count));
    return count;
  }

  /** Sutherland and Hodgman (1974): the ring cut at the four sides in turn. */
  #clip(ring: Float64Array, [left, bottom, right, top]: Box): number {
    let count = this.#copy(ring);
    count = this.#cut(count, 0, left, 1);
    count = this.#cut(count, 0, right, -1);
    count = this.#cut(count, 1, bottom, 1);
    return this.#cut(count, 1, top, -1);
  }

  /** Keeps what is on the side of `bound` that `sign` points to. */
  #cut(count: number, axis: 0 | 1, bound: number, sign: 1 | -1): number {
    // Every crossing adds a point, and there is at most one an edge.
    this.#reserve(2 * count);
    const from = this.#ring;
    const to = this.#other;
    let kept = 0;
    for (let at = 0; at < count; at++) {
      const before = at === 0 ? count - 1 : at - 1;
      const [x, y] = [from[2 * at]!, from[2 * at + 1]!];
      const [lastX, lastY] = [from[2 * before]!, from[2 * before + 1]!];
      const distance = sign * ((axis === 0 ? x : y) - bound);
      const lastDistance = sign * ((axis === 0 ? lastX : lastY) - bound);
      if (distance >= 0 !== lastDistance >= 0) {
        const share = lastDistance / (lastDistance - distance);
        to[2 * kept] = axis === 0 ? bound : lastX + (x - lastX) * share;
        to[2 * kept + 1] = axis === 1 ? bound : lastY + (y - lastY) * share;
        kept++;
      }
      if (distance >= 0) {
        to[2 * kept] = x;
        to[2 * kept + 1] = y;
        kept++;
      }
    }
    this.#ring = to;
    this.#other = from;
    return kept;
  }

  /** Writes the mapped ring from `start` on; returns its end. Drops repeated points and those on a straight line. */
  #snapRing(count: number, start: number): number {
    const snap = this.#snap;
    const ring = this.#ring;
    if (start + 2 * count > this.#points.length) {
      const larger = new Int32Array(2 * (start + 2 * count));
      larger.set(this.#points.subarray(0, start));
      this.#points = larger;
    }
    const points = this.#points;
    let end = start;
    for (let at = 0; at < 2 * count; at += 2) {
      const x = Math.round(ring[at]! / snap) * snap;
      const y = Math.round(ring[at + 1]! / snap) * snap;
      if (Number.isNaN(x + y)) continue;
      end = appended(points, start, end, x, y);
    }
    // The seam: the last point may repeat the first, or lie on a line with it.
    while (end - start >= 6) {
      const [firstX, firstY] = [points[start]!, points[start + 1]!];
      const [lastX, lastY] = [points[end - 2]!, points[end - 1]!];
      const straight = isStraight(points[end - 4]!, points[end - 3]!, lastX, lastY, firstX, firstY);
      if ((lastX !== firstX || lastY !== firstY) && !straight) break;
      end -= 2;
    }
    if (
      end - start >= 8 &&
      isStraight(
        points[end - 2]!,
        points[end - 1]!,
        points[start]!,
        points[start + 1]!,
        points[start + 2]!,
        points[start + 3]!,
      )
    ) {
      points.copyWithin(start, start + 2, end);
      end -= 2;
    }
    return end;
  }

  #bounds(start: number, end: number): { width: number; height: number } {
    const points = this.#points;
    let [west, east, north, south] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let at = start; at < end; at += 2) {
      const [x, y] = [points[at]!, points[at + 1]!];
      if (x < west) west = x;
      if (x > east) east = x;
      if (y < north) north = y;
      if (y > south) south = y;
    }
    return { width: east - west, height: south - north };
  }

  /** Signed, square tile units. */
  #area(start: number, end: number): number {
    const points = this.#points;
    let twice = 0;
    let [lastX, lastY] = [points[end - 2]!, points[end - 1]!];
    for (let at = start; at < end; at += 2) {
      const [x, y] = [points[at]!, points[at + 1]!];
      twice += lastX * y - x * lastY;
      lastX = x;
      lastY = y;
    }
    return twice / 2;
  }

  #reverse(start: number, end: number): void {
    const points = this.#points;
    for (let low = start, high = end - 2; low < high; low += 2, high -= 2) {
      for (let axis = 0; axis < 2; axis++) {
        const value = points[low + axis]!;
        points[low + axis] = points[high + axis]!;
        points[high + axis] = value;
      }
    }
  }

  #reserve(count: number): void {
    if (2 * count <= this.#ring.length && 2 * count <= this.#other.length) return;
    const ring = new Float64Array(4 * count);
    ring.set(this.#ring.subarray(0, Math.min(this.#ring.length, 2 * count)));
    this.#ring = ring;
    this.#other = new Float64Array(4 * count);
  }
}

function openCount(ring: Float64Array): number {
  const count = ring.length >> 1;
  const closed = count > 1 && ring[0] === ring[2 * count - 2] && ring[1] === ring[2 * count - 1];
  return closed ? count - 1 : count;
}

function appended(points: Int32Array, start: number, end: number, x: number, y: number): number {
  let last = end;
  if (last - start >= 2 && points[last - 2] === x && points[last - 1] === y) return last;
  while (
    last - start >= 4 &&
    isStraight(points[last - 4]!, points[last - 3]!, points[last - 2]!, points[last - 1]!, x, y)
  )
    last -= 2;
  if (last - start >= 2 && points[last - 2] === x && points[last - 1] === y) return last;
  points[last] = x;
  points[last + 1] = y;
  return last + 2;
}

/** Whether the middle of three points says nothing: on the line of the others, before or between them. */
function isStraight(ax: number, ay: number, bx: number, by: number, cx: number, cy: number): boolean {
  return (bx - ax) * (cy - ay) === (by - ay) * (cx - ax);
}
