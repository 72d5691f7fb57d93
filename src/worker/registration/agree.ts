import type { Offset } from './phase-correlation.ts';

/** One offset for a scene, from its windows'. */
export interface AgreedOffset {
  columns: number;
  rows: number;
  /** Share of the windows within a pixel and a half of it, 0 to 1. */
  confidence: number;
  /** Median distance of those windows from it, pixels. */
  spread: number;
  windows: number;
}

const near = 1.5;

/**
 * The offset that windows agree on. Where `together`, found from all of them at once, stands out, it is where to look:
 * then the medians of the windows near it. Null without windows.
 */
export function agree(windows: readonly Offset[], together: Offset | null): AgreedOffset | null {
  if (windows.length === 0 || together === null) return null;
  const close = windows.filter((window) => distance(window, together) <= near);
  // Windows too few to speak for themselves: between sensors, single ones are mostly noise, but their sum is not.
  if (close.length < 3) {
    return {
      columns: together.columns,
      rows: together.rows,
      confidence: close.length / windows.length,
      spread: median(close.map((window) => distance(window, together))),
      windows: windows.length,
    };
  }
  const centre = {
    columns: median(close.map(({ columns }) => columns)),
    rows: median(close.map(({ rows }) => rows)),
  };
  const agreeing = windows.filter((window) => distance(window, centre) <= near);
  return {
    ...centre,
    confidence: agreeing.length / windows.length,
    spread: median(agreeing.map((window) => distance(window, centre))),
    windows: windows.length,
  };
}

function distance(a: { columns: number; rows: number }, b: { columns: number; rows: number }): number {
  return Math.hypot(a.columns - b.columns, a.rows - b.rows);
}

function median(values: number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
