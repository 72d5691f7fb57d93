import type { ScorerSettings } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { TileLabeller, type TokenTile } from '../infer/tile-labeller.ts';
import { WindowEncoder } from '../infer/window-encoder.ts';
import type { Pack } from '../pack/open-pack.ts';
import type { Window } from '../raster/grid.ts';
import type { FastWindow, FastWorker } from './fast-rows.ts';
import { globalScoresOf } from './global-scores.ts';

/** The fast mode's work with a pack in this thread. */
export class FastScorer implements FastWorker {
  readonly #encoder: WindowEncoder;
  readonly #labeller: TileLabeller;
  readonly #embeddings: Float32Array;
  readonly #lambda: number;

  private constructor(
    encoder: WindowEncoder,
    labeller: TileLabeller,
    embeddings: Float32Array,
    lambda: number,
  ) {
    this.#encoder = encoder;
    this.#labeller = labeller;
    this.#embeddings = embeddings;
    this.#lambda = lambda;
  }

  /** @param embeddings normalised word embeddings `[words, embedding]` */
  static async open(
    pack: Pack,
    embeddings: Float32Array,
    settings: ScorerSettings,
    options: SessionOptions,
  ): Promise<FastScorer> {
    const labeller = await TileLabeller.open(pack, embeddings, settings.upsample, options);
    try {
      const encoder = await WindowEncoder.open(pack, settings, options);
      return new FastScorer(encoder, labeller, embeddings, settings.lambda);
    } catch (error) {
      await labeller.close();
      throw error;
    }
  }

  async encode(
    pixels: Float32Array,
    { width, height }: Pick<Window, 'width' | 'height'>,
  ): Promise<FastWindow> {
    const { tokens, cls } = await this.#encoder.encode(pixels, height, width);
    return { tokens, global: globalScoresOf(cls, this.#embeddings, this.#lambda) };
  }

  label(tile: TokenTile, pixels: Float32Array): Promise<Float32Array> {
    return this.#labeller.label(tile, pixels);
  }

  async close(): Promise<void> {
    await this.#encoder.close();
    await this.#labeller.close();
  }
}
