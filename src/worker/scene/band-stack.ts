import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { scaleAffine } from '../raster/affine.ts';
import type { Samples } from '../raster/bands.ts';
import type { Grid, Window } from '../raster/grid.ts';
import { Problem } from '../report/problem.ts';
import { checkBands } from './check-bands.ts';
import type { GeoTiffScene } from './geotiff.ts';
import type { BandHeader, SceneHeader } from './scene.ts';
import { markInside } from './validity.ts';

/** One band of a stack. */
export interface StackedBand {
  scene: GeoTiffScene;
  /** Of `scene`, 0-based. */
  band: number;
  header: BandHeader;
  /** A value that means nodata beside what the scene itself says. */
  nodata: number | null;
}

/** Corners further apart than this, in pixels of the finest band, are another place. */
const tolerance = 0.5;

/** The files of a stack that is named `A.tif+B.tif+C.tif`; null where the name is one file's, or not all of them exist. */
export async function stackedFiles(path: string): Promise<string[] | null> {
  if (!path.includes('+') || (await isThere(path))) return null;
  const parts = path.split('+');
  for (const part of parts) if (part === '' || !(await isThere(part))) return null;
  return parts;
}

/** The files that a scene's path names: itself, or those of a stack. */
export async function filesOfScene(path: string): Promise<string[]> {
  return (await stackedFiles(path)) ?? [path];
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

/** Bands of Sentinel-2 by the two digits that its products (and the harmonised Landsat ones) write. */
const numbered: Record<string, string> = { B02: 'blue', B03: 'green', B04: 'red', B08: 'near-infrared' };

/** Bands of several files with what their names say: `…_VV.tif` is VV, `…_B04_10m.jp2` red. */
export function bandsOfFiles(scenes: readonly GeoTiffScene[]): StackedBand[] {
  return scenes.flatMap((scene) => {
    const { bands, path } = scene.header;
    const name = basename(path).replace(/\.[^.]*$/, '');
    const said = /(?:^|[-_. ])(vv|vh|hh|hv|b0[2348])(?:[-_. ]|$)/i.exec(name)?.[1]?.toUpperCase();
    const told = said === undefined ? null : (numbered[said] ?? said);
    return bands.map((header, band) => {
      const single = bands.length === 1;
      const role = single ? (header.role === 'grey' ? told : (header.role ?? told)) : header.role;
      return {
        scene,
        band,
        header: { ...header, name: single ? name : `${name} ${header.name}`, role },
        nodata: null,
      };
    });
  });
}

/**
 * Bands of several scenes of one place as one scene, on the grid of the finest; coarser ones by their nearest pixel. A pixel
 * is valid where it is in every band asked for. Closing it closes the scenes. Throws `scene/stack-mismatch`.
 */
export function stackBands(
  path: string,
  format: string,
  bands: readonly StackedBand[],
  details: Record<string, string>,
): GeoTiffScene {
  const scenes = [...new Set(bands.map(({ scene }) => scene))];
  const finest = scenes.reduce((best, scene) =>
    scene.header.grid.width > best.header.grid.width ? scene : best,
  );
  const { grid, overviews, groundSampleDistance } = finest.header;
  for (const scene of scenes)
    requireSamePlace(grid, scene.header.grid, finest.header.path, scene.header.path);
  const header: SceneHeader = {
    path,
    format,
    grid,
    bands: bands.map((band) => ({ ...band.header, nodata: band.nodata ?? band.header.nodata })),
    overviews,
    groundSampleDistance,
    details: { ...finest.header.details, ...details },
  };
  const sizes = [grid, ...overviews];
  return {
    header,
    ...(finest.blockSize && { blockSize: finest.blockSize }),
    palette: null,
    async read(window, wanted, level, signal) {
      const size = sizes[level];
      if (size === undefined) throw new RangeError(`level ${level} of ${sizes.length}`);
      const count = window.width * window.height;
      const valid = new Uint8Array(count);
      markInside(valid, window, size.width, size.height);
      const planes: Samples[] = [];
      checkBands(wanted, bands.length, path);
      for (const index of wanted) {
        planes.push(await readBand(bands[index]!, size, window, valid, signal));
      }
      return { width: window.width, height: window.height, planes, valid };
    },
    blockReads: () => scenes.reduce((sum, scene) => sum + scene.blockReads(), 0),
    async close() {
      for (const scene of scenes) await scene.close();
    },
  };
}

/** One band under a window of the finest scene's level; clears `valid` where it has none. */
async function readBand(
  { scene, band, nodata }: StackedBand,
  size: { width: number; height: number },
  window: Window,
  valid: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Samples> {
  const levels = [scene.header.grid, ...scene.header.overviews];
  let own = 0;
  for (let at = 1; at < levels.length; at++) {
    const apart = (index: number): number => Math.abs(Math.log(levels[index]!.width / size.width));
    if (apart(at) < apart(own)) own = at;
  }
  const { width, height } = levels[own]!;
  const same = width === size.width && height === size.height;
  const columns = sources(window.column, window.width, width / size.width, width);
  const rows = sources(window.row, window.height, height / size.height, height);
  const box = same
    ? window
    : {
        column: columns[0]!,
        row: rows[0]!,
        width: columns.at(-1)! + 1 - columns[0]!,
        height: rows.at(-1)! + 1 - rows[0]!,
      };
  const read = await scene.read(box, [band], own, signal);
  const source = read.planes[0]!;
  if (same) {
    for (let at = 0; at < valid.length; at++)
      if (read.valid[at] === 0 || source[at] === nodata) valid[at] = 0;
    return source;
  }
  const plane = new (source.constructor as new (length: number) => Samples)(valid.length);
  for (let row = 0, at = 0; row < window.height; row++) {
    const line = (rows[row]! - box.row) * box.width - box.column;
    for (let column = 0; column < window.width; column++, at++) {
      const from = line + columns[column]!;
      plane[at] = source[from]!;
      if (read.valid[from] === 0 || source[from] === nodata) valid[at] = 0;
    }
  }
  return plane;
}

/** Nearest source positions along an axis, ascending, kept inside. */
function sources(start: number, count: number, ratio: number, size: number): Int32Array {
  return Int32Array.from({ length: count }, (_, at) =>
    Math.max(0, Math.min(size - 1, Math.floor((start + at + 0.5) * ratio))),
  );
}

function requireSamePlace(grid: Grid, other: Grid, path: string, otherPath: string): void {
  const system = ({ crs }: Grid): string | null => crs && (crs.epsg === null ? crs.name : `EPSG:${crs.epsg}`);
  const laid = scaleAffine(other.transform, other.width / grid.width, other.height / grid.height);
  const pixel = Math.max(Math.abs(grid.transform[1]), Math.abs(grid.transform[2]));
  const line = Math.max(Math.abs(grid.transform[4]), Math.abs(grid.transform[5]));
  const fits =
    system(grid) === system(other) &&
    Math.abs(laid[0] - grid.transform[0]) <= tolerance * pixel &&
    Math.abs(laid[3] - grid.transform[3]) <= tolerance * line &&
    [1, 2].every((at) => Math.abs(laid[at]! - grid.transform[at]!) * grid.width <= tolerance * pixel) &&
    [4, 5].every((at) => Math.abs(laid[at]! - grid.transform[at]!) * grid.height <= tolerance * line) &&
    grid.groundControl === undefined &&
    other.groundControl === undefined;
  if (fits || grid === other) return;
  throw new Problem(
    'scene/stack-mismatch',
    `${otherPath} does not cover the same ground as ${path}.`,
    'Bands of one scene have one coordinate system and one extent; bring them there with gdalwarp.',
  );
}
