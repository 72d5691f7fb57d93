/** Corners that one segment may replace; bounds the search, not the result's quality. */
const longestSpan = 96;

/**
 * Marks the corners first … last that a polyline of the fewest segments keeps when every corner stays within the
 * tolerance of the segment that replaces it, and among those polylines of the one with the least sum of squared
 * distances (shortest path over feasible shortcuts, Imai and Iri 1988). Staircases become single lines, where greedy
 * dropping leaves teeth. `chosen[corner]` becomes 1 for the corners kept, both ends among them.
 */
export class FewestSegments {
  private cost = new Float64Array(1 << 10);
  private from = new Int32Array(1 << 10);

  mark(
    x: Int16Array | Float64Array,
    y: Int16Array | Float64Array,
    first: number,
    last: number,
    tolerance: number,
    chosen: Uint8Array,
  ): void {
    const count = last - first + 1;
    if (count > this.cost.length) {
      this.cost = new Float64Array(2 * count);
      this.from = new Int32Array(2 * count);
    }
    const cost = this.cost;
    const from = this.from;
    const limit = tolerance * tolerance;
    // One segment outweighs every sum of squares that a span can have.
    const segmentCost = longestSpan * limit + 1;
    cost.fill(Number.POSITIVE_INFINITY, 0, count);
    cost[0] = 0;
    for (let start = 0; start < count - 1; start++) {
      const startX = x[first + start]!;
      const startY = y[first + start]!;
      // Directions from the start that pass within the tolerance of every corner so far, between two rays.
      let leftX = 0;
      let leftY = 0;
      let rightX = 0;
      let rightY = 0;
      let bounded = false;
      const farthest = Math.min(count - 1, start + longestSpan);
      for (let end = start + 1; end <= farthest; end++) {
        const alongX = x[first + end]! - startX;
        const alongY = y[first + end]! - startY;
        const inside =
          !bounded ||
          (rightX * alongY - rightY * alongX >= -1e-9 && alongX * leftY - alongY * leftX >= -1e-9);
        if (inside) {
          const squares = squaredDistances(x, y, first + start, first + end, limit);
          const reached = cost[start]! + segmentCost + squares;
          if (reached < cost[end]!) {
            cost[end] = reached;
            from[end] = start;
          }
        }
        const distance = Math.hypot(alongX, alongY);
        if (distance <= tolerance) continue;
        const sine = tolerance / distance;
        const cosine = Math.sqrt(1 - sine * sine);
        const newLeftX = alongX * cosine - alongY * sine;
        const newLeftY = alongX * sine + alongY * cosine;
        const newRightX = alongX * cosine + alongY * sine;
        const newRightY = alongY * cosine - alongX * sine;
        if (!bounded || newLeftX * leftY - newLeftY * leftX > 0) {
          leftX = newLeftX;
          leftY = newLeftY;
        }
        if (!bounded || rightX * newRightY - rightY * newRightX > 0) {
          rightX = newRightX;
          rightY = newRightY;
        }
        bounded = true;
        if (rightX * leftY - rightY * leftX < -1e-9) break;
      }
    }
    chosen.fill(0, first, last + 1);
    for (let corner = count - 1; corner > 0; corner = from[corner]!) chosen[first + corner] = 1;
    chosen[first] = 1;
  }
}

/** Sum of squared distances of the corners between from the segment; infinite where one is beyond the limit. */
export function squaredDistances(
  x: Int16Array | Float64Array,
  y: Int16Array | Float64Array,
  from: number,
  to: number,
  squaredLimit: number,
): number {
  const startX = x[from]!;
  const startY = y[from]!;
  const alongX = x[to]! - startX;
  const alongY = y[to]! - startY;
  const squaredLength = alongX * alongX + alongY * alongY;
  let sum = 0;
  for (let k = from + 1; k < to; k++) {
    const offX = x[k]! - startX;
    const offY = y[k]! - startY;
    const projection = offX * alongX + offY * alongY;
    let squared: number;
    if (projection <= 0) squared = offX * offX + offY * offY;
    else if (projection >= squaredLength) {
      squared = (offX - alongX) * (offX - alongX) + (offY - alongY) * (offY - alongY);
    } else {
      const cross = offX * alongY - offY * alongX;
      squared = (cross * cross) / squaredLength;
    }
    if (squared > squaredLimit) return Number.POSITIVE_INFINITY;
    sum += squared;
  }
  return sum;
}
