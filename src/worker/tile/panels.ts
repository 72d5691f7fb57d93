/** A range of output columns that is segmented from top to bottom before the next one begins. */
export interface Panel {
  column: number;
  width: number;
}

/**
 * Splits `width` output columns into panels of at most `maximum` columns, cut at multiples of `tileSize`.
 *
 * Panels bound the accumulator: words × window rows × panel columns × 4 bytes. Windows that reach across a cut are
 * scored for both sides; every pixel still receives all its windows in the same order, so sums do not change.
 */
export function planPanels(width: number, tileSize: number, maximum: number): Panel[] {
  const step = Math.max(1, Math.floor(maximum / tileSize)) * tileSize;
  const panels: Panel[] = [];
  for (let column = 0; column < width; column += step) {
    panels.push({ column, width: Math.min(step, width - column) });
  }
  return panels;
}

/**
 * Most output columns of a panel whose accumulator stays within `bytes`: `words` planes of `windowRows` rows of
 * float32 and one byte of validity, for `scale` scene pixels per working pixel.
 */
export function panelColumns(bytes: number, words: number, windowRows: number, scale: number): number {
  return Math.floor((bytes / (windowRows * (words * 4 + 1))) * scale);
}
