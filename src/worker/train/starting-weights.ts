import { type NamedWeights, weightsInMemory } from '../weights/named-weights.ts';
import type { ClipGeometry } from './clip.ts';
import { initialClip } from './clip-parameters.ts';

/**
 * Starting weights for a small CLIP that trains for minutes: CLIP's, but patches are embedded by cosines of rising
 * frequency over brightness and two colour contrasts, and positions by sines, so that what a patch looks like and where
 * it lies is known from the first step instead of having to be found. Every wave is scaled to vary by 1 over `sample`,
 * normalised images `[n, 3, S, S]`: brightness would otherwise drown all others in the layer norm.
 */
export async function startingClip(
  geometry: ClipGeometry,
  seed: number,
  sample: Float32Array,
): Promise<NamedWeights> {
  const initial = initialClip(geometry, seed);
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const name of initial.names())
    tensors.set(name, { shape: initial.shape(name), values: await initial.read(name) });
  const { width, patch, grid } = geometry.vision;
  cosinePatches(tensors.get('visual.conv1.weight')!.values, width, patch);
  equaliseWaves(tensors.get('visual.conv1.weight')!.values, width, patch, sample, geometry.vision.image);
  sinePositions(tensors.get('visual.positional_embedding')!.values, width, grid);
  return weightsInMemory('starting weights', tensors);
}

const contrasts = [
  [1, 1, 1],
  [1, 0, -1],
  [-0.5, 1, -0.5],
];

/** `[width, 3, patch, patch]`: rows of orthogonal waves, lowest frequencies of each contrast first. */
function cosinePatches(values: Float32Array, width: number, patch: number): void {
  const waves = Array.from(
    { length: patch * patch },
    (_, at) => [Math.floor(at / patch), at % patch] as const,
  ).sort((a, b) => Math.hypot(...a) - Math.hypot(...b) || a[0] - b[0]);
  const brightness = Math.min(waves.length, Math.ceil(width / 2));
  const rows: { wave: readonly [number, number]; contrast: number[] }[] = [];
  for (let at = 0; rows.length < width && at < waves.length; at++) {
    if (at < brightness) rows.push({ wave: waves[at]!, contrast: contrasts[0]! });
    if (at < Math.ceil((width - brightness) / 2))
      for (const contrast of contrasts.slice(1)) rows.push({ wave: waves[at]!, contrast });
  }
  const plane = patch * patch;
  rows.slice(0, width).forEach(({ wave: [v, u], contrast }, row) => {
    // High frequencies are weak in pictures: lifted towards the same spread.
    const gain = (0.35 * (1 + Math.hypot(u, v)) ** 0.7) / patch;
    const length = Math.hypot(...contrast);
    for (let band = 0; band < 3; band++)
      for (let y = 0; y < patch; y++)
        for (let x = 0; x < patch; x++)
          values[(row * 3 + band) * plane + y * patch + x] =
            (gain *
              contrast[band]! *
              Math.cos((Math.PI * (x + 0.5) * u) / patch) *
              Math.cos((Math.PI * (y + 0.5) * v) / patch)) /
            length;
  });
}

/** Scales each kernel to a root mean square of 1 over the sample's patches, within a bound for the rarest waves. */
function equaliseWaves(
  values: Float32Array,
  width: number,
  patch: number,
  sample: Float32Array,
  side: number,
): void {
  const area = side * side;
  const images = sample.length / (3 * area);
  const size = 3 * patch * patch;
  const one = new Float32Array(size);
  const squares = new Float64Array(width);
  let patches = 0;
  for (let image = 0; image < images; image++)
    for (let row = 0; row < side; row += patch)
      for (let column = 0; column < side; column += patch, patches++) {
        for (let band = 0, at = 0; band < 3; band++)
          for (let y = 0; y < patch; y++)
            for (let x = 0; x < patch; x++, at++)
              one[at] = sample[(image * 3 + band) * area + (row + y) * side + column + x]!;
        for (let kernel = 0; kernel < width; kernel++) {
          let sum = 0;
          for (let at = 0, from = kernel * size; at < size; at++, from++) sum += values[from]! * one[at]!;
          squares[kernel]! += sum * sum;
        }
      }
  for (let kernel = 0; kernel < width; kernel++) {
    const spread = Math.sqrt(squares[kernel]! / patches);
    const factor = Math.min(30, 1 / Math.max(spread, 1e-6));
    for (let at = kernel * size; at < (kernel + 1) * size; at++) values[at]! *= factor;
  }
}

