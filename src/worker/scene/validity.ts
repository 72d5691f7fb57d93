import type { Samples } from '../raster/bands.ts';

/**
 * Clears `valid` where the bands hold no measurement: NaN or infinite in any band; nodata in any band of a signed or
 * floating type, where nodata is a value apart; nodata in all bands of an unsigned type, where the usual 0 or 255 is
 * also an honest dark or bright value of a single band.
 */
export function clearNodata(
  valid: Uint8Array,
  planes: readonly Samples[],
  nodata: readonly (number | null)[],
): void {
  let unsignedBands = 0;
  let withNodata = 0;
  for (let band = 0; band < planes.length; band++) {
    const plane = planes[band]!;
    const value = nodata[band] ?? null;
    if (isUnsigned(plane)) {
      unsignedBands++;
      if (value !== null) withNodata++;
      continue;
    }
    const floating = plane instanceof Float32Array || plane instanceof Float64Array;
    const wanted = plane instanceof Float32Array && value !== null ? Math.fround(value) : value;
    if (floating) for (let at = 0; at < valid.length; at++) if (!Number.isFinite(plane[at]!)) valid[at] = 0;
    if (wanted !== null) for (let at = 0; at < valid.length; at++) if (plane[at] === wanted) valid[at] = 0;
  }
  if (unsignedBands === 0 || withNodata < unsignedBands) return;
  const empty = new Uint8Array(valid.length).fill(1);
  for (let band = 0; band < planes.length; band++) {
    const plane = planes[band]!;
    if (!isUnsigned(plane)) continue;
    const value = nodata[band]!;
    for (let at = 0; at < empty.length; at++) if (plane[at] !== value) empty[at] = 0;
  }
  for (let at = 0; at < valid.length; at++) if (empty[at] === 1) valid[at] = 0;
}

function isUnsigned(plane: Samples): boolean {
  return plane instanceof Uint8Array || plane instanceof Uint16Array || plane instanceof Uint32Array;
}

/** Marks the part of `window` that lies inside a raster of the given size. */
export function markInside(
  valid: Uint8Array,
  window: { column: number; row: number; width: number; height: number },
  width: number,
  height: number,
): void {
  const from = Math.max(0, -window.column);
  const to = Math.min(window.width, width - window.column);
  if (from >= to) return;
  const last = Math.min(window.height, height - window.row);
  for (let row = Math.max(0, -window.row); row < last; row++) {
    valid.fill(1, row * window.width + from, row * window.width + to);
  }
}
