/** Bytes for scores where nobody says how many. */
export const usualMemoryBytes = 512 * 1024 * 1024;

/** Columns and rows of the working grid, half-open. */
export interface WorkingPart {
  column: number;
  width: number;
  first: number;
  end: number;
}

/** Rows of mean scores, from top to bottom: from windows, from merged tokens or from what is stored. */
export interface RowSource {
  /** Number of query words. */
  readonly words: number;
  /** Rows of scores that it holds at once, in the measure of `[words, width]` floats. */
  readonly rowsHeld: number;
  /** Bytes that it holds whatever the width: what is being worked on. */
  readonly bytesAhead: number;
  /**
   * The rows of `part`, one after the other into `means` `[words, width]` and `valid` `[width]`, which the caller uses up
   * before it asks for the next. `onShare` is told how much of the part is done, 0 to 1, where rows alone say too little.
   */
  read(
    part: WorkingPart,
    means: Float32Array,
    valid: Uint8Array,
    signal?: AbortSignal,
    onShare?: (share: number) => void,
  ): AsyncIterable<number>;
}
