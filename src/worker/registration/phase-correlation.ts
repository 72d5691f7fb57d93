import { FourierSquare } from './fourier.ts';

/** Where the second picture's content lies relative to the first's. */
export interface Offset {
  /** Pixels: what is at p in the first picture is at p + (columns, rows) in the second. */
  columns: number;
  rows: number;
  /** Height of the peak over the surface's root mean square; noise alone gives 4 to 6. */
  strength: number;
}

/** Standard deviation, pixels, of the Gaussian that the correlation's peak is made to be. */
const peakWidth = 1;

/**
 * Offsets between square pictures by phase correlation (Kuglin & Hines 1975) of their gradients' magnitudes: edges are
 * where they are whatever the sensor, while brightness may be reversed. The cross-power spectrum is weighted with a
 * Gaussian, so that the peak is one and a parabola through the logarithms gives its place between the pixels.
 */
export class PhaseCorrelation {
  readonly side: number;
  readonly #fourier: FourierSquare;
  readonly #taper: Float64Array;
  readonly #weights: Float64Array;
  readonly #sumReal: Float64Array;
  readonly #sumImaginary: Float64Array;
  #pictures = 0;

  constructor(side: number) {
    this.side = side;
    this.#fourier = new FourierSquare(side);
    this.#taper = Float64Array.from(
      { length: side },
      (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / side),
    );
    this.#weights = Float64Array.from({ length: side }, (_, at) => {
      const frequency = Math.min(at, side - at) / side;
      return Math.exp(-2 * (Math.PI * peakWidth * frequency) ** 2);
    });
    this.#sumReal = new Float64Array(side * side);
    this.#sumImaginary = new Float64Array(side * side);
  }

  /**
   * Offset of one pair, `[side, side]` each, at most `reach` pixels along each axis; null where either has no edges at all.
   * The pair also counts for `together`.
   */
  pair(first: ArrayLike<number>, second: ArrayLike<number>, reach: number): Offset | null {
    const { side } = this;
    const one = this.#edges(first);
    const other = this.#edges(second);
    if (one === null || other === null) return null;
    const zeros = new Float64Array(side * side);
    const zerosToo = new Float64Array(side * side);
    this.#fourier.transform(one, zeros, false);
    this.#fourier.transform(other, zerosToo, false);
    const real = new Float64Array(side * side);
    const imaginary = new Float64Array(side * side);
    for (let row = 0, at = 0; row < side; row++) {
      for (let column = 0; column < side; column++, at++) {
        // conj(first) · second: its phase grows with the second's displacement.
        const x = one[at]! * other[at]! + zeros[at]! * zerosToo[at]!;
        const y = one[at]! * zerosToo[at]! - zeros[at]! * other[at]!;
        const length = Math.hypot(x, y);
        if (length < 1e-12) continue;
        const weight = (this.#weights[row]! * this.#weights[column]!) / length;
        real[at] = x * weight;
        imaginary[at] = y * weight;
        this.#sumReal[at] = this.#sumReal[at]! + real[at]!;
        this.#sumImaginary[at] = this.#sumImaginary[at]! + imaginary[at]!;
      }
    }
    this.#pictures++;
    this.#fourier.transform(real, imaginary, true);
    return peakOf(real, side, reach);
  }

  /** The one offset that all pairs so far agree on best; null without any. */
  together(reach: number): Offset | null {
    if (this.#pictures === 0) return null;
    const real = this.#sumReal.slice();
    this.#fourier.transform(real, this.#sumImaginary.slice(), true);
    return peakOf(real, this.side, reach);
  }

  /** Tapered magnitude of the gradient, its mean taken off; null where it is 0 everywhere. */
  #edges(picture: ArrayLike<number>): Float64Array | null {
    const { side } = this;
    const edges = new Float64Array(side * side);
    let sum = 0;
    for (let row = 1; row < side - 1; row++) {
      for (let column = 1; column < side - 1; column++) {
        const at = row * side + column;
        const across = picture[at + 1]! - picture[at - 1]!;
        const down = picture[at + side]! - picture[at - side]!;
        sum += edges[at] = Math.hypot(across, down);
      }
    }
    if (!(sum > 0)) return null;
    const mean = sum / (side - 2) ** 2;
    for (let row = 0; row < side; row++) {
      const inner = row > 0 && row < side - 1;
      for (let column = 0; column < side; column++) {
        const at = row * side + column;
        const inside = inner && column > 0 && column < side - 1;
        edges[at] = inside ? (edges[at]! - mean) * this.#taper[row]! * this.#taper[column]! : 0;
      }
    }
    return edges;
  }
}

/** The highest point of a periodic surface within `reach` of its origin, between pixels. */
function peakOf(surface: Float64Array, side: number, reach: number): Offset {
  const most = Math.min(Math.floor(reach), side / 2 - 1);
  const value = (column: number, row: number): number =>
    surface[((row + side) % side) * side + ((column + side) % side)]!;
  let [best, columns, rows] = [Number.NEGATIVE_INFINITY, 0, 0];
  for (let row = -most; row <= most; row++) {
    for (let column = -most; column <= most; column++) {
      const here = value(column, row);
      if (here > best) [best, columns, rows] = [here, column, row];
    }
  }
  let squares = 0;
  for (const height of surface) squares += height * height;
  const between = (before: number, after: number): number => {
    const floor = best * 1e-3;
    const [a, b, c] = [before, best, after].map((height) => Math.log(Math.max(height, floor))) as [
      number,
      number,
      number,
    ];
    const curve = a - 2 * b + c;
    return curve < 0 ? Math.max(-0.5, Math.min(0.5, (a - c) / (2 * curve))) : 0;
  };
  return {
    columns: columns + between(value(columns - 1, rows), value(columns + 1, rows)),
    rows: rows + between(value(columns, rows - 1), value(columns, rows + 1)),
    strength: best / Math.sqrt(squares / surface.length || 1),
  };
}
