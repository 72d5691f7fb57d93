import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { starterPack } from '../../../src/main/packs/starter.ts';
import { removeFeatures, runEncode, runPrompt } from '../../../src/main/run/features.ts';
import { runSegment } from '../../../src/main/run/segment.ts';
import { parseClasses } from '../../../src/worker/classmap/classes.ts';
import { readLabelImage } from '../../../src/worker/evaluate/label-image.ts';
import { Cancelled } from '../../../src/worker/report/problem.ts';

let folder: string;
let scene: string;
const at = (name: string) => path.join(folder, name);
const machine = { threads: 1, memory: 1e9 };
const encoding = { pack: starterPack, ...machine, limit: 1e9 };

/** Fields, a lake and roofs, drawn; 420 × 300 pixels, so that the last windows are shifted back. */
async function drawScene(file: string): Promise<void> {
  const roofs = Array.from(
    { length: 24 },
    (_, i) =>
      `<rect x="${20 + (i % 6) * 30}" y="${20 + Math.floor(i / 6) * 34}" width="18" height="22" fill="#a${i % 9}5040"/>`,
  ).join('');
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="420" height="300"><rect width="420" height="300" fill="#6a8f3c"/>
    <rect x="210" width="210" height="150" fill="#b9a06a"/><ellipse cx="310" cy="225" rx="80" ry="55" fill="#1d3a55"/>${roofs}</svg>`;
  await sharp(Buffer.from(picture)).png().toFile(file);
}

function agreement(labels: ArrayLike<number>, direct: ArrayLike<number>): number {
  let same = 0;
  for (let i = 0; i < direct.length; i++) if (labels[i] === direct[i]) same++;
  return same / direct.length;
}

async function labels(out: string): Promise<ArrayLike<number>> {
  return (await readLabelImage(at(out))).values;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-test-'));
  scene = at('scene.png');
  await drawScene(scene);
  const windows = { scene, ...encoding, coordinates: false };
  await runEncode({ ...windows, out: at('exact.features'), precision: 'exact' });
  await runEncode({ ...windows, out: at('compact.features'), precision: 'compact' });
  await runEncode({
    scene,
    ...encoding,
    out: at('placed.features'),
    precision: 'compact',
    coordinates: true,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('prompting what was encoded', () => {
  it('gives the labels of a direct run: all at exact precision, nearly all in four bytes a pixel', async () => {
    for (const words of ['water; building; cropland', 'grass, meadow; lake; road']) {
      const run = { classes: parseClasses(words), overwrite: true, ...machine };
      await runSegment({ scene, pack: starterPack, out: at('direct.tif'), ...run });
      await runPrompt(at('exact.features'), { out: at('exact.tif'), ...run });
      await runPrompt(at('compact.features'), { out: at('compact.tif'), ...run });
      const direct = await labels('direct.tif');
      expect(new Set(Array.from(direct)).size).toBeGreaterThan(1);
      expect(await labels('exact.tif')).toEqual(direct);
      expect(agreement(await labels('compact.tif'), direct)).toBeGreaterThanOrEqual(0.999);
    }
  });

  it('says in the result what was labelled: windows or coordinates that were stored, or neither', async () => {
    const run = { classes: parseClasses('grass; lake'), overwrite: true, ...machine };
    const told = async (out: string) =>
      JSON.parse(await readFile(at(out), 'utf8')).provenance.settings.features as unknown;
    await runPrompt(at('compact.features'), { out: at('told.geojson'), ...run });
    expect(await told('told.geojson')).toBe('windows');
    await runPrompt(at('placed.features'), { out: at('told.geojson'), ...run });
    expect(await told('told.geojson')).toBe('coordinates');
    await runPrompt(at('placed.features'), { out: at('told.geojson'), from: 'windows', ...run });
    expect(await told('told.geojson')).toBe('windows');
    await runSegment({ scene, pack: starterPack, out: at('told.geojson'), ...run });
    expect(await told('told.geojson')).toBeUndefined();
  });

  it('gives nearly all of them from coordinates alone, each about as sure, with any lambda', async () => {
    for (const settings of [{}, { lambda: 0 }, { lambda: -1 }]) {
      const classes = parseClasses('grass, meadow; lake; road');
      const run = { classes, overwrite: true, ...machine, ...settings };
      await runSegment({ scene, pack: starterPack, out: at('direct.tif'), ...run });
      await runPrompt(at('placed.features'), { out: at('placed.tif'), ...run });
      const direct = await labels('direct.tif');
      expect(new Set(Array.from(direct)).size).toBeGreaterThan(1);
      const name = JSON.stringify(settings);
      expect(agreement(await labels('placed.tif'), direct), name).toBeGreaterThanOrEqual(0.998);
      const sure = await labels('direct.confidence.tif');
      const placed = await labels('placed.confidence.tif');
      let worst = 0;
      let sum = 0;
      for (let i = 0; i < sure.length; i++) {
        const difference = Math.abs(placed[i]! - sure[i]!);
        worst = Math.max(worst, difference);
        sum += difference;
      }
      // In steps of the stored confidence, 1/255.
      expect(worst, name).toBeLessThanOrEqual(4);
      expect(sum / sure.length, name).toBeLessThan(0.25);
    }
  });

  it('takes the windows again where it is asked to, or where another upsampler made the coordinates', async () => {
    const run = { classes: parseClasses('grass; lake; road'), overwrite: true, ...machine };
    await runPrompt(at('compact.features'), { out: at('compact.tif'), ...run });
    await runPrompt(at('placed.features'), { out: at('placed.tif'), ...run, from: 'windows' });
    const windows = await labels('compact.tif');
    expect(await labels('placed.tif')).toEqual(windows);
    await runPrompt(at('compact.features'), { out: at('compact.tif'), ...run, upsampler: 'none' });
    await runPrompt(at('placed.features'), { out: at('placed.tif'), ...run, upsampler: 'none' });
    expect(await labels('placed.tif')).toEqual(await labels('compact.tif'));
    expect(await labels('placed.tif')).not.toEqual(windows);
  });

  it('takes a part with the pixels of the whole', async () => {
    const classes = parseClasses('water; building; cropland');
    const run = { classes, overwrite: true, ...machine };
    for (const store of ['compact.features', 'placed.features']) {
      await runPrompt(at(store), { out: at('whole.tif'), ...run });
      await runPrompt(at(store), {
        out: at('part.tif'),
        ...run,
        extent: { unit: 'pixels', box: [150, 90, 120, 80] },
      });
      const whole = await labels('whole.tif');
      const part = await labels('part.tif');
      const cut = Array.from(
        { length: part.length },
        (_, i) => whole[(90 + Math.floor(i / 120)) * 420 + 150 + (i % 120)],
      );
      expect(Array.from(part), store).toEqual(cut);
    }
  });

  it('goes on after a cancelled encoding and ends with the same bytes', async () => {
    const out = at('again.features');
    const asked = { scene, ...encoding, out, precision: 'compact', coordinates: true } as const;
    for (const [wanted, count] of [
      ['encoding', 2],
      ['placing features', 4],
    ] as const) {
      const stop = new AbortController();
      await expect(
        runEncode(asked, {
          signal: stop.signal,
          onProgress: ({ phase, done }) => {
            if (phase === wanted && done >= count) stop.abort(new Cancelled());
          },
        }),
      ).rejects.toMatchObject({ code: 'cancelled' });
    }
    const before = (await readFile(path.join(out, 'coordinates.bin'))).length;
    expect(before).toBeGreaterThan(0);
    const summary = await runEncode(asked);
    expect(summary.resumed).toBe(true);
    for (const file of [
      'windows.bin',
      'index.bin',
      'basis.f32',
      'coordinates.bin',
      'coordinates-index.bin',
      'pixel-basis.f32',
    ]) {
      expect(await readFile(path.join(out, file)), file).toEqual(
        await readFile(path.join(at('placed.features'), file)),
      );
    }
    expect(before).toBeLessThan((await readFile(path.join(out, 'coordinates.bin'))).length);
  });

  it('refuses coordinates with a changed byte, and those that would pass the limit', async () => {
    const out = at('damaged.features');
    await cp(at('placed.features'), out, { recursive: true });
    const file = path.join(out, 'coordinates.bin');
    const bytes = await readFile(file);
    bytes[bytes.length >> 1]! ^= 4;
    await writeFile(file, bytes);
    const run = { classes: parseClasses('water; road'), out: at('damaged.tif'), overwrite: true, ...machine };
    await expect(runPrompt(out, run)).rejects.toMatchObject({ code: 'features/damaged' });
    for (const name of ['coordinates.json', 'coordinates.bin']) await rm(path.join(out, name));
    const limit = (await readFile(path.join(out, 'windows.bin'))).length + 4000;
    await expect(
      runEncode({ scene, ...encoding, out, precision: 'compact', coordinates: true, limit }),
    ).rejects.toMatchObject({ code: 'features/limit' });
    // The windows are still good.
    await runPrompt(out, run);
  });

  // With coordinates lanes stand before the scene is looked at.
  it.each([
    false,
    true,
  ])('refuses a scene that has changed since, with coordinates: %s', async (coordinates) => {
    const other = at('other.png');
    await drawScene(other);
    await removeFeatures(at('other.features')).catch(() => {});
    await runEncode({
      scene: other,
      ...encoding,
      out: at('other.features'),
      precision: 'compact',
      coordinates,
    });
    await sharp({ create: { width: 420, height: 300, channels: 3, background: '#888' } })
      .png()
      .toFile(other);
    await expect(
      runPrompt(at('other.features'), {
        classes: parseClasses('water; road'),
        out: at('no.tif'),
        ...machine,
      }),
    ).rejects.toMatchObject({ code: 'features/changed' });
  });
});
