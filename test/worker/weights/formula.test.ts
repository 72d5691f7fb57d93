import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { formulaClip } from '../../../src/worker/weights/formula.ts';
import { type ClipGeometry, inferGeometry } from '../../../src/worker/weights/geometry.ts';
import { openClipCheckpoint } from '../../../src/worker/weights/names.ts';
import { checkpoints, fixtures, hasFixtures, withCheckpoint } from './fixture-files.ts';

function vit(width: number, layers: number, patch: number, embedding: number, text: number): ClipGeometry {
  const grid = 224 / patch;
  return {
    embedding,
    vision: { width, layers, heads: width / 64, hidden: 4 * width, patch, grid, image: 224 },
    text: { width: text, layers: 12, heads: text / 64, hidden: 4 * text, context: 77, vocabulary: 49408 },
  };
}

const published: Record<string, ClipGeometry> = {
  'vit-b-16': vit(768, 12, 16, 512, 512),
  'vit-b-32': vit(768, 12, 32, 512, 512),
  'vit-l-14': vit(1024, 24, 14, 768, 768),
};

describe.skipIf(!hasFixtures)('formula weights', () => {
  it('are the tiny checkpoint bit for bit', async () => {
    await withCheckpoint(path.join(checkpoints, 'openclip.safetensors'), async (checkpoint) => {
      const expected = openClipCheckpoint(checkpoint);
      const formula = formulaClip(inferGeometry(expected), checkpoint.metadata.seed ?? 'tiny');
      expect(formula.names()).toEqual(expected.names());
      for (const name of expected.names()) {
        const [a, b] = [await formula.read(name), await expected.read(name)];
        const at = b.findIndex((value, index) => !Object.is(value, a[index]));
        expect(at < 0 ? '' : `${name}[${at}]: ${a[at]} where ${b[at]} is expected`).toBe('');
        expect(a.length).toBe(b.length);
      }
    });
  });

  const folder = path.join(fixtures, 'full-size');
  const files = hasFixtures
    ? readdirSync(folder).filter((file) => file.endsWith('.expected.safetensors'))
    : [];

  it.each(files)('are the checked values of %s', async (file) => {
    await withCheckpoint(path.join(folder, file), async (expected) => {
      const geometry = published[file.replace('.expected.safetensors', '')];
      expect(geometry, `the test knows the geometry of ${file}`).toBeDefined();
      const formula = formulaClip(geometry!, expected.metadata.seed!);
      const checked = expected.names().filter((name) => name.startsWith('checksum.'));
      expect(checked.length).toBeGreaterThan(0);
      for (const name of checked) {
        const values = await expected.read(name);
        const actual = await formula.read(name.slice('checksum.'.length));
        expect([...actual.subarray(0, values.length)]).toEqual([...values]);
      }
    });
  });
});
