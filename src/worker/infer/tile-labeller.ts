import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { upsamplerFactor } from '../net/upsampler.ts';
import type { Pack } from '../pack/open-pack.ts';
import { upsamplerOf } from '../pack/upsampler.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { cutPlanes, resizePlanes } from './planes.ts';
import { Session, type SessionOptions } from './session.ts';

/** Tokens of overlapping windows, merged on their common grid: a rectangle of it. */
export interface TokenTile {
  rows: number;
  columns: number;
  /** `[rows · columns, embedding]`. */
  tokens: Float32Array;
  /** Tokens around the core, there for the kernels that reach beyond it. */
  margin: { top: number; left: number; bottom: number; right: number };
}

/** Tokens that the directions of a tile are found from. */
const sampleSize = 96;

/** What the norm may lose: the share of the tokens' energy outside the directions. */
const energyLost = 1e-3;

/**
 * Compares tiles of merged tokens with words: one upsampling pass over a tile, kernels once per pixel. The norm of a
 * pixel's feature is that of its coordinates in a few directions. The global bias is not part of it.
 */
export class TileLabeller {
  readonly words: number;
  readonly #embeddings: Float32Array;
  readonly #embedding: number;
  readonly #patch: number;
  readonly #upsampler: { factor: number; projection: Session; tile: Session } | null;

  private constructor(
    embeddings: Float32Array,
    pack: Pack,
    upsampler: { factor: number; projection: Session; tile: Session } | null,
  ) {
    const { geometry } = pack.manifest;
    this.#embeddings = embeddings;
    this.#embedding = geometry.embedding;
    this.#patch = geometry.vision.patch;
    this.words = embeddings.length / geometry.embedding;
    this.#upsampler = upsampler;
  }

  /** @param embeddings normalised word embeddings `[words, embedding]` */
  static async open(
    pack: Pack,
    embeddings: Float32Array,
    upsample: boolean,
    options: SessionOptions,
  ): Promise<TileLabeller> {
    if (!upsample) return new TileLabeller(embeddings, pack, null);
    const { geometry, name } = pack.manifest;
    const upsampler = upsamplerOf(pack.manifest);
    if (upsampler.tile === null) {
      throw new Problem(
        'pack/no-tile',
        `Pack ${name} is older than the fast mode.`,
        'Build or install the pack again, or use --mode reference.',
      );
    }
    return new TileLabeller(embeddings, pack, {
      factor: upsamplerFactor(upsampler.kind, geometry.vision.patch),
      projection: await Session.open(pack, upsampler.projection, options),
      tile: await Session.open(pack, upsampler.tile, options),
    });
  }

  /**
   * Similarity of the core's pixels with every word, `[words, core height, core width]`.
   *
   * @param pixels normalised colours under the whole tile, `[3, rows · patch, columns · patch]`
   */
  async label(tile: TokenTile, pixels: Float32Array, signal?: AbortSignal): Promise<Float32Array> {
    throwIfCancelled(signal);
    const { rows, columns, margin } = tile;
    const patch = this.#patch;
    // A token more than the core, where the scores are resized.
    const kept = (tokens: number) => Math.max(0, tokens - 1);
    const outer = {
      top: kept(margin.top),
      left: kept(margin.left),
      bottom: kept(margin.bottom),
      right: kept(margin.right),
    };
    const innerRows = rows - outer.top - outer.bottom;
    const innerColumns = columns - outer.left - outer.right;
    const factor = this.#upsampler?.factor ?? 1;
    const scores = this.#upsampler
      ? await this.#upsampled(this.#upsampler, tile, outer, pixels)
      : this.#compared(tile, outer);
    const [height, width] = [innerRows * patch, innerColumns * patch];
    const full = resizePlanes(scores, innerRows * factor, innerColumns * factor, height, width);
    const top = (margin.top - outer.top) * patch;
    const left = (margin.left - outer.left) * patch;
    const coreHeight = (rows - margin.top - margin.bottom) * patch;
    const coreWidth = (columns - margin.left - margin.right) * patch;
    return cutPlanes(full, height, width, top, left, coreHeight, coreWidth);
  }

