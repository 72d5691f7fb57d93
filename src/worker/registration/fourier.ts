/** In-place Fourier transforms of complex squares of one size, a power of two: radix 2, decimation in time. */
export class FourierSquare {
  readonly side: number;
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  readonly #reversed: Uint32Array;
  readonly #real: Float64Array;
  readonly #imaginary: Float64Array;

  constructor(side: number) {
    if (side < 2 || (side & (side - 1)) !== 0) throw new RangeError(`a square of side ${side}`);
    this.side = side;
    this.#cosines = Float64Array.from({ length: side / 2 }, (_, at) => Math.cos((2 * Math.PI * at) / side));
    this.#sines = Float64Array.from({ length: side / 2 }, (_, at) => -Math.sin((2 * Math.PI * at) / side));
    this.#reversed = new Uint32Array(side);
    for (let at = 1; at < side; at++)
      this.#reversed[at] = (this.#reversed[at >> 1]! >> 1) | (at & 1 ? side >> 1 : 0);
    this.#real = new Float64Array(side);
    this.#imaginary = new Float64Array(side);
  }

  /** Both parts `[side, side]`; the inverse divides by their number. */
  transform(real: Float64Array, imaginary: Float64Array, inverse: boolean): void {
    const { side } = this;
    for (let row = 0; row < side; row++) this.#line(real, imaginary, row * side, 1, inverse);
    for (let column = 0; column < side; column++) this.#line(real, imaginary, column, side, inverse);
    if (!inverse) return;
    const scale = 1 / (side * side);
    for (let at = 0; at < real.length; at++) {
      real[at] = real[at]! * scale;
      imaginary[at] = imaginary[at]! * scale;
    }
  }

  #line(real: Float64Array, imaginary: Float64Array, start: number, step: number, inverse: boolean): void {
    const { side } = this;
    const re = this.#real;
    const im = this.#imaginary;
    for (let at = 0; at < side; at++) {
      const from = start + this.#reversed[at]! * step;
      re[at] = real[from]!;
      im[at] = imaginary[from]!;
    }
    const sign = inverse ? -1 : 1;
    for (let half = 1; half < side; half *= 2) {
      const stride = side / (2 * half);
      for (let base = 0; base < side; base += 2 * half) {
        for (let k = 0; k < half; k++) {
          const cosine = this.#cosines[k * stride]!;
          const sine = sign * this.#sines[k * stride]!;
          const low = base + k;
          const high = low + half;
          const x = re[high]! * cosine - im[high]! * sine;
          const y = re[high]! * sine + im[high]! * cosine;
          re[high] = re[low]! - x;
          im[high] = im[low]! - y;
          re[low] = re[low]! + x;
          im[low] = im[low]! + y;
        }
      }
    }
    for (let at = 0; at < side; at++) {
      real[start + at * step] = re[at]!;
      imaginary[start + at * step] = im[at]!;
    }
  }
}
