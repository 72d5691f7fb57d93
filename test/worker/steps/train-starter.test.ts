import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changedSources, readSources, type SourceConfig } from '../../../src/worker/dataset/sources.ts';
import { openPack } from '../../../src/worker/pack/open-pack.ts';
import { train } from '../../../src/worker/steps/train.ts';
import { readClipConfig } from '../../../src/worker/steps/train-clip.ts';
import { readLossTable } from '../../../src/worker/train/loss-curve.ts';

const recipes = fileURLToPath(new URL('../../../configs/starter', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'starter-'));
});
afterAll(() => rm(folder, { recursive: true }));

const scenes = {
  kind: 'synthetic',
  share: 1,
  scale: [0.7, 1.3],
  seed: 3,
  scenes: 40,
  size: 64,
  resolution: [1, 2],
};

/** The committed recipes with toy towers on a few synthetic scenes, their schedules and phases as they are. */
async function toyRecipes(): Promise<string[]> {
  const read = async (name: string) => JSON.parse(await readFile(path.join(recipes, name), 'utf8'));
  const write = (name: string, recipe: object) => writeFile(path.join(folder, name), JSON.stringify(recipe));
  const clip = await read('clip.json');
  const small = { side: 32, images: 2 };
  await write('clip.json', {
    ...clip,
    vision: { width: 64, patch: 8 },
    text: { width: 64, layers: 1, context: 32 },
    embedding: 32,
    // The labels of the true sets are not those of the scenes that stand in for them.
    phases: clip.phases.map((phase: { sources: Record<string, { share?: number }> }) => ({
      ...phase,
      ...small,
      sources: Object.fromEntries(
        Object.entries(phase.sources).map(([name, { share }]) => [
          name,
          share === undefined ? {} : { share },
        ]),
      ),
    })),
    sources: clip.sources.map(({ name }: { name: string }) => ({ ...scenes, name })),
  });
  await write('simfeatup.json', { ...(await read('simfeatup.json')), ...small, views: 2, sources: [scenes] });
  await write('alignearth.json', {
    ...(await read('alignearth.json')),
    ...small,
    regions: 2,
    sources: [scenes],
    heldOut: [],
  });
  return clip.phases.map(({ name }: { name: string }) => name);
}

describe('the recipe of the starter pack', () => {
  it('names its sets and their labels in every phase', async () => {
    const { sources, phases } = await readClipConfig(path.join(recipes, 'clip.json'));
    const known = sources.map((config) => ({
      config: config as SourceConfig,
      pictures: [],
      weights: new Float32Array(256).fill(1),
    }));
    for (const phase of phases)
      expect(changedSources(known, phase.sources ?? {}).length, phase.name).toBeGreaterThan(0);
    expect(() => changedSources(known, { desert: { share: 1 } })).toThrow(
      /no set of pictures named "desert"/,
    );
    expect(() => changedSources(known, { dubai: { weights: { 77: 2 } } })).toThrow(/no label 77/);
  });

  it('runs every phase and writes a pack with upsampler and SAR encoder', { timeout: 300_000 }, async () => {
    const phases = await toyRecipes();
    const out = path.join(folder, 'run');
    const pack = path.join(folder, 'pack');
    await train(
      { kind: 'starter', configs: folder, out, pack, threads: 1, finestResolution: 0.4, quick: true },
      { signal: new AbortController().signal, report: () => {}, note: () => {}, emit: async () => {} },
    );
    const folders = await readdir(path.join(out, 'clip'));
    for (const phase of phases) {
      expect(folders).toContain(phase);
      const table = await readFile(path.join(out, 'clip', phase, 'loss.csv'), 'utf8');
      expect(readLossTable(table, 100).rows, phase).toHaveLength(2);
    }
    const { manifest } = await openPack(pack);
    expect(manifest.upsampler).not.toBeNull();
    expect(Object.keys(manifest.encoders).sort()).toEqual(['optical', 'sar']);
    expect(manifest.knownWords?.length).toBeGreaterThan(5);
  });

  it('changes shares and weights for a phase and leaves the sets alone', async () => {
    const sources = await readSources([{ ...scenes, scenes: 1, name: 'toy' } as SourceConfig], folder);
    const [changed] = changedSources(sources, { toy: { share: 3, weights: { 8: 2 } } });
    expect(changed!.config.share).toBe(3);
    expect(changed!.weights[8]).toBeCloseTo(2 * sources[0]!.weights[8]!, 6);
    expect(changed!.weights[7]).toBe(sources[0]!.weights[7]);
    expect(sources[0]!.config.share).toBe(1);
    expect(changedSources(sources, { toy: { share: 0 } })).toHaveLength(0);
  });
});
