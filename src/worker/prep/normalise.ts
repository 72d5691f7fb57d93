/**
 * `(value - mean) / std` per channel, in place. `pixels` is `[channels, height, width]` with one mean and standard
 * deviation per channel; where `valid` (`[height, width]`) is 0 the result is 0, the mean. Returns `pixels`.
 */
export function normalise(
  pixels: Float32Array,
  valid: Uint8Array,
  mean: readonly number[],
  std: readonly number[],
): Float32Array {
  const size = valid.length;
  for (let channel = 0; channel < mean.length; channel++) {
    const shift = mean[channel]!;
    const factor = 1 / std[channel]!;
    const offset = channel * size;
    for (let at = 0; at < size; at++) {
      pixels[offset + at] = valid[at] === 0 ? 0 : (pixels[offset + at]! - shift) * factor;
    }
  }
  return pixels;
}
