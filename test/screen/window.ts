import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
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

let browser: Browser | null = null;

/**
 * Builds the screen as `npm run build:screen` does, once for all test files that run side by side: only where sources
 * are newer than what is built, and without taking away what an open page may still load.
 */
async function builtScreen(): Promise<void> {
  const lock = path.join(tmpdir(), 'landscribe-screen-build.lock');
  for (const deadline = Date.now() + 120_000; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
    if (isBuilt()) return;
    try {
      mkdirSync(lock);
      break;
    } catch {
      // Another test file is building it; one that was killed leaves its lock.
      if (Date.now() > deadline) break;
    }
  }
  try {
    if (isBuilt()) return;
    const configFile = path.join(root, 'vite.config.ts');
    await build({ configFile, logLevel: 'error', build: { emptyOutDir: false } });
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function isBuilt(): boolean {
  const page = path.join(root, 'dist/renderer/index.html');
  if (!existsSync(page)) return false;
  const { mtimeMs } = statSync(page);
  return ['src/renderer', 'src/main/rpc', 'package-lock.json', 'vite.config.ts'].every((place) =>
    [place, ...globSync(`${place}/**`, { cwd: root })].every(
      (file) => statSync(path.join(root, file)).mtimeMs < mtimeMs,
    ),
  );
}

export interface OpenWindow {
  page: Page;
  /** Says what the system's next dialog answers; null where the screen asks by its own. */
  answer: ((file: string) => Promise<void>) | null;
  door: Door;
  folder: string;
  /** What the page complained about. */
  errors: string[];
  /** `atOnce`: of what goes on while it is looked at. */
  picture(name: string, atOnce?: boolean): Promise<void>;
  close(): Promise<void>;
}

/**
 * The screen in Chromium through a browser door that may read and write `folder`; with LANDSCRIBE_DOOR=electron in the
 * desktop's own window.
 */
export async function openWindow(
  folder: string,
  args: readonly string[] = [],
  home?: string,
): Promise<OpenWindow> {
  const ownHome = home ?? mkdtempSync(path.join(tmpdir(), 'landscribe-home-'));
  if (process.env.LANDSCRIBE_DOOR === 'electron') {
    const { openDesktop } = await import('./desktop-window.ts');
    const { page, door, answer } = await openDesktop(ownHome);
    return watched(page, door, folder, answer, async () => {});
  }
  await builtScreen();
  const door = await openDoor(['--root', folder, ...args], ownHome);
  browser ??= await chromium.launch({ executablePath: browserFile!, args: ['--no-sandbox', '--lang=en'] });
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, locale: 'en-GB' });
  const page = await context.newPage();
  const opened = watched(page, door, folder, null, () => context.close());
  await page.goto(door.url);
  return opened;
}

/** The window once its menus are there. */
async function watched(
  page: Page,
  door: Door,
  folder: string,
  answer: OpenWindow['answer'],
  leave: () => Promise<void>,
): Promise<OpenWindow> {
  page.setDefaultTimeout(60_000);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.getByRole('menubar', { name: 'Menus' }).waitFor();
  return {
    page,
    door,
    folder,
    errors,
    answer,
    async picture(name, atOnce = false) {
      if (!pictures) return;
      mkdirSync(pictures, { recursive: true });
      const { default: sharp } = await import('sharp');
      const file = path.join(pictures, `${name}.png`);
      // What is still being drawn is nothing to show.
      let seen = await page.screenshot();
      for (let same = 0, tries = 0; !atOnce && same < 6 && tries < 24; tries++) {
        await page.waitForTimeout(250);
        const now = await page.screenshot();
        same = now.equals(seen) ? same + 1 : 0;
        seen = now;
      }
      await sharp(seen).png({ palette: true, quality: 80, effort: 7 }).toFile(file);
    },
    async close() {
      await leave();
      await door.end();
    },
  };
}

export async function closeBrowser(): Promise<void> {
  await browser?.close();
  browser = null;
}

/** Opens a scene through the dialog, as a user does. */
export async function openScene(window: OpenWindow, name: string): Promise<void> {
  await chooseFile(window, 'Control+Shift+R', 'Open scenes', path.join(window.folder, name));
  await window.page.getByRole('treeitem', { name, exact: true }).waitFor();
}

/** Chooses a file where `keys` ask for one, as a user does: to be opened, or, where `title` says so, to be saved. */
export async function chooseFile(
  { page, answer }: OpenWindow,
  keys: string,
  title: string,
  file: string,
): Promise<void> {
  if (answer) {
    await answer(file);
    await page.keyboard.press(keys);
    return;
  }
  await page.keyboard.press(keys);
  const dialog = page.getByRole('dialog', { name: title });
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(path.dirname(file));
  await page.keyboard.press('Enter');
  if (title.startsWith('Save')) {
    await dialog.getByRole('textbox', { name: 'Name' }).fill(path.basename(file));
    await dialog.getByRole('button', { name: 'Save', exact: true }).click();
    return;
  }
  await dialog.getByRole('option', { name: path.basename(file), exact: true }).click();
  await dialog.getByRole('button', { name: 'Open', exact: true }).click();
}

/** Types classes into the last row, one after the other; words of a class by commas. */
export async function typeClasses(
  page: Page,
  classes: readonly string[],
  language: 'en' | 'de' = 'en',
): Promise<void> {
  const [newClass, wordsFor] = language === 'en' ? ['New class', 'Words for'] : ['Neue Klasse', 'Wörter für'];
  for (const words of classes) {
    const first = words.split(',')[0]!.trim();
    const field = page.getByRole('combobox', { name: newClass });
    await field.fill(words);
    await field.press('Enter');
    await page.getByRole('combobox', { name: `${wordsFor} ${first}` }).waitFor();
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

/** Waits until no map has moved for some frames, however long the browser takes for one. */
export async function mapsAtRest(page: Page): Promise<void> {
  const places = `[...document.querySelectorAll('.map-canvas')].map((each) => each.dataset.centre + ' ' + each.dataset.resolution).join()`;
  const later = `new Promise((resolve) => {
    let frames = 0;
    const next = () => (++frames < 20 ? requestAnimationFrame(next) : resolve(${places}));
    requestAnimationFrame(next);
  })`;
  for (let before = ''; ; ) {
    const now = await page.evaluate<string>(later);
    if (now === before) return;
    before = now;
  }
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
