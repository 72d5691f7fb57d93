import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { cannotTest, cologne, suiteWindow } from './suite.ts';
import {
  choose,
  chooseFile,
  closeBrowser,
  mapsAtRest,
  openScene,
  openWindow,
  placeOf,
  shareOfColour,
  typeClasses,
} from './window.ts';

const missing = cannotTest("The screen's main loop", cologne);

/** Orange: the first class colour. */
const orange: [number, number, number] = [230, 159, 0];
const long = 600_000;

describe.skipIf(missing)('the main loop on the Cologne scene', () => {
  const window = suiteWindow((folder) => copyFileSync(cologne, path.join(folder, 'cologne.tif')));

  it('tells the next step while nothing is open', async () => {
    const { page } = window;
    await page.getByText('Open a scene to begin').waitFor();
    await page.getByText('Open a scene first; then type what to look for.').waitFor();
    await window.picture('empty');
  });

  it(
    'opens a scene: it is in the tree, on the map, in its system',
    async () => {
      const { page } = window;
      await openScene(window, 'cologne.tif');
      await expect.poll(async () => (await placeOf(page, 1)).resolution).toBeGreaterThan(0);
      await expect
        .poll(() => shareOfColour(page, 1, [150, 130, 110], 70), { timeout: 60_000 })
        .toBeGreaterThan(0.2);
      await page.getByRole('button', { name: 'EPSG:25832' }).waitFor();
      const row = page.getByRole('treeitem', { name: 'cologne.tif' });
      expect(await row.getAttribute('title')).toMatch(/cologne\.tif[\s\S]*EPSG:25832/);
      await window.picture('scene');
    },
    long,
  );

  it(
    'shows a preview of typed classes, and says how long a run will take',
    async () => {
      const { page } = window;
      await typeClasses(page, [
        'building, roof, house',
        'road',
        'tree, forest',
        'grass',
        'water',
        'cropland',
      ]);
      // The starter is measured unasked where nothing else is going on; this says why if it cannot be.
      await page.getByRole('button', { name: 'Measure', exact: true }).click();
      await page.getByText(/about .*, 64 windows/).waitFor({ timeout: long });
      await window.picture('prompts');
      await page.getByRole('button', { name: 'Preview', exact: true }).click();
      await page.getByRole('button', { name: 'Remove the preview' }).waitFor({ timeout: long });
      await expect.poll(() => shareOfColour(page, 1, orange, 60)).toBeGreaterThan(0.02);
      await window.picture('preview');
      await page.getByRole('button', { name: 'Remove the preview' }).click();
    },
    long,
  );

  it(
    'says when the starter does not know a word',
    async () => {
      const { page } = window;
      await typeClasses(page, ['helicopter']);
      await page
        .getByRole('status')
        .getByText(/does not know “helicopter”/)
        .waitFor();
      await page.getByRole('button', { name: 'Remove class helicopter' }).click();
      await page.getByText(/does not know “helicopter”/).waitFor({ state: 'detached' });
    },
    long,
  );

  it(
    'runs: strips come onto the map, the result is a layer of polygons',
    async () => {
      const { page } = window;
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      const jobs = page.getByRole('list', { name: 'Jobs' });
      await jobs.getByText('running').waitFor();
      await page
        .getByRole('treeitem', { name: 'Classes of cologne', exact: true })
        .waitFor({ timeout: long });
      await jobs.getByText('done').waitFor({ timeout: long });
      await expect.poll(() => shareOfColour(page, 1, orange, 60), { timeout: 60_000 }).toBeGreaterThan(0.02);
      await window.picture('result');
    },
    long,
  );

  it(
    'lists every polygon in the table, sorted and filtered at once',
    async () => {
      const { page } = window;
      await page.getByRole('treeitem', { name: 'Classes of cologne', exact: true }).click();
      await page.keyboard.press('F6');
      const grid = page.getByRole('grid', { name: 'Attribute table' });
      await grid.getByRole('columnheader', { name: 'Area' }).click();
      await grid.getByRole('columnheader', { name: 'Area' }).click();
      const area = grid.getByRole('row').nth(1).getByRole('gridcell').nth(3);
      const largest = Number(await area.textContent());
      await grid.getByRole('columnheader', { name: 'Area' }).click();
      expect(Number(await area.textContent())).toBeLessThan(largest);
      const rows = Number(await grid.getAttribute('aria-rowcount'));
      expect(rows).toBeGreaterThan(50);
      await page.getByRole('combobox', { name: 'Show class' }).selectOption('building');
      expect(Number(await grid.getAttribute('aria-rowcount'))).toBeLessThan(rows);
      await page.getByRole('combobox', { name: 'Show class' }).selectOption('');
      await window.picture('table');
    },
    long,
  );

  it(
    'corrects a class, and undoes and redoes it',
    async () => {
      const { page } = window;
      const grid = page.getByRole('grid', { name: 'Attribute table' });
      await grid.getByRole('columnheader', { name: 'Number' }).click();
      const first = grid.getByRole('row').nth(1);
      await first.click();
      const cell = first.getByRole('gridcell').nth(1);
      const before = (await cell.textContent())!;
      const other = before === 'water' ? 'road' : 'water';
      await page.getByRole('combobox', { name: 'Change class to …' }).selectOption(other);
      await expect.poll(() => cell.textContent()).toBe(other);
      await page.keyboard.press('Control+Z');
      await expect.poll(() => cell.textContent()).toBe(before);
      await page.keyboard.press('Control+Shift+Z');
      await expect.poll(() => cell.textContent()).toBe(other);
      await page.keyboard.press('Control+Z');
      await expect.poll(() => cell.textContent()).toBe(before);
    },
    long,
  );

  it(
    'filters by confidence without another run',
    async () => {
      const { page } = window;
      await page.getByRole('treeitem', { name: 'Classes of cologne', exact: true }).click();
      await page.keyboard.press('Control+3');
      const slider = page.getByRole('slider', { name: 'Confidence' });
      const undo = page.getByRole('button', { name: /^Undo/ });
      const before = await undo.getAttribute('title');
      await slider.focus();
      await slider.fill('0.6');
      await page.keyboard.press('Tab');
      const status = page.getByText(/of .* polygons shown/);
      const [shown, all] = (await status.textContent())!.replace(/,/g, '').match(/\d+/g)!.map(Number);
      expect(shown!).toBeLessThan(all!);
      await window.picture('filter');
      // The slider's last word is on its way to the project.
      await expect.poll(() => undo.getAttribute('title')).not.toBe(before);
      await page.keyboard.press('Control+Z');
      await expect
        .poll(async () => (await status.textContent())!.replace(/,/g, '').match(/\d+/g)!.map(Number))
        .toEqual([all, all]);
    },
    long,
  );

  it(
    'exports what GDAL reads, in the scene’s system',
    async () => {
      const { page } = window;
      await page.getByRole('treeitem', { name: 'Classes of cologne', exact: true }).click();
      await page.keyboard.press('Control+E');
      const dialog = page.getByRole('dialog', { name: 'Export Classes of cologne' });
      await dialog.getByRole('checkbox', { name: 'GeoJSON' }).check();
      await dialog.getByRole('textbox', { name: 'To' }).fill(path.join(window.folder, 'out'));
      await window.picture('export');
      await dialog.getByRole('button', { name: 'Export', exact: true }).click();
      await expect
        .poll(
          () =>
            existsSync(path.join(window.folder, 'out.gpkg')) &&
            existsSync(path.join(window.folder, 'out.geojson')),
          { timeout: long },
        )
        .toBe(true);
      if (spawnSync('ogrinfo', ['--version']).status !== 0) return;
      const told = execFileSync('ogrinfo', ['-so', '-al', path.join(window.folder, 'out.gpkg')], {
        encoding: 'utf8',
      });
      expect(told).toMatch(/Geometry: Polygon/);
      expect(told).toMatch(/25832/);
    },
    long,
  );

  it(
    'moves two linked views together, and swipes',
    async () => {
      const { page } = window;
      await page.keyboard.press('Control+M');
      await page.getByRole('region', { name: 'Map 2' }).waitFor();
      await expect.poll(async () => (await placeOf(page, 2)).centre).toEqual((await placeOf(page, 1)).centre);
      const map = (await page.getByRole('region', { name: 'Map 1' }).boundingBox())!;
      const middle = [map.x + map.width / 2, map.y + map.height / 2] as const;
      const before = await placeOf(page, 1);
      await page.mouse.move(...middle);
      await page.mouse.down();
      await page.mouse.move(middle[0] - 120, middle[1] - 60, { steps: 6 });
      await page.mouse.up();
      await expect.poll(async () => (await placeOf(page, 1)).centre[0]).not.toBe(before.centre[0]);
      await mapsAtRest(page);
      const [one, two] = [await placeOf(page, 1), await placeOf(page, 2)];
      expect(two.centre[0]).toBeCloseTo(one.centre[0]!, 6);
      expect(two.centre[1]).toBeCloseTo(one.centre[1]!, 6);
      expect(two.resolution).toBeCloseTo(one.resolution, 9);
      await choose(page, 'View', 'Swipe');
      await page.getByRole('slider', { name: 'Swipe position' }).first().waitFor();
      await window.picture('views');
      await choose(page, 'View', 'Swipe');
      await page.getByRole('region', { name: 'Map 2' }).focus();
      await choose(page, 'View', 'Close map view');
      await page.getByRole('region', { name: 'Map 2' }).waitFor({ state: 'detached' });
    },
    long,
  );

  it(
    'keeps everything: closed and opened again, all is there',
    async () => {
      const { page } = window;
      const project = path.join(window.folder, 'cologne.gpkg');
      await chooseFile(window, 'Control+Shift+S', 'Save project as', project);
      await expect.poll(() => page.title(), { timeout: 60_000 }).toMatch(/cologne/);
      await choose(page, 'Project', 'Close project');
      await page.getByText('Open a scene to begin').waitFor();
      await chooseFile(window, 'Control+O', 'Open project', project);
      await page.getByRole('treeitem', { name: 'Classes of cologne', exact: true }).waitFor();
      await page.getByRole('treeitem', { name: 'cologne.tif', exact: true }).waitFor();
      await page.getByRole('combobox', { name: 'Words for cropland' }).waitFor();
    },
    long,
  );

  it(
    'finds actions by name, and speaks another language',
    async () => {
      const { page } = window;
      await page.keyboard.press('Control+K');
      await page.getByRole('combobox', { name: 'Type what you want to do' }).fill('deutsch');
      await page.keyboard.press('Enter');
      await page.getByRole('menuitem', { name: 'Bearbeiten' }).waitFor();
      await window.picture('german');
      await page.keyboard.press('Control+K');
      await page.getByRole('combobox', { name: 'Was möchten Sie tun?' }).fill('english');
      await page.keyboard.press('Enter');
      await page.getByRole('menuitem', { name: 'Edit', exact: true }).waitFor();
    },
    long,
  );

  it(
    'shows a file that cannot be read as a message with a way out',
    async () => {
      const { page } = window;
      const { writeFileSync } = await import('node:fs');
      const broken = path.join(window.folder, 'broken.tif');
      writeFileSync(broken, 'II*\0 this is no TIFF');
      await chooseFile(window, 'Control+Shift+R', 'Open scenes', broken);
      const problem = page.getByRole('dialog', { name: 'That did not work' });
      await problem
        .getByRole('alert')
        .getByText(/broken\.tif/)
        .waitFor();
      await window.picture('problem');
      await problem.getByRole('button', { name: 'OK' }).click();
    },
    long,
  );

  it('complained about nothing', () => {
    expect(window.errors).toEqual([]);
  });
});

