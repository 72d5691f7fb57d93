import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { classEntries } from '../../../src/worker/classmap/classes.ts';
import { GeoTiffReader, readClassStrips } from '../../../src/worker/classmap/geotiff-reader.ts';
import {
  type GeoTiffLayout,
  GeoTiffWriter,
  worstCaseBytes,
} from '../../../src/worker/classmap/geotiff-writer.ts';
import { journalPath, readJournal } from '../../../src/worker/classmap/journal.ts';
import {
  describeClassMap,
  describeConfidence,
  type MapContext,
  writeSidecar,
} from '../../../src/worker/classmap/map-files.ts';
import type { Crs } from '../../../src/worker/raster/crs.ts';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-geotiff-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const withGdal = it.skipIf(spawnSync('gdalinfo', ['--version']).status !== 0);
let names = 0;

const utm32: Crs = {
  epsg: 25_832,
  name: 'ETRS89 / UTM zone 32N',
  kind: 'projected',
  proj4: null,
  wkt: null,
  metresPerUnit: 1,
};

function layoutOf(overrides: Partial<GeoTiffLayout> = {}): GeoTiffLayout {
  const path = join(folder, `map-${names++}.tif`);
  return {
    path,
    partPath: `${path}.part`,
    width: 70,
    height: 53,
    sampleType: 'uint8',
    tileSize: 16,
    bigTiff: 'auto',
    level: 6,
    ...overrides,
  };
}

function contextOf(count: number, overrides: Partial<MapContext> = {}): MapContext {
  return {
    transform: [356_000, 0.5, 0, 5_645_000, 0, -0.5],
    crs: utm32,
    software: 'Landscribe 0.1.0',
    classes: classEntries(
      Array.from({ length: count }, (_, index) => [index === 1 ? 'Grün <&> "a"' : `class ${index}`]),
    ),
    provenance: JSON.stringify({ scene: 'Köln & Umgebung.tif' }),
    ...overrides,
  };
}

/** Blobs with empty parts, so that some tiles are sparse. */
function pattern(width: number, height: number, classes: number): Uint16Array {
  const samples = new Uint16Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const inside = column > 20 || row > 20;
      samples[row * width + column] = inside
        ? 1 + ((Math.floor(column / 7) + 3 * Math.floor(row / 5)) % classes)
        : 0;
    }
  }
  return samples;
}

function rowsOf<Samples extends Uint8Array | Uint16Array>(
  layout: GeoTiffLayout,
  all: Samples,
  from: number,
  rows: number,
): Samples {
  return all.subarray(from * layout.width, (from + rows) * layout.width) as Samples;
}

const fresh = { digest: 'd', state: 's', strips: [] };

/** Writes strips of one tile row, from strip `first` on, `until` exclusive. */
async function writeStrips(
  writer: GeoTiffWriter,
  all: Uint8Array | Uint16Array,
  first: number,
  until: number,
): Promise<void> {
  const { width, height, tileSize } = writer.layout;
  for (let strip = first; strip < until; strip++) {
    const row = strip * tileSize;
    const rows = Math.min(tileSize, height - row);
    await writer.writeBlock(0, row, width, rows, rowsOf(writer.layout, all, row, rows));
    await writer.commitStrip(String(strip));
  }
}

async function writeWhole(
  layout: GeoTiffLayout,
  all: Uint8Array | Uint16Array,
  context: MapContext,
): Promise<void> {
  const writer = await GeoTiffWriter.open(layout, fresh);
  await writeStrips(writer, all, 0, Math.ceil(layout.height / layout.tileSize));
  await writer.seal(describeClassMap(context));
  await writer.publish();
  await writeSidecar(layout.path, context.crs, context.classes);
}

interface GdalInfo {
  size: [number, number];
  geoTransform: number[];
  coordinateSystem?: { wkt: string };
  metadata: Record<string, Record<string, string>>;
  bands: {
    type: string;
    noDataValue: number;
    colorInterpretation: string;
    scale?: number;
    description?: string;
    colorTable?: { count: number; entries: number[][] };
  }[];
}

