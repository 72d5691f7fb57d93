import { copyFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { expectPicture } from './picture.ts';
import { writeProject } from './shapes-project.ts';
import { cannotTest, cologne, suiteWindow } from './suite.ts';
import { choose, typeClasses } from './window.ts';

const missing = cannotTest("The screen's looks", cologne);

const long = 300_000;
interface Faults {
  /** Texts that stand out too little from what is behind them, with their contrast. */
  faint: string[];
  /** Texts that do not fit where they stand. */
  cut: string[];
  /** Whether the window itself scrolls. */
  scrolls: boolean;
}

/** What is wrong with the texts on the screen, computed from what the browser draws. As text: it runs in the page. */
const findFaults = `(() => {
  const channels = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((value, i) => value * a + under[i] * (1 - a));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    const chain = [];
    for (let at = element; at; at = at.parentElement) chain.unshift(at);
    return chain.reduce((under, each) => {
      const colour = channels(getComputedStyle(each).backgroundColor);
      return colour.length < 3 ? under : over(colour, under);
    }, [255, 255, 255]);
  };
  const off = (element) => element.closest(':disabled, [aria-disabled=true], .ol-viewport, .map-empty') !== null;
  const seen = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  };
  const faint = [];
  const cut = [];
  const holder = document.querySelector('dialog[open]') ?? document.body;
  for (const element of holder.querySelectorAll('*')) {
    if (!seen(element) || off(element)) continue;
    const own = [...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data.trim()).join(' ').trim();
    const field = element.matches('input:not([type=checkbox],[type=radio],[type=range],[type=color]), select');
    const text = field ? (element.selectedOptions?.[0]?.textContent ?? element.value) || element.placeholder || '' : own;
    if (text === '') continue;
    const style = getComputedStyle(element);
    const colour = !element.value && element.placeholder ? channels(getComputedStyle(element, '::placeholder').color) : channels(style.color);
    const ground = groundOf(element);
    const [dark, bright] = [luminance(over(colour, ground)), luminance(ground)].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) faint.push(text + ': ' + contrast.toFixed(2));
    if (element.matches('select, button, label > span, output, th, .grid-row *, summary, legend, h2, h3')) {
      const pen = document.createElement('canvas').getContext('2d');
      pen.font = style.fontWeight + ' ' + style.fontSize + ' ' + style.fontFamily;
      // A select keeps room for its arrow.
      const room = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - (element.matches('select') ? 16 : 0);
      const needed = element.matches('select') ? pen.measureText(text).width : element.scrollWidth - element.clientWidth + room;
      if (needed > room + 1) cut.push(text + ': ' + Math.round(needed) + ' in ' + Math.round(room));
    }
  }
  return { faint, cut, scrolls: document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight };
})()`;

interface Step {
  name: string;
  /** Whether one can see that the keys are there. */
  outlined: boolean;
  /** Whether the keys had been there before, and whether that was where they began. */
  again: boolean;
  first: boolean;
}

/** Where a press of Tab led. As text: it runs in the page. */
const takeStep = `(() => {
  const at = document.activeElement;
  if (at === document.body) return { name: '', outlined: true, again: false, first: false };
  const walked = (globalThis.walked ??= []);
  const again = walked.includes(at);
  const first = walked[0] === at;
  walked.push(at);
  const name = at.getAttribute('aria-label') || at.labels?.[0]?.textContent || at.textContent.trim().slice(0, 40) || at.tagName;
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  return { name, outlined: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1, again, first };
})()`;

/**
 * Controls on the screen that the keys did not come to. Among the parts of a tree, a menu bar, a grid or a group of
 * choices, arrows lead on from the one that Tab comes to.
 */
const notReached = `(() => {
  const walked = globalThis.walked;
  const groups = '[role=tree], [role=menubar], [role=grid], [role=listbox], [role=radiogroup], [role=tablist], [role=toolbar]';
  const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [contenteditable=true], [tabindex]:not([role=region], [role=tabpanel])';
  const seen = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  };
  const within = (element) => {
    const group = element.tabIndex < 0 && element.closest(groups);
    return group ? walked.some((each) => group.contains(each)) : false;
  };
  const sameChoice = (element) =>
    element.type === 'radio' && walked.some((each) => each.type === 'radio' && each.name === element.name);
  return [...document.querySelectorAll(controls)]
    .filter((element) => seen(element) && !element.disabled && !element.closest('[inert]'))
    .filter((element) => !walked.includes(element) && !within(element) && !sameChoice(element))
    .map((element) => (element.getAttribute('aria-label') || element.textContent.trim().slice(0, 40) || '') + ' ' + element.cloneNode().outerHTML.slice(0, 120));
})()`;

async function expectNoFaults(page: Page, where: string): Promise<void> {
  const { faint, cut, scrolls } = await page.evaluate<Faults>(findFaults);
  expect.soft(faint.join('; '), `${where}: texts that are hard to see`).toBe('');
  expect.soft(cut.join('; '), `${where}: texts that do not fit`).toBe('');
  expect.soft(scrolls, `${where}: the window scrolls`).toBe(false);
}

/** The map without what is written on it. */
async function bareMap(page: Page) {
  await page.addStyleTag({ content: '.ol-scale-line, .map-north { visibility: hidden }' });
  return page.getByRole('region', { name: 'Map 1' });
}

describe.skipIf(missing)('the window', () => {
  const window = suiteWindow(
    async (folder) => {
      copyFileSync(cologne, path.join(folder, 'cologne.tif'));
      await writeProject(path.join(folder, 'shapes.gpkg'), path.join(folder, 'cologne.tif'));
    },
    ({ page }) => page.setViewportSize({ width: 1280, height: 800 }),
  );

  it(
    'looks as expected while it is empty',
    async () => {
      const { page } = window;
      await page.getByText('Open a scene to begin').waitFor();
      await expectNoFaults(page, 'empty');
      await expectPicture(page.getByRole('toolbar', { name: 'Tools' }), 'tools', 4);
    },
    long,
  );

  it(
    'draws a scene and polygons over it as expected',
    async () => {
      const { page } = window;
      await page.keyboard.press('Control+O');
      const dialog = page.getByRole('dialog', { name: 'Open project' });
      await dialog.getByRole('textbox', { name: 'Folder' }).fill(window.folder);
      await page.keyboard.press('Enter');
      await dialog.getByRole('option', { name: 'shapes.gpkg' }).click();
      await expectNoFaults(page, 'open a project');
      await dialog.getByRole('button', { name: 'Open', exact: true }).click();
      await page.getByRole('treeitem', { name: 'Shapes', exact: true }).waitFor();
      await expectPicture(await bareMap(page), 'map', 4);
      await page.getByRole('checkbox', { name: 'Show cologne.tif' }).click();
      await page.getByRole('checkbox', { name: 'Show road' }).click();
      await expectPicture(await bareMap(page), 'map-polygons', 2);
      await page.getByRole('checkbox', { name: 'Show road' }).click();
      await page.getByRole('checkbox', { name: 'Show cologne.tif' }).click();
      await page.getByRole('checkbox', { name: 'Show cologne.tif', checked: true }).waitFor();
    },
    long,
  );

  it(
    'shows in one map what another hides',
    async () => {
      const { page } = window;
      await page.keyboard.press('Control+M');
      const second = page.getByRole('region', { name: 'Map 2' });
      await second.waitFor();
      await page.getByRole('button', { name: 'Show Shapes in map 2' }).click();
      await page.getByRole('button', { name: 'Show cologne.tif in map 1' }).click();
      await expectPicture(await bareMap(page), 'map-1-without-scene', 3);
      await expectPicture(second, 'map-2-without-shapes', 4);
      await expectNoFaults(page, 'two maps');
      await window.picture('in-one-map');
      await page.getByRole('button', { name: 'Show cologne.tif in map 1' }).click();
      await second.focus();
      await choose(page, 'View', 'Close map view');
      await second.waitFor({ state: 'detached' });
    },
    long,
  );

  it(
    'outlines what is selected',
    async () => {
      const { page } = window;
      await page.keyboard.press('F6');
      const grid = page.getByRole('grid', { name: 'Attribute table' });
      await grid.getByRole('columnheader', { name: 'Area' }).click();
      await grid.getByRole('columnheader', { name: 'Area' }).click();
      await grid.getByRole('row').nth(1).click();
      await page.keyboard.press('Shift+PageDown');
      await expectPicture(await bareMap(page), 'map-selected', 4);
      await page.keyboard.press('Control+Shift+A');
      await page.getByText('96 of 96, 0 selected').waitFor();
    },
    long,
  );

  it(
    'filters while the slider moves, and keeps where it rests as one step',
    async () => {
      const { page } = window;
      await page.getByRole('treeitem', { name: 'Shapes', exact: true }).click();
      const slider = page.getByRole('slider', { name: 'Confidence' });
      const undo = page.getByRole('button', { name: /^Undo/ });
      const before = await undo.getAttribute('title');
      const box = (await slider.boundingBox())!;
      await page.mouse.move(box.x + 6, box.y + box.height / 2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.55, box.y + box.height / 2, { steps: 8 });
      await page.getByText(/^(3|4|5)\d of 96 polygons shown/).waitFor();
      await page.waitForTimeout(1500);
      // The button is still down: the project does not know yet.
      expect(await undo.getAttribute('title')).toBe(before);
      await expectPicture(page.getByRole('region', { name: 'Map 1' }), 'map-filtered', 4);
      await page.mouse.up();
      await expect.poll(() => undo.getAttribute('title')).not.toBe(before);
      await page.keyboard.press('Control+Z');
      await page.getByText('96 of 96 polygons shown').waitFor();
    },
    long,
  );

  it(
    'takes a typed number as one step of undo',
    async () => {
      const { page } = window;
      await typeClasses(page, ['building']);
      const field = page.getByRole('spinbutton', { name: 'Threshold', exact: true });
      const undo = page.getByRole('button', { name: /^Undo/ });
      const before = await undo.getAttribute('title');
      await field.click();
      await field.press('Control+A');
      await field.pressSequentially('0.25', { delay: 120 });
      await field.press('Enter');
      await page.getByRole('region', { name: 'Map 1' }).focus();
      await expect.poll(() => field.inputValue()).toBe('0.25');
      await expect.poll(() => undo.getAttribute('title')).not.toBe(before);
      await page.keyboard.press('Control+Z');
      await expect.poll(() => field.inputValue()).toBe('0');
      await page.getByRole('combobox', { name: 'Words for building' }).waitFor();
      await page.keyboard.press('Control+Z');
      await page.getByRole('combobox', { name: 'Words for building' }).waitFor({ state: 'detached' });
    },
    long,
  );

  for (const [language, theme, width, height] of [
    ['en', 'light', 1280, 800],
    ['de', 'light', 1280, 800],
    ['de', 'dark', 1920, 1080],
    ['en', 'dark', 1280, 800],
  ] as const)
    it(
      `can be read: ${language}, ${theme}, ${width} × ${height}`,
      async () => {
        const { page } = window;
        await page.setViewportSize({ width, height });
        const actual = await page.locator('html').getAttribute('lang');
        if (actual !== language) await command(page, actual === 'en' ? 'Deutsch' : 'English');
        if ((await page.locator('html').getAttribute('data-theme')) !== theme)
          await command(page, language === 'en' ? 'Light or dark' : 'Hell oder dunkel');
        await page.locator(`html[lang=${language}][data-theme=${theme}]`).waitFor();
        const name = (english: string, german: string) => (language === 'en' ? english : german);
        await typeClasses(page, ['building', 'road'], language);
        await page.locator('.run .estimate').waitFor();
        await window.picture(`looks-${language}-${theme}-${width}`);
        await expectNoFaults(page, 'window');
        for (const tab of [
          name('Attribute table', 'Attributtabelle'),
          name('Log', 'Protokoll'),
          name('Scene', 'Szene'),
        ]) {
          await page.locator('.dv-tab', { hasText: tab }).first().click();
          await page.waitForTimeout(500);
          await expectNoFaults(page, tab);
          if (tab !== 'Log' && tab !== 'Protokoll')
            await window.picture(
              `looks-${language}-${theme}-${width}-${tab.toLowerCase().replace(' ', '-')}`,
            );
        }
        await page.locator('summary').first().click();
        await page.getByRole('treeitem', { name: 'Shapes', exact: true }).click();
        await page.waitForTimeout(300);
        await expectNoFaults(page, 'advanced settings');
        await window.picture(`looks-${language}-${theme}-${width}-advanced`);
        await page.locator('summary').first().click();
        for (const [keys, dialog] of [
          ['Control+E', 'export'],
          ['Control+K', 'palette'],
        ] as const) {
          await page.keyboard.press(keys);
          await page.locator('dialog[open]').waitFor();
          await page.waitForTimeout(300);
          await expectNoFaults(page, dialog);
          await window.picture(`looks-${language}-${theme}-${width}-${dialog}`);
          await page.keyboard.press('Escape');
          await page.locator('dialog[open]').waitFor({ state: 'detached' });
        }
        for (const menu of await page.locator('.menu-holder > button').all()) {
          await menu.click();
          await page.locator('.menu').waitFor();
          await expectNoFaults(page, `menu ${await menu.textContent()}`);
          await page.keyboard.press('Escape');
          await page.locator('.menu').waitFor({ state: 'detached' });
        }
        await page.getByRole('region', { name: name('Map 1', 'Karte 1') }).focus();
        await page.keyboard.press('Control+Z');
        await page.keyboard.press('Control+Z');
        await page
          .getByRole('combobox', { name: `${name('Words for', 'Wörter für')} building` })
          .waitFor({ state: 'detached' });
      },
      long,
    );

  it('is reached everywhere by keys alone, and shows where they are', async () => {
    const { page } = window;
    await page.reload();
    await page.getByRole('treeitem', { name: 'Shapes', exact: true }).waitFor();
    await typeClasses(page, ['building']);
    await page.getByRole('treeitem', { name: 'Shapes', exact: true }).click();
    await page.keyboard.press('Control+3');
    await page.getByRole('slider', { name: 'Confidence' }).waitFor();
    await page.evaluate('document.activeElement.blur()');
    const steps: Step[] = [];
    do {
      await page.keyboard.press('Tab');
      steps.push(await page.evaluate<Step>(takeStep));
      // From the last one, keys lead out of the page and back to its beginning.
    } while (!steps.at(-1)!.again && steps.length < 1000);
    const reached = steps.map(({ name }) => name);
    expect(
      steps.at(-1)!.first,
      `keys come round, and stay in nothing: ${reached.slice(-20).join(', ')}`,
    ).toBe(true);
    expect(await page.evaluate<string[]>(notReached), `besides ${reached.join(', ')}`).toEqual([]);
    for (const wanted of [
      'Project',
      'Open scene',
      'Shapes',
      'New class',
      'Map 1',
      'Preview',
      'Run',
      'Scale',
      'Confidence',
    ])
      expect(reached, `${wanted} among ${reached.join(', ')}`).toContain(wanted);
    expect(steps.filter(({ outlined }) => !outlined).map(({ name }) => name)).toEqual([]);
    await page.keyboard.press('Control+Z');
  });

  it('takes what is typed where a window that asks has just opened', async () => {
    const { page } = window;
    await page.keyboard.press('Control+K');
    const search = page.locator('dialog[open] input');
    await search.waitFor();
    await page.keyboard.type('zoom to ev');
    expect(await search.inputValue()).toBe('zoom to ev');
    await expectNoFaults(page, 'palette');
    await page.keyboard.press('Escape');
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+O');
    const folderField = page.getByRole('textbox', { name: 'Folder' });
    await folderField.waitFor();
    await page.keyboard.type(window.folder);
    await page.keyboard.press('Enter');
    await page.getByRole('option', { name: 'shapes.gpkg' }).waitFor();
    expect(await folderField.inputValue()).toBe(window.folder);
    await page.keyboard.press('Escape');
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
    await page.getByRole('textbox', { name: 'Coordinate' }).fill('nowhere');
    await page.keyboard.press('Enter');
    await page.locator('.coordinate[aria-invalid=true]').waitFor();
  });

  it('offers a layer’s commands where the pointer is', async () => {
    const { page } = window;
    const row = page.getByRole('treeitem', { name: 'Shapes', exact: true });
    await row.click({ button: 'right' });
    const menu = page.getByRole('menu', { name: 'Layer' });
    await menu.waitFor();
    await expectNoFaults(page, 'menu of a layer');
    await window.picture('layer-menu');
    await page.keyboard.press('Escape');
    await menu.waitFor({ state: 'detached' });
    await row.click({ button: 'right' });
    await menu.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'New name' }).press('Escape');
    await row.click({ button: 'right' });
    await menu.getByRole('menuitem', { name: /^Remove/ }).click();
    await row.waitFor({ state: 'detached' });
    await page.keyboard.press('Control+Z');
    await row.waitFor();
  });

  it('would be found faint, cut or too wide', async () => {
    const { page } = window;
    await page.evaluate("document.documentElement.style.setProperty('--quiet', '#777')");
    await page.evaluate("document.querySelector('.run select').style.width = '40px'");
    await page.evaluate("document.querySelector('.run select').style.flex = 'none'");
    const { faint, cut } = await page.evaluate<Faults>(findFaults);
    expect(faint.length).toBeGreaterThan(3);
    expect(cut.length).toBeGreaterThan(0);
    await page.reload();
    await page.getByRole('treeitem', { name: 'Shapes', exact: true }).waitFor();
  });

  it('complained about nothing', () => {
    expect(window.errors).toEqual([]);
  });
});

async function command(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+K');
  await page.locator('dialog[open] input').fill(name);
  await page.keyboard.press('Enter');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
}
