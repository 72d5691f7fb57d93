import type { ClassEntry } from '../classmap/class-entry.ts';
import { GeoTiffWriter } from '../classmap/geotiff-writer.ts';
import { describeClassMap, readClassNames, writeSidecar } from '../classmap/map-files.ts';
import { applyAffine, invertAffine } from '../raster/affine.ts';
import { transformer } from '../raster/crs.ts';
import type { Grid } from '../raster/grid.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { groundSampleDistance } from '../scene/ground-sample-distance.ts';
import { openScene } from '../scene/open-scene.ts';
import type { Scene } from '../scene/scene.ts';
import type { TaskContext } from './task-context.ts';

export interface MapDifferenceRequest {
  /** Class maps; the second is brought onto the first's grid, nearest pixel. */
  first: string;
  second: string;
  /** The class looked at, by its name in both maps, or its id; null: all of them. */
  className: string | null;
  /** Its name or id in the second map, where that is another one. */
  secondClassName?: string | null;
  /** The raster to write; null: none. */
  out: string | null;
  program: string;
  version: string;
}

export interface MapDifference {
  width: number;
  height: number;
  /** What the raster's values mean. */
  legend: { id: number; name: string; colour: string; pixels: number; area: number }[];
  /** Every pair of classes that occurs, by the first map's ids. Id 0 is unclassified. */
  pairs: {
    first: number;
    second: number;
    firstName: string;
    secondName: string;
    pixels: number;
    area: number;
  }[];
  /** Square metres, or square pixels without a CRS. */
  areaUnit: 'm²' | 'pixels';
  /** Pixels that only the first map covers. */
  outside: number;
}

/** Rows worked on at once; also the side of the output's tiles. */
const stripRows = 256;
const mostClasses = 65_535;

/**
 * Where two class maps say different things, strip by strip. Values of the raster: with a class, 1 where both say it, 2
 * where only the first and 3 where only the second does; without, 1 where they agree and 2 where not. 0 elsewhere: where a
 * map has no class (without a class asked for), or the second does not reach.
 */
