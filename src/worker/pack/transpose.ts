/** `[rows, columns]` to `[columns, rows]`, in squares that stay in the cache. */
export function transpose(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  const out = new Float32Array(values.length);
  const side = 32;
  for (let row0 = 0; row0 < rows; row0 += side) {
    const rowEnd = Math.min(row0 + side, rows);
    for (let column0 = 0; column0 < columns; column0 += side) {
      const columnEnd = Math.min(column0 + side, columns);
      for (let row = row0; row < rowEnd; row++) {
        for (let column = column0; column < columnEnd; column++) {
          out[column * rows + row] = values[row * columns + column]!;
        }
      }
    }
  }
  return out;
}
