/** Planes `[C, H, W]` of floats: padding, cutting and resizing them. */

/**
 * Planes with zeros around, as many before as after (one more after where the sum is odd).
 *
 * @returns the planes `[C, toHeight, toWidth]` and where the original begins in them
 */
export function padPlanes(
  values: Float32Array,
  height: number,
  width: number,
  toHeight: number,
  toWidth: number,
): { values: Float32Array; top: number; left: number } {
  const top = (toHeight - height) >> 1;
  const left = (toWidth - width) >> 1;
  if (toHeight === height && toWidth === width) return { values, top, left };
  const planes = values.length / (height * width);
  const out = new Float32Array(planes * toHeight * toWidth);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < height; row++) {
      const from = (plane * height + row) * width;
      out.set(values.subarray(from, from + width), (plane * toHeight + top + row) * toWidth + left);
    }
  }
  return { values: out, top, left };
}

/** The part `[C, toHeight, toWidth]` of planes that begins at (top, left). */
export function cutPlanes(
  values: Float32Array,
  height: number,
  width: number,
  top: number,
  left: number,
  toHeight: number,
  toWidth: number,
): Float32Array {
  if (toHeight === height && toWidth === width) return values;
  const planes = values.length / (height * width);
  const out = new Float32Array(planes * toHeight * toWidth);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < toHeight; row++) {
      const from = (plane * height + top + row) * width + left;
      out.set(values.subarray(from, from + toWidth), (plane * toHeight + row) * toWidth);
    }
  }
  return out;
}

/** Bilinear resize of planes, sample points at pixel centres, edges repeated (PyTorch's, align_corners false). */
export function resizePlanes(
  values: Float32Array,
  height: number,
  width: number,
  toHeight: number,
  toWidth: number,
): Float32Array {
  if (toHeight === height && toWidth === width) return values;
  const planes = values.length / (height * width);
  const out = new Float32Array(planes * toHeight * toWidth);
  const rows = samplePoints(height, toHeight);
  const columns = samplePoints(width, toWidth);
  for (let plane = 0; plane < planes; plane++) {
    const base = plane * height * width;
    let at = plane * toHeight * toWidth;
    for (let row = 0; row < toHeight; row++) {
      const upper = base + rows.first[row]! * width;
      const lower = base + rows.second[row]! * width;
      const down = rows.fraction[row]!;
      for (let column = 0; column < toWidth; column++) {
        const left = columns.first[column]!;
        const right = columns.second[column]!;
        const across = columns.fraction[column]!;
        const above = values[upper + left]! * (1 - across) + values[upper + right]! * across;
        const below = values[lower + left]! * (1 - across) + values[lower + right]! * across;
        out[at++] = above * (1 - down) + below * down;
      }
    }
  }
  return out;
}

/** The two source pixels around each target pixel's centre, and how far it is from the first. */
function samplePoints(size: number, target: number) {
  const first = new Int32Array(target);
  const second = new Int32Array(target);
  const fraction = new Float32Array(target);
  for (let i = 0; i < target; i++) {
    const position = Math.max(0, ((i + 0.5) * size) / target - 0.5);
    first[i] = Math.min(size - 1, Math.floor(position));
    second[i] = Math.min(size - 1, first[i]! + 1);
    fraction[i] = position - first[i]!;
  }
  return { first, second, fraction };
}
