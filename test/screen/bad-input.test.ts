import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../main/serve/client.ts';
import { writeProject } from './shapes-project.ts';
import { cannotTest, cologne } from './suite.ts';
import { closeBrowser, type OpenWindow, openScene, openWindow, typeClasses } from './window.ts';

const missing = cannotTest('Bad input from the window', cologne);

const long = 300_000;
const isRoot = process.getuid?.() === 0;

/** A small disk of its own, where this machine lets us make one. */
function mountDisk(at: string, options: string): boolean {
  mkdirSync(at, { recursive: true });
  return isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at]).status === 0;
}

/** The message that is on the screen, read and answered. */
async function told(page: Page, what: RegExp, title = 'That did not work'): Promise<Locator> {
  const dialog = page.getByRole('dialog', { name: title });
  await dialog.getByText(what).first().waitFor();
  return dialog;
}

/** The window's own admission: an address with a token admits once. */
async function cookieOf(page: Page): Promise<string> {
  const [cookie] = await page.context().cookies();
  return `${cookie!.name}=${cookie!.value}`;
}

async function openProject(page: Page, file: string): Promise<void> {
  await page.keyboard.press('Control+O');
  const dialog = page.getByRole('dialog', { name: 'Open project' });
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(path.dirname(file));
  await page.keyboard.press('Enter');
  await dialog.getByRole('option', { name: path.basename(file) }).click();
  await dialog.getByRole('button', { name: 'Open', exact: true }).click();
}

/** Through the dialog, which is opened if it is not there. */
async function exportTo(page: Page, out: string, also: string[] = []): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Export Shapes' });
  if (!(await dialog.isVisible())) await page.keyboard.press('Control+E');
  for (const format of also) await dialog.getByRole('checkbox', { name: format }).check();
  await dialog.getByRole('textbox', { name: 'To' }).fill(out);
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
}

async function newProject(page: Page, file: string): Promise<void> {
  await page.keyboard.press('Control+N');
  const dialog = page.getByRole('dialog', { name: 'New project' });
  await dialog.getByRole('textbox', { name: 'Folder' }).fill(path.dirname(file));
  await page.keyboard.press('Enter');
  await dialog.getByRole('textbox', { name: 'Name' }).fill(path.basename(file));
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
}

