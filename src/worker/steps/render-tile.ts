import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { chooseBands } from '../prep/choose-bands.ts';
import { compositeBands } from '../prep/sar/composite.ts';
import { measureRange, measureStretch, percentile, sampleBands } from '../prep/stretch.ts';
import type { Crs } from '../raster/crs.ts';
import { Cancelled, Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { filesOfScene } from '../scene/band-stack.ts';
import { openScene } from '../scene/open-scene.ts';
import { backscatter, drawTile } from '../tiles/draw-tile.ts';
import { encodeTile, type TileFormat } from '../tiles/encode-tile.ts';
import type { Reduction } from '../tiles/halve.ts';
import { scenePlace } from '../tiles/scene-positions.ts';
import { bandsOfStyle, paletteStyle, type RadarStyle, type Range, type TileStyle } from '../tiles/style.ts';
import { type EncodedTile, TileCache } from '../tiles/tile-cache.ts';
import { type TileFrame, type TileGrid, type TilePlace, tileFrame } from '../tiles/tile-grid.ts';
import { TileSource } from '../tiles/tile-source.ts';
import { type BandStatistics, sceneStatistics } from './scene-statistics.ts';

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
  /** A system assigned to the raster instead of the file's own; null: pixels. */
  assigned?: Crs | null | undefined;
  grid: TileGrid;
  place: TilePlace;
  style: TileStyle;
  /** Default `png`. */
  format?: TileFormat;
}

/** Milliseconds without a tile before overviews go on: whoever pans asks for the next ones soon. */
const quiet = 60;
/** Largest side of a picture that is no tile: for a preview, a thumbnail or print. */
const largestPicture = 4096;

/** How a stretch is found. */
export type StretchMethod = 'as stored' | 'min-max' | '2-98 %';

