import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { cannotTest, suiteWindow } from './suite.ts';
import { openScene, typeClasses } from './window.ts';

const scenes = [
  { file: 'oem_koeln_50.tif', name: 'cologne', at: { x: 0.3, y: 0.4 } },
  { file: 'zanzibar_drone.tif', name: 'zanzibar', at: { x: 0.5, y: 0.5 } },
].map((scene) => ({ ...scene, file: path.resolve('../shared/data/scenes', scene.file) }));
const missing = cannotTest('Asking the map', ...scenes.map(({ file }) => file));

const long = 600_000;
const patient = { timeout: 60_000 };

describe.skipIf(missing).each(scenes)('asking the map of $name', ({ file, name, at }) => {
  const window = suiteWindow(
    (folder) => copyFileSync(file, path.join(folder, `${name}.tif`)),
    (window) => openScene(window, `${name}.tif`),
  );

  it(
    'tells what a place looks like, and makes a class of more like it',
    async () => {
      const { page } = window;
      const map = page.getByRole('region', { name: 'Map 1' });
      await typeClasses(page, ['building', 'cropland']);
      await page.getByRole('button', { name: 'Preview', exact: true }).click();
      await page.getByRole('button', { name: 'Remove the preview' }).waitFor({ timeout: long });
      await page.getByRole('button', { name: 'Identify', exact: true }).click();
      const { width, height } = (await map.boundingBox())!;
      const place = { x: width * at.x, y: height * at.y };
      await map.click({ position: place });
      await page.getByText('Looks like').waitFor(patient);
      // Five words with their similarity, the likeliest first.
      const told = await page.locator('.map-popup b').allInnerTexts();
      const similarities = told.flatMap((line) => /\((-?\d\.\d{3})\)$/.exec(line)?.[1] ?? []).map(Number);
      expect(similarities).toHaveLength(5);
      expect(similarities).toEqual([...similarities].sort((a, b) => b - a));
      await window.picture(`ask-${name}`);

      const before = await map.getAttribute('data-preview');
      await page.getByRole('button', { name: 'More like this' }).click();
      await page.getByRole('combobox', { name: 'Words for look 1' }).waitFor(patient);
      await expect.poll(() => map.getAttribute('data-preview'), patient).not.toBe(before);
      await window.picture(`more-like-this-${name}`);

      // Another place joins the same example: still one class.
      await map.click({ position: { x: place.x + 12, y: place.y + 6 } });
      await page.getByRole('button', { name: 'Add to look 1' }).click(patient);
      await page.getByRole('button', { name: 'Add to look 1' }).waitFor({ state: 'hidden', ...patient });
      expect(await page.getByRole('combobox', { name: /^Words for look/ }).count()).toBe(1);
    },
    long,
  );
});
