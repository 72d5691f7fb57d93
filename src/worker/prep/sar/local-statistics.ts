/** Power with a margin of `radius` pixels on every side, `[height, width]`. */
export interface Padded {
  width: number;
  height: number;
  values: Float64Array;
  valid: Uint8Array;
}

/** Of each pixel without the margin, over the valid pixels of the square around it. */
export interface LocalStatistics {
  count: Float64Array;
  mean: Float64Array;
  /** Sample variance (divided by count - 1); 0 for a single pixel. */
  variance: Float64Array;
}

/**
 * Mean and variance in squares of 2·radius + 1 pixels. Sums run in an order that depends on the pixel alone, so that a
 * pixel's statistics are the same, bit for bit, in whatever window it is computed.
 */
export function localStatistics({ width, height, values, valid }: Padded, radius: number): LocalStatistics {
  const side = 2 * radius + 1;
  const across = width - 2 * radius;
  const down = height - 2 * radius;
  const size = across * down;
  const rowCount = new Float64Array(across * height);
  const rowSum = new Float64Array(across * height);
  const rowSquares = new Float64Array(across * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < across; column++) {
      const from = row * width + column;
      let count = 0;
      let sum = 0;
      let squares = 0;
      for (let at = from; at < from + side; at++) {
        if (valid[at] === 0) continue;
        const value = values[at]!;
        count++;
        sum += value;
        squares += value * value;
      }
      const to = row * across + column;
      rowCount[to] = count;
      rowSum[to] = sum;
      rowSquares[to] = squares;
    }
  }
  const count = new Float64Array(size);
  const mean = new Float64Array(size);
  const variance = new Float64Array(size);
  for (let at = 0; at < size; at++) {
    let total = 0;
    let sum = 0;
    let squares = 0;
    for (let line = 0, from = at; line < side; line++, from += across) {
      total += rowCount[from]!;
      sum += rowSum[from]!;
      squares += rowSquares[from]!;
    }
    count[at] = total;
    if (total === 0) continue;
    mean[at] = sum / total;
    if (total > 1) variance[at] = Math.max(0, (squares - (sum * sum) / total) / (total - 1));
  }
  return { count, mean, variance };
}
