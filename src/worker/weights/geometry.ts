import { Problem } from '../report/problem.ts';
import type { NamedWeights } from './named-weights.ts';

export interface TowerGeometry {
  width: number;
  layers: number;
  heads: number;
  /** Hidden units of the MLP. */
  hidden: number;
}

/** Everything about a CLIP ViT that the shapes of its tensors tell. */
export interface ClipGeometry {
  /** Length of the shared embedding. */
  embedding: number;
  vision: TowerGeometry & {
    /** Side of a patch in pixels. */
    patch: number;
    /** Patches per side of the training image. */
    grid: number;
    /** Side of the training image in pixels. */
    image: number;
  };
  text: TowerGeometry & {
    /** Tokens per prompt. */
    context: number;
    vocabulary: number;
  };
}

/**
 * Infers the geometry from the shapes of tensors under OpenCLIP's names and checks every one of them against it.
 * Throws `checkpoint/missing-tensor` or `checkpoint/geometry`, naming the tensor.
 */
export function inferGeometry(weights: NamedWeights): ClipGeometry {
  const present = new Set(weights.names());
  const shape = (name: string, rank: number): number[] => {
    if (!present.has(name)) throw missing(weights, name);
    const found = weights.shape(name);
    if (found.length !== rank) throw contradiction(weights, name, found, `${rank} axes`);
    if (found.some((extent) => extent === 0)) throw contradiction(weights, name, found, 'no empty axis');
    return found;
  };
  const [width, channels, patch, patchWidth] = shape('visual.conv1.weight', 4) as [
    number,
    number,
    number,
    number,
  ];
  if (channels !== 3 || patch !== patchWidth)
    throw contradiction(
      weights,
      'visual.conv1.weight',
      [width, channels, patch, patchWidth],
      '[width, 3, patch, patch]',
    );
  const [positions] = shape('visual.positional_embedding', 2) as [number, number];
  const grid = Math.round(Math.sqrt(positions - 1));
  if (grid * grid !== positions - 1)
    throw contradiction(
      weights,
      'visual.positional_embedding',
      weights.shape('visual.positional_embedding'),
      'one row for the class and one for each patch of a square',
    );
  const [, embedding] = shape('visual.proj', 2) as [number, number];
  const [context, textWidth] = shape('positional_embedding', 2) as [number, number];
  const [vocabulary] = shape('token_embedding.weight', 2) as [number, number];
  const visionLayers = countLayers(weights, present, 'visual.transformer.resblocks.');
  const textLayers = countLayers(weights, present, 'transformer.resblocks.');
  const geometry: ClipGeometry = {
    embedding,
    vision: {
      width,
      layers: visionLayers,
      heads: headsFor(weights, 'visual.conv1.weight', width),
      hidden: shape('visual.transformer.resblocks.0.mlp.c_fc.weight', 2)[0]!,
      patch,
      grid,
      image: grid * patch,
    },
    text: {
      width: textWidth,
      layers: textLayers,
      heads: headsFor(weights, 'positional_embedding', textWidth),
      hidden: shape('transformer.resblocks.0.mlp.c_fc.weight', 2)[0]!,
      context,
      vocabulary,
    },
  };
  for (const [name, expected] of clipShapes(geometry)) {
    // Only training reads it, and some exports drop it.
    if (name === 'logit_scale') continue;
    if (!present.has(name)) throw missing(weights, name);
    const found = weights.shape(name);
    if (String(found) !== String(expected))
      throw contradiction(weights, name, found, `[${expected.join(', ')}]`);
  }
  return geometry;
}

/** Name and row-major shape of every tensor of a CLIP ViT, in OpenCLIP's names and order. */
export function clipShapes(geometry: ClipGeometry): Map<string, number[]> {
  const { embedding, vision, text } = geometry;
  const shapes = new Map<string, number[]>([
    ['positional_embedding', [text.context, text.width]],
    ['text_projection', [text.width, embedding]],
    ['logit_scale', []],
    ['visual.class_embedding', [vision.width]],
    ['visual.positional_embedding', [vision.grid * vision.grid + 1, vision.width]],
    ['visual.proj', [vision.width, embedding]],
    ['visual.conv1.weight', [vision.width, 3, vision.patch, vision.patch]],
  ]);
  const addNorm = (name: string, width: number): void => {
    shapes.set(`${name}.weight`, [width]);
    shapes.set(`${name}.bias`, [width]);
  };
  const addLinear = (name: string, rows: number, columns: number): void => {
    shapes.set(`${name}.weight`, [rows, columns]);
    shapes.set(`${name}.bias`, [rows]);
  };
  const addTower = (prefix: string, { width, layers, hidden }: TowerGeometry): void => {
    for (let layer = 0; layer < layers; layer++) {
      const block = `${prefix}${layer}`;
      addNorm(`${block}.ln_1`, width);
      shapes.set(`${block}.attn.in_proj_weight`, [3 * width, width]);
      shapes.set(`${block}.attn.in_proj_bias`, [3 * width]);
      addLinear(`${block}.attn.out_proj`, width, width);
      addNorm(`${block}.ln_2`, width);
      addLinear(`${block}.mlp.c_fc`, hidden, width);
      addLinear(`${block}.mlp.c_proj`, width, hidden);
    }
  };
  addNorm('visual.ln_pre', vision.width);
  addTower('visual.transformer.resblocks.', vision);
  addNorm('visual.ln_post', vision.width);
  addTower('transformer.resblocks.', text);
  shapes.set('token_embedding.weight', [text.vocabulary, text.width]);
  addNorm('ln_final', text.width);
  return shapes;
}

/** Shapes do not tell the number of heads. Every published CLIP has heads of 64, but ViT-H/14 (1280) has 16 of 80. */
function headsFor(weights: NamedWeights, name: string, width: number): number {
  if (width === 1280) return 16;
  if (width % 64 === 0) return width / 64;
  throw contradiction(weights, name, weights.shape(name), 'a width that is a multiple of 64');
}

const layerLimit = 256;

function countLayers(weights: NamedWeights, present: Set<string>, prefix: string): number {
  let layers = 0;
  while (layers < layerLimit && present.has(`${prefix}${layers}.ln_1.weight`)) layers++;
  if (layers === 0) throw missing(weights, `${prefix}0.ln_1.weight`);
  // A block beyond a gap would otherwise be dropped in silence.
  const beyond = [...present].find((name) => {
    const number = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    return number >= layers;
  });
  if (beyond !== undefined) throw missing(weights, `${prefix}${layers}.ln_1.weight`);
  return layers;
}

function missing(weights: NamedWeights, name: string): Problem {
  return new Problem(
    'checkpoint/missing-tensor',
    `${weights.source}: has no tensor that stands for ${name}.`,
    'The checkpoint is incomplete or not a CLIP ViT.',
  );
}

function contradiction(weights: NamedWeights, name: string, found: number[], expected: string): Problem {
  return new Problem(
    'checkpoint/geometry',
    `${weights.source}: ${name} has the shape [${found.join(', ')}], but ${expected} is expected.`,
    'The checkpoint is damaged or of another kind of model than a CLIP ViT.',
  );
}
