/** Where scene pixels lie among working pixels along one axis. */
export interface SamplePositions {
  /** Working pixel before (or at) each scene pixel's centre. */
  index: Int32Array;
  /** Weight of the working pixel that follows, 0 ≤ fraction < 1; 0 at the border, where nothing follows. */
  fraction: Float64Array;
}

/**
 * Positions of scene pixels [start, start + length) on a working axis of `size` pixels, `scale` scene pixels each:
 * bilinear with pixel centres at one half and clamped borders, as PyTorch's `interpolate(align_corners=False)`.
 * A position depends on the scene pixel alone, never on where a run, panel or strip begins.
 */
export function samplePositions(start: number, length: number, scale: number, size: number): SamplePositions {
  const index = new Int32Array(length);
  const fraction = new Float64Array(length);
  for (let offset = 0; offset < length; offset++) {
    const position = Math.max(0, (start + offset + 0.5) / scale - 0.5);
    const before = Math.min(Math.floor(position), size - 1);
    index[offset] = before;
    fraction[offset] = before < size - 1 ? position - before : 0;
  }
  return { index, fraction };
}

/** The working pixels [start, end) that the scene pixels [start, start + length) are interpolated from. */
export function workingRange(
  start: number,
  length: number,
  scale: number,
  size: number,
): { start: number; end: number } {
  const first = samplePositions(start, 1, scale, size);
  const last = samplePositions(start + length - 1, 1, scale, size);
  return { start: first.index[0]!, end: last.index[0]! + (last.fraction[0]! > 0 ? 2 : 1) };
}
