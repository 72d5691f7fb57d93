/** IEEE 754 binary16 ("half", float16) without `Float16Array`, which not every host has. */

let decodeTable: Float32Array | undefined;

/** The 65,536 float16 values as float32, by bit pattern. */
export function halfValues(): Float32Array {
  if (decodeTable) return decodeTable;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >>> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Number.POSITIVE_INFINITY
            : Number.NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 0x8000 ? -magnitude : magnitude;
  }
  decodeTable = table;
  return table;
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** Bit pattern of the float16 nearest to a number (ties to even; overflow to infinity). */
export function halfBits(value: number): number {
  float[0] = value;
  const bits = floatBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude < 0x38800000) {
    // Below 2^-14: a multiple of 2^-24. Adding 1.5 * 2^28 leaves a double's last bit worth 2^-24, which rounds.
    return sign | ((Math.abs(value) + 402653184 - 402653184) * 16777216);
  }
  const rounded = magnitude + roundingTerm(magnitude, value, float[0]!);
  const half = (rounded - 0x38000000) >>> 13;
  return sign | (half > 0x7c00 ? 0x7c00 : half);
}

/**
 * What to add to a float32's bits before its last 13 are cut off. Going through float32 may have rounded the number
 * onto the middle between two float16 values; then the number itself decides.
 */
export function roundingTerm(bits: number, value: number, asFloat: number): number {
  if ((bits & 0x1fff) !== 0x1000 || value === asFloat) return 0xfff + ((bits >>> 13) & 1);
  return Math.abs(value) > Math.abs(asFloat) ? 0x1000 : 0xfff;
}
