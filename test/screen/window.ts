import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { type Door, openDoor } from '../main/serve/door.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Debian's Chromium; Playwright's own is a download. */
export const browserFile = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
/** Pictures of the suite, for looking at and for the guide; nothing is written unless a folder is named. */
const pictures = process.env.LANDSCRIBE_PICTURES;

let built: Promise<unknown> | null = null;
let browser: Browser | null = null;

/** Builds the screen once, as `npm run build:screen` does. */
function builtScreen(): Promise<unknown> {
  built ??= build({ configFile: path.join(root, 'vite.config.ts'), logLevel: 'error' });
  return built;
}

export interface OpenWindow {
  page: Page;
  door: Door;
  folder: string;
  /** What the page complained about. */
  errors: string[];
  picture(name: string): Promise<void>;
  close(): Promise<void>;
}

/** The screen in Chromium through a browser door that may read and write `folder`. */
export async function openWindow(
  folder: string,
  args: readonly string[] = [],
  home?: string,
): Promise<OpenWindow> {
  await builtScreen();
  const door = await openDoor(
    ['--root', folder, ...args],
    home ?? mkdtempSync(path.join(tmpdir(), 'landscribe-home-')),
  );
  browser ??= await chromium.launch({ executablePath: browserFile!, args: ['--no-sandbox', '--lang=en'] });
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, locale: 'en-GB' });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(door.url);
  await page.getByRole('menubar', { name: 'Menus' }).waitFor();
  return {
    page,
    door,
    folder,
    errors,
    async picture(name) {
      if (!pictures) return;
      mkdirSync(pictures, { recursive: true });
      const { default: sharp } = await import('sharp');
      const file = path.join(pictures, `${name}.png`);
      await sharp(await page.screenshot())
        .png({ palette: true, quality: 80, effort: 7 })
        .toFile(file);
    },
    async close() {
      await context.close();
      await door.end();
    },
  };
}

export async function closeBrowser(): Promise<void> {
  await browser?.close();
  browser = null;
}

/** Opens a scene through the dialog, as a user does. */
export async function openScene({ page, folder }: OpenWindow, name: string): Promise<void> {
  await page.keyboard.press('Control+Shift+R');
  const dialog = page.getByRole('dialog', { name: 'Open scenes' });
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(folder);
  await page.keyboard.press('Enter');
  await dialog.getByRole('option', { name, exact: true }).click();
  await dialog.getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('treeitem', { name, exact: true }).waitFor();
}

/** Types classes into the last row, one after the other; words of a class by commas. */
export async function typeClasses(page: Page, classes: readonly string[]): Promise<void> {
  for (const words of classes) {
    const first = words.split(',')[0]!.trim();
    const field = page.getByRole('combobox', { name: 'New class' });
    await field.fill(words);
    await field.press('Enter');
    await page.getByRole('combobox', { name: `Words for ${first}` }).waitFor();
  }
}

/** Does what a menu says. */
export async function choose(page: Page, menu: string, item: string): Promise<void> {
  await page.getByRole('menuitem', { name: menu, exact: true }).click();
  await page
    .getByRole('menu', { name: menu })
    .locator('[role^=menuitem]')
    .filter({ hasText: item })
    .first()
    .click();
}

/** Where a map looks: centre in the units of its system, and units per screen pixel. */
export async function placeOf(page: Page, view: number): Promise<{ centre: number[]; resolution: number }> {
  const map = page.getByRole('region', { name: `Map ${view}` });
  const centre = (await map.getAttribute('data-centre')) ?? '';
  return {
    centre: centre.split(' ').map(Number),
    resolution: Number(await map.getAttribute('data-resolution')),
  };
}

/** Share of the map's pixels that have nearly the colour. */
export async function shareOfColour(
  page: Page,
  view: number,
  colour: [number, number, number],
  apart = 40,
): Promise<number> {
  const picture = await page.getByRole('region', { name: `Map ${view}` }).screenshot();
  const { default: sharp } = await import('sharp');
  const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let near = 0;
  for (let i = 0; i < data.length; i += 3) {
    const distance = Math.max(
      Math.abs(data[i]! - colour[0]),
      Math.abs(data[i + 1]! - colour[1]),
      Math.abs(data[i + 2]! - colour[2]),
    );
    if (distance <= apart) near++;
  }
  return near / (info.width * info.height);
}