/** `gdalinfo -json` and the category names; fails on any warning. */
function gdalInfo(path: string): GdalInfo & { categories: string[] } {
  const json = spawnSync('gdalinfo', ['-json', path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  expect(json.stderr).toBe('');
  const text = execFileSync('gdalinfo', [path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const categories = [
    ...(/^ {2}Categories:\n((?: +\d+: .*\n)*)/m.exec(text)?.[1] ?? '').matchAll(/^ +\d+: (.*)$/gm),
  ].map((match) => match[1]!);
  return { ...(JSON.parse(json.stdout) as GdalInfo), categories };
}

/** Pixels as GDAL reads them. */
function gdalPixels(path: string, type: 'uint8' | 'uint16'): Uint8Array | Uint16Array {
  const raw = `${path}.raw`;
  const run = spawnSync('gdal_translate', ['-q', '-of', 'ENVI', path, raw], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  const bytes = readFileSync(raw);
  return type === 'uint8' ? new Uint8Array(bytes) : new Uint16Array(new Uint8Array(bytes).buffer);
}

describe('class map GeoTIFF', () => {
  withGdal('opens in GDAL with its pixels, place, colours and names', async () => {
    const layout = layoutOf();
    const context = contextOf(5);
    const all = Uint8Array.from(pattern(layout.width, layout.height, 5));
    await writeWhole(layout, all, context);
    const info = gdalInfo(layout.path);
    expect(info.size).toEqual([70, 53]);
    expect(info.geoTransform).toEqual([356_000, 0.5, 0, 5_645_000, 0, -0.5]);
    expect(info.coordinateSystem!.wkt).toMatch(/ID\["EPSG",25832\]\]\s*$/);
    const band = info.bands[0]!;
    expect([band.type, band.noDataValue, band.colorInterpretation, band.description]).toEqual([
      'Byte',
      0,
      'Palette',
      'class',
    ]);
    expect(band.colorTable!.entries.slice(1, 3)).toEqual([
      [0xe6, 0x9f, 0, 255],
      [0x56, 0xb4, 0xe9, 255],
    ]);
    expect(info.categories.slice(0, 3)).toEqual(['unclassified', 'class 0', 'Grün <&> "a"']);
    expect(info.metadata['']!.CLASS_2).toBe('Grün <&> "a"');
    expect(JSON.parse(info.metadata['']!.PROVENANCE!)).toEqual({ scene: 'Köln & Umgebung.tif' });
    expect(gdalPixels(layout.path, 'uint8')).toEqual(all);
  });

  withGdal('holds 300 classes in 16 bits, colours included', async () => {
    const layout = layoutOf({ sampleType: 'uint16' });
    const context = contextOf(300);
    const all = pattern(layout.width, layout.height, 300);
    all[all.length - 1] = 300;
    await writeWhole(layout, all, context);
    const info = gdalInfo(layout.path);
    expect(info.bands[0]!.type).toBe('UInt16');
    expect(info.categories).toHaveLength(301);
    const last = context.classes[299]!.colour;
    expect(info.bands[0]!.colorTable!.entries[300]).toEqual([
      ...[1, 3, 5].map((at) => Number.parseInt(last.slice(at, at + 2), 16)),
      255,
    ]);
    expect(gdalPixels(layout.path, 'uint16')).toEqual(all);
  });

  withGdal('writes BigTIFF, rotated and south-up transforms, geographic, custom and no systems', async () => {
    const geographic: Crs = { ...utm32, epsg: 4326, name: 'WGS 84', kind: 'geographic' };
    const wkt =
      'PROJCS["Own transverse Mercator",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",1.5],PARAMETER["central_meridian",7.25],PARAMETER["scale_factor",0.99],PARAMETER["false_easting",123],PARAMETER["false_northing",0],UNIT["metre",1]]';
    const custom: Crs = { ...utm32, epsg: null, name: 'Own transverse Mercator', wkt };
    const cases: [Partial<MapContext>, (info: GdalInfo) => void][] = [
      [
        { transform: [100, 0.4, 0.3, 200, 0.3, -0.4] },
        (info) => expect(info.geoTransform).toEqual([100, 0.4, 0.3, 200, 0.3, -0.4]),
      ],
      [
        { transform: [100, 2, 0, 200, 0, 2] },
        (info) => expect(info.geoTransform).toEqual([100, 2, 0, 200, 0, 2]),
      ],
      [
        { crs: geographic, transform: [7, 1e-5, 0, 50, 0, -1e-5] },
        (info) => expect(info.coordinateSystem!.wkt).toMatch(/^GEOGCRS[\s\S]*ID\["EPSG",4326\]\]\s*$/),
      ],
      [
        { crs: custom },
        (info) => {
          expect(info.coordinateSystem!.wkt).toContain('Transverse Mercator');
          expect(info.coordinateSystem!.wkt).toContain('"Longitude of natural origin",7.25');
          expect(info.coordinateSystem!.wkt).toContain('"False easting",123');
        },
      ],
      [
        { crs: null, transform: [3, 1, 0, -4, 0, -1] },
        (info) => expect(info.coordinateSystem?.wkt ?? '').toBe(''),
      ],
    ];
    for (const [overrides, check] of cases) {
      const layout = layoutOf({ bigTiff: 'always' });
      const all = Uint8Array.from(pattern(layout.width, layout.height, 3));
      await writeWhole(layout, all, contextOf(3, overrides));
      check(gdalInfo(layout.path));
      expect(gdalPixels(layout.path, 'uint8')).toEqual(all);
      const reader = await GeoTiffReader.open(layout.path);
      const read = await reader.readRows(0, layout.height, new Uint8Array(all.length));
      await reader.close();
      expect(read).toEqual(all);
    }
  });

  withGdal('says how confidence is scaled', async () => {
    const layout = layoutOf();
    const all = Uint8Array.from({ length: layout.width * layout.height }, (_, index) => index % 256);
    const writer = await GeoTiffWriter.open(layout, fresh);
    await writeStrips(writer, all, 0, 4);
    await writer.seal(describeConfidence(contextOf(2)));
    await writer.publish();
    const band = gdalInfo(layout.path).bands[0]!;
    expect(band.scale).toBeCloseTo(1 / 255, 12);
    expect(band.colorInterpretation).toBe('Gray');
    expect(gdalPixels(layout.path, 'uint8')).toEqual(all);
  });

  it('reads back the same rows for every strip height', async () => {
    for (const sampleType of ['uint8', 'uint16'] as const) {
      const layout = layoutOf({ sampleType });
      const all = pattern(layout.width, layout.height, 200);
      const samples = sampleType === 'uint8' ? Uint8Array.from(all) : all;
      await writeWhole(layout, samples, contextOf(200));
      const confidence = layoutOf();
      await writeWhole(
        confidence,
        Uint8Array.from(all, (value) => value % 251),
        contextOf(2),
      );
      for (const stripRows of [1, 16, 20, 48, 1000]) {
        const rows: number[] = [];
        const seen: number[] = [];
        for await (const strip of readClassStrips(layout.path, confidence.path, stripRows)) {
          expect(strip.firstRow).toBe(rows.reduce((sum, count) => sum + count, 0));
          rows.push(strip.rows);
          seen.push(...strip.classes);
          expect([...strip.confidence!]).toEqual([...strip.classes].map((value) => value % 251));
        }
        expect(seen).toEqual([...samples]);
      }
    }
  });

  it('stores nothing for empty tiles', async () => {
    const layout = layoutOf({ width: 4096, height: 4096, tileSize: 256 });
    const writer = await GeoTiffWriter.open(layout, fresh);
    await writeStrips(writer, new Uint8Array(4096 * 4096), 0, 16);
    await writer.seal(describeConfidence(contextOf(2)));
    await writer.publish();
    expect(readFileSync(layout.path).length).toBeLessThan(8192);
  });

  it('takes BigTIFF when the worst case passes 4 GB', async () => {
    expect(worstCaseBytes(layoutOf({ width: 40_000, height: 40_000, tileSize: 256 }))).toBeLessThan(2 ** 32);
    const layout = layoutOf({ width: 70_000, height: 65_000, tileSize: 256 });
    expect(worstCaseBytes(layout)).toBeGreaterThan(2 ** 32);
    const writer = await GeoTiffWriter.open(layout, fresh);
    await writer.seal(describeConfidence(contextOf(2)));
    await writer.publish();
    expect(readFileSync(layout.path).readUInt16LE(2)).toBe(43);
  });

  it('goes on after a kill, byte for byte, wherever it happened', async () => {
    const all = Uint8Array.from(pattern(70, 53, 4));
    const whole = layoutOf();
    await writeWhole(whole, all, contextOf(4));
    const expected = readFileSync(whole.path);
    for (const stop of [0, 1, 2, 3, 4]) {
      const layout = layoutOf();
      const killed = await GeoTiffWriter.open(layout, fresh);
      await writeStrips(killed, all, 0, stop);
      if (stop < 4) await killed.writeBlock(0, stop * 16, 70, 5, rowsOf(layout, all, stop * 16, 5));
      await killed.close();
      appendFileSync(layout.partPath, 'torn tile');
      appendFileSync(journalPath(layout.partPath), 'deadbeef {"length": 1');
      const saved = (await readJournal(layout.partPath))!;
      expect(saved.strips.map(({ note }) => note)).toEqual(['0', '1', '2', '3'].slice(0, stop));
      const writer = await GeoTiffWriter.open(layout, saved);
      await writeStrips(writer, all, stop, 4);
      await writer.seal(describeClassMap(contextOf(4)));
      await writer.publish();
      expect(readFileSync(layout.path).equals(expected)).toBe(true);
      expect(
        readdirSync(folder).filter((name) => name.startsWith(`${layout.path.split('/').at(-1)}.part`)),
      ).toEqual([]);
    }
  });

  it('does not trust a journal that is damaged or says more than the file holds', async () => {
    const all = Uint8Array.from(pattern(70, 53, 4));
    const layout = layoutOf();
    const writer = await GeoTiffWriter.open(layout, fresh);
    await writeStrips(writer, all, 0, 3);
    await writer.close();
    const lengths = (await readJournal(layout.partPath))!.strips.map(({ length }) => length);
    truncateSync(layout.partPath, lengths[1]!);
    expect((await readJournal(layout.partPath))!.strips).toHaveLength(2);
    const path = journalPath(layout.partPath);
    const text = readFileSync(path, 'utf8');
    const lines = text.split('\n');
    writeFileSync(
      path,
      [lines[0], lines[1]!.replace('"note":"0"', '"note":"9"'), ...lines.slice(2)].join('\n'),
    );
    expect((await readJournal(layout.partPath))!.strips).toEqual([]);
    writeFileSync(path, text.slice(3));
    expect(await readJournal(layout.partPath)).toBeNull();
  });

  it('refuses files that are no class maps, and damaged ones', async () => {
    const layout = layoutOf();
    const all = Uint8Array.from(pattern(70, 53, 4));
    await writeWhole(layout, all, contextOf(4));
    const good = readFileSync(layout.path);
    const bad = join(folder, 'bad.tif');
    const outcome = async (bytes: Uint8Array): Promise<string> => {
      writeFileSync(bad, bytes);
      try {
        const reader = await GeoTiffReader.open(bad);
        try {
          await reader.readRows(0, reader.height, new Uint8Array(reader.width * reader.height));
        } finally {
          await reader.close();
        }
        return 'read';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(await outcome(Buffer.from('not a TIFF at all, only text'))).toBe('classmap/unreadable');
    expect(await outcome(good.subarray(0, 200))).toBe('classmap/unreadable');
    expect(await outcome(good.subarray(0, 4))).toBe('classmap/unreadable');
    await expect(GeoTiffReader.open(join(folder, 'none.tif'))).rejects.toMatchObject({
      code: 'file/missing',
    });
    // Any single damaged byte gives pixels or a Problem, never another error.
    for (let at = 0; at < good.length; at += 7) {
      const damaged = Buffer.from(good);
      damaged[at] = damaged[at]! ^ 0xff;
      expect(['read', 'classmap/unreadable']).toContain(await outcome(damaged));
    }
  });

  it('names the folder that does not exist', async () => {
    const path = join(folder, 'none', 'map.tif');
    await expect(
      GeoTiffWriter.open(layoutOf({ path, partPath: `${path}.part` }), fresh),
    ).rejects.toMatchObject({
      name: 'Problem',
      message: expect.stringContaining(path),
    });
  });
});