describe.skipIf(missing)('bad input', () => {
  let folder: string;
  let window: OpenWindow;
  const mounted: string[] = [];
  const at = (name: string) => path.join(folder, name);

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'landscribe-bad-'));
    copyFileSync(cologne, at('cologne.tif'));
    window = await openWindow(folder);
  }, long);
  afterAll(async () => {
    await window?.close();
    await closeBrowser();
    for (const disk of mounted) spawnSync('umount', ['-l', disk]);
    if (!folder) return;
    if (existsSync(at('closed'))) chmodSync(at('closed'), 0o755);
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    'a scene that is cut off: named, and why',
    async () => {
      const { page } = window;
      writeFileSync(at('cut.tif'), readFileSync(at('cologne.tif')).subarray(0, 300));
      await page.keyboard.press('Control+Shift+R');
      const dialog = page.getByRole('dialog', { name: 'Open scenes' });
      await dialog.getByRole('textbox', { name: 'Folder' }).fill(folder);
      await page.keyboard.press('Enter');
      await dialog.getByRole('option', { name: 'cut.tif' }).click();
      await dialog.getByRole('button', { name: 'Open', exact: true }).click();
      const problem = await told(page, /cut\.tif/);
      await window.picture('bad-scene');
      await problem.getByRole('button', { name: 'OK' }).click();
      await page.getByText('Open a scene to begin').waitFor();
    },
    long,
  );

  it(
    'a damaged project: reported, and left as it is',
    async () => {
      const { page } = window;
      await newProject(page, at('damaged.gpkg'));
      await expect.poll(() => page.title()).toMatch(/damaged/);
      await newProject(page, at('work.gpkg'));
      await expect.poll(() => page.title()).toMatch(/work/);
      const bytes = readFileSync(at('damaged.gpkg'));
      bytes.fill(0xa5, 3 * 4096, 6 * 4096);
      writeFileSync(at('damaged.gpkg'), bytes);
      await openProject(page, at('damaged.gpkg'));
      const problem = await told(page, /damaged\.gpkg.*damaged/);
      await window.picture('bad-project');
      await problem.getByRole('button', { name: 'OK' }).click();
      expect(readFileSync(at('damaged.gpkg')).equals(bytes)).toBe(true);
      // What was open stays open.
      expect(await page.title()).toMatch(/work/);
    },
    long,
  );

  it(
    'a project that another program is writing to: told, and it works once that is done',
    async () => {
      const { page } = window;
      await openScene(window, 'cologne.tif');
      const other = new Database(at('work.gpkg'));
      other.exec('BEGIN IMMEDIATE');
      const shown = page.getByRole('checkbox', { name: 'Show cologne.tif' });
      await shown.click();
      const problem = await told(page, /another program is writing/);
      await problem.getByText(/try again/).waitFor();
      await window.picture('bad-locked');
      other.exec('ROLLBACK');
      other.close();
      await problem.getByRole('button', { name: 'OK' }).click();
      await expect.poll(() => shown.isChecked()).toBe(true);
      await shown.click();
      await expect.poll(() => shown.isChecked()).toBe(false);
      await shown.click();
      await expect.poll(() => shown.isChecked()).toBe(true);
    },
    long,
  );

  it(
    'a model that is not here: told, with the way to the models',
    async () => {
      const { page } = window;
      await typeClasses(page, ['building', 'road']);
      const { host, close } = await connect(window.door.origin, await cookieOf(page));
      const settings = (await host.project.state())!.settings.run as object | undefined;
      await host.project.saveSetting({
        key: 'run',
        value: { ...settings, pack: 'gone-model' },
        label: 'Model',
      });
      // Another door saved it: the window hears of it a moment later.
      await page
        .locator('.panel.run option:checked', { hasText: 'gone-model' })
        .waitFor({ state: 'attached' });
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      const problem = await told(page, /gone-model/);
      await window.picture('bad-model');
      await problem.getByRole('button', { name: 'Models …' }).click();
      const models = page.getByRole('dialog', { name: 'Models' });
      await models
        .getByText(/comes with the program/)
        .first()
        .waitFor();
      await page.keyboard.press('Escape');
      await models.waitFor({ state: 'detached' });
      await host.project.saveSetting({ key: 'run', value: { ...settings, pack: 'starter' }, label: 'Model' });
      close();
    },
    long,
  );

  it(
    'a project that is in use: opens to be read, says who has it, and can be saved elsewhere',
    async () => {
      const second = await openWindow(folder);
      const { page } = second;
      await openProject(page, at('work.gpkg'));
      const question = await told(
        page,
        new RegExp(`Process ${window.door.process.pid}`),
        '“work” can only be read',
      );
      await page.getByRole('treeitem', { name: 'cologne.tif', exact: true }).waitFor();
      await second.picture('bad-in-use');
      expect(await page.title()).toMatch(/read only/);
      await question.getByRole('button', { name: 'Save project as …' }).click();
      const save = page.getByRole('dialog', { name: 'Save project as' });
      await save.getByRole('textbox', { name: 'Name' }).fill('copy.gpkg');
      await save.getByRole('button', { name: 'Save', exact: true }).click();
      await expect.poll(() => page.title()).toMatch(/copy/);
      expect(await page.title()).not.toMatch(/read only/);
      expect(second.errors).toEqual([]);
      await second.close();
    },
    long,
  );

  it(
    'a folder that may not be written: told for a project, a new one and an export',
    async (context) => {
      const { page } = window;
      const closed = at('closed');
      if (isRoot) {
        if (!mountDisk(closed, 'size=8m')) return context.skip('nothing can be mounted here');
        mounted.push(closed);
      } else mkdirSync(closed);
      await newProject(page, path.join(closed, 'shut.gpkg'));
      await expect.poll(() => page.title()).toMatch(/shut/);
      await newProject(page, at('free.gpkg'));
      await expect.poll(() => page.title()).toMatch(/free/);
      if (isRoot) spawnSync('mount', ['-o', 'remount,ro', closed]);
      else chmodSync(closed, 0o555);
      await openProject(page, path.join(closed, 'shut.gpkg'));
      const question = await told(page, /may not write/, '“shut” can only be read');
      await window.picture('bad-read-only');
      await question.getByRole('button', { name: 'Only look' }).click();
      await newProject(page, path.join(closed, 'new.gpkg'));
      const problem = await told(page, /new\.gpkg/);
      await problem
        .getByText(/may write to|permissions/)
        .first()
        .waitFor();
      await window.picture('bad-read-only-new');
      await problem.getByRole('button', { name: 'OK' }).click();
      await writeProject(at('shapes.gpkg'), at('cologne.tif'));
      await openProject(page, at('shapes.gpkg'));
      await page.getByRole('treeitem', { name: 'Shapes', exact: true }).waitFor();
      await exportTo(page, path.join(closed, 'out'));
      const refused = await told(page, /out\.gpkg/);
      await refused.getByText('Choose another folder or name.').waitFor();
      await window.picture('bad-read-only-export');
      await refused.getByRole('button', { name: 'OK' }).click();
      // The dialog stays, so that another folder can be named.
      await exportTo(page, at('out'));
      await expect.poll(() => existsSync(at('out.gpkg')), { timeout: 60_000 }).toBe(true);
    },
    long,
  );

  it(
    'a file that is there already: asked before it is replaced',
    async () => {
      const { page } = window;
      writeFileSync(at('out.geojson'), 'precious');
      await exportTo(page, at('out'), ['GeoJSON']);
      const question = await told(page, /out\.gpkg, .*out\.geojson/, 'Replace the file?');
      await window.picture('bad-replace');
      await question.getByRole('button', { name: 'Cancel' }).click();
      await question.waitFor({ state: 'detached' });
      expect(readFileSync(at('out.geojson'), 'utf8')).toBe('precious');
      await exportTo(page, at('out'));
      await question.getByRole('button', { name: 'Replace', exact: true }).click();
      await expect
        .poll(() => readFileSync(at('out.geojson'), 'utf8').length, { timeout: 60_000 })
        .toBeGreaterThan(1000);
    },
    long,
  );

  it(
    'a full disk: a run says so, and goes on when there is room',
    async (context) => {
      const { page } = window;
      const disk = at('disk');
      if (!mountDisk(disk, 'size=6m')) return context.skip('nothing can be mounted here');
      mounted.push(disk);
      await newProject(page, path.join(disk, 'small.gpkg'));
      await expect.poll(() => page.title()).toMatch(/small/);
      await openScene(window, 'cologne.tif');
      await typeClasses(page, ['building', 'road']);
      // A part of the scene is enough, and sooner mapped.
      await page.getByRole('region', { name: 'Map 1' }).focus();
      for (let turn = 0; turn < 2; turn++) {
        await page.keyboard.press('PageUp');
        await page.waitForTimeout(500);
      }
      await page.getByRole('radio', { name: 'view' }).check();
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(path.join(disk, 'filler'), new Uint8Array(Math.max(0, bavail * bsize - 200_000)));
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      const problem = await told(page, /disk is full/);
      await window.picture('bad-disk');
      rmSync(path.join(disk, 'filler'));
      const resume = problem.getByRole('button', { name: 'Resume' });
      if (await resume.isVisible()) await resume.click();
      else {
        await problem.getByRole('button', { name: 'OK' }).click();
        await page.getByRole('button', { name: 'Run', exact: true }).click();
      }
      await page
        .getByRole('treeitem', { name: 'Classes of cologne', exact: true })
        .waitFor({ timeout: long });
    },
    long,
  );

  it('complained about nothing', () => {
    expect(window.errors).toEqual([]);
  });
});
