import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { starterPack } from '../../../src/main/packs/starter.ts';
import { runEncode, runPrompt } from '../../../src/main/run/features.ts';
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

async function labels(out: string): Promise<ArrayLike<number>> {
  return (await readLabelImage(at(out))).values;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'landscribe-test-'));
  scene = at('scene.png');
  await drawScene(scene);
  await runEncode({ scene, ...encoding, out: at('exact.features'), precision: 'exact' });
  await runEncode({ scene, ...encoding, out: at('compact.features'), precision: 'compact' });
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
      const compact = await labels('compact.tif');
      let same = 0;
      for (let i = 0; i < direct.length; i++) if (compact[i] === direct[i]) same++;
      expect(same / direct.length).toBeGreaterThanOrEqual(0.999);
    }
  });

  it('takes a part with the pixels of the whole', async () => {
    const classes = parseClasses('water; building; cropland');
    const run = { classes, overwrite: true, ...machine };
    await runPrompt(at('compact.features'), { out: at('whole.tif'), ...run });
    await runPrompt(at('compact.features'), {
      out: at('part.tif'),
      ...run,
      extent: { unit: 'pixels', box: [150, 90, 100, 80] },
    });
    const whole = await labels('whole.tif');
    const part = await labels('part.tif');
    const cut = Array.from(
      { length: part.length },
      (_, i) => whole[(90 + Math.floor(i / 100)) * 420 + 150 + (i % 100)],
    );
    expect(Array.from(part)).toEqual(cut);
  });

  it('goes on after a cancelled encoding and ends with the same bytes', async () => {
    const stop = new AbortController();
    const out = at('again.features');
    await expect(
      runEncode(
        { scene, ...encoding, out, precision: 'compact' },
        {
          signal: stop.signal,
          onProgress: ({ phase, done }) => {
            if (phase === 'encoding' && done >= 2) stop.abort(new Cancelled());
          },
        },
      ),
    ).rejects.toMatchObject({ code: 'cancelled' });
    const summary = await runEncode({ scene, ...encoding, out, precision: 'compact' });
    expect(summary.resumed).toBe(true);
    for (const file of ['windows.bin', 'index.bin', 'basis.f32']) {
      expect(await readFile(path.join(out, file))).toEqual(
        await readFile(path.join(at('compact.features'), file)),
      );
    }
  });

  it('refuses a scene that has changed since', async () => {
    const other = at('other.png');
    await drawScene(other);
    await runEncode({ scene: other, ...encoding, out: at('other.features'), precision: 'compact' });
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
