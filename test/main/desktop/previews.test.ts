import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { landCoverWords } from '../../../src/main/desktop/land-cover-words.ts';
import { LivePictures } from '../../../src/main/desktop/live-pictures.ts';
import { Previews } from '../../../src/main/desktop/previews.ts';
import { starterPack } from '../../../src/main/packs/starter.ts';
import { type RunSettings, runSettings } from '../../../src/main/rpc/runs.ts';
import { usualSettings } from '../../../src/renderer/state/run-settings.ts';
import { unknownWords } from '../../../src/worker/pack/known-words.ts';
import { openPack } from '../../../src/worker/pack/open-pack.ts';

const long = 300_000;
let folder: string;
let scene: string;
let view: string;
const pictures = new LivePictures();
const previews = new Previews(pictures);

function asked(words: string[], part: Partial<RunSettings> = {}): RunSettings {
  return runSettings.parse({
    ...usualSettings,
    prompts: words.map((word) => ({ name: word, words: [word], colour: '#888888', threshold: null })),
    extent: null,
    threads: 1,
    ...part,
  });
}

function draw(words: string[], stored: string | null = null) {
  const classes = words.map((name, i) => ({ id: i + 1, name, words: [name], colour: '#888888' }));
  return previews.draw(scene, { pack: starterPack, classes, threads: 1 }, asked(words), null, null, stored);
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'landscribe-previews-'));
  scene = path.join(folder, 'scene.png');
  // A lake between fields, with a roof.
  await sharp(
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="240" height="224">
      <rect width="240" height="224" fill="#6a8f3c"/><ellipse cx="170" cy="130" rx="60" ry="80" fill="#1d3a55"/>
      <rect x="20" y="30" width="60" height="70" fill="#a85040"/></svg>`),
  )
    .png()
    .toFile(scene);
  ({ view } = await draw(['grass', 'water']));
}, long);
afterAll(async () => {
  await previews.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('questions about an encoded view', () => {
  it(
    'of many at once the last is answered, as if it had been asked alone; those before it end early',
    async () => {
      const alone = await previews.label(view, asked(['water', 'grass']));
      const typed = ['b', 'bu', 'road', 'tree', 'grass'].map((word) =>
        previews.label(view, asked(['water', word])),
      );
      const ends = await Promise.allSettled(typed);
      // One that is answered before the next comes has its answer; none fails otherwise.
      for (const end of ends)
        if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'cancelled' });
      const last = ends.at(-1)!;
      expect(last.status === 'fulfilled' && last.value.shares).toEqual(alone.shares);
      expect(alone.shares[2]).toBeGreaterThan(0);
    },
    long,
  );

  it(
    'are refused where the view was encoded with other settings, or is not the one that is kept',
    async () => {
      for (const [named, settings] of [
        [view, asked(['grass', 'water'], { stride: 224 })],
        ['view 0', asked(['grass', 'water'])],
      ] as const)
        await expect(previews.label(named, settings)).rejects.toMatchObject({ code: 'live/none' });
      await expect(previews.label(view, asked(['qqq']))).rejects.toMatchObject({ code: 'pack/unknown-word' });
    },
    long,
  );

  it(
    'tell the five likeliest of at least 300 words at a place, the likeliest first',
    async () => {
      const all = landCoverWords.flat();
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBeGreaterThanOrEqual(300);
      const { knownWords } = (await openPack(starterPack)).manifest;
      const unknown = new Set(unknownWords(knownWords!, all));
      const words = landCoverWords
        .map((group) => group.filter((word) => !unknown.has(word)))
        .filter((group) => group.length > 0);
      const likely = await previews.likely(view, [170, -130], null, words, 'imagenet');
      expect(likely).toHaveLength(5);
      const similarities = likely.map(({ similarity }) => similarity);
      expect(similarities).toEqual([...similarities].sort((a, b) => b - a));
    },
    long,
  );

  it(
    'are answered from an encoding of its own where what is stored is cut off, as a full disk leaves it',
    async () => {
      const fresh = await draw(['grass', 'water']);
      const stored = path.join(folder, 'store');
      mkdirSync(stored);
      for (const content of [null, '{"format": "landscribe-features 1", "iden']) {
        if (content !== null) writeFileSync(path.join(stored, 'features.json'), content);
        const drawn = await draw(['grass', 'water'], stored);
        expect(drawn.shares).toEqual(fresh.shares);
      }
      view = (await draw(['grass', 'water'])).view;
    },
    long,
  );
});
