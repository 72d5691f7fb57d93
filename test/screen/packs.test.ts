import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Registry } from '../../src/main/packs/registry.ts';
import { formulaClip } from '../../src/worker/weights/formula.ts';
import { etagOf, type Mirror, part, rangeStart, startMirror } from '../main/packs/mirror.ts';
import { writeScriptArchive } from '../main/packs/script-archive.ts';
import { browserFile, choose, closeBrowser, type OpenWindow, openWindow } from './window.ts';

if (!browserFile) console.log('The models’ window is not tested: Chromium is missing.');
const long = 300_000;

/** Small, but large enough to be watched on its way. */
const geometry = {
  embedding: 64,
  vision: { width: 256, layers: 4, heads: 4, hidden: 1024, patch: 16, grid: 4, image: 64 },
  text: { width: 64, layers: 2, heads: 1, hidden: 256, context: 77, vocabulary: 514 },
};
const title = 'A model for this test';

describe.skipIf(!browserFile)('the models’ window, against a server on this machine', () => {
  let folder: string;
  let home: string;
  let mirror: Mirror;
  let window: OpenWindow;
  let dialog: Locator;
  let row: Locator;
  /** Bytes a second that the server gives; null for all at once. */
  let pace: number | null = 1_000_000;
  const registryBefore = process.env.LANDSCRIBE_REGISTRY;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'landscribe-packs-'));
    home = path.join(folder, 'home');
    const model = path.join(folder, 'model.pt');
    await writeScriptArchive(model, formulaClip(geometry, 'window'));
    const files = {
      'model.pt': readFileSync(model),
      'vocabulary.txt.gz': gzipSync('#version: 0.2\n'),
    };
    mirror = await startMirror(files);
    mirror.behave = (request, response, content) => {
      if (pace === null || request.url !== '/model.pt') return false;
      const start = rangeStart(request, content);
      if (start === null)
        response.writeHead(200, { 'content-length': content.length, etag: etagOf(content) });
      else part(response, content, start);
      const step = pace / 20;
      let at = start ?? 0;
      const timer = setInterval(() => {
        response.write(content.subarray(at, at + step));
        at += step;
        if (at >= content.length) response.end();
        if (at >= content.length || response.destroyed) clearInterval(timer);
      }, 50);
      return true;
    };
    const registry: Registry = {
      version: 1,
      expectations: { tokens: [], closer: [] },
      files: {
        model: {
          role: 'checkpoint',
          url: `${mirror.address}model.pt`,
          licence: { name: 'A licence of its own', stated: 'https://example.org/licence' },
          checksum: { kind: 'sha256', value: createHash('sha256').update(files['model.pt']).digest('hex') },
          bytes: files['model.pt'].length,
          megabytes: files['model.pt'].length / 1e6,
          unconfirmed: [],
        },
        vocabulary: {
          role: 'vocabulary',
          url: `${mirror.address}vocabulary.txt.gz`,
          licence: { name: null, stated: 'https://example.org/words' },
          checksum: { kind: 'recorded' },
          bytes: null,
          megabytes: 0.001,
          unconfirmed: [],
        },
      },
      packs: {
        own: {
          title,
          checkpoint: 'model',
          upsampler: null,
          vocabulary: 'vocabulary',
          modality: 'optical',
          activation: 'quickgelu',
          normalisation: { mean: [120, 110, 100], deviation: [60, 61, 62] },
          settings: { attention: 'segearth', lastLayers: 1, lambda: -0.3 },
          geometry: {
            patch: 16,
            image: 64,
            width: 256,
            layers: 4,
            embedding: 64,
            textWidth: 64,
            textLayers: 2,
          },
        },
      },
    };
    process.env.LANDSCRIBE_REGISTRY = path.join(folder, 'registry.json');
    writeFileSync(process.env.LANDSCRIBE_REGISTRY, JSON.stringify(registry));
    window = await openWindow(folder, [], home);
    const { page } = window;
    dialog = page.getByRole('dialog', { name: 'Models', exact: true });
    row = dialog.getByRole('listitem', { name: title, exact: true });
  }, long);
  afterAll(async () => {
    await window?.close();
    await closeBrowser();
    await mirror?.close();
    if (registryBefore === undefined) delete process.env.LANDSCRIBE_REGISTRY;
    else process.env.LANDSCRIBE_REGISTRY = registryBefore;
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const packs = () =>
    existsSync(path.join(home, 'packs'))
      ? readdirSync(path.join(home, 'packs')).filter((name) => !name.startsWith('.'))
      : [];
  const asked = (name: string) => mirror.asked.filter(({ url }) => url === `/${name}`);

  it('lists what is here and what can be had, with sizes and licences', async () => {
    const { page } = window;
    await choose(page, 'Processing', 'Models …');
    await dialog.waitFor();
    await row.getByText(/\d+ MB to download/).waitFor();
    await row.getByText('checkpoint: A licence of its own · vocabulary: no licence stated').waitFor();
    await dialog
      .getByText(/comes with the program/)
      .first()
      .waitFor();
    await window.picture('models');
  });

  it('tells the terms before anything is downloaded', async () => {
    const { page } = window;
    await row.getByRole('button', { name: 'Install …' }).click();
    const question = page.getByRole('dialog', { name: `Install ${title}?` });
    await question
      .getByText(/checkpoint: A licence of its own \(https:\/\/example\.org\/licence\)/)
      .waitFor();
    await question.getByText(/vocabulary: no licence stated/).waitFor();
    await window.picture('model-terms');
    await question.getByRole('button', { name: 'Cancel' }).click();
    await question.waitFor({ state: 'hidden' });
    expect(mirror.asked).toEqual([]);
    expect(packs()).toEqual([]);
  });

  it(
    'shows how far a download is and how fast it comes, and stops it',
    async () => {
      const { page } = window;
      await row.getByRole('button', { name: 'Install …' }).click();
      await page.getByRole('button', { name: 'I accept, install' }).click();
      await row.getByText(/downloading model\.pt \d+ % · [\d.]+ (kB|MB) \/ [\d.]+ MB/).waitFor();
      await row.getByText(/ · [\d.]+ (kB|MB)\/s/).waitFor();
      await window.picture('model-download', true);
      await row.getByRole('button', { name: 'Cancel' }).click();
      await row.getByRole('button', { name: 'Install …' }).waitFor();
      expect(packs()).toEqual([]);
    },
    long,
  );

  it(
    'goes on where it stopped, converts and tries the model out',
    async () => {
      const { page } = window;
      const kept = readdirSync(path.join(home, 'downloads')).find((name) => name.startsWith('model.pt'))!;
      expect(statSync(path.join(home, 'downloads', kept)).size).toBeGreaterThan(0);
      pace = null;
      await row.getByRole('button', { name: 'Install …' }).click();
      await page.getByRole('button', { name: 'I accept, install' }).click();
      await row.getByText(/installed · float32/).waitFor({ timeout: long });
      expect(asked('model.pt').at(-1)!.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
      expect(packs()).toEqual(['own']);
      await window.picture('model-installed');
    },
    long,
  );

  it(
    'verifies: whole and answering as when it was installed; damage is told with the file',
    async () => {
      const { page } = window;
      await row.getByRole('button', { name: 'Verify' }).click();
      await row.getByText(/files are whole; as installed/).waitFor({ timeout: long });
      const weights = path.join(home, 'packs/own/vision.weights');
      const bytes = readFileSync(weights);
      bytes[4096] = bytes[4096]! ^ 1;
      writeFileSync(weights, bytes);
      await row.getByRole('button', { name: 'Verify' }).click();
      const told = page.getByRole('dialog', { name: 'That did not work' });
      await told.getByText(/vision\.weights: is damaged/).waitFor({ timeout: long });
      await page.keyboard.press('Escape');
      await told.waitFor({ state: 'hidden' });
    },
    long,
  );

  it('removes after asking', async () => {
    const { page } = window;
    await row.getByRole('button', { name: 'Remove' }).click();
    const question = page.getByRole('dialog', { name: `Remove ${title}?` });
    await question.getByRole('button', { name: 'Cancel' }).click();
    expect(packs()).toEqual(['own']);
    await row.getByRole('button', { name: 'Remove' }).click();
    await question.getByRole('button', { name: 'Remove' }).click();
    await row.getByRole('button', { name: 'Install …' }).waitFor();
    expect(packs()).toEqual([]);
  });

  it(
    'installs in int8 beside, to be chosen for a run',
    async () => {
      const { page } = window;
      await row.getByRole('combobox', { name: 'Computes in' }).selectOption('int8');
      await row.getByRole('button', { name: 'Install …' }).click();
      await page.getByRole('button', { name: 'I accept, install' }).click();
      const own = dialog.getByRole('listitem', { name: `${title}, int8`, exact: true });
      await own.getByText(/installed · int8/).waitFor({ timeout: long });
      expect(packs()).toEqual(['own-int8']);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      await page.getByRole('combobox', { name: 'Model' }).selectOption({ label: `${title}, int8` });
      await page.getByText(/^int8 · /).waitFor();
      await window.picture('model-chosen');
      expect(window.errors).toEqual([]);
    },
    long,
  );
});
