/** Turns the pixels of one window into scores. Inference implements it; tests may put a cheap function in its place. */
export interface WindowScorer {
  /** Number of query words, Q. */
  readonly words: number;
  /**
   * Similarity of every pixel with every word, bias alleviation included, `[Q, height, width]`.
   * `pixels` are normalised colours `[3, height, width]`; the scorer pads to whole patches and cuts back.
   */
  score(pixels: Float32Array, height: number, width: number, signal?: AbortSignal): Promise<Float32Array>;
}
