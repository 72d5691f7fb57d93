import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { syntheticFiles, writeProduct } from '../worker/scene/safe/synthetic-product.ts';
import { zip } from '../worker/weights/zip-writer.ts';
import { cannotTest, suiteWindow } from './suite.ts';
import { choose, mapsAtRest, openScene, placeOf, shareOfColour, typeClasses } from './window.ts';

const chips = path.resolve('../shared/data/pairs/terramind');
const india = path.resolve('../shared/data/pairs/india-s1s2');
const missing = cannotTest('Linked views', chips, india);

const long = 240_000;
const soon = { timeout: 20_000 };
const map = (page: Page, view: number) => page.getByRole('region', { name: `Map ${view}`, exact: true });

/** Mean colour of a part of a map: left, top, right, bottom as shares of it. */
async function colourOf(
  page: Page,
  view: number,
  [left, top, right, bottom]: readonly [number, number, number, number],
): Promise<[number, number, number]> {
  const { default: sharp } = await import('sharp');
  const picture = sharp(await map(page, view).screenshot());
  const { width, height } = await picture.metadata();
  const { data, info } = await picture
    .extract({
      left: Math.round(left * width),
      top: Math.round(top * height),
      width: Math.round((right - left) * width),
      height: Math.round((bottom - top) * height),
    })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const sums: [number, number, number] = [0, 0, 0];
  for (let at = 0; at < data.length; at++) sums[at % 3]! += data[at]! / (info.width * info.height);
  return sums;
}

/** A picture of the map once it has come to rest: the same four times in a row. */
async function settled(page: Page, view: number): Promise<Buffer> {
  let before = await map(page, view).screenshot();
  for (let same = 0; same < 3; ) {
    await page.waitForTimeout(250);
    const now = await map(page, view).screenshot();
    same = now.equals(before) ? same + 1 : 0;
    before = now;
  }
  return before;
}

/** Share of the pixels in which two pictures of a map differ to the eye. */
async function apart(one: Buffer, other: Buffer): Promise<number> {
  const { default: sharp } = await import('sharp');
  const [a, b] = await Promise.all(
    [one, other].map((picture) => sharp(picture).removeAlpha().raw().toBuffer()),
  );
  let count = 0;
  for (let at = 0; at < a!.length; at += 3) if (Math.abs(a![at]! - b![at]!) > 10) count++;
  return (3 * count) / a!.length;
}

async function dragMap(page: Page, view: number, by: readonly [number, number]): Promise<void> {
  const box = (await map(page, view).boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + by[0], y + by[1], { steps: 8 });
  await page.mouse.up();
}

/** Chooses the system of the active view. */
async function chooseSystem(page: Page, code: number): Promise<void> {
  await choose(page, 'View', 'Reference system of this view');
  const dialog = page.getByRole('dialog', { name: 'Reference system' });
  await dialog.getByRole('textbox').fill(String(code));
  await dialog
    .getByRole('option', { name: `EPSG:${code}` })
    .first()
    .click();
  await dialog.waitFor({ state: 'detached' });
}

