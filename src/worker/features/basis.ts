import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** An orthonormal basis around a mean, the directions of largest variance first (Karhunen-Loève). */
export interface Basis {
  size: number;
  /** `[size]`. */
  mean: Float32Array;
  /** `[size, size]`, one direction a row. */
  directions: Float32Array;
}

/** Sums over vectors that a basis is found from; takes any number of them in the memory of one matrix. */
export class BasisSample {
  readonly #size: number;
  readonly #sum: Float64Array;
  readonly #products: Float64Array;
  #count = 0;

  constructor(size: number) {
    this.#size = size;
    this.#sum = new Float64Array(size);
    this.#products = new Float64Array(size * size);
  }

  /** @param vectors `[n, size]` */
  add(vectors: Float32Array): void {
    const size = this.#size;
    for (let start = 0; start < vectors.length; start += size) {
      this.#count++;
      for (let i = 0; i < size; i++) {
        const value = vectors[start + i]!;
        this.#sum[i]! += value;
        const row = i * size;
        for (let j = 0; j <= i; j++) this.#products[row + j]! += value * vectors[start + j]!;
      }
    }
  }

  basis(): Basis {
    const { size, mean, directions } = this.spectrum();
    return { size, mean, directions };
  }

  /** The basis, and the variance along each of its directions. */
  spectrum(): Basis & { variances: Float64Array } {
    const size = this.#size;
    const count = Math.max(1, this.#count);
    const mean = Float32Array.from(this.#sum, (sum) => sum / count);
    const covariance = new Matrix(size, size);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const value =
          this.#products[i * size + j]! / count - (this.#sum[i]! / count) * (this.#sum[j]! / count);
        covariance.set(i, j, value);
        covariance.set(j, i, value);
      }
    }
    const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(covariance, {
      assumeSymmetric: true,
    });
    const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
    const directions = new Float32Array(size * size);
    order.forEach((column, row) => {
      for (let i = 0; i < size; i++) directions[row * size + i] = eigenvectorMatrix.get(i, column);
    });
    const variances = Float64Array.from(order, (column) => Math.max(0, realEigenvalues[column]!));
    return { size, mean, directions, variances };
  }
}