  async close(): Promise<void> {
    await this.#upsampler?.projection.close();
    await this.#upsampler?.tile.close();
  }

  async #upsampled(
    sessions: { projection: Session; tile: Session },
    { rows, columns, tokens }: TokenTile,
    outer: TokenTile['margin'],
    pixels: Float32Array,
  ): Promise<Float32Array> {
    const { directions, rank } = await this.#directions(sessions.projection, tokens);
    const { scores } = await sessions.tile.run({
      image: { values: pixels, shape: [1, 3, rows * this.#patch, columns * this.#patch] },
      tokens: { values: tokens, shape: [rows * columns, this.#embedding] },
      words: { values: this.#embeddings, shape: [this.words, this.#embedding] },
      directions: { values: directions, shape: [rank, this.#embedding] },
      margin: {
        values: BigInt64Array.from([outer.top, outer.left, outer.bottom, outer.right], BigInt),
        shape: [4],
      },
    });
    return scores!.values as Float32Array;
  }

  /**
   * Orthonormal directions `[rank, embedding]` that hold nearly all energy of the mapped tokens, from evenly spread
   * samples of them: principal axes of their second moments.
   */
  async #directions(
    projection: Session,
    tokens: Float32Array,
  ): Promise<{ directions: Float32Array; rank: number }> {
    const size = this.#embedding;
    const count = tokens.length / size;
    const samples = Math.min(sampleSize, count);
    const sample = new Float32Array(samples * size);
    for (let i = 0; i < samples; i++) {
      const from = Math.floor(((i + 0.5) * count) / samples) * size;
      sample.set(tokens.subarray(from, from + size), i * size);
    }
    const projected = await projection.run({
      tokens: { values: sample, shape: [samples, size] },
      words: { values: this.#embeddings, shape: [this.words, size] },
    });
    const features = projected.features!.values as Float32Array;
    const gram = projected.gram!.values as Float32Array;
    const products = new Matrix(samples, samples);
    for (let i = 0; i < samples; i++)
      for (let j = 0; j < samples; j++)
        products.set(i, j, (gram[i * (samples + 1) + j]! + gram[j * (samples + 1) + i]!) / 2);
    const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(products, {
      assumeSymmetric: true,
    });
    const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
    const total = realEigenvalues.reduce((sum, value) => sum + Math.max(0, value), 0);
    const chosen: number[] = [];
    let left = total;
    for (const column of order) {
      const energy = realEigenvalues[column]!;
      if (chosen.length > 0 && (left <= energyLost * total || energy <= 1e-6 * total)) break;
      chosen.push(column);
      left -= energy;
    }
    const directions = new Float32Array(chosen.length * size);
    chosen.forEach((column, row) => {
      const scale = 1 / Math.sqrt(Math.max(realEigenvalues[column]!, Number.MIN_VALUE));
      for (let i = 0; i < samples; i++) {
        const weight = eigenvectorMatrix.get(i, column) * scale;
        for (let k = 0; k < size; k++) directions[row * size + k]! += weight * features[i * size + k]!;
      }
    });
    return { directions, rank: chosen.length };
  }

  /** Scores of the tokens themselves inside the outer margin: `[words, tokens]`. */
  #compared({ rows, columns, tokens }: TokenTile, outer: TokenTile['margin']): Float32Array {
    const size = this.#embedding;
    const innerColumns = columns - outer.left - outer.right;
    const count = (rows - outer.top - outer.bottom) * innerColumns;
    const out = new Float32Array(this.words * count);
    for (let token = 0; token < count; token++) {
      const row = outer.top + Math.floor(token / innerColumns);
      const start = (row * columns + outer.left + (token % innerColumns)) * size;
      let squares = 0;
      for (let i = start; i < start + size; i++) squares += tokens[i]! * tokens[i]!;
      const norm = Math.sqrt(squares);
      for (let word = 0; word < this.words; word++) {
        const at = word * size;
        let sum = 0;
        for (let i = 0; i < size; i++) sum += tokens[start + i]! * this.#embeddings[at + i]!;
        // A token that no window made has no direction, and pixels around it are nodata.
        out[word * count + token] = norm === 0 ? 0 : sum / norm;
      }
    }
    return out;
  }
}
