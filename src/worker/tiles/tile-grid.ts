import type { Affine } from '../raster/affine.ts';
import type { Crs } from '../raster/crs.ts';
import { Problem } from '../report/problem.ts';

/**
 * The grid of map tiles: square tiles counted from the top left corner, rows downwards, as map libraries count them.
 * A project without a system has `crs` null, and its scenes are drawn by their transforms alone.
 */
export interface TileGrid {
  crs: Crs | null;
  /** Top left corner of tile 0/0 at every zoom, x and y in units of the CRS. */
  origin: readonly [number, number];
  /** Units of the CRS per tile pixel, by zoom. */
  resolutions: readonly number[];
  /** Pixels along a tile's side. */
  tileSize: number;
}

export interface TilePlace {
  zoom: number;
  column: number;
  row: number;
}

/** Where the pixels of one tile lie; the CRS is the grid's. */
export interface TileFrame {
  width: number;
  height: number;
  transform: Affine;
  crs: Crs | null;
}

/** Tiles larger than this are no map tiles; it bounds what a request can make us allocate. */
const largestTile = 1024;

/** The frame of a tile; tiles may lie anywhere on the plane. Throws `tiles/bad-request` for one the grid has not. */
export function tileFrame(grid: TileGrid, place: TilePlace): TileFrame {
  const { tileSize: size, origin } = grid;
  const resolution = grid.resolutions[place.zoom];
  const whole = [place.column, place.row].every(Number.isSafeInteger);
  const finite = resolution !== undefined && resolution > 0 && Number.isFinite(resolution);
  if (!whole || !finite || !Number.isInteger(size) || size < 1 || size > largestTile) {
    throw new Problem(
      'tiles/bad-request',
      `There is no tile ${place.zoom}/${place.column}/${place.row} in this grid.`,
      'Zoom levels count from 0; columns and rows are whole numbers.',
    );
  }
  const x = origin[0] + place.column * size * resolution;
  const y = origin[1] - place.row * size * resolution;
  return { width: size, height: size, transform: [x, resolution, 0, y, 0, -resolution], crs: grid.crs };
}

/** The grid that web maps share: EPSG:3857 in powers of two from one tile of the world. */
export function webMercatorGrid(crs: Crs, zooms = 24): TileGrid {
  const half = Math.PI * 6378137;
  return {
    crs,
    origin: [-half, half],
    resolutions: Array.from({ length: zooms }, (_, zoom) => (2 * half) / 256 / 2 ** zoom),
    tileSize: 256,
  };
}

/** Pixels that scenes without a system may have along a side fit into a few tiles of the first zoom. */
const pixelGrid: TileGrid = {
  crs: null,
  origin: [0, 0],
  resolutions: Array.from({ length: 17 }, (_, zoom) => 2 ** (11 - zoom)),
  tileSize: 256,
};

/**
 * The one grid of a system, for raster and vector tiles alike: web maps' own for EPSG:3857; whole degrees halved for
 * geographic systems; elsewhere squares around the origin, from 262 km to about 2 cm per tile pixel. Null: pixels.
 */
export function tileGridOf(crs: Crs | null): TileGrid {
  if (crs === null) return pixelGrid;
  if (crs.epsg === 3857) return webMercatorGrid(crs);
  const zooms = Array.from({ length: 25 }, (_, zoom) => 2 ** -zoom);
  if (crs.kind === 'geographic')
    return {
      crs,
      origin: [-180, 90],
      resolutions: zooms.map((share) => (360 / 256) * share),
      tileSize: 256,
    };
  const unit = crs.metresPerUnit > 0 ? crs.metresPerUnit : 1;
  const half = 2 ** 25 / unit;
  return {
    crs,
    origin: [-half, half],
    resolutions: zooms.map((share) => (half / 128) * share),
    tileSize: 256,
  };
}
