/** Values given along some image lines, each line at its own pixels: the form of all tables of a SAFE annotation. */
export interface LookupTable {
  /** Ascending, whole numbers are pixel centres; they may begin before the image and end after it. */
  lines: Float64Array;
  /** Of each line: ascending pixels, and as many values. */
  pixels: Float64Array[];
  values: Float64Array[];
}

/**
 * Fills `row` with the table's values at `line`, from pixel `firstPixel` on: linear along the table's lines and between
 * them, the nearest value beyond its ends (Sentinel-1 Level 1 Detailed Algorithm Definition, 9.1: bilinear).
 */
export function lookupRow(table: LookupTable, line: number, firstPixel: number, row: Float64Array): void {
  const { lines } = table;
  let before = 0;
  let after = lines.length - 1;
  while (after - before > 1) {
    const middle = (before + after) >> 1;
    if (lines[middle]! <= line) before = middle;
    else after = middle;
  }
  const apart = lines[after]! - lines[before]!;
  const share = apart > 0 ? Math.min(1, Math.max(0, (line - lines[before]!) / apart)) : 0;
  addLine(table.pixels[before]!, table.values[before]!, firstPixel, row, 1 - share, true);
  if (share > 0) addLine(table.pixels[after]!, table.values[after]!, firstPixel, row, share, false);
}

function addLine(
  pixels: Float64Array,
  values: Float64Array,
  firstPixel: number,
  row: Float64Array,
  weight: number,
  fresh: boolean,
): void {
  const last = pixels.length - 1;
  let node = 0;
  for (let index = 0; index < row.length; index++) {
    const pixel = firstPixel + index;
    while (node < last && pixels[node + 1]! <= pixel) node++;
    let value = values[node]!;
    if (node < last && pixel > pixels[node]!) {
      const share = (pixel - pixels[node]!) / (pixels[node + 1]! - pixels[node]!);
      value += (values[node + 1]! - value) * share;
    }
    row[index] = fresh ? weight * value : row[index]! + weight * value;
  }
}
