import type { DecisionRule } from '../classmap/decide.ts';
import type { Window } from '../raster/grid.ts';
import type { WindowPlan } from '../tile/plan.ts';
import type { RowSource } from './row-source.ts';

/** Decided rows, `[rows, width]`. */
export interface DecidedRows {
  rows: number;
  classes: Uint8Array | Uint16Array;
  confidence: Uint8Array;
}

/** Rows of scene pixels that come decided, from top to bottom: lanes decide what they compare. */
export interface DecidedSource extends Pick<RowSource, 'words' | 'rowsHeld' | 'bytesAhead'> {
  /** The rows of `part` (scene pixels). `onShare` is told how much of the part is done, 0 to 1. */
  decide(
    part: Window,
    signal: AbortSignal | undefined,
    onShare: (share: number) => void,
  ): AsyncIterable<DecidedRows>;
}

/** How a lane decides what is stored. */
export interface BandSettings {
  plan: WindowPlan;
  /** Scene pixels per working pixel. */
  scale: number;
  rule: DecisionRule;
  lambda: number;
}

/** Scene pixels that a lane shall decide; the first question brings the settings. */
export interface BandQuestion {
  part: Window;
  settings?: BandSettings;
}

/**
 * A band in the bytes of one answer, those given or new ones: class ids of its pixels, of 16 bits where the rule has more
 * than 255 classes, then confidences.
 */
export function bandArrays(
  pixels: number,
  rule: DecisionRule,
  answer?: Uint8Array<ArrayBuffer>,
): { bytes: Uint8Array<ArrayBuffer>; classes: Uint8Array | Uint16Array; confidence: Uint8Array } {
  const wide = rule.thresholds.length > 256;
  const classBytes = wide ? 2 * pixels : pixels;
  const bytes = answer ?? new Uint8Array(classBytes + pixels);
  const { buffer } = bytes;
  return {
    bytes,
    classes: wide ? new Uint16Array(buffer, 0, pixels) : new Uint8Array(buffer, 0, pixels),
    confidence: new Uint8Array(buffer, classBytes, pixels),
  };
}