describe.skipIf(missing)('radar and optical, side by side', () => {
  const window = suiteWindow((folder) => {
    copyFileSync(path.join(chips, 'S1RTC/282D_485L_3_3.tif'), path.join(folder, 'sar.tif'));
    copyFileSync(path.join(chips, 'S2RGB/282D_485L_3_3.tif'), path.join(folder, 'optical.tif'));
  });

  it(
    'opens both; a scene that does not say so is radar when the user says so, and its recipe is there to edit',
    async () => {
      const { page } = window;
      await openScene(window, 'sar.tif');
      await openScene(window, 'optical.tif');
      await page.getByRole('treeitem', { name: 'sar.tif' }).click();
      await choose(page, 'Raster', 'Scene properties');
      const kind = page.getByRole('combobox', { name: 'Kind', exact: true });
      await kind.selectOption({ label: 'radar (SAR)' });
      const recipe = page.getByRole('region', { name: 'Radar preparation' });
      await recipe.getByText(/Encoder for SAR of starter: sclip attention in the last 2 layers/).waitFor();
      expect(await recipe.getByRole('combobox', { name: 'Speckle filter' }).inputValue()).toBe('refined-lee');
      await recipe.getByRole('combobox', { name: 'Speckle filter' }).selectOption('lee');
      const size = recipe.getByRole('spinbutton', { name: 'Filter window' });
      await size.fill('5');
      await size.press('Enter');
      await recipe.getByText(/lee 5 × 5/).waitFor();
      await window.picture('radar-recipe');
      await page.keyboard.press('Control+Z');
      await recipe.getByText(/lee 7 × 7/).waitFor();
    },
    long,
  );

  it(
    'shows SAR in one view and optical in the other',
    async () => {
      const { page } = window;
      await page.keyboard.press('Control+M');
      await map(page, 2).waitFor();
      await page.getByRole('button', { name: 'Show optical.tif in map 1' }).click();
      await page.getByRole('button', { name: 'Show sar.tif in map 2' }).click();
      await settled(page, 1);
      await settled(page, 2);
      const middle = [0.3, 0.3, 0.7, 0.7] as const;
      const [sar, optical] = [await colourOf(page, 1, middle), await colourOf(page, 2, middle)];
      // Radar is grey.
      expect(Math.max(...sar) - Math.min(...sar)).toBeLessThan(2);
      expect(Math.max(...optical) - Math.min(...optical)).toBeGreaterThan(8);
      await window.picture('radar-optical');
    },
    long,
  );

  it(
    'moves, zooms and turns both together, until they are unlinked',
    async () => {
      const { page } = window;
      const same = async () => {
        await mapsAtRest(page);
        const [one, two] = [await placeOf(page, 1), await placeOf(page, 2)];
        for (const axis of [0, 1])
          expect(Math.abs(two.centre[axis]! - one.centre[axis]!)).toBeLessThan(1e-5 * one.resolution);
        expect(two.resolution).toBeCloseTo(one.resolution, 9);
        return one;
      };
      const start = await same();
      await dragMap(page, 1, [-90, -40]);
      const panned = await same();
      expect(panned.centre[0]).toBeGreaterThan(start.centre[0]! + 50 * start.resolution);
      // From the other side, too.
      await dragMap(page, 2, [60, 50]);
      expect((await same()).centre[0]).toBeLessThan(panned.centre[0]!);
      await page.mouse.wheel(0, -300);
      expect((await same()).resolution).toBeLessThan(start.resolution);
      const rotation = page.getByRole('spinbutton', { name: 'Rotation in degrees' });
      const before = [await settled(page, 1), await settled(page, 2)];
      await rotation.fill('30');
      await rotation.press('Enter');
      await same();
      const turned = [await settled(page, 1), await settled(page, 2)];
      expect(turned.map((picture, view) => picture.equals(before[view]!))).toEqual([false, false]);
      await rotation.fill('0');
      await rotation.press('Enter');
      await choose(page, 'View', 'Link map views');
      const [one, two] = [await placeOf(page, 1), await placeOf(page, 2)];
      await dragMap(page, 1, [40, 0]);
      await mapsAtRest(page);
      expect((await placeOf(page, 1)).centre[0]).toBeLessThan(one.centre[0]!);
      expect(await placeOf(page, 2)).toEqual(two);
      await choose(page, 'View', 'Link map views');
      await dragMap(page, 1, [-40, 0]);
      await same();
    },
    long,
  );

  it(
    'shows the pointer of one view in the other',
    async () => {
      const { page } = window;
      const box = (await map(page, 1).boundingBox())!;
      await page.mouse.move(box.x + 0.4 * box.width, box.y + 0.6 * box.height);
      /** Where a view's cross is, or null. */
      const cross = (view: number) =>
        map(page, view)
          .locator('xpath=..')
          .locator('.map-cross')
          .evaluate((element) => {
            const { x, y } = element.getBoundingClientRect();
            return element.getAttribute('style')?.includes('display: block') ? { x, y } : null;
          });
      await expect.poll(() => cross(2), soon).not.toBeNull();
      expect(await cross(1)).toBeNull();
      const [other, at] = [(await map(page, 2).boundingBox())!, (await cross(2))!];
      // The views have one size and look at one place.
      expect(Math.abs(at.x - (other.x + 0.4 * other.width))).toBeLessThan(2);
      expect(Math.abs(at.y - (other.y + 0.6 * other.height))).toBeLessThan(2);
      // Where the pointer is counts, not which view is active.
      await page.mouse.move(other.x + 0.5 * other.width, other.y + 0.5 * other.height);
      await expect.poll(() => cross(1), soon).not.toBeNull();
      expect(await cross(2)).toBeNull();
    },
    long,
  );

  it(
    'each view has its own system on request, and still looks at the same place',
    async () => {
      const { page } = window;
      await map(page, 2).focus();
      const before = await placeOf(page, 1);
      await chooseSystem(page, 3857);
      await expect.poll(async () => (await placeOf(page, 2)).centre[0], soon).toBeLessThan(-1e6);
      await dragMap(page, 1, [-50, 20]);
      await mapsAtRest(page);
      const moved = await placeOf(page, 1);
      expect(moved.centre[0]).not.toBe(before.centre[0]);
      const proj4 = (await import('proj4')).default;
      const [x, y] = proj4('+proj=utm +zone=22 +south +datum=WGS84', 'EPSG:3857', [...moved.centre] as [
        number,
        number,
      ]);
      const other = await placeOf(page, 2);
      expect(Math.abs(other.centre[0]! - x)).toBeLessThan(0.01);
      expect(Math.abs(other.centre[1]! - y)).toBeLessThan(0.01);
      await window.picture('own-system');
      await map(page, 2).focus();
      await chooseSystem(page, 32722);
      await expect
        .poll(async () => (await placeOf(page, 2)).centre[0], soon)
        .toBeCloseTo(moved.centre[0]!, 2);
    },
    long,
  );

  it(
    'prompts classes on the SAR, and shows its polygons over the optical scene',
    async () => {
      const { page } = window;
      await typeClasses(page, ['water, river, lake', 'bare soil, sand', 'vegetation']);
      await page.getByRole('treeitem', { name: 'sar.tif' }).click();
      await page
        .getByText(/Encoder for SAR of starter/)
        .first()
        .waitFor();
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await page.getByRole('treeitem', { name: 'Classes of sar', exact: true }).waitFor({ timeout: long });
      const jobs = page.getByRole('list', { name: 'Jobs' });
      await jobs.getByText(/Radar scene, as asked: .*lee 7 × 7/).waitFor();
      await page.getByRole('button', { name: 'Show Classes of sar in map 1' }).click();
      await settled(page, 1);
      await settled(page, 2);
      // Grey radar alone in one view, its polygons' colours over the optical scene in the other.
      const sar = await colourOf(page, 1, [0.3, 0.3, 0.7, 0.7]);
      expect(Math.max(...sar) - Math.min(...sar)).toBeLessThan(2);
      await window.picture('radar-over-optical');
      await page.getByRole('button', { name: 'Show Classes of sar in map 1' }).click();
      await expect
        .poll(async () => {
          const now = await colourOf(page, 1, [0.3, 0.3, 0.7, 0.7]);
          return Math.max(...now) - Math.min(...now);
        }, soon)
        .toBeGreaterThan(10);
    },
    long,
  );

  it(
    'swipes between the scenes of one view, and flickers',
    async () => {
      const { page } = window;
      await page.getByRole('checkbox', { name: 'Show Classes of sar' }).first().click();
      await page.getByRole('button', { name: 'Show optical.tif in map 1' }).click();
      await map(page, 2).focus();
      await choose(page, 'View', 'Close map view');
      await map(page, 2).waitFor({ state: 'detached' });
      await page.keyboard.press('Control+Shift+F');
      await settled(page, 1);
      const grey = async (part: readonly [number, number, number, number]): Promise<boolean> => {
        const colour = await colourOf(page, 1, part);
        return Math.max(...colour) - Math.min(...colour) < 4;
      };
      const greys = async () => [await grey(left), await grey(right)];
      const [left, right] = [
        [0.35, 0.3, 0.45, 0.7],
        [0.55, 0.3, 0.65, 0.7],
      ] as const;
      await expect.poll(greys, soon).toEqual([false, false]);
      await choose(page, 'View', 'Swipe');
      const slider = page.getByRole('slider', { name: 'Swipe position' });
      await slider.waitFor();
      await expect.poll(greys, soon).toEqual([false, true]);
      await window.picture('swipe');
      await slider.fill('150');
      await expect.poll(greys, soon).toEqual([true, true]);
      await choose(page, 'View', 'Swipe');
      await slider.waitFor({ state: 'detached' });
      await choose(page, 'View', 'Flicker');
      const seen = new Set<boolean>();
      for (let look = 0; look < 40 && seen.size < 2; look++) seen.add(await grey(left));
      expect(seen.size).toBe(2);
      await choose(page, 'View', 'Flicker');
      await expect.poll(() => grey(left), soon).toBe(false);
    },
    long,
  );

  it(
    'marks where optical says water and SAR does not, with areas',
    async () => {
      const { page } = window;
      await page.getByRole('treeitem', { name: 'optical.tif' }).click();
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await page
        .getByRole('treeitem', { name: 'Classes of optical', exact: true })
        .waitFor({ timeout: long });
      await choose(page, 'Vector', 'Difference of two class maps');
      const dialog = page.getByRole('dialog', { name: /Difference/ });
      await dialog
        .getByRole('combobox', { name: 'First', exact: true })
        .selectOption({ label: 'Classes of optical' });
      await dialog
        .getByRole('combobox', { name: 'Second', exact: true })
        .selectOption({ label: 'Classes of sar' });
      await dialog.getByRole('combobox', { name: 'First: Class' }).selectOption('water');
      await dialog.getByRole('combobox', { name: 'Second: Class' }).selectOption('water');
      await dialog.getByRole('button', { name: 'Compare' }).click();
      const name = 'Classes of optical against Classes of sar';
      await page.getByRole('treeitem', { name, exact: true }).waitFor({ timeout: long });
      const job = page.getByRole('list', { name: 'Jobs' }).getByRole('listitem', { name });
      const table = job.getByRole('table', { name: 'Areas' });
      await table.waitFor();
      const rows = await table.getByRole('row').allTextContents();
      expect(rows.map((row) => row.replace(/[\d.,]+ (m²|km²).*$/, '').trim())).toEqual([
        'ClassArea%',
        'water in both',
        'water only in the first',
        'water only in the second',
      ]);
      // Of a chip of 2.24 km squared, as far as either map says water.
      const squareMetres = rows.slice(1).map((row) => {
        const [, value, unit] = /([\d.,]+) (km²|m²)/.exec(row)!;
        return Number(value!.replace(/,/g, '')) * (unit === 'km²' ? 1e6 : 1);
      });
      const whole = squareMetres.reduce((sum, area) => sum + area, 0);
      expect(whole).toBeGreaterThan(1e5);
      expect(whole).toBeLessThan(2240 * 2240 * 1.001);
      await job.getByRole('button', { name: 'Select the layer' }).click();
      await page.getByRole('table', { name: 'Areas' }).nth(1).waitFor();
      // Orange and red of the difference are on the map.
      for (const layer of ['Classes of optical', 'Classes of sar']) {
        const box = page.getByRole('checkbox', { name: `Show ${layer}` }).first();
        if (await box.isChecked()) await box.click();
      }
      await settled(page, 1);
      const shares = await Promise.all(
        (
          [
            [224, 130, 20],
            [178, 24, 43],
            [33, 102, 172],
          ] as [number, number, number][]
        ).map((colour) => shareOfColour(page, 1, colour, 8)),
      );
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeGreaterThan(0.01);
      await window.picture('difference');
    },
    long,
  );

  it('complained about nothing', () => {
    expect(window.errors).toEqual([]);
  });
});

