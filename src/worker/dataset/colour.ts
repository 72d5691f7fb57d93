import type { Random } from '../synthetic/random.ts';

const levels = 1024;

/**
 * Changes colours as light, season, air and cameras do: gain, contrast, saturation, hue, one gain per channel, haze,
 * gamma, at times grey, blur or noise. `strength` 1 is the usual, 0 leaves the picture alone. `colours` is planar
 * `[3, side, side]` of 0-255 and stays in that range.
 */
export function jitterColours(colours: Float32Array, side: number, strength: number, random: Random): void {
  if (strength <= 0) return;
  const plane = side * side;
  if (random.chance(0.25 * strength)) blur(colours, side, random.range(0.2, 1));
  const gain = Math.exp(strength * random.range(-0.35, 0.35));
  const contrast = Math.exp(strength * random.range(-0.4, 0.4));
  const saturation = random.chance(0.06 * strength) ? 0 : Math.exp(strength * random.range(-0.7, 0.45));
  const hue = strength * random.range(-0.12, 0.12) * (random.chance(0.15) ? 2.5 : 1);
  const haze = random.chance(0.3) ? strength * random.range(0, 0.35) : 0;
  const air = [random.range(150, 230), random.range(160, 235), random.range(170, 245)];
  const gamma = Math.exp(strength * random.range(-0.35, 0.35));
  const channel = [0, 1, 2].map(() => gain * Math.exp(strength * random.range(-0.12, 0.12)));
  const noise = random.chance(0.3) ? strength * random.range(1, 9) : 0;
  let mean = 0;
  for (let at = 0; at < 3 * plane; at++) mean += colours[at]!;
  mean /= 3 * plane;
  const matrix = hueAndSaturation(hue, saturation);
  const curve = new Float32Array(levels + 1);
  for (let at = 0; at <= levels; at++) curve[at] = 255 * (at / levels) ** gamma;
  // Noise by a small generator of its own: quality matters little, and it is drawn for every pixel.
  let state = Math.floor(random.next() * 0xffffffff) | 1;
  const [m00, m01, m02, m10, m11, m12, m20, m21, m22] = matrix as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [g0, g1, g2] = channel as [number, number, number];
  const offset = mean * (1 - contrast);
  const finish = (value: number, light: number): number => {
    let level = value * (1 - haze) + light * haze;
    if (noise > 0) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      level += noise * ((state & 0xffff) + ((state >>> 16) & 0xffff) - 65535) * (2.45 / 65535);
    }
    const place = level < 0 ? 0 : level > 255 ? levels : (level * levels) / 255;
    return curve[place | 0]!;
  };
  for (let at = 0; at < plane; at++) {
    const red = colours[at]! * contrast + offset;
    const green = colours[plane + at]! * contrast + offset;
    const blue = colours[2 * plane + at]! * contrast + offset;
    colours[at] = finish(g0 * (m00 * red + m01 * green + m02 * blue), air[0]!);
    colours[plane + at] = finish(g1 * (m10 * red + m11 * green + m12 * blue), air[1]!);
    colours[2 * plane + at] = finish(g2 * (m20 * red + m21 * green + m22 * blue), air[2]!);
  }
}

/**
 * Lays a few shadows with straight edges over the picture, as high things outside it would: what lies under them keeps
 * its label, so that dark does not come to mean water. `colours` as above.
 */
export function castShade(colours: Float32Array, side: number, random: Random): void {
  const plane = side * side;
  const count = 1 + random.integer(3);
  for (let shadow = 0; shadow < count; shadow++) {
    const angle = random.range(0, Math.PI);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const x0 = random.range(0, side);
    const y0 = random.range(0, side);
    const halfLength = random.range(0.06, 0.35) * side;
    const halfWidth = random.range(0.03, 0.16) * side;
    // What is left is the sky's light, bluish.
    const light = random.range(0.25, 0.6);
    const left = [light * 0.92, light, light * 1.14];
    for (let y = 0, at = 0; y < side; y++) {
      for (let x = 0; x < side; x++, at++) {
        const u = (x - x0) * cos + (y - y0) * sin;
        const v = (y - y0) * cos - (x - x0) * sin;
        if (Math.abs(u) > halfLength || Math.abs(v) > halfWidth) continue;
        for (let band = 0; band < 3; band++) colours[band * plane + at]! *= left[band]!;
      }
    }
  }
}

/** Row-major 3 × 3: rotation of the chroma plane about grey by `hue` radians, its length times `saturation`. */
function hueAndSaturation(hue: number, saturation: number): number[] {
  const cos = Math.cos(hue) * saturation;
  const sin = (Math.sin(hue) * saturation) / Math.sqrt(3);
  const third = (1 - cos) / 3;
  const same = third + cos;
  return [same, third - sin, third + sin, third + sin, same, third - sin, third - sin, third + sin, same];
}

/** Mixes every pixel with the mean of its 3 × 3 neighbours. */
function blur(colours: Float32Array, side: number, share: number): void {
  const plane = side * side;
  const row = new Float32Array(plane);
  for (let band = 0; band < 3; band++) {
    const values = colours.subarray(band * plane, (band + 1) * plane);
    for (let y = 0, at = 0; y < side; y++)
      for (let x = 0; x < side; x++, at++)
        row[at] = (values[at - (x > 0 ? 1 : 0)]! + values[at]! + values[at + (x < side - 1 ? 1 : 0)]!) / 3;
    for (let y = 0, at = 0; y < side; y++) {
      const up = y > 0 ? side : 0;
      const down = y < side - 1 ? side : 0;
      for (let x = 0; x < side; x++, at++) {
        const mean = (row[at - up]! + row[at]! + row[at + down]!) / 3;
        values[at] = values[at]! * (1 - share) + mean * share;
      }
    }
  }
}
