import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { readLabelImage } from '../../../src/worker/evaluate/label-image.ts';
import type { Window } from '../../../src/worker/raster/grid.ts';
import { type DemoScene, makeDemoScene } from '../../../src/worker/steps/demo.ts';
import { drawPreview } from '../../../src/worker/steps/preview.ts';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-demo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasGdal = (() => {
  try {
    execFileSync('gdalinfo', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

/** Sides that end within a tile. */
const size = 300;
let demo: DemoScene;
async function written(): Promise<DemoScene> {
  demo ??= await makeDemoScene(folder, 5, size);
  return demo;
}

describe('the demo on disk', () => {
  it('writes the scene and its true map, and nothing else', async () => {
    const { scene, scenePath, truthPath } = await written();
    expect(readdirSync(folder).sort()).toEqual(['scene.tif', 'truth.tif', 'truth.tif.aux.xml']);
    const { data, info } = await sharp(scenePath).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: size, height: size, channels: 3 });
    const length = size * size;
    const wrong = data.findIndex((value, i) => value !== scene.pixels[(i % 3) * length + Math.floor(i / 3)]);
    expect(wrong).toBe(-1);
    const truth = await readLabelImage(truthPath);
    expect(Buffer.compare(Buffer.from(truth.values), Buffer.from(scene.classes))).toBe(0);
  });

  it.skipIf(!hasGdal)('opens in GDAL on its grid without a warning (needs gdalinfo)', async () => {
    const { scenePath, truthPath, classes } = await written();
    for (const path of [scenePath, truthPath]) {
      const { stdout, stderr } = gdal(path);
      expect(stderr).toBe('');
      const info = JSON.parse(stdout);
      expect(info.geoTransform).toEqual([356000, 0.5, 0, 5645000, 0, -0.5]);
      expect(info.stac?.['proj:epsg'] ?? info.coordinateSystem.wkt).toSatisfy((value: unknown) =>
        String(value).includes('32632'),
      );
    }
    const [band] = JSON.parse(gdal(truthPath).stdout).bands;
    expect(band.noDataValue).toBe(0);
    const entry = classes[0]!;
    const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(entry.colour.slice(at, at + 2), 16));
    expect(band.colorTable.entries[entry.id].slice(0, 3)).toEqual([red, green, blue]);
  });

  it('fails in words where the folder cannot be made', async () => {
    const { scenePath } = await written();
    await expect(makeDemoScene(join(scenePath, 'inside'), 1, 64)).rejects.toMatchObject({ name: 'Problem' });
  });
});

function gdal(path: string): { stdout: string; stderr: string } {
  const errors = join(tmpdir(), `landscribe-gdal-${process.pid}.log`);
  try {
    const stdout = execFileSync('sh', ['-c', 'gdalinfo -json "$1" 2> "$2"', 'sh', path, errors], {
      encoding: 'utf8',
    });
    return { stdout, stderr: execFileSync('cat', [errors], { encoding: 'utf8' }) };
  } finally {
    rmSync(errors, { force: true });
  }
}

describe('preview', () => {
  /** Left half class 1 on grey 100, right half class 2 on grey 200. */
  const request = (width: number, height: number) => {
    const halves = (length: number, left: number, right: number): Uint8Array => {
      const values = new Uint8Array(length).fill(right);
      for (let row = 0; row < length; row += width) values.fill(left, row, row + Math.ceil(width / 2));
      return values;
    };
    return {
      width,
      height,
      readColours: async (window: Window) => halves(3 * window.width * window.height, 100, 200),
      readClasses: async (window: Window) => halves(window.width * window.height, 1, 2),
      classes: [
        { id: 1, name: 'field', words: ['field'], colour: '#ff0000' },
        { id: 2, name: 'water', words: ['water'], colour: '#0000ff' },
      ],
    };
  };

  for (const [width, height] of [
    [64, 64],
    [2000, 1500],
    [6000, 100],
    [50, 9000],
    [1, 1],
  ] as const) {
    it(`stays within 1600 pixels for ${width} × ${height}`, async () => {
      const picture = await drawPreview({ ...request(width, height), note: 'a note' });
      expect(Math.max(picture.width, picture.height)).toBeLessThanOrEqual(1600);
      expect(Math.max(picture.width, picture.height)).toBeGreaterThan(200);
    });
  }

  it('shows the scene as it is and the map in its classes', async () => {
    const picture = await drawPreview(request(400, 300));
    const at = (x: number, y: number): number[] => [
      ...picture.pixels.subarray(3 * (y * picture.width + x)).subarray(0, 3),
    ];
    const row = 150;
    expect(at(16 + 10, row)).toEqual([100, 100, 100]);
    expect(at(16 + 390, row)).toEqual([200, 200, 200]);
    const field = at(16 + 400 + 16 + 10, row);
    const water = at(16 + 400 + 16 + 390, row);
    expect(field[0]! - field[2]!).toBeGreaterThan(150);
    expect(water[2]! - water[0]!).toBeGreaterThan(150);
  });

  it('reads every row once, in strips', async () => {
    const base = request(9000, 1200);
    const rows: number[] = [];
    let most = 0;
    await drawPreview({
      ...base,
      readClasses: async (window) => {
        most = Math.max(most, window.width * window.height);
        for (let row = 0; row < window.height; row++) rows.push(window.row + row);
        return base.readClasses(window);
      },
    });
    expect(rows).toEqual(Array.from({ length: 1200 }, (_, row) => row));
    expect(most).toBeLessThanOrEqual(5 * 1024 * 1024);
  });

  it('stops when cancelled', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(drawPreview(request(100, 100), stop.signal)).rejects.toMatchObject({ code: 'cancelled' });
  });
});