export async function mapDifference(
  request: MapDifferenceRequest,
  context: TaskContext,
): Promise<MapDifference> {
  const { signal } = context;
  const first = await openMap(request.first, signal);
  let second: Scene | null = null;
  let writer: GeoTiffWriter | null = null;
  try {
    second = await openMap(request.second, signal);
    const { grid } = first.header;
    const { width, height } = grid;
    const names = [await readClassNames(request.first), await readClassNames(request.second)] as const;
    const wanted =
      request.className === null
        ? null
        : ([
            idOf(request.className, names[0], request.first),
            idOf(request.secondClassName ?? request.className, names[1], request.second),
          ] as const);
    const classes = legendOf(
      wanted === null ? null : wanted.map((id, map) => names[map]?.[id] ?? `class ${id}`),
    );
    if (request.out !== null) {
      writer = await GeoTiffWriter.open(
        {
          path: request.out,
          partPath: `${request.out}.part`,
          width,
          height,
          sampleType: 'uint8',
          tileSize: stripRows,
          bigTiff: 'auto',
          level: 6,
        },
        { digest: '', state: '', strips: [] },
      );
    }
    const toSecond = mapping(grid, second.header.grid, request);
    const pixels = new Array<number>(classes.length + 1).fill(0);
    const areas = new Array<number>(classes.length + 1).fill(0);
    const pairs = new Map<number, { pixels: number; area: number }>();
    let outside = 0;
    for (let row = 0; row < height; row += stripRows) {
      throwIfCancelled(signal);
      const rows = Math.min(stripRows, height - row);
      const area = pixelArea(grid, row, rows);
      const values = new Uint8Array(rows * width);
      const counts = new Map<number, number>();
      for (let column = 0; column < width; column += stripRows) {
        const window = { column, row, width: Math.min(stripRows, width - column), height: rows };
        const here = await first.read(window, [0], 0, signal);
        const there = await nearest(second, window, toSecond, signal);
        for (let at = 0; at < here.valid.length; at++) {
          const b = there[at]!;
          // Nodata is the unclassified of a class map.
          const a = here.valid[at] === 1 ? here.planes[0]![at]! : 0;
          if (b < 0) {
            outside++;
            continue;
          }
          const key = a * (mostClasses + 1) + b;
          counts.set(key, (counts.get(key) ?? 0) + 1);
          const value = wanted === null ? agreement(a, b) : presence(a === wanted[0], b === wanted[1]);
          const to = Math.floor(at / window.width) * width + column + (at % window.width);
          values[to] = value;
          pixels[value] = pixels[value]! + 1;
          areas[value] = areas[value]! + area;
        }
      }
      for (const [key, count] of counts) {
        const pair = pairs.get(key) ?? { pixels: 0, area: 0 };
        pairs.set(key, { pixels: pair.pixels + count, area: pair.area + count * area });
      }
      await writer?.writeBlock(0, row, width, rows, values, signal);
      context.report({ phase: 'comparing', done: row + rows, total: height, unit: 'rows' });
    }
    if (outside === width * height) {
      throw new Problem(
        'compare/apart',
        `${request.second} covers no pixel of ${request.first}.`,
        'Compare maps of the same place: landscribe info tells where each lies.',
      );
    }
    if (writer !== null && request.out !== null) {
      await writer.seal(
        describeClassMap({
          transform: grid.transform,
          crs: grid.crs,
          software: `${request.program} ${request.version}`,
          classes,
          provenance: JSON.stringify({
            program: request.program,
            version: request.version,
            date: new Date().toISOString(),
            first: request.first,
            second: request.second,
            class: request.className,
            ...(request.secondClassName && { secondClass: request.secondClassName }),
          }),
        }),
      );
      await writeSidecar(request.out, grid.crs, classes);
      await writer.publish();
    }
    const name = (list: readonly string[], id: number): string =>
      id === 0 ? 'unclassified' : (list[id] ?? `class ${id}`);
    return {
      width,
      height,
      legend: classes.map(({ id, name: text, colour }) => ({
        id,
        name: text,
        colour,
        pixels: pixels[id]!,
        area: areas[id]!,
      })),
      pairs: [...pairs]
        .map(([key, counted]) => {
          const [a, b] = [Math.floor(key / (mostClasses + 1)), key % (mostClasses + 1)];
          return {
            first: a,
            second: b,
            firstName: name(names[0], a),
            secondName: name(names[1], b),
            ...counted,
          };
        })
        .sort((a, b) => a.first - b.first || a.second - b.second),
      areaUnit: groundSampleDistance(grid) === null ? 'pixels' : 'm²',
      outside,
    };
  } catch (failure) {
    await writer?.discard();
    throw failure;
  } finally {
    await first.close();
    await second?.close();
  }
}

function agreement(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return a === b ? 1 : 2;
}

function presence(a: boolean, b: boolean): number {
  if (a) return b ? 1 : 2;
  return b ? 3 : 0;
}

/** @param names the class in the first and in the second map; null: all classes */
function legendOf(names: readonly string[] | null): ClassEntry[] {
  const entry = (id: number, name: string, colour: string): ClassEntry => ({
    id,
    name,
    words: [name],
    colour,
  });
  if (names === null) return [entry(1, 'same', '#b8b8b8'), entry(2, 'different', '#d7301f')];
  const [first, second] = names as [string, string];
  return [
    entry(1, first === second ? `${first} in both` : `${first} and ${second}`, '#2166ac'),
    entry(2, `${first} only in the first`, '#e08214'),
    entry(3, `${second} only in the second`, '#b2182b'),
  ];
}

