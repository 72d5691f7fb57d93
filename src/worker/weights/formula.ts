import { type ClipGeometry, clipShapes } from './geometry.ts';
import { halfBits, halfValues, roundingTerm } from './half.ts';
import type { NamedWeights } from './named-weights.ts';
import { missingTensor } from './read-tensor.ts';

/**
 * Weights that are a formula of their name, a seed and their position, so that a full-size model can be compared
 * without shipping its file: mulberry32 seeded by FNV-1a of `seed/name`, scaled per kind of tensor, rounded to
 * float16. The same formula made the reference outputs.
 */
export function formulaWeights(shapes: ReadonlyMap<string, readonly number[]>, seed: string): NamedWeights {
  const source = `formula weights "${seed}"`;
  const find = (name: string): readonly number[] => shapes.get(name) ?? missingTensor(source, name);
  return {
    source,
    names: () => [...shapes.keys()],
    shape: (name) => [...find(name)],
    read: async (name) => formulaTensor(seed, name, find(name)),
  };
}

/** A whole CLIP of this geometry. */
export function formulaClip(geometry: ClipGeometry, seed: string): NamedWeights {
  return formulaWeights(clipShapes(geometry), seed);
}

/** One tensor of the formula, row-major. */
function formulaTensor(seed: string, name: string, shape: readonly number[]): Float32Array {
  const out = new Float32Array(shape.reduce((count, extent) => count * extent, 1));
  const leaf = name.slice(name.lastIndexOf('.') + 1);
  if (name === 'logit_scale') return out.fill(roundToHalf(Math.log(100)));
  if (leaf === 'range_temp') return out.fill(roundToHalf(1.3));
  if (leaf === 'sigma_spatial') return out.fill(roundToHalf(0.7));
  const norm = name.includes('ln_');
  const offset = norm && leaf === 'weight' ? 1 : 0;
  fill(out, fnv1a(`${seed}/${name}`), offset, norm ? (offset ? 0.1 : 0.05) : amplitude(name, leaf, shape));
  return out;
}

function amplitude(name: string, leaf: string, shape: readonly number[]): number {
  if (leaf === 'bias' || leaf === 'in_proj_bias') return 0.02;
  if (name.includes('embedding'))
    return name.startsWith('visual') || name.includes('positional') ? 0.1 : 0.05;
  const fanIn = shape.slice(1).reduce((count, extent) => count * extent, 1);
  const unit = Math.sqrt(3 / fanIn);
  if (leaf === 'in_proj_weight') return 3 * unit;
  if (name.endsWith('conv1.weight')) return 4 * unit;
  if (leaf === 'proj' || leaf === 'text_projection') return Math.sqrt(3 / shape[0]!);
  return shape.length === 4 || shape.length === 2 ? unit : 0.1;
}

/** `out[i] = offset + scale * (2 u_i - 1)`, rounded to float16. */
function fill(out: Float32Array, seed: number, offset: number, scale: number): void {
  const word = new Float32Array(1);
  const bits = new Int32Array(word.buffer);
  const values = halfValues();
  let state = seed | 0;
  for (let i = 0; i < out.length; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    const value = offset + scale * (((t ^ (t >>> 14)) >>> 0) * (2 / 4294967296) - 1);
    word[0] = value;
    const pattern = bits[0]!;
    // The common case of halfBits, inlined: a normal float16.
    if ((pattern & 0x7fffffff) >= 0x38800000) {
      bits[0] = (pattern + roundingTerm(pattern, value, word[0]!)) & ~0x1fff;
      out[i] = word[0]!;
    } else out[i] = values[halfBits(value)]!;
  }
}

function roundToHalf(value: number): number {
  return halfValues()[halfBits(value)]!;
}

/** FNV-1a, 32 bits, of the UTF-8 bytes. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
