import type { Pack } from '../pack/open-pack.ts';
import type { WindowScorer } from '../tile/window-scorer.ts';
import type { SessionOptions } from './session.ts';
import { type EncoderSettings, WindowEncoder } from './window-encoder.ts';
import { type LabellerSettings, WindowLabeller } from './window-labeller.ts';

export type ScorerSettings = EncoderSettings & LabellerSettings;

/** Scores windows with a pack: encodes each and compares it with the words at once. */
export class PackScorer implements WindowScorer {
  readonly words: number;
  readonly #encoder: WindowEncoder;
  readonly #labeller: WindowLabeller;

  private constructor(encoder: WindowEncoder, labeller: WindowLabeller) {
    this.words = labeller.words;
    this.#encoder = encoder;
    this.#labeller = labeller;
  }

  /** @param embeddings normalised word embeddings `[words, embedding]` */
  static async open(
    pack: Pack,
    embeddings: Float32Array,
    settings: ScorerSettings,
    options: SessionOptions,
  ): Promise<PackScorer> {
    // The labeller first: what a pack lacks shows before the large graph is loaded.
    const labeller = await WindowLabeller.open(pack, embeddings, settings, options);
    try {
      return new PackScorer(await WindowEncoder.open(pack, settings, options), labeller);
    } catch (error) {
      await labeller.close();
      throw error;
    }
  }

  async score(
    pixels: Float32Array,
    height: number,
    width: number,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const encoded = await this.#encoder.encode(pixels, height, width, signal);
    return this.#labeller.label(encoded, pixels, height, width, signal);
  }

  async close(): Promise<void> {
    await this.#encoder.close();
    await this.#labeller.close();
  }
}
