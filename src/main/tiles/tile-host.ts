import type { Crs } from '../../worker/raster/crs.ts';
import { Cancelled, Problem, throwIfCancelled } from '../../worker/report/problem.ts';
import type { ReportProgress } from '../../worker/report/progress.ts';
import type { StretchMethod } from '../../worker/steps/render-tile.ts';
import type { BandStatistics } from '../../worker/steps/scene-statistics.ts';
import type { TileFormat } from '../../worker/tiles/encode-tile.ts';
import type { Reduction } from '../../worker/tiles/halve.ts';
import type { TileStyle } from '../../worker/tiles/style.ts';
import type { EncodedTile } from '../../worker/tiles/tile-cache.ts';
import { type TileGrid, tileGridOf } from '../../worker/tiles/tile-grid.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import type { TileTasks } from './tile-tasks.ts';

export interface TileHostOptions {
  /** Bound of the finished tiles kept, bytes, all threads together. */
  cacheBytes: number;
  /** Threads that draw; every file is one thread's. */
  threads: number;
  /** Our own folder for overviews of files that have none. */
  pyramidFolder: string;
  /** Bound of the decoded blocks kept, bytes, all threads together; default 256 MiB. */
  blockBytes?: number;
}

interface RasterOf {
  path: string;
  /** A system assigned to the raster instead of the file's own; null: pixels. */
  assigned?: Crs | null | undefined;
  style: TileStyle;
}

export interface RasterTileRequest extends RasterOf {
  /** The project's system, which names the grid (`tileGridOf`); null: pixels. */
  crs: Crs | null;
  z: number;
  x: number;
  y: number;
  /** Pixels along the tile's side, for screens with more of them; by default the grid's. */
  size?: number | undefined;
}

export interface PictureRequest extends RasterOf {
  crs: Crs | null;
  /** left, bottom, right, top. */
  box: readonly [number, number, number, number];
  /** Pixels. */
  width: number;
  height: number;
  /** Default `png`. */
  format?: TileFormat | undefined;
}

export interface VectorTileRequest {
  /** Path of the GeoPackage. */
  project: string;
  /** Name of the layer's table. */
  layer: string;
  crs: Crs | null;
  z: number;
  x: number;
  y: number;
}

export interface DrawnTile {
  body: Uint8Array<ArrayBuffer>;
  /** Media type. */
  type: 'image/png' | 'image/webp';
  /** Made from samples: a better one can be had when `buildPyramid` has come further, so it must not be kept. */
  draft: boolean;
}

export interface TileHost {
  /** Null where nothing of the raster is on the tile. */
  rasterTile(request: RasterTileRequest, signal?: AbortSignal): Promise<DrawnTile | null>;
  /** A box as one picture, at most 4096 pixels a side. */
  rasterPicture(request: PictureRequest, signal?: AbortSignal): Promise<DrawnTile | null>;
  /** Mapbox vector tile with the layer `polygons`: feature id `fid`, properties `class`, `confidence`, `area` (m²). */
  vectorTile(request: VectorTileRequest, signal?: AbortSignal): Promise<Uint8Array | null>;
  /** Builds the overviews a file lacks, giving way to tiles; returns at once where it lacks none. */
  buildPyramid(
    path: string,
    signal?: AbortSignal,
    onProgress?: ReportProgress,
    reduction?: Reduction,
  ): Promise<void>;
  sceneStatistics(path: string, bands: readonly number[], signal?: AbortSignal): Promise<BandStatistics[]>;
  /** How a raster is drawn at first. */
  defaultStyle(
    path: string,
    method?: StretchMethod,
    bands?: string,
    signal?: AbortSignal,
  ): Promise<TileStyle>;
  /** Values under a point of `crs`, every band's, null where invalid; null beside the raster. */
  identify(
    raster: Pick<RasterOf, 'path' | 'assigned'>,
    crs: Crs | null,
    x: number,
    y: number,
  ): Promise<{ column: number; row: number; values: (number | null)[] } | null>;
  /** Closes a raster or a project, so that its file can be moved or replaced. */
  forget(path: string): Promise<void>;
  /** Bytes of finished tiles held now. */
  cachedBytes(): Promise<number>;
  /** Ends the threads once what they are drawing is drawn. */
  close(): Promise<void>;
}

/** Tiles that a thread works at in turns; more would only make each later. */
const atOnce = 4;
const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const threadFile = new URL(`./thread.${ending}`, import.meta.url);