/** A file's bytes without the moment that the run began, which its description tells. */
function undated(file: string): string {
  const bytes = readFileSync(file).toString('latin1');
  const dates = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
  expect(bytes.match(dates)?.length).toBe(1);
  return bytes.replace(dates, '');
}

/** Every value of every polygon of a project's layers, geometries as they lie in the file. */
function polygonsOf(project: string): string[][] {
  const database = new Database(project, { readonly: true });
  const tables = database
    .prepare("SELECT table_name FROM gpkg_contents WHERE data_type = 'features' ORDER BY table_name")
    .pluck()
    .all() as string[];
  const rows = tables.map((table) =>
    (database.prepare(`SELECT * FROM "${table}" ORDER BY 1`).raw().all() as unknown[][]).map((row) =>
      row
        .map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell).toString('hex') : String(cell)))
        .join(' '),
    ),
  );
  database.close();
  return rows;
}

describe.skipIf(missing)('a host that is killed in the middle of a run', () => {
  it(
    'offers to resume, and finishes as a run that nothing interrupted, byte for byte',
    async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-screen-'));
      copyFileSync(cologne, path.join(folder, 'cologne.tif'));
      const first = await openWindow(folder);
      await openScene(first, 'cologne.tif');
      await typeClasses(first.page, ['building', 'road', 'cropland']);
      await first.page.getByRole('button', { name: 'Run', exact: true }).click();
      await first.page
        .getByText(/segmenting (2|3|4|5)\d %/)
        .first()
        .waitFor({ timeout: long });
      const { home } = first.door;
      await first.door.end('SIGKILL');
      await first.page.getByText(/does not answer/).waitFor();
      await first.page.context().close();

      const second = await openWindow(folder, [], home);
      const { page } = second;
      await page.getByRole('menuitem', { name: 'Project', exact: true }).click();
      await page.getByRole('menu', { name: 'Project' }).locator('[title$=".gpkg"]').first().click();
      const question = page.getByRole('dialog', { name: 'Unfinished work' });
      await question.getByText(/Classes of cologne/).waitFor();
      await second.picture('resume');
      await question.getByRole('button', { name: 'Resume' }).click();
      await page
        .getByRole('treeitem', { name: 'Classes of cologne', exact: true })
        .waitFor({ timeout: long });
      // The same once more, in one go.
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await page
        .getByRole('treeitem', { name: 'Classes of cologne 2', exact: true })
        .waitFor({ timeout: long });
      const project = path.join(
        home,
        'untitled',
        globSync('*.gpkg', { cwd: path.join(home, 'untitled') })[0]!,
      );
      const rasters = project.replace(/\.gpkg$/, '.landscribe');
      for (const kind of ['', '.confidence']) {
        const [resumed, whole] = [1, 2].map((run) => undated(path.join(rasters, `run-${run}${kind}.tif`)));
        expect(resumed!.length).toBeGreaterThan(1000);
        expect(resumed === whole, `run-1${kind}.tif equals run-2${kind}.tif`).toBe(true);
      }
      const [resumed, whole] = polygonsOf(project);
      expect(resumed!.length).toBeGreaterThan(100);
      expect(resumed).toEqual(whole);
      await second.close();
      await closeBrowser();
      rmSync(folder, { recursive: true, force: true });
    },
    long,
  );
});
