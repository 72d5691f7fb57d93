/**
 * Live prompting, in three parts. A scene is segmented directly, encoded with coordinates, and relabelled from them: the
 * ratio of the times, by the clock and by the processor, and the share of equal labels. The same view is encoded by a
 * preview in Chromium without a GPU; then words are typed into it, one keystroke at a time: from the keystroke to the
 * picture on the map, and the host's share of that. Last, memory of the host over as many prompts as asked.
 *
 *   npm run build:screen && node bench/live.ts SCENE [--keys 20] [--prompts 200] [--screen-only] [--json]
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { starterPack } from '../src/main/packs/starter.ts';
import { runEncode, runPrompt } from '../src/main/run/features.ts';
import { runSegment } from '../src/main/run/segment.ts';
import { parseClasses } from '../src/worker/classmap/classes.ts';
import { readLabelImage } from '../src/worker/evaluate/label-image.ts';
import { openDoor } from '../test/main/serve/door.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    keys: { type: 'string', default: '20' },
    prompts: { type: 'string', default: '200' },
    'screen-only': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [scene] = positionals;
if (!scene) {
  console.log('no scene is given: node bench/live.ts SCENE');
  process.exit(0);
}
const classes = ['building', 'road', 'tree', 'grass', 'water', 'bare soil'];
/** Words to type, known to the starter, each another picture. */
const words = ['house', 'forest', 'car', 'field', 'river', 'lake', 'roof', 'railway', 'pavement', 'sand'];
const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-bench-'));
const report: Record<string, number> = {};

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

interface Spent {
  /** From the first window to the last strip. */
  labelling: number;
  /** Processor time in the same while, of all threads. */
  processor: number;
  whole: number;
}

async function spent(
  work: (onProgress: (progress: { phase: string }) => void) => Promise<unknown>,
): Promise<Spent> {
  const start = performance.now();
  let begun = 0;
  let processor = process.cpuUsage();
  await work(({ phase }) => {
    if (phase !== 'segmenting' || begun > 0) return;
    begun = performance.now();
    processor = process.cpuUsage();
  });
  const end = performance.now();
  const { user, system } = process.cpuUsage(processor);
  return { labelling: end - begun, processor: (user + system) / 1e3, whole: end - start };
}

async function speed(): Promise<void> {
  const run = { classes: parseClasses(classes.join(';')), overwrite: true, formats: ['tif' as const] };
  const out = (name: string) => path.join(folder, name);
  const direct = await spent((onProgress) =>
    runSegment({ scene: scene!, pack: starterPack, out: out('direct'), ...run }, { onProgress }),
  );
  const stored = await runEncode({
    scene: scene!,
    pack: starterPack,
    out: out('features'),
    precision: 'compact',
    coordinates: true,
    limit: 50e9,
  });
  const relabelled: Spent[] = [];
  for (let turn = 0; turn < 3; turn++)
    relabelled.push(
      await spent((onProgress) => runPrompt(out('features'), { out: out('stored'), ...run }, { onProgress })),
    );
  const first = (await readLabelImage(out('direct.tif'))).values;
  const second = (await readLabelImage(out('stored.tif'))).values;
  let same = 0;
  for (let i = 0; i < first.length; i++) if (first[i] === second[i]) same++;
  report.directSeconds = direct.labelling / 1e3;
  report.relabelSeconds = median(relabelled.map(({ labelling }) => labelling)) / 1e3;
  report.labellingRatio = report.directSeconds / report.relabelSeconds;
  report.processorRatio = direct.processor / median(relabelled.map(({ processor }) => processor));
  report.wholeRatio = direct.whole / median(relabelled.map(({ whole }) => whole));
  report.equalLabels = same / first.length;
  report.bytesPerPixel = stored.bytesPerPixel;
  report.directions = stored.coordinates?.rank ?? 0;
}

/** Resident memory of a process, MiB. */
function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