interface Opened {
  path: string;
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
  #drawings = 0;
  /** When a tile was last finished. */
  #drawnAt = Number.NEGATIVE_INFINITY;
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
    const { path, assigned, grid, place, style, format = 'png' } = request;
    const frame = tileFrame(grid, place);
    return this.#drawing(() =>
      this.#use(path, reductionOf(style), (source) => {
        const look = createHash('sha256')
          .update(JSON.stringify([style, grid, assigned, format]))
          .digest('base64url');
        const key = `${source.fingerprint}/${look}/${place.zoom}/${place.column}/${place.row}`;
        const make = (within: AbortSignal) => encoded(placed(source, assigned), frame, style, format, within);
        return this.cache.get(key, make, signal);
      }),
    );
  }

  /** A picture of any frame, at most 4096 pixels a side. Throws `tiles/bad-request`. */
  async picture(
    request: Pick<TileRequest, 'path' | 'assigned' | 'style' | 'format'> & { frame: TileFrame },
    signal?: AbortSignal,
  ): Promise<EncodedTile> {
    const { path, assigned, frame, style, format = 'png' } = request;
    const sides = [frame.width, frame.height];
    const sound =
      sides.every((side) => Number.isInteger(side) && side >= 1 && side <= largestPicture) &&
      frame.transform.every(Number.isFinite) &&
      frame.transform[1] * frame.transform[5] !== 0;
    if (!sound) {
      throw new Problem(
        'tiles/bad-request',
        `A picture of ${sides.join(' × ')} pixels cannot be drawn here.`,
        `Choose a box with an area, and sides from 1 to ${largestPicture} pixels.`,
      );
    }
    return this.#drawing(() =>
      this.#use(path, reductionOf(style), (source) =>
        encoded(placed(source, assigned), frame, style, format, signal),
      ),
    );
  }

  /** Statistics of bands (0-based) of imagery for a histogram; see `sceneStatistics`. */
  statistics(path: string, bands: readonly number[], signal?: AbortSignal): Promise<BandStatistics[]> {
    return this.#drawing(() =>
      this.#use(path, 'average', (source) => sceneStatistics(source.scene, bands, signal)),
    );
  }

  /** Values of every band under a point given in `crs`, null where invalid; null outside the scene. */
  identify(
    { path, assigned }: Pick<TileRequest, 'path' | 'assigned'>,
    crs: Crs | null,
    x: number,
    y: number,
  ): Promise<{ column: number; row: number; values: (number | null)[] } | null> {
    return this.#use(path, undefined, async (source) => {
      const { scene } = source;
      const { header } = placed(source, assigned);
      // Of a tile of one pixel with its centre there.
      const frame: TileFrame = { width: 1, height: 1, transform: [x - 0.5, 1, 0, y + 0.5, 0, -1], crs };
      const [left, top] = scenePlace(frame, header.grid)(0, 0);
      const [column, row] = [Math.floor(left), Math.floor(top)];
      if (!(column >= 0 && row >= 0 && column < header.grid.width && row < header.grid.height)) return null;
      const { planes, valid } = await scene.read(
        { column, row, width: 1, height: 1 },
        [...header.bands.keys()],
        0,
      );
      return { column, row, values: planes.map((plane) => (valid[0] === 1 ? plane[0]! : null)) };
    });
  }

  /**
   * A style to begin with: a palette's own colours; of radar with two polarisations false colour in decibels; else
   * `chooseBands` and the stretch asked for.
   */
  async defaultStyle(
    path: string,
    method: StretchMethod = '2-98 %',
    bands?: string,
    signal?: AbortSignal,
  ): Promise<TileStyle> {
    return this.#use(path, undefined, async (source) => {
      if (source.palette !== null) return paletteStyle(source.palette);
      if (bands === undefined && source.radar) return radarStyle(source, signal);
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
   * second call for the same file joins the first. `reduction` by default is that of `TileSource`.
   */
  async buildOverviews(
    path: string,
    reduction?: Reduction,
    signal?: AbortSignal,
    report?: ReportProgress,
  ): Promise<void> {
    const key = `${reduction ?? ''} ${path}`;
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
    while (this.#drawings > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await Promise.all([...this.#opened].map(([key, opened]) => this.#leave(key, opened)));
  }

  /** Closes a file, once nobody uses it, and forgets its tiles. */
  async forget(path: string): Promise<void> {
    const leaving = [...this.#opened].filter(([, opened]) => opened.path === path);
    await Promise.all(
      leaving.map(async ([key, opened]) => {
        const source = await opened.source.catch(() => null);
        await this.#leave(key, opened);
        if (source !== null) this.cache.forget(`${source.fingerprint}/`);
      }),
    );
  }

  async #drawing<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#drawings++;
    try {
      return await work();
    } finally {
      this.#drawings--;
      this.#drawnAt = performance.now();
      if (this.#drawings === 0) for (const wake of this.#idle.splice(0)) wake();
    }
  }

  async #rest(): Promise<void> {
    // Also lets requests that have arrived begin before the next piece of work.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      if (this.#drawings > 0) {
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        continue;
      }
      const left = this.#drawnAt + quiet - performance.now();
      if (left <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, left));
    }
  }

  async #use<Result>(
    path: string,
    reduction: Reduction | undefined,
    work: (source: TileSource) => Promise<Result>,
  ): Promise<Result> {
    // A file that was written anew is another one.
    const stamps = await Promise.all(
      (await filesOfScene(path)).map(async (each) => {
        const about = await stat(each).catch(() => null);
        return about === null ? '' : `${about.size} ${about.mtimeMs}`;
      }),
    );
    const file = `${stamps.join(' ')} ${path}`;
    const key =
      reduction === undefined
        ? // Whoever does not mind takes the file as it is open, with the overviews that are being built.
          ((['average', 'mode'] as const)
            .map((each) => `${each} ${file}`)
            .find((each) => this.#opened.has(each)) ?? `${await this.#ownReduction(path)} ${file}`)
        : `${reduction} ${file}`;
    const known = this.#opened.get(key);
    const opened = known ?? this.#open(path, key.startsWith('mode') ? 'mode' : 'average');
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

  async #ownReduction(path: string): Promise<Reduction> {
    const scene = await openScene(path, undefined, { allowIncomplete: true, paletteAs: 'indices' });
    const reduction = (scene.palette ?? null) === null ? 'average' : 'mode';
    await scene.close();
    return reduction;
  }

  #open(path: string, reduction: Reduction): Opened {
    const { overviewFolder, blockBytes = 256 * 2 ** 20, mostOpen = 4, draftMilliseconds } = this.#options;
    const source = TileSource.open(path, {
      overviewFolder,
      reduction,
      cacheBytes: Math.floor(blockBytes / mostOpen),
      ...(draftMilliseconds === undefined ? {} : { draftMilliseconds }),
    });
    return { path, source, users: 0, leaving: false };
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

/** The source where its own system or the assigned one puts it. */
function placed(
  source: TileSource,
  assigned: Crs | null | undefined,
): Pick<TileSource, 'header' | 'levelFor'> {
  if (assigned === undefined) return source;
  const { header } = source;
  return {
    header: { ...header, grid: { ...header.grid, crs: assigned } },
    levelFor: (...request) => source.levelFor(...request),
  };
}

async function encoded(
  source: Pick<TileSource, 'header' | 'levelFor'>,
  frame: TileFrame,
  style: TileStyle,
  format: TileFormat,
  signal: AbortSignal | undefined,
): Promise<EncodedTile> {
  const picture = await drawTile(source, frame, style, signal);
  // Where samples show nothing there may be something yet.
  if (picture.empty && !picture.draft) return { bytes: null, draft: false };
  throwIfCancelled(signal);
  return { bytes: await encodeTile(picture, format), draft: picture.draft };
}

/** False colour in decibels, or grey of the only polarisation, with a 2-98 % stretch. */
async function radarStyle(source: TileSource, signal: AbortSignal | undefined): Promise<RadarStyle> {
  const { bands } = source.header;
  const hasRoles = (...roles: string[]) => roles.every((role) => bands.some((band) => band.role === role));
  const pair = hasRoles('VV', 'VH') || hasRoles('HH', 'HV');
  const channels = (
    pair ? compositeBands(bands, 'false-colour') : [0, 0, 0].map((band) => ({ band, by: null }))
  ).map(({ band, by }) => ({ band, by })) as RadarStyle['channels'];
  const style = {
    kind: 'radar' as const,
    quantity: 'amplitude' as const,
    channels,
    scale: 'decibel' as const,
  };
  const read = bandsOfStyle({ ...style, stretch: [unit, unit, unit], gamma: 1 });
  const samples = (await sampleBands(source.scene, read, signal)).map((values) => Float32Array.from(values));
  const valid = new Uint8Array(samples[0]!.length).fill(1);
  const stretch = backscatter(samples, valid, style, read).map((channel) => {
    const values = Float64Array.from(channel).sort();
    const [low, high] = [percentile(values, 0.02), percentile(values, 0.98)];
    return low < high ? { low, high } : { low: low - 0.5, high: high + 0.5 };
  }) as RadarStyle['stretch'];
  return { ...style, stretch, gamma: 1 };
}

const unit: Range = { low: 0, high: 1 };
