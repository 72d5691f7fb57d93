/** Squared length, as a share of the longest vector's, below which a rest is what single precision left of nothing. */
const nothing = 1e-7;

/**
 * Coordinates of n vectors in an orthonormal basis of their span, from their inner products: the norm of any
 * combination of the vectors is the norm of the same combination of coordinates. Cholesky's factor, each time with the
 * vector that the basis so far says least of, until it says all of every vector but for rounding: vectors of a trained
 * model lie close to far fewer directions than they have numbers.
 *
 * @param gram inner products `[n, stride]`, symmetric in the first n columns
 * @param most dimensions that the vectors have
 * @returns `[n, rank]`
 */
export function spanCoordinates(
  gram: Float32Array,
  n: number,
  stride: number,
  most: number,
): { coordinates: Float32Array; rank: number } {
  // The vectors in the order in which the basis takes them; those behind `columns.length` wait.
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const rests = Float64Array.from({ length: n }, (_, i) => gram[i * stride + i]!);
  const floor = nothing * rests.reduce((longest, rest) => Math.max(longest, rest), 0);
  const columns: Float64Array[] = [];
  while (columns.length < Math.min(n, most)) {
    const next = columns.length;
    let chosen = next;
    for (let i = next + 1; i < n; i++) if (rests[i]! > rests[chosen]!) chosen = i;
    const rest = rests[chosen]!;
    if (!(rest > floor)) break;
    for (const list of [order, rests, ...columns]) swap(list, next, chosen);
    const column = new Float64Array(n);
    const row = order[next]! * stride;
    for (let i = next + 1; i < n; i++) column[i] = gram[row + order[i]!]!;
    for (const earlier of columns) subtract(column, earlier, earlier[next]!, next + 1);
    const scale = 1 / Math.sqrt(rest);
    column[next] = 1 / scale;
    for (let i = next + 1; i < n; i++) {
      const coordinate = column[i]! * scale;
      column[i] = coordinate;
      rests[i]! -= coordinate * coordinate;
    }
    columns.push(column);
  }
  const rank = Math.max(1, columns.length);
  const coordinates = new Float32Array(n * rank);
  columns.forEach((column, at) => {
    for (let i = at; i < n; i++) coordinates[order[i]! * rank + at] = column[i]!;
  });
  return { coordinates, rank };
}

function swap(list: Float64Array | Int32Array, i: number, j: number): void {
  const kept = list[i]!;
  list[i] = list[j]!;
  list[j] = kept;
}

function subtract(from: Float64Array, values: Float64Array, factor: number, start: number): void {
  for (let i = start; i < from.length; i++) from[i]! -= factor * values[i]!;
}
