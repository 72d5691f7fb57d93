import { elementCount } from '../onnx/tensor.ts';
import { clipShapes } from '../weights/geometry.ts';
import { type NamedWeights, weightsInMemory } from '../weights/named-weights.ts';
import type { ClipGeometry } from './clip.ts';
import { normalNumbers } from './random.ts';

/** Number of all parameters. */
export function clipParameterCount(geometry: ClipGeometry): number {
  let count = 0;
  for (const shape of clipShapes(geometry).values()) count += elementCount(shape);
  return count;
}

/** Starting weights as CLIP's (arXiv 2103.00020, and its program): normal, residual branches scaled by depth. */
export function initialClip(geometry: ClipGeometry, seed: number): NamedWeights {
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const [name, shape] of clipShapes(geometry)) {
    const deviation = initialDeviation(geometry, name);
    const values = normalNumbers(elementCount(shape), deviation, `${seed}/${name}`);
    if (name === 'logit_scale') values.fill(Math.log(1 / 0.07));
    else if (/ln_\w+\.weight$/.test(name)) values.fill(1);
    else if (/bias$/.test(name)) values.fill(0);
    tensors.set(name, { shape, values });
  }
  return weightsInMemory('initial weights', tensors);
}

function initialDeviation({ vision, text }: ClipGeometry, name: string): number {
  const { width, layers } = name.startsWith('visual.') ? vision : text;
  if (name.endsWith('out_proj.weight') || name.endsWith('c_proj.weight')) return (width * 2 * layers) ** -0.5;
  if (name.endsWith('c_fc.weight')) return (2 * width) ** -0.5;
  if (name === 'token_embedding.weight') return 0.02;
  if (name === 'positional_embedding') return 0.01;
  if (name === 'visual.conv1.weight') return (3 * vision.patch ** 2) ** -0.5;
  return width ** -0.5;
}
