import type { Affine } from './affine.ts';
import { applyAffine, invertAffine } from './affine.ts';

/** A point known in the image and on the ground: fractional (column, row), whole numbers at pixel corners, and (x, y). */
export type GroundControlPoint = readonly [column: number, row: number, x: number, y: number];

/** The way between pixels and ground of a scene that has points instead of a transform. */
export interface GroundControl {
  points: readonly GroundControlPoint[];
  /** `grid`: bilinear between points that form a lattice; `polynomial`: least squares over scattered points. */
  method: 'grid' | 'polynomial';
  /** Of the polynomial; 1 for a grid. */
  order: 1 | 2 | 3;
}

/** Maps fractional columns and rows to coordinates and back. */
export interface GroundMapping {
  /** Coordinates at fractional (column, row), whole numbers at pixel corners; also beyond the points. */
  toGround(column: number, row: number): [number, number];
  /** Fractional (column, row) at the coordinates; NaN where the search does not settle. */
  toPixel(x: number, y: number): [number, number];
}

/** Terms of a polynomial in column and row, by order. */
const termCount = { 1: 3, 2: 6, 3: 10 } as const;

/**
 * How to use the points: as a lattice where they form one, else by the polynomial that GDAL takes for as many points
 * (2nd order from six on; the 3rd is unstable beyond the points). Longitudes that jump at the antimeridian are unwrapped.
 * Null for fewer than three points, points that are not finite, or all on a line.
 */
export function groundControlOf(
  points: readonly GroundControlPoint[],
  geographic: boolean,
): GroundControl | null {
  if (points.length < 3 || points.some((point) => point.some((value) => !Number.isFinite(value))))
    return null;
  const first = points[0]![2];
  const unwrapped = geographic
    ? points.map(
        ([column, row, x, y]): GroundControlPoint => [
          column,
          row,
          x - 360 * Math.round((x - first) / 360),
          y,
        ],
      )
    : points;
  const centre = solveTerms(unwrapped, 1);
  if (centre === null) return null;
  if (latticeOf(unwrapped) !== null) return { points: unwrapped, method: 'grid', order: 1 };
  const order = points.length >= 6 && solveTerms(unwrapped, 2) !== null ? 2 : 1;
  return { points: unwrapped, method: 'polynomial', order };
}

/** The mapping of the points. Throws `RangeError` for points that `groundControlOf` refuses. */
export function groundMapping({ points, method, order }: GroundControl): GroundMapping {
  const affine = bestAffine(points);
  const lattice = method === 'grid' ? latticeOf(points) : null;
  if (method === 'grid' && lattice === null) throw new RangeError('the points form no lattice');
  const toGround = lattice === null ? polynomial(points, order) : bilinear(lattice);
  return { toGround, toPixel: inverse(toGround, affine) };
}

/** The affine that lies closest to the points, least squares in x and y. */
export function bestAffine(points: readonly GroundControlPoint[]): Affine {
  const solved = solveTerms(points, 1);
  if (solved === null) throw new RangeError(`${points.length} ground control points, all on a line`);
  const { x, y, middle, scale } = solved;
  const transform = (terms: Float64Array): [number, number, number] => {
    const perColumn = terms[1]! / scale[0];
    const perRow = terms[2]! / scale[1];
    return [terms[0]! - perColumn * middle[0] - perRow * middle[1], perColumn, perRow];
  };
  return [...transform(x), ...transform(y)];
}

/** Largest and root mean square distance, in units of the coordinates, that `map` misses the points by. */
export function misfit(
  points: readonly GroundControlPoint[],
  map: (column: number, row: number) => readonly [number, number],
): { worst: number; rootMeanSquare: number } {
  let worst = 0;
  let squares = 0;
  for (const [column, row, x, y] of points) {
    const [mappedX, mappedY] = map(column, row);
    const distance = Math.hypot(mappedX - x, mappedY - y);
    worst = Math.max(worst, distance);
    squares += distance * distance;
  }
  return { worst, rootMeanSquare: Math.sqrt(squares / points.length) };
}

interface Lattice {
  columns: Float64Array;
  rows: Float64Array;
  /** `[rows, columns]`. */
  x: Float64Array;
  y: Float64Array;
}

/** The points as a complete lattice of at least 2 × 2, or null. */
function latticeOf(points: readonly GroundControlPoint[]): Lattice | null {
  const columns = distinct(points.map(([column]) => column));
  const rows = distinct(points.map(([, row]) => row));
  if (columns.length < 2 || rows.length < 2 || columns.length * rows.length !== points.length) return null;
  const columnAt = new Map([...columns].map((value, index) => [value, index]));
  const rowAt = new Map([...rows].map((value, index) => [value, index]));
  const x = new Float64Array(points.length).fill(Number.NaN);
  const y = new Float64Array(points.length).fill(Number.NaN);
  for (const point of points) {
    const at = rowAt.get(point[1])! * columns.length + columnAt.get(point[0])!;
    x[at] = point[2];
    y[at] = point[3];
  }
  return x.some(Number.isNaN) ? null : { columns, rows, x, y };
}

function distinct(values: readonly number[]): Float64Array {
  return Float64Array.from(new Set(values)).sort();
}

/** The cell of `axis` that holds `value`, and the share of it passed; the outer cells go on beyond the axis. */
function cell(axis: Float64Array, value: number): [number, number] {
  let low = 0;
  let high = axis.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (axis[middle]! <= value) low = middle;
    else high = middle;
  }
  return [low, (value - axis[low]!) / (axis[low + 1]! - axis[low]!)];
}

