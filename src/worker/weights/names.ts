import { Problem } from '../report/problem.ts';
import type { Checkpoint } from './checkpoint.ts';
import { quoted } from './checkpoint-file.ts';
import type { NameRule } from './name-rule.ts';
import type { NamedWeights } from './named-weights.ts';
import { openClipNames } from './openclip-names.ts';
import { transformersNames } from './transformers-names.ts';
import { upsamplerNames } from './upsampler-names.ts';

/**
 * A CLIP checkpoint under OpenCLIP's names, whatever it was written by: OpenCLIP and OpenAI (state dict or
 * TorchScript), with or without wrappers' prefixes, or transformers. Entries that belong to no CLIP are left out.
 * Throws `checkpoint/not-a-clip`.
 */
export function openClipCheckpoint(checkpoint: Checkpoint): NamedWeights {
  const names = checkpoint.names();
  const rules = openClipNames(checkpoint.path, names) ?? transformersNames(checkpoint.path, names);
  if (!rules)
    throw new Problem(
      'checkpoint/not-a-clip',
      `${checkpoint.path}: holds no CLIP image encoder (neither visual.conv1.weight nor vision_model.embeddings…); ` +
        `its first tensors are ${quoted(names.slice(0, 3).join(', '))}.`,
      'Give a CLIP ViT checkpoint of OpenAI, OpenCLIP or transformers.',
    );
  return renamed(checkpoint, rules);
}

/**
 * An upsampler checkpoint under the names `up.…` (JBU_One) or `up1.…` to `up4.…` (JBU_Stack) and `fixup_proj.…`;
 * convolutions of one sequence are numbered `.0` and `.1`. Throws `checkpoint/not-an-upsampler`.
 */
export function upsamplerCheckpoint(checkpoint: Checkpoint): NamedWeights {
  const names = checkpoint.names();
  const rules = upsamplerNames(checkpoint.path, names);
  if (!rules)
    throw new Problem(
      'checkpoint/not-an-upsampler',
      `${checkpoint.path}: holds no SimFeatUp or FeatUp upsampler; its first tensors are ${quoted(names.slice(0, 3).join(', '))}.`,
      'Give a checkpoint with upsampler.up.… (SimFeatUp) or upsampler.up1.… (FeatUp) tensors.',
    );
  return renamed(checkpoint, rules);
}

function renamed(checkpoint: Checkpoint, rules: NameRule[]): NamedWeights {
  const byName = new Map<string, NameRule>();
  for (const rule of rules) {
    if (byName.has(rule.name))
      throw new Problem(
        'checkpoint/ambiguous',
        `${checkpoint.path}: ${byName.get(rule.name)!.from.map(quoted)} and ${rule.from.map(quoted)} both stand for ${rule.name}.`,
        'Export the model you want alone.',
      );
    byName.set(rule.name, rule);
  }
  const find = (name: string): NameRule => {
    const rule = byName.get(name);
    if (rule) return rule;
    throw new Problem(
      'checkpoint/missing-tensor',
      `${checkpoint.path}: has no tensor that stands for ${name}.`,
      'The checkpoint is incomplete or of another kind of model.',
    );
  };
  return {
    source: checkpoint.path,
    names: () => [...byName.keys()],
    shape: (name) => shapeOf(checkpoint, find(name)),
    read: async (name, signal) => {
      const rule = find(name);
      const shape = shapeOf(checkpoint, rule);
      if (rule.from.length === 1) {
        const values = await checkpoint.read(rule.from[0]!, signal);
        return rule.transposed ? transpose(values, shape[0]!, shape[1]!) : values;
      }
      const out = new Float32Array(shape.reduce((count, extent) => count * extent, 1));
      let at = 0;
      for (const from of rule.from) {
        const part = await checkpoint.read(from, signal);
        out.set(part, at);
        at += part.length;
      }
      return out;
    },
  };
}

function shapeOf(checkpoint: Checkpoint, rule: NameRule): number[] {
  const shapes = rule.from.map((name) => checkpoint.header(name).shape);
  const [first, ...others] = shapes as [number[], ...number[][]];
  if (rule.transposed) {
    if (first.length !== 2) throw mismatch(checkpoint, rule, shapes);
    return [first[1]!, first[0]!];
  }
  if (others.length === 0) return first;
  const tail = String(first.slice(1));
  if (
    shapes.some(
      (shape) => shape.length !== first.length || shape.length === 0 || String(shape.slice(1)) !== tail,
    )
  )
    throw mismatch(checkpoint, rule, shapes);
  return [shapes.reduce((sum, shape) => sum + shape[0]!, 0), ...first.slice(1)];
}

function mismatch(checkpoint: Checkpoint, rule: NameRule, shapes: number[][]): Problem {
  return new Problem(
    'checkpoint/geometry',
    `${checkpoint.path}: the shapes [${shapes.join('] [')}] of ${rule.from.map(quoted)} do not make ${rule.name}.`,
    'The checkpoint is damaged or of another kind of model.',
  );
}

/** `out` is [rows, columns]; `values` is [columns, rows]. */
function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0, from = row; column < columns; column++, from += rows)
      out[row * columns + column] = values[from]!;
  return out;
}
