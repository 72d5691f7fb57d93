import type { EncodedWindow } from '../features/encoded-window.ts';
import { upsamplerFactor } from '../net/upsampler.ts';
import type { Pack } from '../pack/open-pack.ts';
import { upsamplerOf } from '../pack/upsampler.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { cutPlanes, resizePlanes } from './planes.ts';
import { Session, type SessionOptions, type Tensor } from './session.ts';
import { spanCoordinates } from './span.ts';
import { padToTokens } from './token-grid.ts';

export interface LabellerSettings {
  /** Weight of the global bias alleviation (λ; -0.3 in the papers, 0 for none). */
  lambda: number;
  /** Whether the pack's upsampler runs; scores are resized from the token grid otherwise. */
  upsample: boolean;
}

/**
 * Compares encoded windows with words: upsampler and global bias alleviation (SegEarth-OV, §3). Every pixel's feature
 * is normalised, compared with the words, and λ·cls·words is added.
 */
export class WindowLabeller {
  readonly words: number;
  readonly #embeddings: Float32Array;
  readonly #embedding: number;
  readonly #patch: number;
  readonly #lambda: number;
  readonly #upsampler: { factor: number; projection: Session; logits: Session } | null;

  private constructor(
    embeddings: Float32Array,
    pack: Pack,
    lambda: number,
    upsampler: { factor: number; projection: Session; logits: Session } | null,
  ) {
    const { geometry } = pack.manifest;
    this.#embeddings = embeddings;
    this.#embedding = geometry.embedding;
    this.#patch = geometry.vision.patch;
    this.words = embeddings.length / geometry.embedding;
    this.#lambda = lambda;
    this.#upsampler = upsampler;
  }

  /** @param embeddings normalised word embeddings `[words, embedding]` */
  static async open(
    pack: Pack,
    embeddings: Float32Array,
    settings: LabellerSettings,
    options: SessionOptions,
  ): Promise<WindowLabeller> {
    const { lambda, upsample } = settings;
    if (!upsample) return new WindowLabeller(embeddings, pack, lambda, null);
    const upsampler = upsamplerOf(pack.manifest);
    return new WindowLabeller(embeddings, pack, lambda, {
      factor: upsamplerFactor(upsampler.kind, pack.manifest.geometry.vision.patch),
      projection: await Session.open(pack, upsampler.projection, options),
      logits: await Session.open(pack, upsampler.logits, options),
    });
  }

  /**
   * Similarity of every pixel with every word, `[words, height, width]`.
   *
   * @param pixels those that the window was encoded from, `[3, height, width]`
   */
  async label(
    encoded: EncodedWindow,
    pixels: Float32Array,
    height: number,
    width: number,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    throwIfCancelled(signal);
    const { image, rows, columns, top, left } = padToTokens(pixels, height, width, this.#patch);
    if (encoded.rows !== rows || encoded.columns !== columns)
      throw new RangeError(`${encoded.rows} × ${encoded.columns} tokens for ${rows} × ${columns} patches`);
    const global = this.#globalScores(encoded.cls);
    const tokens = { values: encoded.tokens, shape: [rows * columns, this.#embedding] };
    const scores = this.#upsampler
      ? await this.#upsampled(this.#upsampler, image, tokens, global)
      : this.#resized(encoded.tokens, rows * columns, global);
    const factor = this.#upsampler?.factor ?? 1;
    const [paddedHeight, paddedWidth] = [rows * this.#patch, columns * this.#patch];
    const full = resizePlanes(scores, rows * factor, columns * factor, paddedHeight, paddedWidth);
    return cutPlanes(full, paddedHeight, paddedWidth, top, left, height, width);
  }

  /**
   * What the upsampler mixes pixels' features from: tokens `[n, embedding]` after its linear map, normalised, in the same
   * shape.
   */
  async mapped(tokens: Float32Array): Promise<Float32Array> {
    const size = this.#embedding;
    let values = tokens;
    let shift: Float32Array | null = null;
    if (this.#upsampler) {
      const projected = await this.#upsampler.projection.run({
        tokens: { values: tokens, shape: [tokens.length / size, size] },
        words: { values: this.#embeddings.subarray(0, size), shape: [1, size] },
      });
      values = projected.features!.values as Float32Array;
      shift = projected.shift!.values as Float32Array;
    }
    const out = new Float32Array(values.length);
    for (let start = 0; start < values.length; start += size) {
      let squares = 0;
      for (let i = 0; i < size; i++) {
        const value = values[start + i]! + (shift ? shift[i]! : 0);
        out[start + i] = value;
        squares += value * value;
      }
      const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
      for (let i = start; i < start + size; i++) out[i]! *= scale;
    }
    return out;
  }

  async close(): Promise<void> {
    await this.#upsampler?.projection.close();
    await this.#upsampler?.logits.close();
  }

  /** λ·cls·words for the normalised class token: `[words]`. */
  #globalScores(cls: Float32Array): Float32Array {
    let squares = 0;
    for (const value of cls) squares += value * value;
    const scale = this.#lambda / Math.sqrt(squares);
    const out = new Float32Array(this.words);
    for (let word = 0; word < this.words; word++) {
      let sum = 0;
      for (let i = 0; i < cls.length; i++) sum += cls[i]! * this.#embeddings[word * cls.length + i]!;
      out[word] = scale * sum;
    }
    return out;
  }

  async #upsampled(
    sessions: { projection: Session; logits: Session },
    image: Tensor,
    tokens: Tensor,
    global: Float32Array,
  ): Promise<Float32Array> {
    const count = tokens.shape[0]!;
    const projected = await sessions.projection.run({
      tokens,
      words: { values: this.#embeddings, shape: [this.words, this.#embedding] },
    });
    const gram = projected.gram!.values as Float32Array;
    const { coordinates, rank } = spanCoordinates(gram, count, count + 1, this.#embedding);
    const { logits } = await sessions.logits.run({
      image,
      basis: { values: coordinates, shape: [count, rank] },
      scores: projected.scores!,
      shift_scores: projected.shift_scores!,
      shift_norm: { values: gram.slice(-1), shape: [1] },
      global: { values: global, shape: [1, this.words] },
    });
    return logits!.values as Float32Array;
  }

  /** Scores of the tokens themselves: `[words, tokens]`. */
  #resized(tokens: Float32Array, count: number, global: Float32Array): Float32Array {
    const size = this.#embedding;
    const out = new Float32Array(this.words * count);
    for (let token = 0; token < count; token++) {
      const start = token * size;
      let squares = 0;
      for (let i = start; i < start + size; i++) squares += tokens[i]! * tokens[i]!;
      const norm = Math.sqrt(squares);
      for (let word = 0; word < this.words; word++) {
        const at = word * size;
        let sum = 0;
        for (let i = 0; i < size; i++) sum += tokens[start + i]! * this.#embeddings[at + i]!;
        out[word * count + token] = sum / norm + global[word]!;
      }
    }
    return out;
  }
}