/** Starts the threads that draw. They are apart from those that infer: the map moves while a run goes on. */
export function openTileHost(options: TileHostOptions): TileHost {
  const lanes = Array.from({ length: options.threads }, (_, index) => new TileLane(index, options));
  if (lanes.length === 0) throw new RangeError('at least one thread draws tiles');
  // A thread takes a while to load what it draws with; the first scene should find it ready.
  for (const lane of lanes) lane.begin();
  const homes = new Map<string, TileLane>();

  /** A file stays with a thread: its open handle, its blocks and its growing overviews are there. */
  function laneOf(path: string): TileLane {
    const known = homes.get(path);
    if (known !== undefined) return known;
    const lane = lanes.reduce((least, each) => (each.files < least.files ? each : least));
    lane.files++;
    homes.set(path, lane);
    return lane;
  }

  return {
    async rasterTile({ path, assigned, style, crs, z, x, y, size }, signal) {
      const grid = size === undefined ? tileGridOf(crs) : resized(tileGridOf(crs), size);
      const format = 'webp' as const;
      const request = { path, assigned, style, grid, place: { zoom: z, column: x, row: y }, format };
      return drawn(await laneOf(path).tile('raster', request, signal), format);
    },
    async rasterPicture({ path, assigned, style, crs, box, width, height, format = 'png' }, signal) {
      const [left, bottom, right, top] = box;
      const frame = {
        width,
        height,
        transform: [left, (right - left) / width, 0, top, 0, (bottom - top) / height] as const,
        crs,
      };
      return drawn(
        await laneOf(path).tile('picture', { path, assigned, style, frame, format }, signal),
        format,
      );
    },
    vectorTile({ project, layer, crs, z, x, y }, signal) {
      const place = { zoom: z, column: x, row: y };
      return laneOf(project).tile('vector', { project, layer, grid: tileGridOf(crs), place }, signal);
    },
    async buildPyramid(path, signal, onProgress, reduction) {
      await laneOf(path).run('overviews', { path, reduction }, { signal, onProgress });
    },
    sceneStatistics: (path, bands, signal) =>
      laneOf(path).run('statistics', { path, bands: [...bands] }, { signal }),
    defaultStyle: (path, method, bands, signal) =>
      laneOf(path).run('style', { path, method, bands }, { signal }),
    identify: ({ path, assigned }, crs, x, y) => laneOf(path).run('identify', { path, assigned, crs, x, y }),
    async forget(path) {
      const lane = homes.get(path);
      if (lane === undefined) return;
      homes.delete(path);
      lane.files--;
      await lane.run('forget', { path });
    },
    async cachedBytes() {
      const held = await Promise.all(lanes.map((lane) => lane.run('cached', null)));
      return held.reduce((sum, bytes) => sum + bytes, 0);
    },
    async close() {
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}

function resized(grid: TileGrid, size: number): TileGrid {
  const resolutions = grid.resolutions.map((resolution) => (resolution * grid.tileSize) / size);
  return { ...grid, resolutions, tileSize: size };
}

function drawn({ bytes, draft }: EncodedTile, format: TileFormat): DrawnTile | null {
  return bytes === null ? null : { body: bytes, type: `image/${format}`, draft };
}

/** A thread and the tiles that wait for it: the one asked for last comes first, as it is what is looked at. */
class TileLane {
  /** That call this lane theirs. */
  files = 0;
  readonly #index: number;
  readonly #options: TileHostOptions;
  readonly #waiting: (() => void)[] = [];
  #thread: EngineThread<TileTasks> | null = null;
  #active = 0;
  #closed = false;

  constructor(index: number, options: TileHostOptions) {
    this.#index = index;
    this.#options = options;
  }

  begin(): void {
    this.#begun();
  }

  /** One of the tasks that draw a tile. */
  async tile<Name extends 'raster' | 'picture' | 'vector'>(
    task: Name,
    request: TileTasks[Name]['request'],
    signal: AbortSignal | undefined,
  ): Promise<TileTasks[Name]['reply']> {
    throwIfCancelled(signal);
    if (this.#active >= atOnce) await this.#turn(signal);
    this.#active++;
    try {
      return await this.run(task, request, { signal });
    } finally {
      this.#active--;
      this.#waiting.pop()?.();
    }
  }

  async run<Name extends keyof TileTasks & string>(
    task: Name,
    request: TileTasks[Name]['request'],
    options: { signal?: AbortSignal | undefined; onProgress?: ReportProgress | undefined } = {},
  ): Promise<TileTasks[Name]['reply']> {
    const thread = this.#begun();
    try {
      return await thread.run(task, request, options);
    } catch (error) {
      // A thread that died is replaced when the next tile is asked for.
      const died = error instanceof Problem && error.code === 'engine/ended';
      if (died && this.#thread === thread) this.#thread = null;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#waiting.splice(0)) wake();
    const thread = this.#thread;
    if (thread === null) return;
    await thread.run('end', null).catch(() => {});
    await thread.close();
  }

  #begun(): EngineThread<TileTasks> {
    if (this.#closed) throw new Problem('engine/ended', 'The tiles are closed.', 'Open the project again.');
    if (this.#thread !== null) return this.#thread;
    const { pyramidFolder, cacheBytes, threads, blockBytes = 256 * 2 ** 20 } = this.#options;
    const thread = new EngineThread<TileTasks>(`tiles ${this.#index + 1}`, threadFile);
    this.#thread = thread;
    const settings = {
      overviewFolder: pyramidFolder,
      cacheBytes: Math.floor(cacheBytes / threads),
      blockBytes: Math.floor(blockBytes / threads),
    };
    // Tasks begin in the order they were sent in; a thread that cannot begin fails them all.
    thread.run('begin', settings).catch(() => {});
    return thread;
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        const at = this.#waiting.indexOf(wake);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal?.reason instanceof Problem ? signal.reason : new Cancelled());
      };
      const wake = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.push(wake);
    });
  }
}
