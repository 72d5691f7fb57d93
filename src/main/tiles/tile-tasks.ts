import type { Crs } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import { type StretchMethod, TileRenderer, type TileRequest } from '../../worker/steps/render-tile.ts';
import type { BandStatistics } from '../../worker/steps/scene-statistics.ts';
import type { TaskContext, TaskReply } from '../../worker/steps/task-context.ts';
import type { Reduction } from '../../worker/tiles/halve.ts';
import type { TileStyle } from '../../worker/tiles/style.ts';
import type { EncodedTile } from '../../worker/tiles/tile-cache.ts';
import type { TileFrame } from '../../worker/tiles/tile-grid.ts';
import { type LayerTileRequest, VectorTiles } from './vector-tiles.ts';

export interface TileThreadSettings {
  overviewFolder: string;
  /** Finished tiles kept by this thread. */
  cacheBytes: number;
  /** Decoded blocks kept by this thread. */
  blockBytes: number;
}

type RasterAddress = Pick<TileRequest, 'path' | 'assigned'>;

/** Everything a tile thread can be asked to do; `begin` first. */
export interface TileTasks {
  begin: { request: TileThreadSettings; piece: never; reply: null };
  raster: { request: TileRequest; piece: never; reply: EncodedTile };
  picture: {
    request: Omit<TileRequest, 'grid' | 'place'> & { frame: TileFrame };
    piece: never;
    reply: EncodedTile;
  };
  vector: { request: LayerTileRequest; piece: never; reply: Uint8Array | null };
  overviews: { request: { path: string; reduction?: Reduction | undefined }; piece: never; reply: null };
  statistics: { request: { path: string; bands: number[] }; piece: never; reply: BandStatistics[] };
  style: {
    request: { path: string; method?: StretchMethod | undefined; bands?: string | undefined };
    piece: never;
    reply: TileStyle;
  };
  identify: {
    request: RasterAddress & { crs: Crs | null; x: number; y: number };
    piece: never;
    reply: { column: number; row: number; values: (number | null)[] } | null;
  };
  /** Closes a file. */
  forget: { request: { path: string }; piece: never; reply: null };
  /** Bytes of finished tiles held. */
  cached: { request: null; piece: never; reply: number };
  end: { request: null; piece: never; reply: null };
}

/** The tasks of one thread, which share its open files and its cache. */
export function tileTasks(): (
  task: string,
  request: unknown,
  context: TaskContext,
) => Promise<TaskReply<unknown>> {
  let renderer: TileRenderer | null = null;
  let layers: VectorTiles | null = null;
  const rasters = () => renderer ?? notBegun();
  const runners: {
    [Name in keyof TileTasks]: (
      request: TileTasks[Name]['request'],
      context: TaskContext,
    ) => Promise<TileTasks[Name]['reply']>;
  } = {
    async begin(settings) {
      renderer = new TileRenderer(settings);
      layers = new VectorTiles(renderer.cache);
      return null;
    },
    raster: (request, { signal }) => rasters().tile(request, signal),
    picture: (request, { signal }) => rasters().picture(request, signal),
    vector: async (request, { signal }) => (layers ?? notBegun()).tile(request, signal),
    async overviews({ path, reduction }, { signal, report }) {
      await rasters().buildOverviews(path, reduction, signal, report);
      return null;
    },
    statistics: ({ path, bands }, { signal }) => rasters().statistics(path, bands, signal),
    style: ({ path, method, bands }, { signal }) => rasters().defaultStyle(path, method, bands, signal),
    identify: ({ crs, x, y, ...raster }) => rasters().identify(raster, crs, x, y),
    async forget({ path }) {
      layers?.forget(path);
      await rasters().forget(path);
      return null;
    },
    cached: async () => rasters().cache.bytes,
    async end() {
      layers?.close();
      await renderer?.close();
      return null;
    },
  };
  return async (task, request, context) => {
    if (!Object.hasOwn(runners, task)) throw new Error(`no task named ${task}`);
    const run = runners[task as keyof TileTasks] as (
      request: unknown,
      context: TaskContext,
    ) => Promise<unknown>;
    return { reply: await run(request, context) };
  };
}

function notBegun(): never {
  throw new Problem('engine/ended', 'The tile thread has not begun.', 'Open the project again.');
}
