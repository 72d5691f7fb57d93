import type { Box } from '../rpc/base.ts';

/** Whether a polygon (closed rings x, y, …, exterior first) and a box share a point; borders count. */
export function touchesBox(rings: readonly ArrayLike<number>[], box: Readonly<Box>): boolean {
  for (const ring of rings)
    for (let i = 0; i + 3 < ring.length; i += 2)
      if (segmentTouchesBox(ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!, box)) return true;
  // No border in the box: all of it lies inside the polygon, or none.
  return isInside(rings, box[0], box[1]);
}

/** Liang and Barsky (1984): the part of the segment inside the box is not empty. */
function segmentTouchesBox(
  x: number,
  y: number,
  toX: number,
  toY: number,
  [left, bottom, right, top]: Readonly<Box>,
): boolean {
  let from = 0;
  let to = 1;
  const [dx, dy] = [toX - x, toY - y];
  for (const [delta, room] of [
    [-dx, x - left],
    [dx, right - x],
    [-dy, y - bottom],
    [dy, top - y],
  ] as const) {
    if (delta === 0) {
      if (room < 0) return false;
      continue;
    }
    const share = room / delta;
    if (delta < 0) from = Math.max(from, share);
    else to = Math.min(to, share);
    if (from > to) return false;
  }
  return true;
}

/** Even-odd rule over all rings. */
function isInside(rings: readonly ArrayLike<number>[], x: number, y: number): boolean {
  let inside = false;
  for (const ring of rings)
    for (let i = 0; i + 3 < ring.length; i += 2) {
      const [ax, ay, bx, by] = [ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
  return inside;
}
