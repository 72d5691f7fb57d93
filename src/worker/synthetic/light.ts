import type { Sun } from './buildings.ts';
import type { Canvas } from './canvas.ts';
import { fractalNoise, whiteNoise } from './noise.ts';
import type { Random } from './random.ts';
import type { Style } from './style.ts';

/** Light left in shadow, by colour: the sky's, bluish. */
const skyLight = [0.37, 0.41, 0.48] as const;

/** Darkens every pixel whose way to the sun is blocked by something higher, within the scene. */
export function castShadows(canvas: Canvas, sun: Sun): void {
  const { width, height, resolution, elevation, red, green, blue } = canvas;
  const flat = Math.hypot(sun.x, sun.y);
  const stepX = sun.x / flat;
  const stepY = sun.y / flat;
  const rise = (sun.z / flat) * resolution;
  let highest = 0;
  for (let i = 0; i < elevation.length; i++) if (elevation[i]! > highest) highest = elevation[i]!;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const i = row * width + column;
      let ray = elevation[i]! + 0.25;
      for (let step = 1; ray < highest; step++) {
        ray += rise;
        const x = Math.floor(column + 0.5 + step * stepX);
        const y = Math.floor(row + 0.5 + step * stepY);
        if (x < 0 || y < 0 || x >= width || y >= height) break;
        if (elevation[y * width + x]! > ray) {
          red[i]! *= skyLight[0];
          green[i]! *= skyLight[1];
          blue[i]! *= skyLight[2];
          break;
        }
      }
    }
  }
}

/** The camera: uneven light, haze, colour balance, the sensor's blur and noise. Returns 8-bit pixels `[3, height, width]`. */
export function expose(random: Random, canvas: Canvas, style: Style): Uint8Array {
  const { width, height, resolution } = canvas;
  const length = width * height;
  const pixels = new Uint8Array(3 * length);
  const light = fractalNoise(random, width, height, 260 / resolution, 2);
  const planes = [canvas.red, canvas.green, canvas.blue];
  const grey = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    grey[i] = 0.3 * canvas.red[i]! + 0.59 * canvas.green[i]! + 0.11 * canvas.blue[i]!;
  }
  const haze = [0.72, 0.76, 0.82];
  const balance = [1 + style.warmth, 1, 1 - style.warmth];
  const sharp = new Float32Array(length);
  for (let band = 0; band < 3; band++) {
    const plane = planes[band]!;
    for (let i = 0; i < length; i++) {
      let value = grey[i]! + (plane[i]! - grey[i]!) * style.saturation;
      value *= style.exposure * balance[band]! * (1 + 0.02 * light[i]!);
      value += (haze[band]! - value) * style.haze;
      sharp[i] = 0.5 + (value - 0.5) * style.contrast;
    }
    const soft = blur(sharp, width, height, style.blur);
    const noise = whiteNoise(random, length);
    const out = band * length;
    // Uniform noise has a standard deviation of 1/√3.
    const strength = style.noise * Math.sqrt(3);
    for (let i = 0; i < length; i++) {
      pixels[out + i] = Math.min(255, Math.max(0, Math.round(soft[i]! * 255 + noise[i]! * strength)));
    }
  }
  return pixels;
}

/** Gaussian blur, separable, edges repeated. */
function blur(plane: Float32Array, width: number, height: number, sigma: number): Float32Array {
  if (sigma <= 0) return plane;
  const reach = Math.ceil(3 * sigma);
  const weights: number[] = [];
  let sum = 0;
  for (let k = -reach; k <= reach; k++) {
    const weight = Math.exp(-(k * k) / (2 * sigma * sigma));
    weights.push(weight);
    sum += weight;
  }
  const taps = Float32Array.from(weights, (weight) => weight / sum);
  const across = new Float32Array(plane.length);
  for (let row = 0; row < height; row++) {
    const start = row * width;
    for (let column = 0; column < width; column++) {
      let value = 0;
      for (let k = -reach; k <= reach; k++) {
        const at = Math.min(Math.max(column + k, 0), width - 1);
        value += taps[k + reach]! * plane[start + at]!;
      }
      across[start + column] = value;
    }
  }
  const out = new Float32Array(plane.length);
  for (let row = 0; row < height; row++) {
    const start = row * width;
    for (let k = -reach; k <= reach; k++) {
      const weight = taps[k + reach]!;
      const source = Math.min(Math.max(row + k, 0), height - 1) * width;
      for (let column = 0; column < width; column++)
        out[start + column]! += weight * across[source + column]!;
    }
  }
  return out;
}
