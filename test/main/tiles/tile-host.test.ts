import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { openTileHost, type TileHost } from '../../../src/main/tiles/tile-host.ts';
import { applyAffine } from '../../../src/worker/raster/affine.ts';
import { crsFromEpsg, transformer } from '../../../src/worker/raster/crs.ts';
import { Cancelled, type Problem } from '../../../src/worker/report/problem.ts';
import { openScene } from '../../../src/worker/scene/open-scene.ts';
import { drawTile } from '../../../src/worker/tiles/draw-tile.ts';
import type { ClassStyle, ImageryStyle } from '../../../src/worker/tiles/style.ts';
import { tileFrame, tileGridOf } from '../../../src/worker/tiles/tile-grid.ts';
import { TileSource } from '../../../src/worker/tiles/tile-source.ts';
import { hasGdal } from '../../worker/scene/gdal.ts';
import { gdalwarp } from '../../worker/tiles/gdalwarp.ts';
import { writeStripedTiff } from './striped-tiff.ts';

const fixtures = resolve(process.env.LANDSCRIBE_FIXTURES ?? '../shared/fixtures/segearth');
const shared = resolve(fixtures, '../../data');
const ready = existsSync(shared);
const folder = mkdtempSync(join(tmpdir(), 'landscribe-tile-host-'));
const hosts: TileHost[] = [];
afterAll(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  rmSync(folder, { recursive: true, force: true });
});

function newHost(options: { cacheBytes?: number; threads?: number } = {}): TileHost {
  const pyramidFolder = join(folder, 'overviews');
  const host = openTileHost({ cacheBytes: 2 ** 24, threads: 1, pyramidFolder, ...options });
  hosts.push(host);
  return host;
}

const range = { low: 0, high: 255 };
const colours: ImageryStyle = { kind: 'imagery', bands: [0, 1, 2], stretch: [range, range, range], gamma: 1 };

async function pixelsOf(body: Uint8Array): Promise<Buffer> {
  return sharp(body).ensureAlpha().raw().toBuffer();
}

const problem = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: Problem) => error.code,
  );

/** Place of the tile around a scene's middle, in a system, with about `scale` scene pixels per tile pixel. */
async function middleOf(path: string, epsg: number, scale: number) {
  const scene = await openScene(path);
  const { grid } = scene.header;
  await scene.close();
  const crs = crsFromEpsg(epsg);
  const project = transformer(grid.crs!, crs)!;
  const at = (across: number) => project(...applyAffine(grid.transform, across, grid.height / 2));
  const [[x, y], [besideX, besideY]] = [at(grid.width / 2), at(grid.width / 2 + 1)];
  const { origin, resolutions, tileSize } = tileGridOf(crs);
  const wanted = scale * Math.hypot(besideX - x, besideY - y);
  const z = resolutions.findIndex((resolution) => resolution <= wanted * Math.SQRT2);
  const side = resolutions[z]! * tileSize;
  return { crs, z, x: Math.floor((x - origin[0]) / side), y: Math.floor((origin[1] - y) / side) };
}

