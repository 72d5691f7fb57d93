/**
 * Smoothness of the map: a project of 200,000 polygons through the browser door, in Chromium without a GPU. Drags, turns
 * the wheel and moves a linked view beside it, once near (some thousand polygons in view) and once with all in view, and
 * measures the time between the frames that the page gets. Tiles are asked for, read and drawn meanwhile. Then opens the
 * table of all of them.
 *
 *   npm run build:screen && node bench/map.ts [--polygons 200000] [--seconds 6] [--picture FOLDER] [--json]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { crsSetting } from '../src/main/desktop/open-project.ts';
import { ProjectStore } from '../src/main/project/project-store.ts';
import { storedForm } from '../src/main/project/stored-crs.ts';
import { crsFromEpsg } from '../src/worker/raster/crs.ts';
import type { PolygonFeature } from '../src/worker/vector/feature.ts';
import { plainLayer } from '../test/main/project/plain-layer.ts';

const { values } = parseArgs({
  options: {
    polygons: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '6' },
    picture: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const count = Number(values.polygons);
const seconds = Number(values.seconds);
/** Metres between the polygons' corners. */
const cell = 20;
const colours = ['#e69f00', '#56b4e9', '#009e73'];

/** Stepped polygons of 8 to 20 vertices on a chequered ground, like traced buildings. */
function* polygons(): Generator<PolygonFeature> {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const columns = Math.ceil(Math.sqrt(count));
  for (let index = 0; index < count; index++) {
    const left = 500_000 + (index % columns) * cell;
    const bottom = 5_600_000 - (Math.floor(index / columns) + 1) * cell;
    const steps = 2 + Math.floor(next() * 7);
    const ring = [left, bottom, left + 18, bottom];
    for (let step = steps; step > 0; step--) {
      const top = bottom + 4 + 14 * next();
      ring.push(left + (18 * step) / steps, top, left + (18 * (step - 1)) / steps, top);
    }
    ring.push(left, bottom);
    const rings = [Float64Array.from(ring)];
    yield { classId: 1 + (index % 3), confidence: next(), area: 200, perimeter: 60, rings };
  }
}

async function writeProject(file: string): Promise<void> {
  const store = await ProjectStore.create(file);
  const classes = colours.map((colour, index) => ({
    id: index + 1,
    name: `class ${index + 1}`,
    words: [`class ${index + 1}`],
    colour,
  }));
  const layer = store.addLayer(plainLayer('map', crsFromEpsg(32632), classes));
  let batch: PolygonFeature[] = [];
  for (const polygon of polygons()) {
    batch.push(polygon);
    if (batch.length < 1000) continue;
    layer.add(batch);
    batch = [];
  }
  layer.add(batch);
  layer.finish();
  store.saveSetting(crsSetting, storedForm(crsFromEpsg(32632)), 'system');
  store.close();
}

interface Frames {
  name: string;
  framesPerSecond: number;
  /** Frames a second in which the map was at another place than before: proof that it moved. */
  placesPerSecond: number;
  median: number;
  worst: number;
  over300: number;
}

/** Milliseconds between the page's frames while `work` goes on. */
async function frames(page: Page, name: string, work: () => Promise<void>): Promise<Frames> {
  // As text: the page's own names are not known where this is checked.
  await page.evaluate(`{
    const state = { times: [], on: true, places: 0, place: '' };
    const map = document.querySelector('.map-canvas');
    globalThis.frameTimes = state;
    const each = (time) => {
      state.times.push(time);
      const place = map.dataset.centre + ' ' + map.dataset.resolution;
      if (place !== state.place) state.places++;
      state.place = place;
      if (state.on) requestAnimationFrame(each);
    };
    requestAnimationFrame(each);
  }`);
  await work();
  const { times, places } = await page.evaluate<{ times: number[]; places: number }>(
    '(globalThis.frameTimes.on = false, { times: frameTimes.times, places: frameTimes.places })',
  );
  const gaps = times
    .slice(1)
    .map((time, index) => time - times[index]!)
    .sort((a, b) => a - b);
  return {
    name,
    framesPerSecond: (1000 * gaps.length) / (times.at(-1)! - times[0]!),
    placesPerSecond: (1000 * places) / (times.at(-1)! - times[0]!),
    median: gaps[gaps.length >> 1]!,
    worst: gaps.at(-1)!,
    over300: gaps.filter((gap) => gap > 300).length,
  };
}

/** Waits for the polygons: frames of an empty map say nothing. */
async function drawn(page: Page): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const picture = await page.locator('.map-canvas').first().screenshot();
    const { data } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    let coloured = 0;
    for (let at = 0; at < data.length; at += 3) {
      const [red, green, blue] = [data[at]!, data[at + 1]!, data[at + 2]!];
      if (Math.max(red, green, blue) - Math.min(red, green, blue) > 24) coloured++;
    }
    if ((3 * coloured) / data.length > 0.3) return;
    if (performance.now() > deadline) throw new Error('The map shows no polygons.');
    await page.waitForTimeout(300);
  }
}

async function drag(page: Page, [x, y]: readonly [number, number]): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let way = 1;
  while (performance.now() < end) {
    await page.mouse.move(x + way * 150, y + way * 75);
    await page.mouse.down();
    for (let step = 0; step <= 40; step++) {
      await page.mouse.move(x + way * (150 - step * 7.5), y + way * (75 - step * 3.75));
      await page.waitForTimeout(12);
    }
    await page.mouse.up();
    way = -way;
  }
}

