import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { chooseBands } from '../prep/choose-bands.ts';
import { measureRange, measureStretch } from '../prep/stretch.ts';
import { Cancelled, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { drawTile } from '../tiles/draw-tile.ts';
import { encodeTile, type TileFormat } from '../tiles/encode-tile.ts';
import type { Reduction } from '../tiles/halve.ts';
import { paletteStyle, type Range, type TileStyle } from '../tiles/style.ts';
import { type EncodedTile, TileCache } from '../tiles/tile-cache.ts';
import { type TileGrid, type TilePlace, tileFrame } from '../tiles/tile-grid.ts';
import { TileSource } from '../tiles/tile-source.ts';

export interface TileRendererOptions {
  /** Our own folder for overviews of files that have none. */
  overviewFolder: string;
  /** Bound of the finished tiles kept, bytes; default 64 MiB. */
  cacheBytes?: number;
  /** Bound of the decoded blocks kept, bytes, shared out among the files that may be open; default 256 MiB. */
  blockBytes?: number;
  /** Files kept open; default 4. */
  mostOpen?: number;
  /** How long the first picture of a large file without overviews may take, milliseconds. */
  draftMilliseconds?: number;
}

export interface TileRequest {
  path: string;
  grid: TileGrid;
  place: TilePlace;
  style: TileStyle;
  /** Default `png`. */
  format?: TileFormat;
}

/** How a stretch is found. */
export type StretchMethod = 'as stored' | 'min-max' | '2-98 %';

interface Opened {
  source: Promise<TileSource>;
  /** Requests that use it now. */
  users: number;
  /** Closes once nobody uses it. */
  leaving: boolean;
}

/**
 * Draws map tiles of any number of rasters: keeps the last used files open, finished tiles in a bounded cache, and builds
 * overviews while nobody asks for tiles.
 */
export class TileRenderer {
  readonly cache: TileCache;
  readonly #options: TileRendererOptions;
  readonly #opened = new Map<string, Opened>();
  readonly #building = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  #drawing = 0;
  #idle: (() => void)[] = [];

  constructor(options: TileRendererOptions) {
    this.#options = options;
    this.cache = new TileCache(options.cacheBytes ?? 64 * 2 ** 20);
  }

  /**
   * The tile as PNG or WebP; null bytes where nothing of the raster is on it. A `draft` was made from samples: ask again
   * when `buildOverviews` reports progress.
   */
  async tile(request: TileRequest, signal?: AbortSignal): Promise<EncodedTile> {
    const { path, grid, place, style, format = 'png' } = request;
    const frame = tileFrame(grid, place);
    const reduction = reductionOf(style);
    this.#drawing++;
    try {
      return await this.#use(path, reduction, (source) => {
        const look = createHash('sha256')
          .update(JSON.stringify([style, grid, format]))
          .digest('base64url');
        const key = `${source.fingerprint}/${look}/${place.zoom}/${place.column}/${place.row}`;
        return this.cache.get(
          key,
          async (within) => {
            const picture = await drawTile(source, frame, style, within);
            if (picture.empty) return { bytes: null, draft: picture.draft };
            throwIfCancelled(within);
            return {
              bytes: await encodeTile(picture, format, style.kind === 'classes'),
              draft: picture.draft,
            };
          },
          signal,
        );
      });
    } finally {
      this.#drawing--;
      if (this.#drawing === 0) for (const wake of this.#idle.splice(0)) wake();
    }
  }

  /** A style to begin with: a palette's own colours, else `chooseBands` and the stretch asked for. */
  async defaultStyle(
    path: string,
    method: StretchMethod = '2-98 %',
    bands?: string,
    signal?: AbortSignal,
  ): Promise<TileStyle> {
    return this.#use(path, 'average', async (source) => {
      if (source.palette !== null) return paletteStyle(source.palette);
      const chosen = chooseBands(source.header.bands, bands);
      return {
        kind: 'imagery' as const,
        bands: chosen,
        stretch: (await this.#stretch(source, chosen, method, signal)) as [Range, Range, Range],
        gamma: 1,
      };
    });
  }

  async #stretch(
    source: TileSource,
    bands: readonly [number, number, number],
    method: StretchMethod,
    signal: AbortSignal | undefined,
  ): Promise<Range[]> {
    const eight = bands.every((band) => source.header.bands[band]!.type === 'uint8');
    if (method === 'as stored' && eight) return bands.map(() => ({ low: 0, high: 255 }));
    const ranges =
      method === 'as stored'
        ? await measureStretch(source.scene, bands, signal)
        : await measureRange(source.scene, bands, method === 'min-max' ? [0, 1] : [0.02, 0.98], signal);
    return ranges.map(({ low, high }) => ({ low, high }));
  }

  /**
   * Builds the overviews that a file lacks, resting while tiles are asked for; returns at once where it lacks none. A
   * second call for the same file joins the first.
   */
  async buildOverviews(
    path: string,
    reduction: Reduction,
    signal?: AbortSignal,
    report?: ReportProgress,
  ): Promise<void> {
    const key = `${reduction} ${path}`;
    const running = this.#building.get(key);
    if (running !== undefined) return running;
    const build = this.#use(path, reduction, async (source) => {
      await source.buildOverviews({
        signal: signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]),
        ...(report === undefined ? {} : { report }),
        pause: () => this.#rest(),
      });
    }).finally(() => this.#building.delete(key));
    this.#building.set(key, build);
    return build;
  }

  /** Stops building, lets tiles that are being drawn finish, and closes every file. */
  async close(): Promise<void> {
    this.#closing.abort(new Cancelled());
    await Promise.allSettled(this.#building.values());
    while (this.#drawing > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await Promise.all([...this.#opened].map(([key, opened]) => this.#leave(key, opened)));
  }

  #rest(): Promise<void> {
    // Also lets requests that have arrived begin before the next piece of work.
    if (this.#drawing === 0) return new Promise((resolve) => setImmediate(resolve));
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #use<Result>(
    path: string,
    reduction: Reduction,
    work: (source: TileSource) => Promise<Result>,
  ): Promise<Result> {
    // A file that was written anew is another one.
    const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
    const key = `${reduction} ${size} ${mtimeMs} ${path}`;
    const known = this.#opened.get(key);
    const opened = known ?? this.#open(path, reduction);
    // Last used last.
    this.#opened.delete(key);
    this.#opened.set(key, opened);
    opened.users++;
    if (known === undefined) this.#closeOldest();
    try {
      return await work(await opened.source);
    } catch (failure) {
      // A file that could not be opened, or was replaced, is tried anew next time.
      if (this.#opened.get(key) === opened && (await opened.source.catch(() => null)) === null) {
        this.#opened.delete(key);
      }
      throw failure;
    } finally {
      opened.users--;
      if (opened.leaving && opened.users === 0) await closeSource(opened);
    }
  }

  #open(path: string, reduction: Reduction): Opened {
    const { overviewFolder, blockBytes = 256 * 2 ** 20, mostOpen = 4, draftMilliseconds } = this.#options;
    const source = TileSource.open(path, {
      overviewFolder,
      reduction,
      cacheBytes: Math.floor(blockBytes / mostOpen),
      ...(draftMilliseconds === undefined ? {} : { draftMilliseconds }),
    });
    return { source, users: 0, leaving: false };
  }

  #closeOldest(): void {
    const most = this.#options.mostOpen ?? 4;
    for (const [key, opened] of this.#opened) {
      if (this.#opened.size <= most) return;
      if (opened.users === 0) void this.#leave(key, opened);
    }
  }

  async #leave(key: string, opened: Opened): Promise<void> {
    if (this.#opened.get(key) === opened) this.#opened.delete(key);
    opened.leaving = true;
    if (opened.users === 0) await closeSource(opened);
  }
}

async function closeSource(opened: Opened): Promise<void> {
  const source = await opened.source.catch(() => null);
  await source?.close();
}

function reductionOf(style: TileStyle): Reduction {
  return style.kind === 'classes' ? 'mode' : 'average';
}