describe.skipIf(!ready || !hasGdal)(
  'tiles as they are sent (needs the shared scenes and python3-gdal)',
  () => {
    for (const [path, epsg, scale] of [
      ['scenes/oem_koeln_50.tif', 25831, 1],
      ['scenes/naip_prairie_2010.tif', 4326, 3],
      ['scenes/zanzibar_drone.tif', 3857, 8],
      ['tricky-rasters/rio-tiler__cog_dateline.tif', 3857, 2],
      ['tricky-rasters/rio-cogeo__validate__image_external.tif', 3857, 2],
    ] as const) {
      test(`${path} in EPSG:${epsg}: within 2 grey levels of gdalwarp's picture on average`, async () => {
        const file = join(shared, path);
        const scene = await openScene(file);
        const count = scene.header.bands.filter(({ role }) => role !== 'alpha').length;
        const [low, high] = scene.header.bands[0]!.type === 'uint8' ? [0, 255] : [0, 40_000];
        await scene.close();
        const bands: [number, number, number] = count < 3 ? [0, 0, 0] : [0, 1, 2];
        const place = await middleOf(file, epsg, scale);
        const style = {
          ...colours,
          bands,
          stretch: [
            { low, high },
            { low, high },
            { low, high },
          ],
        } as ImageryStyle;
        const tile = await newHost().rasterTile({ path: file, style, ...place });
        expect(tile).toMatchObject({ type: 'image/webp', draft: false });
        const frame = tileFrame(tileGridOf(place.crs), { zoom: place.z, column: place.x, row: place.y });
        const truth = gdalwarp(file, frame, 'bilinear', folder, bands);
        const drawn = await pixelsOf(tile!.body);
        let [sum, compared, worst] = [0, 0, 0];
        for (let at = 0; at < 256 * 256; at++) {
          if (drawn[4 * at + 3] === 0 || truth.alpha[at] === 0) continue;
          for (let channel = 0; channel < 3; channel++) {
            const expected = Math.min(255, ((truth.planes[channel]![at]! - low) * 255) / (high - low));
            const difference = Math.abs(drawn[4 * at + channel]! - expected);
            worst = Math.max(worst, difference);
            sum += difference;
            compared++;
          }
        }
        expect(compared).toBeGreaterThan(10_000);
        expect(sum / compared, `worst ${worst}`).toBeLessThan(2);
      });
    }

    test('classes keep their exact colours on the way', async () => {
      const file = join(shared, 'scenes/zanzibar_drone_buildings.tif');
      const style: ClassStyle = {
        kind: 'classes',
        band: 0,
        colours: [
          { value: 0, colour: '#010203' },
          { value: 1, colour: '#d55e01', opacity: 0.5 },
        ],
      };
      const crs = crsFromEpsg(3857);
      const grid = tileGridOf(crs);
      const [x, y] = [4368299.73 + 150 * 0.0746, -676544.14 - 1080 * 0.0746];
      const zoom = 21;
      const side = grid.resolutions[zoom]! * 256;
      const place = {
        zoom,
        column: Math.floor((x - grid.origin[0]) / side),
        row: Math.floor((grid.origin[1] - y) / side),
      };
      const tile = await newHost().rasterTile({
        path: file,
        style,
        crs,
        z: zoom,
        x: place.column,
        y: place.row,
      });
      expect(tile).toMatchObject({ type: 'image/webp', draft: false });
      const source = await TileSource.open(file, { overviewFolder: folder, reduction: 'mode' });
      const direct = await drawTile(source, tileFrame(grid, place), style);
      await source.close();
      const drawn = await pixelsOf(tile!.body);
      const opacities = new Set<number>();
      for (let at = 0; at < 256 * 256; at++) {
        const alpha = direct.rgba[4 * at + 3]!;
        opacities.add(alpha);
        expect(drawn[4 * at + 3]).toBe(alpha);
        if (alpha > 0)
          expect(drawn.subarray(4 * at, 4 * at + 3)).toEqual(
            Buffer.from(direct.rgba.subarray(4 * at, 4 * at + 3)),
          );
      }
      expect([...opacities].sort()).toEqual([128, 255]);
    });

    test('a palette drawn as imagery has its colours, mixed at borders alone; so has its histogram', async () => {
      const file = join(shared, 'tricky-rasters/rio-tiler__cog_cmap.tif');
      const host = newHost();
      const tile = await host.rasterTile({
        path: file,
        style: colours,
        ...(await middleOf(file, 3857, 0.5)),
      });
      expect(tile!.draft).toBe(false);
      const drawn = await pixelsOf(tile!.body);
      const scene = await openScene(file, undefined, { paletteAs: 'indices' });
      const [reds, greens, blues] = scene.palette!;
      await scene.close();
      const known = new Set(Array.from(reds!, (red, at) => `${red} ${greens![at]} ${blues![at]}`));
      let own = 0;
      for (let at = 0; at < drawn.length; at += 4)
        if (known.has(`${drawn[at]} ${drawn[at + 1]} ${drawn[at + 2]}`)) own++;
      expect(own).toBeGreaterThan(0.8 * 256 * 256);
      const statistics = await host.sceneStatistics(file, [0, 1, 2]);
      expect(statistics.map(({ name }) => name)).toEqual(['red', 'green', 'blue']);
    });
  },
);

