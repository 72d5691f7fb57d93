import { padPlanes } from './planes.ts';
import type { Tensor } from './session.ts';

/** Kernels reflect up to five pixels of the first doubling, so a window needs at least three tokens each way. */
const leastTokens = 3;

/** A window padded with zeros to whole patches, and where it begins in the padded image. */
export interface PaddedWindow {
  /** `[1, 3, rows · patch, columns · patch]`. */
  image: Tensor;
  /** Tokens along both sides. */
  rows: number;
  columns: number;
  top: number;
  left: number;
}

/** @param pixels `[3, height, width]` */
export function padToTokens(
  pixels: Float32Array,
  height: number,
  width: number,
  patch: number,
): PaddedWindow {
  const rows = Math.max(leastTokens, Math.ceil(height / patch));
  const columns = Math.max(leastTokens, Math.ceil(width / patch));
  const { values, top, left } = padPlanes(pixels, height, width, rows * patch, columns * patch);
  return { image: { values, shape: [1, 3, rows * patch, columns * patch] }, rows, columns, top, left };
}
