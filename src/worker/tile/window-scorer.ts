import type { Window } from '../raster/grid.ts';

/** Turns the pixels of one window into scores. Inference implements it; tests may put a cheap function in its place. */
export interface WindowScorer {
  /** Number of query words, Q. */
  readonly words: number;
  /**
   * Similarity of every pixel with every word, bias alleviation included, `[Q, height, width]`.
   * `pixels` are normalised colours `[3, height, width]`; the scorer pads to whole patches and cuts back. `window` says
   * where they lie, for scorers that look up what was encoded before.
   */
  score(
    pixels: Float32Array,
    height: number,
    width: number,
    signal?: AbortSignal,
    window?: Window,
  ): Promise<Float32Array>;
}
