import type { ClassStrip } from '../classmap/class-strip.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { TileBoundaries } from './tile-boundaries.ts';

/** A strip of the class map with the lattice corners that its simplified boundaries keep. */
export interface SimplifiedStrip extends ClassStrip {
  /** 1 where a boundary keeps the lattice corner, `[rows + 1, width + 1]`: from the strip's upper edge to its lower. */
  keep: Uint8Array;
}

export interface SimplifySettings {
  /** Columns and rows of the class map. */
  width: number;
  height: number;
  /** Largest distance of a dropped corner from the simplified boundary, pixels. */
  tolerance: number;
  /**
   * Side of the squares in which boundaries are simplified, pixels. Where a boundary crosses into the next square its
   * point stays, so squares are independent of each other and memory holds one row of them.
   */
  tileSize?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Simplifies the boundaries between the pieces of a class map. Both sides of a boundary keep the same corners, since
 * it is the boundary that is simplified and not the polygons: neighbours fit without gaps or overlaps. Corners where
 * three or more pieces meet, corners on the frame of the map and crossings between tiles stay. The result depends on
 * the class map alone, not on the strips it comes in.
 */
export async function* simplifyStrips(
  strips: AsyncIterable<ClassStrip>,
  settings: SimplifySettings,
): AsyncGenerator<SimplifiedStrip> {
  const { width, height, tolerance, tileSize = 512, signal } = settings;
  const stride = width + 2;
  // The band's rows, with a frame of class 0 or of the rows beside it.
  const padded = new Uint16Array((tileSize + 2) * stride);
  const tile = new TileBoundaries(tileSize);
  let confidence: Uint8Array | null = null;
  let wide = false;
  let bandRow = 0;
  // Rows of the band in `padded`, the one above it not counted.
  let filled = 0;

  function simplifyBand(rows: number): SimplifiedStrip {
    const keep = new Uint8Array((rows + 1) * (width + 1));
    for (let column = 0; column < width; column += tileSize) {
      throwIfCancelled(signal);
      tile.read(padded, stride, column, Math.min(tileSize, width - column), rows);
      tile.simplify(tolerance);
      tile.writeKept(keep, width + 1, column);
    }
    const classes = wide ? new Uint16Array(rows * width) : new Uint8Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const from = (row + 1) * stride + 1;
      classes.set(padded.subarray(from, from + width), row * width);
    }
    const strip: SimplifiedStrip = { firstRow: bandRow, rows, width, classes, keep };
    if (confidence !== null) strip.confidence = confidence.slice(0, rows * width);
    return strip;
  }

  for await (const strip of strips) {
    wide ||= strip.classes.BYTES_PER_ELEMENT === 2;
    if (strip.confidence !== undefined) confidence ??= new Uint8Array((tileSize + 1) * width);
    for (let row = 0; row < strip.rows; row++) {
      const source = row * width;
      padded.set(strip.classes.subarray(source, source + width), (filled + 1) * stride + 1);
      confidence?.set(strip.confidence!.subarray(source, source + width), filled * width);
      filled++;
      if (filled <= tileSize) continue;
      // The first row of the next band has come: it is the frame below this one.
      yield simplifyBand(tileSize);
      padded.copyWithin(0, tileSize * stride, (tileSize + 2) * stride);
      confidence?.copyWithin(0, tileSize * width, (tileSize + 1) * width);
      bandRow += tileSize;
      filled = 1;
    }
  }
  if (bandRow + filled === height && filled > 0) {
    padded.fill(0, (filled + 1) * stride);
    yield simplifyBand(filled);
  }
}
