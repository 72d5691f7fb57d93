import { copyFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { writeProject } from './shapes-project.ts';
import { cannotTest, cologne, suiteWindow } from './suite.ts';
import { choose, chooseFile, mapsAtRest, openScene, placeOf, shareOfColour, typeClasses } from './window.ts';

const missing = cannotTest('What hands are used to', cologne);

const long = 120_000;

/** The words of every class, row by row. */
const rows = (page: Page): Promise<string[][]> =>
  page
    .getByRole('listitem')
    .filter({ has: page.getByRole('spinbutton', { name: /^Threshold of/ }) })
    .evaluateAll((found) =>
      found.map((row) =>
        [...row.querySelectorAll('.tag')].map((tag) => (tag.textContent ?? '').replace('×', '')),
      ),
    );

async function removeClasses(page: Page): Promise<void> {
  const remove = page.getByRole('button', { name: /^Remove class/ });
  for (let left = await remove.count(); left > 0; left--) {
    await remove.first().click();
    await expect.poll(() => remove.count()).toBe(left - 1);
  }
}

async function chooseSystem(page: Page, code: number): Promise<void> {
  await choose(page, 'Project', 'Reference system of the project');
  const dialog = page.getByRole('dialog', { name: 'Reference system' });
  await dialog.getByRole('textbox').fill(String(code));
  await dialog
    .getByRole('option', { name: `EPSG:${code}` })
    .first()
    .click();
  await page.getByRole('button', { name: `EPSG:${code}`, exact: true }).waitFor();
  await mapsAtRest(page);
}

describe.skipIf(missing)('what hands are used to', () => {
  const window = suiteWindow(
    async (folder) => {
      copyFileSync(cologne, path.join(folder, 'cologne.tif'));
      await writeProject(path.join(folder, 'shapes.gpkg'), path.join(folder, 'cologne.tif'));
    },
    async (opened) => {
      await chooseFile(opened, 'Control+O', 'Open project', path.join(opened.folder, 'shapes.gpkg'));
      await opened.page.getByRole('treeitem', { name: 'Shapes', exact: true }).waitFor();
    },
  );

  it(
    'types on after a word that is offered',
    async () => {
      const { page } = window;
      const field = page.getByRole('combobox', { name: 'New class' });
      await field.fill('wate');
      await page.locator('datalist option[value=water]').waitFor({ state: 'attached' });
      await page.keyboard.type('r body');
      await page.keyboard.press('Enter');
      await page.getByRole('combobox', { name: 'Words for water body' }).waitFor();
      expect(await rows(page)).toEqual([['water body']]);
      await removeClasses(page);
    },
    long,
  );

  it(
    'joins classes that come to have one name',
    async () => {
      const { page } = window;
      await typeClasses(page, ['building, roof', 'roof, shed', 'road']);
      await page.getByRole('button', { name: 'Remove the word building' }).click();
      await expect.poll(() => rows(page)).toEqual([['roof', 'shed'], ['road']]);
      await removeClasses(page);
    },
    long,
  );

  it(
    'keeps the background with its class: renamed, taken away, brought back',
    async () => {
      const { page } = window;
      await typeClasses(page, ['road', 'building, roof']);
      const background = page.getByRole('combobox', { name: 'Background' });
      await background.selectOption('building');
      await page.getByRole('button', { name: 'Remove the word building' }).click();
      await expect.poll(() => background.inputValue()).toBe('roof');
      await page.getByRole('button', { name: 'Remove class roof' }).click();
      await expect.poll(() => background.inputValue()).toBe('');
      // What a run would be is told again, not that its background is none of the classes.
      await page.getByText(/64 windows/).waitFor();
      await page.keyboard.press('Control+Z');
      await expect.poll(() => background.inputValue()).toBe('roof');
      await background.selectOption('');
      await removeClasses(page);
    },
    long,
  );

  it(
    'goes to a bookmark of another system, and keeps a drawn box in its place',
    async () => {
      const { page } = window;
      const map = page.getByRole('region', { name: 'Map 1' });
      await typeClasses(page, ['road']);
      await page.getByRole('radio', { name: 'drawn box' }).click();
      const { x, y, width, height } = (await map.boundingBox())!;
      await page.mouse.move(x + width * 0.25, y + height * 0.25);
      await page.mouse.down();
      await page.mouse.move(x + width * 0.75, y + height * 0.75, { steps: 5 });
      await page.mouse.up();
      const pink: [number, number, number] = [194, 24, 91];
      await expect.poll(() => shareOfColour(page, 1, pink)).toBeGreaterThan(0.001);
      await page.getByText(/\d windows/).waitFor();
      await page.keyboard.press('Control+B');
      await page.getByRole('tab', { name: 'Log' }).click();
      await page.getByText('Bookmark “Bookmark 1” kept').waitFor();
      await chooseSystem(page, 3857);
      const before = await placeOf(page, 1);
      await page.getByText(/\d windows/).waitFor();
      await expect.poll(() => shareOfColour(page, 1, pink)).toBeGreaterThan(0.001);
      await choose(page, 'View', 'Bookmark 1');
      await mapsAtRest(page);
      const after = await placeOf(page, 1);
      // Half a screen at most: the box of the view is turned a little in the other system.
      for (const axis of [0, 1])
        expect(Math.abs(after.centre[axis]! - before.centre[axis]!)).toBeLessThan(400 * before.resolution);
      await chooseSystem(page, 25832);
      await page.getByRole('radio', { name: 'whole scene' }).check();
      await expect.poll(() => shareOfColour(page, 1, pink)).toBeLessThan(0.0003);
      await removeClasses(page);
    },
    long,
  );

  it(
    'swipes where it flickered',
    async () => {
      const { page } = window;
      const slider = page.getByRole('slider', { name: 'Swipe position' });
      await choose(page, 'View', 'Flicker');
      await slider.waitFor();
      await choose(page, 'View', 'Swipe');
      await expect.poll(() => slider.inputValue()).toBe('500');
      // Longer than a flicker takes.
      await page.waitForTimeout(1200);
      expect(await slider.inputValue()).toBe('500');
      await choose(page, 'View', 'Swipe');
      await slider.waitFor({ state: 'detached' });
    },
    long,
  );

  it(
    'takes a scale as people write it, and shows none that is not the map’s',
    async () => {
      const { page } = window;
      const scale = page.getByRole('textbox', { name: 'Scale' });
      const shown = (text: string) => expect.poll(() => scale.inputValue()).toBe(text);
      for (const [typed, is] of [
        ['1:2500', '2,500'],
        ['5.000', '5,000'],
        ['1 / 2,000', '2,000'],
      ] as const) {
        await scale.fill(typed);
        await scale.press('Enter');
        await shown(is);
      }
      await scale.fill('77');
      await page.getByRole('region', { name: 'Map 1' }).focus();
      await shown('2,000');
      await page.keyboard.press('Control+Shift+F');
      await mapsAtRest(page);
    },
    long,
  );

  it(
    'goes on working with a scene while its result is looked at',
    async () => {
      const { page } = window;
      copyFileSync(path.join(window.folder, 'cologne.tif'), path.join(window.folder, 'other.tif'));
      await openScene(window, 'other.tif');
      const scene = page.getByRole('combobox', { name: 'Scene' }).locator('option:checked');
      await expect.poll(() => scene.textContent()).toBe('other.tif');
      await page.getByRole('treeitem', { name: 'cologne.tif' }).click();
      await expect.poll(() => scene.textContent()).toBe('cologne.tif');
      await page.getByRole('treeitem', { name: 'Shapes', exact: true }).click();
      await page.getByRole('textbox', { name: 'Name of tree' }).waitFor();
      expect(await scene.textContent()).toBe('cologne.tif');
      await page.getByRole('treeitem', { name: 'other.tif' }).click();
      await page.keyboard.press('Control+D');
      await page.getByRole('treeitem', { name: 'other.tif' }).waitFor({ state: 'detached' });
    },
    long,
  );

  it(
    'chooses no polygon that the legend switches off',
    async () => {
      const { page } = window;
      await page.getByRole('treeitem', { name: 'Shapes', exact: true }).click();
      await page.keyboard.press('F6');
      await page.keyboard.press('Control+Shift+E');
      const { x, y, width, height } = (await page.getByRole('region', { name: 'Map 1' }).boundingBox())!;
      const chooseAll = async () => {
        await page.mouse.move(x + width * 0.05, y + height * 0.05);
        await page.mouse.down();
        await page.mouse.move(x + width * 0.95, y + height * 0.95, { steps: 5 });
        await page.mouse.up();
      };
      await chooseAll();
      await page.getByText('96 of 96, 96 selected').waitFor();
      await page.keyboard.press('Control+Shift+A');
      await page.getByText('96 of 96, 0 selected').waitFor();
      const shown = page.getByRole('checkbox', { name: 'Show building' });
      await shown.click();
      await expect.poll(() => shown.isChecked()).toBe(false);
      await chooseAll();
      await page.getByText('96 of 96, 64 selected').waitFor();
      await shown.click();
      await page.keyboard.press('Control+Shift+A');
      await page.keyboard.press('Escape');
    },
    long,
  );

  it(
    'renames a class of a layer with Enter',
    async () => {
      const { page } = window;
      await page.getByRole('treeitem', { name: 'Shapes', exact: true }).click();
      const name = page.getByRole('textbox', { name: 'Name of tree' });
      await name.fill('wood');
      await name.press('Enter');
      const renamed = page.getByRole('textbox', { name: 'Name of wood' });
      await renamed.waitFor();
      await renamed.fill(' ');
      await renamed.press('Enter');
      await expect.poll(() => renamed.inputValue()).toBe('wood');
      await page.getByRole('region', { name: 'Map 1' }).focus();
      await page.keyboard.press('Control+Z');
      await page.getByRole('textbox', { name: 'Name of tree' }).waitFor();
    },
    long,
  );

  it(
    'works in a low window: classes are typed in sight, menus scroll, the table keeps rows',
    async () => {
      const { page } = window;
      await page.setViewportSize({ width: 900, height: 600 });
      // The first is far down its menu.
      await choose(page, 'View', 'Reset panels');
      await typeClasses(page, ['road', 'building', 'water', 'tree', 'grass', 'wetland', 'sand', 'shrub']);
      const field = page.getByRole('combobox', { name: 'New class' });
      const panel = (await page.locator('.panel.prompts').boundingBox())!;
      await expect
        .poll(async () => {
          const { y, height } = (await field.boundingBox())!;
          return y >= panel.y && y + height <= panel.y + panel.height;
        })
        .toBe(true);
      await page.keyboard.press('F6');
      const rows = page.getByRole('grid', { name: 'Attribute table' }).getByRole('row');
      await rows.nth(1).click();
      await expect.poll(() => rows.nth(1).getAttribute('aria-selected')).toBe('true');
      await page.keyboard.press('Control+Shift+A');
      await window.picture('low-window');
      await removeClasses(page);
      await page.setViewportSize({ width: 1400, height: 900 });
      await choose(page, 'View', 'Reset panels');
    },
    long,
  );

  it(
    'lists the devices though the window reached the host late',
    async () => {
      const { page } = window;
      await page.routeWebSocket('**/rpc', async (socket) => {
        await new Promise((resolve) => setTimeout(resolve, 1500));
        socket.connectToServer();
      });
      await page.reload();
      await page.getByRole('treeitem', { name: 'Shapes', exact: true }).waitFor();
      const device = page.getByRole('combobox', { name: 'Device' });
      await expect.poll(() => device.inputValue()).toBe('cpu');
    },
    long,
  );

  it('complained about nothing', () => {
    expect(window.errors).toEqual([]);
  });
});