async function openMap(path: string, signal: AbortSignal | undefined): Promise<Scene> {
  const scene = await openScene(path, signal, { paletteAs: 'indices' });
  const { bands } = scene.header;
  if (bands.length === 1 && (bands[0]!.type === 'uint8' || bands[0]!.type === 'uint16')) return scene;
  await scene.close();
  throw new Problem(
    'compare/no-map',
    `${path} is no class map: it needs one band of 8 or 16 bits without sign.`,
    'Compare class maps, such as landscribe segment writes with --format tif.',
  );
}

function idOf(className: string, names: readonly string[], path: string): number {
  const found = names.findIndex((name, id) => id > 0 && name.toLowerCase() === className.toLowerCase());
  if (found > 0) return found;
  const number = Number(className);
  if (/^\d{1,5}$/.test(className) && number >= 1 && number <= mostClasses) return number;
  const known = names.slice(1).filter(Boolean);
  throw new Problem(
    'compare/no-class',
    `${path} has no class "${className}"${known.length === 0 ? ', and no names at all' : `, but ${known.join(', ')}`}.`,
    'Give a name that both maps have, or an id.',
  );
}

function mapping(
  grid: Grid,
  other: Grid,
  { first, second }: MapDifferenceRequest,
): (column: number, row: number) => [number, number] {
  if (grid.crs === null && other.crs === null) {
    if (grid.width === other.width && grid.height === other.height) return (column, row) => [column, row];
    throw new Problem(
      'compare/no-place',
      `${first} and ${second} have no coordinate system, and not one size.`,
      'Georeference both maps.',
    );
  }
  const project = grid.crs === null || other.crs === null ? null : transformer(grid.crs, other.crs);
  if (project === null) {
    throw new Problem(
      'compare/no-place',
      `${second} cannot be laid on ${first}: their coordinate systems do not go together.`,
      'Georeference both maps.',
    );
  }
  const back = invertAffine(other.transform);
  return (column, row) => applyAffine(back, ...project(...applyAffine(grid.transform, column, row)));
}

/** Ids of the second map at the pixel centres of a window of the first; -1 outside it. */
async function nearest(
  map: Scene,
  window: { column: number; row: number; width: number; height: number },
  toMap: (column: number, row: number) => [number, number],
  signal: AbortSignal | undefined,
): Promise<Int32Array> {
  const { width, height } = map.header.grid;
  const ids = new Int32Array(window.width * window.height).fill(-1);
  const columns = new Int32Array(ids.length).fill(-1);
  const rows = new Int32Array(ids.length);
  let [left, right, top, bottom] = [Infinity, -1, Infinity, -1];
  for (let at = 0; at < ids.length; at++) {
    const [x, y] = toMap(
      window.column + (at % window.width) + 0.5,
      window.row + Math.floor(at / window.width) + 0.5,
    );
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (!(column >= 0 && row >= 0 && column < width && row < height)) continue;
    columns[at] = column;
    rows[at] = row;
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  }
  // A finer second map is read in bands of rows, so that memory hangs on settings alone.
  const step = Math.max(1, Math.floor(2 ** 22 / Math.max(1, right - left + 1)));
  for (let from = top; from <= bottom; from += step) {
    const box = {
      column: left,
      row: from,
      width: right - left + 1,
      height: Math.min(step, bottom - from + 1),
    };
    const { planes, valid } = await map.read(box, [0], 0, signal);
    for (let at = 0; at < ids.length; at++) {
      const row = rows[at]! - from;
      if (columns[at]! < 0 || row < 0 || row >= box.height) continue;
      const source = row * box.width + columns[at]! - left;
      ids[at] = valid[source] === 1 ? planes[0]![source]! : 0;
    }
  }
  return ids;
}

/** Square metres of a pixel in the middle of these rows; 1 without a CRS. */
function pixelArea(grid: Grid, row: number, rows: number): number {
  const [x, a, b, y, d, e] = grid.transform;
  const strip: Grid = { ...grid, height: rows, transform: [x + row * b, a, b, y + row * e, d, e] };
  const side = groundSampleDistance(strip);
  return side === null ? 1 : side * side;
}
