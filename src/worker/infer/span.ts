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
  const rests = Float64Array.from({ length: n }, (_, i) => gram[i * stride + i]!);
  const floor = nothing * rests.reduce((longest, rest) => Math.max(longest, rest), 0);
  const columns: Float64Array[] = [];
  while (columns.length < Math.min(n, most)) {
    let chosen = 0;
    for (let i = 1; i < n; i++) if (rests[i]! > rests[chosen]!) chosen = i;
    const rest = rests[chosen]!;
    if (!(rest > floor)) break;
    const column = new Float64Array(n);
    for (let i = 0; i < n; i++) column[i] = gram[i * stride + chosen]!;
    for (const earlier of columns) subtract(column, earlier, earlier[chosen]!);
    const scale = 1 / Math.sqrt(rest);
    for (let i = 0; i < n; i++) {
      const coordinate = column[i]! * scale;
      column[i] = coordinate;
      rests[i]! -= coordinate * coordinate;
    }
    rests[chosen] = 0;
    columns.push(column);
  }
  const rank = Math.max(1, columns.length);
  const coordinates = new Float32Array(n * rank);
  columns.forEach((column, at) => {
    for (let i = 0; i < n; i++) coordinates[i * rank + at] = column[i]!;
  });
  return { coordinates, rank };
}

function subtract(from: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < from.length; i++) from[i]! -= factor * values[i]!;
}