async function typing(): Promise<void> {
  const name = path.basename(scene!);
  copyFileSync(scene!, path.join(folder, name));
  const door = await openDoor(['--root', folder], path.join(folder, 'home'));
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const page = await (
      await browser.newContext({ viewport: { width: 1400, height: 900 }, locale: 'en-GB' })
    ).newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(door.url);
    await page.getByRole('menubar', { name: 'Menus' }).waitFor();
    await page.keyboard.press('Control+Shift+R');
    const dialog = page.getByRole('dialog', { name: 'Open scenes' });
    await dialog.getByRole('textbox', { name: 'Folder' }).fill(folder);
    await page.keyboard.press('Enter');
    await dialog.getByRole('option', { name, exact: true }).click();
    await dialog.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('treeitem', { name, exact: true }).waitFor();
    const field = page.getByRole('combobox', { name: 'New class' });
    for (const word of classes) {
      await field.fill(word);
      await field.press('Enter');
      await page.getByRole('combobox', { name: `Words for ${word}` }).waitFor();
    }
    await page.getByRole('button', { name: 'Preview', exact: true }).click();
    await page.getByRole('button', { name: 'Remove the preview' }).waitFor();
    await page.locator('[data-preview]').waitFor();
    // As text: the page's own names are not known where this is checked.
    await page.evaluate(`{
      const state = { typed: 0, shown: 0, seen: null };
      globalThis.benchLive = state;
      document.addEventListener('input', () => { state.typed = performance.now(); state.shown = 0; }, true);
      const map = document.querySelector('[data-preview]');
      new MutationObserver(() => { state.shown = performance.now(); state.seen?.(); })
        .observe(map, { attributeFilter: ['data-preview'] });
    }`);
    const synonym = page.getByRole('combobox', { name: 'Words for building' });
    /** One keystroke that changes the words: milliseconds to the picture, and the host's part. */
    const key = async (word: string) => {
      // A space before it keeps the word a draft.
      await synonym.fill(word === '' ? '' : ` ${word}`);
      return page.evaluate<{ all: number; host: number }>(
        `new Promise((seen) => { benchLive.shown > 0 ? seen() : benchLive.seen = seen; }).then(() => ({
           all: benchLive.shown - benchLive.typed,
           host: performance.getEntriesByName('landscribe-relabelled').at(-1).detail.milliseconds }))`,
      );
    };
    for (const word of words) {
      await key(word);
      await key('');
    }
    const times: { all: number; host: number }[] = [];
    for (let turn = 0; turn < Number(values.keys); turn++)
      times.push(await key(turn % 2 === 0 ? words[(turn / 2) % words.length]! : ''));
    report.keyToPicture = median(times.map(({ all }) => all));
    report.hostShare = median(times.map(({ host }) => host));
    const before = resident(door.process.pid!);
    const prompts = Number(values.prompts);
    for (let turn = 0; turn < prompts; turn++)
      await key(turn % 2 === 0 ? words[(turn / 2) % words.length]! : '');
    report.residentBefore = before;
    report.residentAfter = resident(door.process.pid!);
  } finally {
    await browser.close();
    await door.end();
  }
}

try {
  if (!values['screen-only']) await speed();
  await typing();
  if (values.json) console.log(JSON.stringify(report));
  else {
    const number = (name: string, digits: number) => (report[name] ?? Number.NaN).toFixed(digits);
    if (!values['screen-only']) {
      console.log(
        `labelling: direct ${number('directSeconds', 1)} s, stored ${number('relabelSeconds', 2)} s: ${number('labellingRatio', 0)} times as fast, ${number('processorRatio', 0)} by processor time; whole runs ${number('wholeRatio', 1)}`,
      );
      console.log(
        `${(100 * report.equalLabels!).toFixed(3)} % of the labels equal, ${number('bytesPerPixel', 2)} bytes a pixel, ${number('directions', 0)} directions`,
      );
    }
    console.log(
      `keystroke to picture: ${number('keyToPicture', 0)} ms, of which the host ${number('hostShare', 0)} ms (medians of ${values.keys})`,
    );
    console.log(
      `host over ${values.prompts} prompts: ${number('residentBefore', 0)} MiB before, ${number('residentAfter', 0)} MiB after`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
