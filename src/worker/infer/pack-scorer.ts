import { type AttentionName, variantName } from '../net/attention.ts';
import { upsamplerFactor } from '../net/upsampler.ts';
import type { Pack } from '../pack/open-pack.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';
import { cutPlanes, padPlanes, resizePlanes } from './planes.ts';
import { Session, type SessionOptions, type Tensor } from './session.ts';
import { spanCoordinates } from './span.ts';

export interface ScorerSettings {
  modality: 'optical' | 'sar';
  attention: AttentionName;
  lastLayers: number;
  /** Weight of the global bias alleviation (λ; -0.3 in the papers, 0 for none). */
  lambda: number;
  /** Whether the pack's upsampler runs; scores are resized from the token grid otherwise. */
  upsample: boolean;
}

/** Kernels reflect up to five pixels of the first doubling, so a window needs at least three tokens each way. */
const leastTokens = 3;

/**
 * Scores windows with a pack: encoder, upsampler and global bias alleviation (SegEarth-OV, §3). Every pixel's feature
 * is normalised, compared with the words, and λ·cls·words is added.
 */
export class PackScorer implements WindowScorer {
  readonly words: number;
  readonly #embeddings: Float32Array;
  readonly #embedding: number;
  readonly #patch: number;
  readonly #lambda: number;
  readonly #vision: Session;
  readonly #upsampler: { factor: number; projection: Session; logits: Session } | null;

  private constructor(
    embeddings: Float32Array,
    pack: Pack,
    lambda: number,
    vision: Session,
    upsampler: { factor: number; projection: Session; logits: Session } | null,
  ) {
    const { geometry } = pack.manifest;
    this.#embeddings = embeddings;
    this.#embedding = geometry.embedding;
    this.#patch = geometry.vision.patch;
    this.words = embeddings.length / geometry.embedding;
    this.#lambda = lambda;
    this.#vision = vision;
    this.#upsampler = upsampler;
  }

  /** @param embeddings normalised word embeddings `[words, embedding]` */
  static async open(
    pack: Pack,
    embeddings: Float32Array,
    settings: ScorerSettings,
    options: SessionOptions,
  ): Promise<PackScorer> {
    const { encoders, upsampler, geometry, name } = pack.manifest;
    const encoder = encoders[settings.modality];
    if (!encoder) {
      throw new Problem('pack/no-sar', `Pack ${name} has no SAR encoder.`, 'Use a pack that has one.');
    }
    const variant = variantName(settings.attention, settings.lastLayers);
    const graph = encoder.graphs[variant];
    if (!graph) {
      throw new Problem(
        'pack/no-variant',
        `Pack ${name} has no ${variant} graph.`,
        `Choose another attention: ${Object.keys(encoder.graphs).join(', ')}.`,
      );
    }
    if (settings.upsample && !upsampler) {
      throw new Problem(
        'pack/no-upsampler',
        `Pack ${name} has no upsampler.`,
        'Use --upsampler none, or build the pack with one.',
      );
    }
    const vision = await Session.open(pack, graph, options);
    return new PackScorer(
      embeddings,
      pack,
      settings.lambda,
      vision,
      settings.upsample && upsampler
        ? {
            factor: upsamplerFactor(upsampler.kind, geometry.vision.patch),
            projection: await Session.open(pack, upsampler.projection, options),
            logits: await Session.open(pack, upsampler.logits, options),
          }
        : null,
    );
  }

  async score(
    pixels: Float32Array,
    height: number,
    width: number,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    throwIfCancelled(signal);
    const patch = this.#patch;
    const rows = Math.max(leastTokens, Math.ceil(height / patch));
    const columns = Math.max(leastTokens, Math.ceil(width / patch));
    const padded = padPlanes(pixels, height, width, rows * patch, columns * patch);
    const image: Tensor = { values: padded.values, shape: [1, 3, rows * patch, columns * patch] };
    const { tokens, cls } = await this.#vision.run({ image });
    throwIfCancelled(signal);
    const global = this.#globalScores(cls!.values as Float32Array);
    const flat = { values: tokens!.values, shape: [rows * columns, this.#embedding] };
    const scores = this.#upsampler
      ? await this.#upsampled(this.#upsampler, image, flat, global)
      : this.#resized(flat.values as Float32Array, rows * columns, global);
    const factor = this.#upsampler?.factor ?? 1;
    const full = resizePlanes(scores, rows * factor, columns * factor, rows * patch, columns * patch);
    return cutPlanes(full, rows * patch, columns * patch, padded.top, padded.left, height, width);
  }

  async close(): Promise<void> {
    await this.#vision.close();
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
    const { logits } = await sessions.logits.run({
      image,
      basis: this.#basis(projected.features!, gram, count),
      scores: projected.scores!,
      shift_scores: projected.shift_scores!,
      shift_norm: { values: gram.slice(-1), shape: [1] },
      global: { values: global, shape: [1, this.words] },
    });
    return logits!.values as Float32Array;
  }

  /** The tokens themselves, or their coordinates where they span fewer dimensions than they have. */
  #basis(features: Tensor, gram: Float32Array, count: number): Tensor {
    if (count >= this.#embedding) return features;
    const side = count + 1;
    const tokensOnly = new Float32Array(count * count);
    for (let row = 0; row < count; row++) {
      tokensOnly.set(gram.subarray(row * side, row * side + count), row * count);
    }
    const { coordinates, rank } = spanCoordinates(tokensOnly, count);
    return { values: coordinates, shape: [count, rank] };
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
