import type { Random } from './random.ts';

/** Standard deviation of one octave: uniform lattice values (variance 1/3) under cubic B-splines ((151/315)² in two dimensions). */
const octaveDeviation = Math.sqrt(1 / 3) * (151 / 315);

/**
 * Smooth random field `[height · width]` with mean 0 and standard deviation 1 in expectation: random lattices under
 * cubic B-splines, `octaves` of them, the first with cells of `scale` pixels, each next twice as fine and `gain` as strong.
 */
export function fractalNoise(
  random: Random,
  width: number,
  height: number,
  scale: number,
  octaves: number,
  gain = 0.5,
): Float32Array {
  const field = new Float32Array(width * height);
  let power = 0;
  for (let octave = 0; octave < octaves; octave++) power += gain ** (2 * octave);
  for (let octave = 0; octave < octaves; octave++) {
    const strength = gain ** octave / (Math.sqrt(power) * octaveDeviation);
    addOctave(random, field, width, height, Math.max(1, scale / 2 ** octave), strength);
  }
  return field;
}

/** Independent noise for every pixel, uniform in [-1, 1). */
export function whiteNoise(random: Random, length: number): Float32Array {
  const field = new Float32Array(length);
  for (let i = 0; i < length; i++) field[i] = random.next() * 2 - 1;
  return field;
}

function addOctave(
  random: Random,
  field: Float32Array,
  width: number,
  height: number,
  cell: number,
  strength: number,
): void {
  const columns = Math.ceil(width / cell) + 4;
  const rows = Math.ceil(height / cell) + 4;
  const lattice = new Float32Array(columns * rows);
  for (let i = 0; i < lattice.length; i++) lattice[i] = (random.next() * 2 - 1) * strength;
  // A random phase keeps the lattices of different octaves from lining up at the corner of the scene.
  const phaseX = random.next();
  const phaseY = random.next();

  const first = new Int32Array(width);
  const weights = new Float32Array(width * 4);
  for (let column = 0; column < width; column++) {
    const position = column / cell + phaseX;
    first[column] = Math.floor(position);
    spline(position - Math.floor(position), weights, column * 4);
  }
  const vertical = new Float32Array(4);
  const line = new Float32Array(columns);
  for (let row = 0; row < height; row++) {
    const position = row / cell + phaseY;
    const top = Math.floor(position);
    spline(position - top, vertical, 0);
    const start = top * columns;
    for (let i = 0; i < columns; i++) {
      line[i] =
        lattice[start + i]! * vertical[0]! +
        lattice[start + columns + i]! * vertical[1]! +
        lattice[start + 2 * columns + i]! * vertical[2]! +
        lattice[start + 3 * columns + i]! * vertical[3]!;
    }
    const out = row * width;
    for (let column = 0; column < width; column++) {
      const i = first[column]!;
      const w = column * 4;
      field[out + column]! +=
        line[i]! * weights[w]! +
        line[i + 1]! * weights[w + 1]! +
        line[i + 2]! * weights[w + 2]! +
        line[i + 3]! * weights[w + 3]!;
    }
  }
}

/** Weights of the uniform cubic B-spline at `t` in [0, 1). */
function spline(t: number, out: Float32Array, at: number): void {
  const s = 1 - t;
  out[at] = (s * s * s) / 6;
  out[at + 1] = (3 * t * t * t - 6 * t * t + 4) / 6;
  out[at + 2] = (3 * s * s * s - 6 * s * s + 4) / 6;
  out[at + 3] = (t * t * t) / 6;
}
