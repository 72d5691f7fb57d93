import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { cannotTest, cologne, suiteWindow } from './suite.ts';
import { openScene, shareOfColour, typeClasses } from './window.ts';

const missing = cannotTest('Live prompting', cologne);

/** Of buildings. */
const orange: [number, number, number] = [230, 159, 0];
const long = 600_000;
/** A loaded machine takes its time. */
const patient = { timeout: 30_000 };

describe.skipIf(missing)('live prompting on the Cologne scene', () => {
  const window = suiteWindow(
    (folder) => copyFileSync(cologne, path.join(folder, 'cologne.tif')),
    (window) => openScene(window, 'cologne.tif'),
  );

  const map = () => window.page.getByRole('region', { name: 'Map 1' });
  /** Waits until the map has drawn another preview than that of `address`. */
  const redrawn = async (address: string | null) => {
    await expect.poll(() => map().getAttribute('data-preview'), patient).not.toBe(address);
    return map().getAttribute('data-preview');
  };

  /** Share of the map's pixels that differ from those of a picture of it. */
  const changedSince = async (before: Buffer) => {
    const { default: sharp } = await import('sharp');
    const [old, now] = await Promise.all(
      [before, await map().screenshot()].map((picture) => sharp(picture).removeAlpha().raw().toBuffer()),
    );
    let changed = 0;
    for (let i = 0; i < old!.length; i += 3)
      if ([0, 1, 2].some((band) => Math.abs(old![i + band]! - now![i + band]!) > 30)) changed++;
    return (3 * changed) / old!.length;
  };

  it(
    'encodes the view when Preview is pressed, and says how far it is',
    async () => {
      const { page } = window;
      await typeClasses(page, ['building', 'road']);
      await page.getByRole('button', { name: 'Preview', exact: true }).click();
      await page.getByRole('button', { name: /Previewing … [1-9]\d? %/ }).waitFor({ timeout: 120_000 });
      await page.getByRole('button', { name: 'Remove the preview' }).waitFor({ timeout: long });
      await redrawn(null);
      await expect.poll(() => shareOfColour(page, 1, orange, 60), patient).toBeGreaterThan(0.02);
      expect(await page.getByRole('checkbox', { name: /^Live/ }).isChecked()).toBe(true);
      await window.picture('live-two-classes');
    },
    long,
  );

  it(
    'changes the map while a word is typed, before it is entered',
    async () => {
      const { page } = window;
      const before = await map().getAttribute('data-preview');
      const field = page.getByRole('combobox', { name: 'New class' });
      const looks = await map().screenshot();
      // A word that is offered is taken as soon as it stands there; a space before it leaves it a draft.
      await field.pressSequentially(' grass');
      await redrawn(before);
      await expect.poll(() => changedSince(looks), patient).toBeGreaterThan(0.02);
      // It is not a class yet.
      expect(await page.getByRole('combobox', { name: 'Words for grass' }).count()).toBe(0);
      await window.picture('live-typed');
      await field.fill('');
      await expect.poll(() => changedSince(looks), patient).toBeLessThan(0.005);
    },
    long,
  );

  it(
    'follows thresholds, colours and removed classes',
    async () => {
      const { page } = window;
      const buildings = await shareOfColour(page, 1, orange, 60);
      let address = await map().getAttribute('data-preview');
      const threshold = page.getByRole('spinbutton', { name: 'Threshold of building' });
      await threshold.fill('0.95');
      await threshold.press('Enter');
      address = await redrawn(address);
      await expect.poll(() => shareOfColour(page, 1, orange, 60), patient).toBeLessThan(buildings / 2);
      await threshold.fill('');
      await threshold.press('Enter');
      address = await redrawn(address);
      await expect.poll(() => shareOfColour(page, 1, orange, 60), patient).toBeGreaterThan(buildings * 0.9);
      await page.getByRole('button', { name: 'Remove class road' }).click();
      await redrawn(address);
      await expect.poll(() => shareOfColour(page, 1, orange, 60), patient).toBeGreaterThan(buildings);
    },
    long,
  );

  it(
    'draws how much the view looks like the word under the pointer',
    async () => {
      const { page } = window;
      await page.getByText('building', { exact: true }).first().hover();
      await page
        .getByRole('status')
        .getByText(/Looks like “building”/)
        .waitFor();
      await expect.poll(() => map().getAttribute('data-heat'), patient).not.toBeNull();
      // Dark and light ends of the ramp are both there.
      await expect.poll(() => shareOfColour(page, 1, [252, 253, 191], 60), patient).toBeGreaterThan(0.005);
      await expect.poll(() => shareOfColour(page, 1, [20, 10, 60], 60), patient).toBeGreaterThan(0.05);
      await window.picture('live-heat');
      await map().hover();
      await expect.poll(() => map().getAttribute('data-heat'), patient).toBeNull();
      await page.getByText(/Looks like/).waitFor({ state: 'detached' });
    },
    long,
  );

  it(
    'encodes the whole scene as a job, and labels it from that as another',
    async () => {
      const { page } = window;
      await page.getByRole('button', { name: 'Encode scene' }).click();
      const jobs = page.getByRole('list', { name: 'Jobs' });
      await jobs.getByRole('listitem', { name: 'Encode cologne.tif' }).getByText('running').waitFor();
      await page.getByText(/Encoded with starter, \d/).waitFor({ timeout: long });
      await page.getByRole('button', { name: 'Relabel' }).click();
      await page
        .getByRole('treeitem', { name: 'Classes of cologne', exact: true })
        .waitFor({ timeout: 120_000 });
      await expect.poll(() => shareOfColour(page, 1, orange, 60), patient).toBeGreaterThan(0.02);
      await window.picture('live-relabelled');
    },
    long,
  );

  it(
    'runs in the fast mode where that is chosen, and says so of the layer; Relabel does not mind',
    async () => {
      const { page } = window;
      await page.getByText('Advanced').click();
      const fast = page.getByRole('radio', { name: /^Fast/ });
      expect(await page.getByRole('radio', { name: /^Reference/ }).isChecked()).toBe(true);
      await fast.check();
      await window.picture('run-mode');
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      const layer = (name: string) => page.getByRole('treeitem', { name, exact: true });
      await layer('Classes of cologne 2').waitFor({ timeout: long });
      await expect
        .poll(() => layer('Classes of cologne 2').getAttribute('title'))
        .toMatch(/Made with starter, fast mode, on \d{4}-/);
      await layer('Classes of cologne 2').click();
      await page.getByText(/^Made with starter, fast mode/).waitFor();
      await window.picture('made-with');
      // The setting is the project's.
      await expect.poll(() => fast.isChecked()).toBe(true);
      await page.getByRole('button', { name: 'Relabel' }).click();
      await layer('Classes of cologne 3').waitFor({ timeout: 120_000 });
      expect(await layer('Classes of cologne 3').getAttribute('title')).toMatch(/reference mode/);
      await page.getByText('Advanced').click();
    },
    long,
  );

  it(
    'stands still when Live is off, and tells when the encoding no longer fits',
    async () => {
      const { page } = window;
      // A run takes the preview away; the next one comes from what is stored.
      await page.getByRole('button', { name: 'Preview', exact: true }).click();
      await page.getByRole('button', { name: 'Remove the preview' }).waitFor({ timeout: long });
      await redrawn(null);
      const live = page.getByRole('checkbox', { name: /^Live/ });
      await live.uncheck();
      const before = await map().getAttribute('data-preview');
      await typeClasses(page, ['road']);
      await page.waitForTimeout(1500);
      expect(await map().getAttribute('data-preview')).toBe(before);
      await live.check();
      await redrawn(before);
      await page.getByText('Advanced').click();
      const stride = page.getByRole('spinbutton', { name: /^Stride/ });
      await stride.fill('224');
      await stride.press('Enter');
      await page.getByText('The encoding no longer fits the settings').waitFor();
      expect(window.errors).toEqual([]);
    },
    long,
  );
});
