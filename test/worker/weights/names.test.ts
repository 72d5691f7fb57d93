import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../src/worker/weights/checkpoint.ts';
import { openClipCheckpoint, upsamplerCheckpoint } from '../../../src/worker/weights/names.ts';

/** A checkpoint of these shapes; element i of the tensor at place p is 1000 p + i. */
function checkpointOf(shapes: Record<string, number[]>): Checkpoint {
  const names = Object.keys(shapes);
  return {
    path: 'model.pt',
    format: 'safetensors',
    metadata: {},
    names: () => names,
    header: (name) => ({ dtype: 'float32', shape: shapes[name]! }),
    read: async (name) => {
      const count = shapes[name]!.reduce((product, extent) => product * extent, 1);
      return Float32Array.from({ length: count }, (_, index) => 1000 * names.indexOf(name) + index);
    },
    close: async () => {},
  };
}

const anchor = { 'visual.conv1.weight': [2, 3, 1, 1] };
const prefixed = (prefix: string, shapes: Record<string, number[]>) =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [prefix + name, shape]));

describe('names of CLIP checkpoints', () => {
  it.each([
    '',
    'module.',
    'model.',
    'module.model.',
    'clip_model.',
  ])('the prefix %j is taken off', (prefix) => {
    const shapes = { ...anchor, 'ln_final.weight': [4], 'transformer.resblocks.11.attn.in_proj_bias': [12] };
    const weights = openClipCheckpoint(checkpointOf({ ...prefixed(prefix, shapes), 'head.weight': [5] }));
    expect(weights.names()).toEqual(Object.keys(shapes));
  });

  it('OpenAI’s counters and masks and OpenCLIP’s text. prefix', () => {
    const weights = openClipCheckpoint(
      checkpointOf({
        ...anchor,
        input_resolution: [],
        context_length: [],
        vocab_size: [],
        'text.token_embedding.weight': [9, 4],
        'text.attn_mask': [77, 77],
        'text.text_projection': [4, 2],
      }),
    );
    expect(weights.names()).toEqual(['visual.conv1.weight', 'token_embedding.weight', 'text_projection']);
  });

  it('transformers’ query, key and value are stacked, projections transposed', async () => {
    const part = (name: string) => `vision_model.encoder.layers.0.self_attn.${name}_proj`;
    const weights = openClipCheckpoint(
      checkpointOf({
        'vision_model.embeddings.patch_embedding.weight': [2, 3, 1, 1],
        [`${part('v')}.weight`]: [2, 2],
        [`${part('q')}.weight`]: [2, 2],
        [`${part('k')}.weight`]: [2, 2],
        'visual_projection.weight': [3, 2],
        'text_model.embeddings.position_ids': [1, 77],
      }),
    );
    const stacked = 'visual.transformer.resblocks.0.attn.in_proj_weight';
    expect(weights.names().sort()).toEqual(['visual.conv1.weight', 'visual.proj', stacked]);
    expect(weights.shape(stacked)).toEqual([6, 2]);
    const rows = [2000, 2001, 2002, 2003, 3000, 3001, 3002, 3003, 1000, 1001, 1002, 1003];
    expect([...(await weights.read(stacked))]).toEqual(rows);
    expect(weights.shape('visual.proj')).toEqual([2, 3]);
    expect([...(await weights.read('visual.proj'))]).toEqual([4000, 4002, 4004, 4001, 4003, 4005]);
    await expect(weights.read('visual.absent')).rejects.toMatchObject({ code: 'checkpoint/missing-tensor' });
  });

  it('shapes that cannot be stacked or transposed are refused', () => {
    const part = (name: string) => `vision_model.encoder.layers.0.self_attn.${name}_proj.weight`;
    const weights = openClipCheckpoint(
      checkpointOf({
        'vision_model.embeddings.patch_embedding.weight': [2, 3, 1, 1],
        [part('q')]: [2, 2],
        [part('k')]: [2, 3],
        [part('v')]: [2, 2],
        'visual_projection.weight': [3],
      }),
    );
    for (const name of ['visual.transformer.resblocks.0.attn.in_proj_weight', 'visual.proj'])
      expect(() => weights.shape(name)).toThrow(expect.objectContaining({ code: 'checkpoint/geometry' }));
  });

  it('student and teacher in one file are not guessed at', () => {
    expect(() =>
      openClipCheckpoint(checkpointOf({ ...prefixed('a.', anchor), ...prefixed('b.', anchor) })),
    ).toThrow(
      expect.objectContaining({
        code: 'checkpoint/ambiguous',
        message: 'model.pt: holds several models: "a.", "b.".',
      }),
    );
  });
});

describe('names of upsampler checkpoints', () => {
  const authors = ['range_temp', 'range_proj.0.weight', 'range_proj.3.weight', 'fixup_proj.3.bias'];
  const ours = ['range_temp', 'range_proj.0.weight', 'range_proj.1.weight', 'fixup_proj.1.bias'];

  it.each(['up', 'up1'])('of %s: the authors’ and ours', (up) => {
    for (const [prefix, names, last] of [
      ['upsampler.', authors, 'fixup_proj.1.weight'],
      ['', ours, 'fixup_proj.weight'],
    ] as const) {
      const shapes = Object.fromEntries(
        [...names.map((name) => `${prefix}${up}.${name}`), prefix + last].map((name) => [name, [1]]),
      );
      const weights = upsamplerCheckpoint(checkpointOf({ ...shapes, [`${prefix}${up}.dropout.mask`]: [1] }));
      expect(weights.names()).toEqual([...ours.map((name) => `${up}.${name}`), 'fixup_proj.weight']);
    }
  });

  it('two tensors for one name are refused', () => {
    const shapes = { 'up.range_temp': [], 'up.range_proj.1.weight': [1], 'up.range_proj.3.weight': [1] };
    expect(() => upsamplerCheckpoint(checkpointOf(shapes))).toThrow(
      expect.objectContaining({
        code: 'checkpoint/ambiguous',
        message: expect.stringContaining('range_proj.3'),
      }),
    );
  });
});
