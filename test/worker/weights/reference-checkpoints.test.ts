import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { clipShapes, inferGeometry } from '../../../src/worker/weights/geometry.ts';
import type { NamedWeights } from '../../../src/worker/weights/named-weights.ts';
import { openClipCheckpoint, upsamplerCheckpoint } from '../../../src/worker/weights/names.ts';
import { detectUpsampler } from '../../../src/worker/weights/upsampler-names.ts';
import { checkpoints, fixtures, hasFixtures, withCheckpoint } from './fixture-files.ts';

/** Names and first index of difference; empty when all tensors are the same bit for bit. */
async function differences(actual: NamedWeights, expected: NamedWeights): Promise<string[]> {
  const found: string[] = [];
  for (const name of expected.names()) {
    if (!actual.names().includes(name)) {
      found.push(`${name}: missing`);
      continue;
    }
    if (String(actual.shape(name)) !== String(expected.shape(name)))
      found.push(`${name}: [${actual.shape(name)}] where [${expected.shape(name)}] is expected`);
    const [a, b] = [await actual.read(name), await expected.read(name)];
    const at = b.findIndex((value, index) => !Object.is(value, a[index]));
    if (at >= 0 || a.length !== b.length) found.push(`${name}[${at}]: ${a[at]} where ${b[at]} is expected`);
  }
  return found;
}

describe.skipIf(!hasFixtures)('checkpoints of the reference', () => {
  const files = hasFixtures ? readdirSync(checkpoints) : [];
  const clips = files.filter((file) => /^(openclip|openai|huggingface).*\.(pt|safetensors)$/.test(file));
  const formats: Record<string, string> = {
    openai: 'torchscript',
    openclip: 'torch-zip',
    huggingface: 'safetensors',
  };

  it.each(clips)('%s gives the tensors of openclip.safetensors', async (file) => {
    await withCheckpoint(path.join(checkpoints, 'openclip.safetensors'), (reference) =>
      withCheckpoint(path.join(checkpoints, file), async (checkpoint) => {
        const expected = openClipCheckpoint(reference);
        const actual = openClipCheckpoint(checkpoint);
        expect([...actual.names()].sort()).toEqual([...expected.names()].sort());
        expect(await differences(actual, expected)).toEqual([]);
        expect(inferGeometry(actual)).toEqual(inferGeometry(expected));
        if (file.endsWith('.pt')) expect(checkpoint.format).toBe(formats[file.split('-')[0]!]);
      }),
    );
  });

  it('names and shapes of a whole CLIP follow from its geometry', async () => {
    await withCheckpoint(path.join(checkpoints, 'openclip.safetensors'), async (checkpoint) => {
      const weights = openClipCheckpoint(checkpoint);
      const shapes = clipShapes(inferGeometry(weights));
      expect([...shapes.keys()]).toEqual(weights.names());
    });
  });

  const step = (up: string): string[] => [
    `${up}.range_temp`,
    `${up}.sigma_spatial`,
    ...['range_proj.0', 'range_proj.1', 'fixup_proj.0', 'fixup_proj.1'].flatMap((layer) => [
      `${up}.${layer}.weight`,
      `${up}.${layer}.bias`,
    ]),
  ];
  const last = ['fixup_proj.weight', 'fixup_proj.bias'];
  const upsamplers: [file: string, format: string, kind: string, names: string[]][] = [
    ['tiny/checkpoints/simfeatup-jbu-one.ckpt', 'torch-zip', 'jbu_one', [...step('up'), ...last]],
    ['tiny/checkpoints/simfeatup-jbu-one-legacy.ckpt', 'torch-legacy', 'jbu_one', [...step('up'), ...last]],
    ...['tiny/checkpoints/featup-jbu-stack.ckpt', 'real/clip_jbu_stack_cocostuff.ckpt'].map(
      (file): [string, string, string, string[]] => [
        file,
        'torch-zip',
        'jbu_stack',
        [...['up1', 'up2', 'up3', 'up4'].flatMap(step), ...last],
      ],
    ),
  ];

  it.each(upsamplers)('%s is an upsampler', async (file, format, kind, names) => {
    await withCheckpoint(path.join(fixtures, file), async (checkpoint) => {
      expect(checkpoint.format).toBe(format);
      const weights = upsamplerCheckpoint(checkpoint);
      expect(weights.names()).toEqual(names);
      expect(detectUpsampler(weights.names())).toBe(kind);
      for (const name of names) {
        const count = weights.shape(name).reduce((product, extent) => product * extent, 1);
        const values = await weights.read(name);
        expect(values.length).toBe(count);
        expect(values.every(Number.isFinite)).toBe(true);
      }
    });
  });

  it('the legacy upsampler is the same as the zipped one', async () => {
    await withCheckpoint(path.join(checkpoints, 'simfeatup-jbu-one.ckpt'), (zipped) =>
      withCheckpoint(path.join(checkpoints, 'simfeatup-jbu-one-legacy.ckpt'), async (legacy) => {
        expect(await differences(upsamplerCheckpoint(legacy), upsamplerCheckpoint(zipped))).toEqual([]);
        expect(legacy.metadata).toEqual(zipped.metadata);
        expect(zipped.metadata['pytorch-lightning_version']).toMatch(/^\d/);
      }),
    );
  });

  it('a file with two upsamplers (values and gradients) is not guessed at', async () => {
    await withCheckpoint(path.join(fixtures, 'training/simfeatup-step.safetensors'), async (checkpoint) => {
      expect(() => upsamplerCheckpoint(checkpoint)).toThrow(
        expect.objectContaining({
          code: 'checkpoint/ambiguous',
          message: expect.stringContaining('"up.", "grad.up."'),
        }),
      );
    });
  });

  it('an upsampler is no CLIP and a CLIP no upsampler', async () => {
    await withCheckpoint(path.join(checkpoints, 'simfeatup-jbu-one.ckpt'), async (checkpoint) => {
      expect(() => openClipCheckpoint(checkpoint)).toThrow(
        expect.objectContaining({
          code: 'checkpoint/not-a-clip',
          message: expect.stringContaining('jbu-one.ckpt'),
        }),
      );
    });
    await withCheckpoint(path.join(checkpoints, 'openclip.safetensors'), async (checkpoint) => {
      expect(() => upsamplerCheckpoint(checkpoint)).toThrow(
        expect.objectContaining({ code: 'checkpoint/not-an-upsampler' }),
      );
    });
  });
});
