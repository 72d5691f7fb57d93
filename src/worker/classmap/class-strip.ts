/** Consecutive full-width rows of a class map. */
export interface ClassStrip {
  firstRow: number;
  rows: number;
  width: number;
  /** Class ids, `[rows, width]`; 0 is unclassified or nodata. */
  classes: Uint8Array | Uint16Array;
  /** round(255 · probability), `[rows, width]`. */
  confidence?: Uint8Array;
}