describe('the tile host', () => {
  const size = { width: 5000, height: 3000, bands: 3 };
  const striped = join(folder, 'striped.tif');
  const crs = crsFromEpsg(32632);
  const grid = tileGridOf(crs);
  /** Red grows to the right, green downwards, blue is one value. */
  writeStripedTiff(striped, size, (row, samples) => {
    for (let column = 0; column < size.width; column++) {
      samples[3 * column] = Math.floor((column * 250) / size.width);
      samples[3 * column + 1] = Math.floor((row * 250) / size.height);
      samples[3 * column + 2] = 77;
    }
  });
  const placeAt = (zoom: number, column: number, row: number) => {
    const side = grid.resolutions[zoom]! * 256;
    return {
      z: zoom,
      x: Math.floor((500_000 + column / 2 - grid.origin[0]) / side),
      y: Math.floor((grid.origin[1] - 5_600_000 + row / 2) / side),
    };
  };
  /** A zoom whose tiles hold more of the scene than is drawn from it directly. */
  const far = grid.resolutions.findIndex((resolution) => resolution <= 8);
  const near = grid.resolutions.findIndex((resolution) => resolution <= 0.5);

  /** Most that the picture is off from what was written into the file. */
  async function worst(body: Uint8Array, place: { z: number; x: number; y: number }): Promise<number> {
    const drawn = await pixelsOf(body);
    const frame = tileFrame(grid, { zoom: place.z, column: place.x, row: place.y });
    let most = 0;
    for (let at = 0; at < 256 * 256; at++) {
      if (drawn[4 * at + 3] !== 255) continue;
      const [x, y] = applyAffine(frame.transform, (at % 256) + 0.5, Math.floor(at / 256) + 0.5);
      const [column, row] = [2 * (x - 500_000), 2 * (5_600_000 - y)];
      // Away from the edges, where fewer pixels take part.
      if (column < 40 || row < 40 || column > size.width - 40 || row > size.height - 40) continue;
      const expected = [(column * 250) / size.width, (row * 250) / size.height, 77];
      for (let channel = 0; channel < 3; channel++)
        most = Math.max(most, Math.abs(drawn[4 * at + channel]! - expected[channel]!));
    }
    return most;
  }

  test('a file without overviews shows a draft at once, and itself when they are built', async () => {
    const host = newHost();
    const place = placeAt(far, 2500, 1500);
    const request = { path: striped, style: colours, crs, ...place };
    const draft = await host.rasterTile(request);
    expect(draft?.draft).toBe(true);
    expect(await worst(draft!.body, place)).toBeLessThan(25);
    const shares: number[] = [];
    await host.buildPyramid(striped, undefined, ({ done, total }) => shares.push(done / total));
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
    expect(readdirSync(join(folder, 'overviews')).some((name) => name.endsWith('.tif'))).toBe(true);
    const tile = await host.rasterTile(request);
    expect(tile?.draft).toBe(false);
    // Lossy by a few levels; half a pixel of the overview is one more.
    expect(await worst(tile!.body, place)).toBeLessThan(8);
    const again = newHost();
    expect((await again.rasterTile(request))?.draft).toBe(false);
  });

  test('a box of any size comes as one picture; larger ones are refused', async () => {
    const host = newHost();
    const box = [500_100, 5_599_500, 500_400, 5_599_700] as const;
    const request = { path: striped, style: colours, crs, box };
    const picture = await host.rasterPicture({ ...request, width: 300, height: 200 });
    const { info, data } = await sharp(picture!.body).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([300, 200]);
    expect(Math.abs(data[0]! - (201 * 250) / size.width)).toBeLessThan(2);
    expect(await problem(host.rasterPicture({ ...request, width: 5000, height: 10 }))).toBe(
      'tiles/bad-request',
    );
  });

  test('the cache keeps to its bound', async () => {
    const cacheBytes = 40_000;
    const host = newHost({ cacheBytes, threads: 2 });
    for (let at = 0; at < 40; at++)
      await host.rasterTile({ path: striped, style: colours, crs, ...placeAt(near, 40 + 120 * at, 500) });
    const held = await host.cachedBytes();
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(cacheBytes);
  });

  test('what was asked for last is drawn first, and what nobody waits for any more is not', async () => {
    const host = newHost();
    await host.rasterTile({ path: striped, style: colours, crs, ...placeAt(near, 100, 100) });
    const order: number[] = [];
    const gone = new AbortController();
    const all = Array.from({ length: 24 }, (_, index) =>
      host
        .rasterTile(
          {
            path: striped,
            style: colours,
            crs,
            ...placeAt(near, 200 + 256 * (index % 12), 300 + 256 * Math.floor(index / 12)),
          },
          index === 20 ? gone.signal : undefined,
        )
        .then(
          () => order.push(index),
          (error) => expect(error).toBeInstanceOf(Cancelled),
        ),
    );
    gone.abort(new Cancelled());
    await Promise.all(all);
    expect(order).toHaveLength(23);
    expect(order).not.toContain(20);
    expect(order.indexOf(23)).toBeLessThan(order.indexOf(6));
    expect(
      await problem(
        host.rasterTile({ path: striped, style: colours, crs, ...placeAt(near, 9, 9) }, gone.signal),
      ),
    ).toBe('cancelled');
  });

  test('statistics, values under a point and the first style tell what is in the file', async () => {
    const host = newHost();
    const [red, blue] = await host.sceneStatistics(striped, [0, 2]);
    expect(blue).toMatchObject({
      band: 2,
      minimum: 77,
      maximum: 77,
      mean: 77,
      deviation: 0,
      low: 77,
      high: 77,
    });
    expect(red!.minimum).toBe(0);
    expect(red!.maximum).toBe(249);
    expect(red!.low).toBeLessThan(red!.mean);
    expect(red!.mean).toBeLessThan(red!.high);
    expect(red!.histogram).toHaveLength(64);
    const counted = red!.histogram.reduce((sum, count) => sum + count, 0);
    expect(blue!.histogram[0]).toBe(counted);
    const under = await host.identify({ path: striped }, crs, 500_000.25 + 1000, 5_599_999.75 - 500);
    expect(under).toEqual({ column: 2000, row: 1000, values: [100, 83, 77] });
    expect(await host.identify({ path: striped }, crs, 0, 0)).toBe(null);
    const style = await host.defaultStyle(striped);
    expect(style).toMatchObject({ kind: 'imagery', bands: [0, 1, 2], gamma: 1 });
    // An assigned system moves the raster there.
    const moved = { path: striped, assigned: crsFromEpsg(32633) };
    expect(await host.identify(moved, crsFromEpsg(32633), 500_000.25, 5_599_999.75)).toMatchObject({
      column: 0,
      row: 0,
    });
  });

  test('what cannot be drawn is a problem that says why, and the next tile is drawn', async () => {
    const host = newHost();
    const corrupt = join(folder, 'corrupt.tif');
    writeFileSync(corrupt, Buffer.concat([Buffer.from('II*\0\x08\0\0\0'), Buffer.alloc(500, 0xff)]));
    const at = { crs, ...placeAt(near, 100, 100) };
    expect(await problem(host.rasterTile({ path: corrupt, style: colours, ...at }))).toMatch(/^scene\//);
    expect(await problem(host.rasterTile({ path: join(folder, 'none.tif'), style: colours, ...at }))).toBe(
      'scene/missing',
    );
    expect(await problem(host.sceneStatistics(striped, [3]))).toBe('prep/bad-bands');
    const missing: ImageryStyle = { ...colours, bands: [0, 1, 9] };
    expect(await problem(host.rasterTile({ path: striped, style: missing, ...at }))).toBe('tiles/bad-style');
    expect(await problem(host.rasterTile({ path: striped, style: colours, ...at, z: 99 }))).toBe(
      'tiles/bad-request',
    );
    expect((await host.rasterTile({ path: striped, style: colours, ...at }))?.type).toBe('image/webp');
    expect(await host.rasterTile({ path: striped, style: colours, ...at, x: at.x + 1000 })).toBe(null);
    await host.forget(striped);
    await host.close();
    expect(await problem(host.rasterTile({ path: striped, style: colours, ...at }))).toBe('engine/ended');
  });
});