/** `[1 + grid², width]`: sines and cosines of rows and columns in four quarters, weak; zeros for the class token. */
function sinePositions(values: Float32Array, width: number, grid: number): void {
  const quarter = width >> 2;
  values.fill(0);
  for (let row = 0; row < grid; row++)
    for (let column = 0; column < grid; column++) {
      const at = (1 + row * grid + column) * width;
      for (let i = 0; i < quarter; i++) {
        // Places in shares of the window, so that another grid means the same place.
        const frequency = (Math.PI / 2) * 2 ** ((4 * i) / quarter);
        const y = ((row + 0.5) / grid) * frequency;
        const x = ((column + 0.5) / grid) * frequency;
        values[at + i] = 0.1 * Math.sin(x);
        values[at + quarter + i] = 0.1 * Math.cos(x);
        values[at + 2 * quarter + i] = 0.1 * Math.sin(y);
        values[at + 3 * quarter + i] = 0.1 * Math.cos(y);
      }
    }
}

/**
 * The same image tower with more blocks, and the same result: new ones come before the last and add nothing until they are
 * trained (their outputs start at zero). Shallow towers learn faster at first (arXiv 1511.05641).
 */
export async function growLayers(
  weights: NamedWeights,
  geometry: ClipGeometry,
  seed: number,
): Promise<NamedWeights> {
  const block = /^visual\.transformer\.resblocks\.(\d+)\.(.*)$/;
  const before = Math.max(...weights.names().map((name) => Number(block.exec(name)?.[1] ?? -1))) + 1;
  const { layers } = geometry.vision;
  if (layers === before) return weights;
  const fresh = initialClip(geometry, seed);
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const name of fresh.names()) {
    const [, layerText, rest] = block.exec(name) ?? [];
    const layer = layerText === undefined ? null : Number(layerText);
    const shape = fresh.shape(name);
    if (layer === null || layer < before - 1) tensors.set(name, { shape, values: await weights.read(name) });
    else if (layer === layers - 1) {
      const old = `visual.transformer.resblocks.${before - 1}.${rest}`;
      tensors.set(name, { shape, values: await weights.read(old) });
    } else {
      const values = await fresh.read(name);
      if (/(out_proj|c_proj)\./.test(rest!)) values.fill(0);
      tensors.set(name, { shape, values });
    }
  }
  return weightsInMemory(weights.source, tensors);
}

/** The same weights with positions for another grid, bilinear between the old ones. */
export async function regridPositions(weights: NamedWeights, grid: number): Promise<NamedWeights> {
  const name = 'visual.positional_embedding';
  const [rows, width] = weights.shape(name) as [number, number];
  const old = Math.round(Math.sqrt(rows - 1));
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const each of weights.names())
    tensors.set(each, { shape: weights.shape(each), values: await weights.read(each) });
  const from = tensors.get(name)!.values;
  const to = new Float32Array((1 + grid * grid) * width);
  to.set(from.subarray(0, width));
  const place = (index: number) => {
    const at = Math.max(0, Math.min(old - 1, ((index + 0.5) * old) / grid - 0.5));
    const low = Math.min(Math.floor(at), old - 1);
    return { low, high: Math.min(low + 1, old - 1), share: at - low };
  };
  for (let row = 0; row < grid; row++)
    for (let column = 0; column < grid; column++) {
      const y = place(row);
      const x = place(column);
      for (let i = 0; i < width; i++) {
        const value = (r: number, c: number) => from[(1 + r * old + c) * width + i]!;
        const upper = value(y.low, x.low) * (1 - x.share) + value(y.low, x.high) * x.share;
        const lower = value(y.high, x.low) * (1 - x.share) + value(y.high, x.high) * x.share;
        to[(1 + row * grid + column) * width + i] = upper * (1 - y.share) + lower * y.share;
      }
    }
  tensors.set(name, { shape: [1 + grid * grid, width], values: to });
  return weightsInMemory(weights.source, tensors);
}

/**
 * `(1 - share) · trained + share · before`, tensor by tensor: half-way weights know what both know (Wortsman et al. 2022,
 * "Robust fine-tuning of zero-shot models"). Throws `checkpoint/missing-tensor` where `before` lacks a tensor.
 */
export async function mixedWeights(
  trained: NamedWeights,
  before: NamedWeights,
  share: number,
): Promise<NamedWeights> {
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const name of trained.names()) {
    const [after, old] = [await trained.read(name), await before.read(name)];
    const values = after.map((value, at) => (1 - share) * value + share * old[at]!);
    tensors.set(name, { shape: trained.shape(name), values });
  }
  return weightsInMemory(trained.source, tensors);
}
