/**
 * Coordinates of n vectors in an orthonormal basis of their span, from their inner products: the norm of any
 * combination of the vectors is the norm of the same combination of coordinates. Cholesky factor of the Gram matrix
 * with a floor on the pivots (vectors that depend on earlier ones add no coordinate).
 *
 * @param gram `[n, n]`, symmetric
 * @returns `[n, rank]`, lower triangular up to dropped columns
 */
export function spanCoordinates(gram: Float32Array, n: number): { coordinates: Float32Array; rank: number } {
  const lower = new Float64Array(n * n);
  const columns: number[] = [];
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, gram[i * n + i]!);
  // Below this, a pivot is what single precision left of zero.
  const floor = largest * 1e-7;
  for (let j = 0; j < n; j++) {
    const rowJ = j * n;
    let pivot = gram[rowJ + j]!;
    for (let k = 0; k < j; k++) pivot -= lower[rowJ + k]! * lower[rowJ + k]!;
    if (!(pivot > floor)) continue;
    columns.push(j);
    const diagonal = Math.sqrt(pivot);
    lower[rowJ + j] = diagonal;
    for (let i = j + 1; i < n; i++) {
      const rowI = i * n;
      let sum = gram[rowI + j]!;
      for (let k = 0; k < j; k++) sum -= lower[rowI + k]! * lower[rowJ + k]!;
      lower[rowI + j] = sum / diagonal;
    }
  }
  const rank = Math.max(1, columns.length);
  const coordinates = new Float32Array(n * rank);
  columns.forEach((column, at) => {
    for (let i = column; i < n; i++) coordinates[i * rank + at] = lower[i * n + column]!;
  });
  return { coordinates, rank };
}
