import { RowInterpolator } from '../classmap/interpolate.ts';
import type { Window } from '../raster/grid.ts';
import { samplePositions, workingRange } from '../tile/sampling.ts';
import type { RowSource, WorkingPart } from './row-source.ts';

/** How scene pixels lie on the working grid. */
export interface WorkingMap {
  /** Working pixels. */
  width: number;
  height: number;
  /** Scene pixels per working pixel. */
  scale: number;
}

/** Mean scores `[words, width]` of a row of scene pixels, and which of them are measured. */
export interface OutputRow {
  means: Float32Array;
  valid: Uint8Array;
}

/** The working pixels that a part of the scene is made from. */
export function workingPart({ width, height, scale }: WorkingMap, part: Window): WorkingPart {
  const columns = workingRange(part.column, part.width, scale, width);
  const rows = workingRange(part.row, part.height, scale, height);
  return {
    column: columns.start,
    width: columns.end - columns.start,
    first: rows.start,
    end: rows.end,
  };
}

/**
 * Rows of mean scores brought to the scene's pixels, those of `part` (scene pixels) from top to bottom. A row's arrays are
 * used again for the next. `onShare` is told how much is done, 0 to 1.
 */
export async function* outputRows(
  source: Pick<RowSource, 'words' | 'read'>,
  map: WorkingMap,
  part: Window,
  signal?: AbortSignal,
  onShare?: (share: number) => void,
): AsyncGenerator<OutputRow> {
  const working = workingPart(map, part);
  const input: OutputRow = {
    means: new Float32Array(source.words * working.width),
    valid: new Uint8Array(working.width),
  };
  const readRows = source.read(working, input.means, input.valid, signal, onShare);
  const share = (row: number) => (row + 1 - working.first) / (working.end - working.first);
  if (map.scale === 1) {
    for await (const row of readRows) {
      yield input;
      onShare?.(share(row));
    }
    return;
  }
  const output: OutputRow = {
    means: new Float32Array(source.words * part.width),
    valid: new Uint8Array(part.width),
  };
  const interpolator = new RowInterpolator(
    source.words,
    samplePositions(part.column, part.width, map.scale, map.width),
    working.column,
    working.width,
  );
  const lines = samplePositions(part.row, part.height, map.scale, map.height);
  let line = 0;
  for await (const row of readRows) {
    interpolator.push(row, input.means, input.valid);
    for (; line < lines.index.length; line++) {
      const before = lines.index[line]!;
      const fraction = lines.fraction[line]!;
      if ((fraction > 0 ? before + 1 : before) > row) break;
      interpolator.interpolate(before, fraction, output.means, output.valid);
      yield output;
    }
    onShare?.(share(row));
  }
}