describe.skipIf(missing)('every pair of chips', () => {
  const pairs = ['282D_485L_3_3', '38D_378R_2_3', '433D_629L_3_1'];
  const window = suiteWindow((folder) => {
    for (const name of pairs)
      for (const kind of ['S1RTC', 'S2RGB'])
        copyFileSync(path.join(chips, `${kind}/${name}.tif`), path.join(folder, `${name}_${kind}.tif`));
  });

  it.each(pairs)(
    '%s opens radar left and optical right, linked',
    async (name) => {
      const { page } = window;
      await openScene(window, `${name}_S1RTC.tif`);
      await openScene(window, `${name}_S2RGB.tif`);
      if ((await map(page, 2).count()) === 0) await page.keyboard.press('Control+M');
      await map(page, 2).waitFor();
      await page.getByRole('button', { name: `Show ${name}_S2RGB.tif in map 1` }).click();
      await page.getByRole('button', { name: `Show ${name}_S1RTC.tif in map 2` }).click();
      await settled(page, 1);
      await settled(page, 2);
      const spread = async (view: number) => {
        const colour = await colourOf(page, view, [0.3, 0.3, 0.7, 0.7]);
        return Math.max(...colour) - Math.min(...colour);
      };
      expect(await spread(1)).toBeLessThan(2);
      expect(await spread(2)).toBeGreaterThan(6);
      await dragMap(page, 2, [-70, 30]);
      await mapsAtRest(page);
      const [one, two] = [await placeOf(page, 1), await placeOf(page, 2)];
      for (const axis of [0, 1])
        expect(Math.abs(two.centre[axis]! - one.centre[axis]!)).toBeLessThan(1e-5 * one.resolution);
      await choose(page, 'Project', 'Close project');
      await page.getByText('Open a scene to begin').waitFor();
    },
    long,
  );

  it(
    'up to four views move together',
    async () => {
      const { page } = window;
      await openScene(window, `${pairs[0]}_S2RGB.tif`);
      while ((await map(page, 4).count()) === 0) {
        const views = await page.getByRole('region', { name: /^Map \d$/ }).count();
        await page.keyboard.press('Control+M');
        await expect.poll(() => page.getByRole('region', { name: /^Map \d$/ }).count(), soon).toBe(views + 1);
      }
      await page.keyboard.press('Control+M');
      await page.waitForTimeout(500);
      expect(await page.getByRole('region', { name: /^Map \d$/ }).count()).toBe(4);
      await dragMap(page, 3, [40, 25]);
      await mapsAtRest(page);
      const places = await Promise.all([1, 2, 3, 4].map((view) => placeOf(page, view)));
      for (const place of places)
        for (const axis of [0, 1])
          expect(Math.abs(place.centre[axis]! - places[2]!.centre[axis]!)).toBeLessThan(
            1e-5 * place.resolution,
          );
      // And the scene is in sight in each, though another project was looked at before.
      for (const view of [1, 2, 3, 4]) {
        await settled(page, view);
        const colour = await colourOf(page, view, [0.4, 0.4, 0.6, 0.6]);
        expect(Math.max(...colour), `view ${view}`).toBeLessThan(215);
      }
      await window.picture('four-views');
    },
    long,
  );

  it('complained about nothing', () => {
    expect(window.errors).toEqual([]);
  });
});