function bilinear({ columns, rows, x, y }: Lattice): GroundMapping['toGround'] {
  const across = columns.length;
  return (column, row) => {
    const [left, shareX] = cell(columns, column);
    const [top, shareY] = cell(rows, row);
    const at = top * across + left;
    const mix = (values: Float64Array): number =>
      (values[at]! * (1 - shareX) + values[at + 1]! * shareX) * (1 - shareY) +
      (values[at + across]! * (1 - shareX) + values[at + across + 1]! * shareX) * shareY;
    return [mix(x), mix(y)];
  };
}

function polynomial(points: readonly GroundControlPoint[], order: 1 | 2 | 3): GroundMapping['toGround'] {
  const solved = solveTerms(points, order);
  if (solved === null) throw new RangeError(`${points.length} points for a polynomial of order ${order}`);
  const { x, y, middle, scale } = solved;
  const terms = new Float64Array(termCount[order]);
  return (column, row) => {
    fillTerms(terms, (column - middle[0]) / scale[0], (row - middle[1]) / scale[1]);
    let sumX = 0;
    let sumY = 0;
    for (let term = 0; term < terms.length; term++) {
      sumX += x[term]! * terms[term]!;
      sumY += y[term]! * terms[term]!;
    }
    return [sumX, sumY];
  };
}

function fillTerms(terms: Float64Array, u: number, v: number): void {
  const all = [1, u, v, u * u, u * v, v * v, u * u * u, u * u * v, u * v * v, v * v * v];
  for (let term = 0; term < terms.length; term++) terms[term] = all[term]!;
}

interface Solved {
  x: Float64Array;
  y: Float64Array;
  /** Columns and rows are centred and scaled to about -1 … 1, for the sake of the equations. */
  middle: [number, number];
  scale: [number, number];
}

/** Least squares by Householder reflections; null where the points do not determine the polynomial. */
function solveTerms(points: readonly GroundControlPoint[], order: 1 | 2 | 3): Solved | null {
  const count = termCount[order];
  const size = points.length;
  if (size < count) return null;
  const range = (index: 0 | 1): [number, number] => {
    let low = Infinity;
    let high = -Infinity;
    for (const point of points) {
      low = Math.min(low, point[index]);
      high = Math.max(high, point[index]);
    }
    return [(low + high) / 2, (high - low) / 2 || 1];
  };
  const [middleColumn, scaleColumn] = range(0);
  const [middleRow, scaleRow] = range(1);
  // Columns 0 … count - 1 the terms, then x and y.
  const across = count + 2;
  const matrix = new Float64Array(size * across);
  const terms = new Float64Array(count);
  points.forEach(([column, row, x, y], at) => {
    fillTerms(terms, (column - middleColumn) / scaleColumn, (row - middleRow) / scaleRow);
    matrix.set(terms, at * across);
    matrix[at * across + count] = x;
    matrix[at * across + count + 1] = y;
  });
  for (let pivot = 0; pivot < count; pivot++) {
    let norm = 0;
    for (let at = pivot; at < size; at++) norm += matrix[at * across + pivot]! ** 2;
    norm = Math.sqrt(norm);
    if (!(norm > 1e-9 * Math.sqrt(size))) return null;
    const head = matrix[pivot * across + pivot]!;
    const diagonal = head > 0 ? -norm : norm;
    const factor = 1 / (diagonal * (head - diagonal));
    const reflected = new Float64Array(size - pivot);
    for (let at = pivot; at < size; at++) reflected[at - pivot] = matrix[at * across + pivot]!;
    reflected[0] = head - diagonal;
    for (let column = pivot; column < across; column++) {
      let dot = 0;
      for (let at = pivot; at < size; at++) dot += reflected[at - pivot]! * matrix[at * across + column]!;
      dot *= factor;
      for (let at = pivot; at < size; at++)
        matrix[at * across + column] = matrix[at * across + column]! + dot * reflected[at - pivot]!;
    }
  }
  const back = (side: number): Float64Array => {
    const solution = new Float64Array(count);
    for (let row = count - 1; row >= 0; row--) {
      let value = matrix[row * across + side]!;
      for (let column = row + 1; column < count; column++)
        value -= matrix[row * across + column]! * solution[column]!;
      solution[row] = value / matrix[row * across + row]!;
    }
    return solution;
  };
  return {
    x: back(count),
    y: back(count + 1),
    middle: [middleColumn, middleRow],
    scale: [scaleColumn, scaleRow],
  };
}

/** Newton's method from the affine's answer; derivatives over half a pixel each way. */
function inverse(toGround: GroundMapping['toGround'], affine: Affine): GroundMapping['toPixel'] {
  const start = invertAffine(affine);
  const settled = 1e-6;
  return (x, y) => {
    let [column, row] = applyAffine(start, x, y);
    for (let step = 0; step < 50; step++) {
      const [atX, atY] = toGround(column, row);
      const [rightX, rightY] = toGround(column + 0.5, row);
      const [leftX, leftY] = toGround(column - 0.5, row);
      const [lowerX, lowerY] = toGround(column, row + 0.5);
      const [upperX, upperY] = toGround(column, row - 0.5);
      const [a, b, c, d] = [rightX - leftX, lowerX - upperX, rightY - leftY, lowerY - upperY];
      const determinant = a * d - b * c;
      if (determinant === 0 || !Number.isFinite(determinant)) break;
      const moveColumn = ((x - atX) * d - (y - atY) * b) / determinant;
      const moveRow = ((y - atY) * a - (x - atX) * c) / determinant;
      column += moveColumn;
      row += moveRow;
      if (Math.abs(moveColumn) < settled && Math.abs(moveRow) < settled) return [column, row];
    }
    return [Number.NaN, Number.NaN];
  };
}
