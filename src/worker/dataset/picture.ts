/** A labelled picture in memory. */
export interface LabelledPicture {
  /** File or description, for messages. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Red, green, blue by pixel: halves[0] is the picture, halves[n] averages 2ⁿ × 2ⁿ pixels. */
  readonly halves: readonly Uint8Array[];
  /** Stored label values, `[height · width]`; null where the picture has none. */
  readonly labels: Uint8Array | null;
}

const mostHalvings = 3;
const leastSide = 32;

/** A picture with its halves from red, green, blue by pixel. */
export function pictureOf(
  name: string,
  width: number,
  height: number,
  rgb: Uint8Array,
  labels: Uint8Array | null,
): LabelledPicture {
  const halves = [rgb];
  for (let level = 1; level <= mostHalvings; level++) {
    if (Math.min(width, height) >> level < leastSide) break;
    halves.push(halve(halves[level - 1]!, width >> (level - 1), height >> (level - 1)));
  }
  return { name, width, height, halves, labels };
}

/** Averages of 2 × 2 pixels; an odd last row or column is left out. */
function halve(rgb: Uint8Array, width: number, height: number): Uint8Array {
  const columns = width >> 1;
  const rows = height >> 1;
  const out = new Uint8Array(columns * rows * 3);
  const stride = width * 3;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0, from = 2 * row * stride; column < columns; column++, from += 6) {
      for (let band = 0; band < 3; band++, at++) {
        const first = from + band;
        out[at] = (rgb[first]! + rgb[first + 3]! + rgb[first + stride]! + rgb[first + stride + 3]! + 2) >> 2;
      }
    }
  }
  return out;
}

/** Part of a batch's image that one picture fills. */
export interface Cell {
  column: number;
  row: number;
  width: number;
  height: number;
}

/**
 * Picture pixel under the cell's pixel (x, y), counted from the cell's centre: column = c + a·x + b·y, row = r + d·x + e·y.
 */
export interface Placing {
  c: number;
  r: number;
  a: number;
  b: number;
  d: number;
  e: number;
}

/**
 * Samples the picture into a cell: colours bilinear from the half that fits the scale, planar `[3, side, side]` of 0-255;
 * labels of the nearest pixel, `[side · side]`. Beyond the picture's edge it is mirrored.
 */
export function paintCell(
  picture: LabelledPicture,
  placing: Placing,
  cell: Cell,
  side: number,
  colours: Float32Array,
  labels: Uint8Array,
): void {
  const { c, r, a, b, d, e } = placing;
  const step = Math.sqrt(Math.abs(a * e - b * d));
  const level = Math.max(0, Math.min(picture.halves.length - 1, Math.floor(Math.log2(step) + 0.4)));
  const shrink = 1 / 2 ** level;
  const width = picture.width >> level;
  const height = picture.height >> level;
  const rgb = picture.halves[level]!;
  const plane = side * side;
  for (let y = 0; y < cell.height; y++) {
    const dy = y + 0.5 - cell.height / 2;
    let at = (cell.row + y) * side + cell.column;
    for (let x = 0; x < cell.width; x++, at++) {
      const dx = x + 0.5 - cell.width / 2;
      const column = c + a * dx + b * dy;
      const row = r + d * dx + e * dy;
      if (picture.labels) {
        const nearest = mirror(Math.floor(row), picture.height) * picture.width;
        labels[at] = picture.labels[nearest + mirror(Math.floor(column), picture.width)]!;
      }
      const u = column * shrink - 0.5;
      const v = row * shrink - 0.5;
      const left = Math.floor(u);
      const top = Math.floor(v);
      const across = u - left;
      const down = v - top;
      const x0 = mirror(left, width) * 3;
      const x1 = mirror(left + 1, width) * 3;
      const y0 = mirror(top, height) * width * 3;
      const y1 = mirror(top + 1, height) * width * 3;
      for (let band = 0; band < 3; band++) {
        const upper = rgb[y0 + x0 + band]! * (1 - across) + rgb[y0 + x1 + band]! * across;
        const lower = rgb[y1 + x0 + band]! * (1 - across) + rgb[y1 + x1 + band]! * across;
        colours[band * plane + at] = upper * (1 - down) + lower * down;
      }
    }
  }
}

/** Index mirrored into 0 … size - 1, edges repeated. */
function mirror(index: number, size: number): number {
  const period = 2 * size;
  const within = ((index % period) + period) % period;
  return within < size ? within : period - 1 - within;
}