describe.skipIf(missing)('the shift of a radar and an optical scene', () => {
  const window = suiteWindow((folder) => {
    copyFileSync(path.join(india, 'Optical-Image-1.jpg'), path.join(folder, 'optical.jpg'));
    copyFileSync(path.join(india, 'SAR-Image-1.jpg'), path.join(folder, 'sar.jpg'));
    const product = syntheticFiles({
      width: 64,
      height: 64,
      channels: ['VV', 'VH'].map((polarisation) => ({
        polarisation,
        pixels: Uint16Array.from({ length: 64 * 64 }, (_, at) => 50 + ((at * 7919) % 300)),
      })),
      amplitude: () => 400,
      noise: () => 50,
      noiseFactor: () => 1,
      place: (line, pixel) => [10 + pixel * 1.4e-4, 50 - line * 9e-5],
    });
    writeProduct(path.join(folder, 'S1_FOLDER.SAFE'), product);
    const entries = [...product].map(([name, bytes]) => ({ name: `S1.SAFE/${name}`, bytes }));
    writeFileSync(path.join(folder, 'S1_ARCHIVE.zip'), zip(entries));
    writeProduct(
      path.join(folder, 'S1_PART.SAFE'),
      new Map([...product].filter(([name]) => !/^measurement.*-vh-/.test(name))),
    );
  });

  it(
    'is measured and shown, moves one view and leaves the other, and is taken back',
    async () => {
      const { page } = window;
      await openScene(window, 'optical.jpg');
      await openScene(window, 'sar.jpg');
      await page.keyboard.press('Control+M');
      await map(page, 2).waitFor();
      await page.getByRole('button', { name: 'Show sar.jpg in map 1' }).click();
      await page.getByRole('button', { name: 'Show optical.jpg in map 2' }).click();
      await map(page, 2).focus();
      await page.getByRole('treeitem', { name: 'sar.jpg' }).click();
      // Near enough that a part of a pixel shows.
      await page.keyboard.press('Control+Alt+1');
      for (let step = 0; step < 4; step++) await page.keyboard.press('Control++');
      await choose(page, 'Raster', 'Estimate shift between two scenes');
      const dialog = page.getByRole('dialog', { name: 'Shift between two scenes' });
      expect(
        await dialog
          .getByRole('combobox', { name: 'Scene to measure' })
          .locator('option:checked')
          .textContent(),
      ).toBe('sar.jpg');
      await dialog.getByRole('button', { name: 'Measure' }).click();
      const told = dialog.getByRole('status');
      await told.waitFor({ timeout: long });
      const [, pixels, sure] = /: ([\d.]+) pixels\. (\d+) %/.exec((await told.textContent())!)!;
      expect(Number(pixels)).toBeLessThan(1);
      expect(Number(sure)).toBeGreaterThan(70);
      await window.picture('shift');
      // Meanwhile the maps have come to rest: drafts are drawn until there are overviews.
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      const [first, second] = [await settled(page, 1), await settled(page, 2)];
      await choose(page, 'Raster', 'Estimate shift between two scenes');
      await dialog.getByRole('button', { name: 'Measure' }).click();
      await dialog.getByRole('button', { name: 'Move it in view 2' }).click();
      await dialog.waitFor({ state: 'detached' });
      await window.picture('shift-applied');
      const moved = async (view: number, before: Buffer) => apart(await settled(page, view), before);
      await expect.poll(() => moved(2, second), { timeout: 30_000 }).toBeGreaterThan(0.02);
      expect(await moved(1, first)).toBeLessThan(0.002);
      await choose(page, 'Raster', 'Put a moved scene back');
      await expect.poll(() => moved(2, second), { timeout: 30_000 }).toBeLessThan(0.002);
    },
    long,
  );

  it(
    'products open by folder, archive and manifest, and files as bands of one scene',
    async () => {
      const { page } = window;
      await openScene(window, 'S1_FOLDER.SAFE');
      // What is wrong with a scene can be seen, and how long a pixel is where nobody knows its metres.
      await openScene(window, 'S1_PART.SAFE');
      await page.getByRole('treeitem', { name: 'S1_PART.SAFE' }).getByText('!', { exact: true }).waitFor();
      await choose(page, 'Raster', 'Scene properties');
      await page.locator('.panel.scene .notice', { hasText: 'not in the product: IW GRD VH' }).waitFor();
      expect(await map(page, 1).locator('.ol-scale-line').textContent()).toMatch(/^[\d.,]+ px$/);
      await openScene(window, 'S1_ARCHIVE.zip');
      await page.getByRole('treeitem', { name: 'S1_ARCHIVE.zip' }).click();
      await choose(page, 'Raster', 'Scene properties');
      const recipe = page.getByRole('region', { name: 'Radar preparation' });
      await recipe.getByText(/sigma0, thermal noise removed, refined-lee 7 × 7, VV, dB/).waitFor();
      await recipe.getByRole('combobox', { name: 'Calibration' }).selectOption('gamma0');
      await recipe.getByRole('combobox', { name: 'Channels' }).selectOption('false-colour');
      await recipe.getByText(/gamma0, thermal noise removed, refined-lee 7 × 7, false-colour, dB/).waitFor();
      await recipe.getByRole('combobox', { name: 'Stretch' }).selectOption('fixed');
      await expect.poll(() => recipe.getByRole('spinbutton', { name: 'Black at' }).count(), soon).toBe(3);
      await page.getByRole('combobox', { name: 'Shown as' }).selectOption('VH');
      await expect.poll(() => page.getByRole('spinbutton', { name: 'Black at' }).count(), soon).toBe(4);
      await page.getByRole('combobox', { name: 'Shown as' }).selectOption('false-colour');
      await expect.poll(() => page.getByRole('spinbutton', { name: 'Black at' }).count(), soon).toBe(6);
      expect(await page.getByText(/cannot be brought into the project’s system/).count()).toBe(1);
      await window.picture('radar-product');
      await choose(page, 'Layer', 'Open files as bands of one scene');
      const dialog = page.getByRole('dialog', { name: 'Open files as bands of one scene' });
      await dialog.getByRole('textbox', { name: 'Folder' }).fill(window.folder);
      await page.keyboard.press('Enter');
      await dialog.getByRole('option', { name: 'optical.jpg' }).click();
      await dialog.getByRole('option', { name: 'sar.jpg' }).click({ modifiers: ['Control'] });
      await dialog.getByRole('button', { name: 'Open', exact: true }).click();
      await page.getByRole('treeitem', { name: 'optical.jpg + sar.jpg' }).waitFor();
    },
    long,
  );

  it('complained about nothing', () => {
    expect(window.errors).toEqual([]);
  });
});