async function wheel(page: Page, [x, y]: readonly [number, number]): Promise<void> {
  await page.mouse.move(x, y);
  const end = performance.now() + seconds * 1000;
  let turn = 0;
  while (performance.now() < end) {
    await page.mouse.wheel(0, turn++ % 24 < 12 ? -100 : 100);
    await page.waitForTimeout(60);
  }
}

const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-bench-map-'));
const file = path.join(folder, 'bench.gpkg');
await writeProject(file);
const door = spawn(
  process.execPath,
  [
    path.resolve(import.meta.dirname, '../src/main/serve.ts'),
    ...['--port', '0', '--no-open', '--root', folder, '--project', file],
  ],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LANDSCRIBE_HOME: path.join(folder, 'home') },
  },
);
const ended = new Promise((resolve) => door.on('exit', resolve));
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const url = await new Promise<string>((resolve, reject) => {
    door.stdout.on('data', (chunk) => {
      const found = /http:\S+/.exec(String(chunk));
      if (found) resolve(found[0]);
    });
    door.on('exit', (code) => reject(new Error(`the door ended with ${code}`)));
  });
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  await page.goto(url);
  const map = page.locator('.map-canvas').first();
  await map.locator('canvas').first().waitFor();
  await page.waitForLoadState('networkidle');
  const box = (await map.boundingBox())!;
  const middle = [box.x + box.width / 2, box.y + box.height / 2] as const;
  const picture = async (name: string) => {
    if (values.picture) await page.screenshot({ path: path.join(values.picture, `${name}.png`) });
  };
  /** Drags and turns of the wheel do not end quite where they began. */
  /** Until the map's picture changes no more: all that is in view has been read and drawn. */
  const settled = async () => {
    const begin = performance.now();
    let [before, since] = ['', begin];
    for (;;) {
      const now = (await map.screenshot()).toString('base64');
      if (now !== before) [before, since] = [now, performance.now()];
      else if (performance.now() - since > 2000) return since - begin;
    }
  };
  const whole = async () => {
    await map.focus();
    await page.keyboard.press('Control+Shift+F');
    await page.waitForTimeout(1000);
    await drawn(page);
  };
  const all = await settled();
  await drawn(page);
  await picture('all');
  const rows: Frames[] = [await frames(page, 'all in view, pan', () => drag(page, middle))];
  await whole();
  rows.push(await frames(page, 'all in view, zoom in and out', () => wheel(page, middle)));
  await whole();
  await page.mouse.move(...middle);
  for (let turn = 0; turn < 10; turn++) {
    await page.mouse.wheel(0, -100);
    await page.waitForTimeout(80);
  }
  const near = await settled();
  await picture('near');
  rows.push(await frames(page, 'near, pan', () => drag(page, middle)));
  rows.push(await frames(page, 'near, zoom in and out', () => wheel(page, middle)));
  await map.focus();
  await page.keyboard.press('Control+M');
  await page.locator('.map-canvas').nth(1).locator('canvas').first().waitFor();
  await page.waitForTimeout(1500);
  const half = (await map.boundingBox())!;
  const left = [half.x + half.width / 2, half.y + half.height / 2] as const;
  rows.push(await frames(page, 'two linked views, pan', () => drag(page, left)));
  await page.waitForTimeout(1000);
  await drawn(page);
  await picture('linked');
  // Opened cold: the page is loaded anew, so nothing of the table is there.
  await page.reload();
  await drawn(page);
  await page.waitForLoadState('networkidle');
  await page.getByRole('treeitem', { name: 'map', exact: true }).click();
  const begin = performance.now();
  await page.keyboard.press('F6');
  await page.locator(`[role=grid][aria-rowcount="${count + 1}"] [role=row][aria-rowindex="12"]`).waitFor();
  const table = performance.now() - begin;
  await picture('table');
  // The attributes as the host sends them, read from the file anew.
  const columns = await page.evaluate<number>(
    "(async () => { const begin = performance.now(); await (await fetch('/columns/map?v=cold')).arrayBuffer(); return performance.now() - begin; })()",
  );
  const about = {
    mapPixels: [box.width, box.height],
    allDrawnMs: all,
    nearDrawnMs: near,
    tableMs: table,
    columnsMs: columns,
  };
  if (values.json) console.log(JSON.stringify({ ...about, rows }, null, 2));
  else {
    console.log(`${count} polygons, ${box.width} x ${box.height} pixels, ${seconds} s each`);
    console.log(
      `  table open in ${table.toFixed(0)} ms, its columns from the file in ${columns.toFixed(0)} ms; first map drawn in ${all.toFixed(0)} ms; zoomed in 10 steps, drawn ${near.toFixed(0)} ms later`,
    );
    for (const { name, framesPerSecond, placesPerSecond, median, worst, over300 } of rows)
      console.log(
        `  ${name.padEnd(30)} ${framesPerSecond.toFixed(1)} frames/s, ${placesPerSecond.toFixed(1)} places/s, median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms, ${over300} over 300 ms`,
      );
  }
} finally {
  await browser.close();
  door.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
