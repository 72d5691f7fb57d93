import { join } from 'node:path';
import { scaleAffine } from '../raster/affine.ts';
import type { Bands } from '../raster/bands.ts';
import type { Grid, Window } from '../raster/grid.ts';
import type { ReportProgress } from '../report/progress.ts';
import { fingerprintFile } from '../scene/fingerprint.ts';
import { type OpenedScene, openScene } from '../scene/open-scene.ts';
import type { Scene, SceneHeader } from '../scene/scene.ts';
import { CoarsePicture, type SampledImage } from './coarse-picture.ts';
import { halve, type Reduction } from './halve.ts';
import { Pyramid, type PyramidBase, pyramidSizes } from './pyramid.ts';

export interface TileSourceOptions {
  /** Our own folder, where overviews of files without any are kept. */
  overviewFolder: string;
  /** `average` for imagery, a palette's colours among it; `mode` for class maps; by default `mode` for a palette raster. */
  reduction?: Reduction;
  /** Bound of the decoded blocks kept, bytes; default 256 MiB. */
  cacheBytes?: number;
  /** How long the first picture of a large file without overviews may take, milliseconds; default 700. */
  draftMilliseconds?: number;
}

/** One resolution of a source. */
export interface SourceLevel {
  width: number;
  height: number;
  /** Scene pixels per pixel of this level, along columns and rows. */
  scaleX: number;
  scaleY: number;
  /** Whether this is a picture of samples that gives way to a better one. */
  draft: boolean;
  read(window: Window, bands: readonly number[], signal?: AbortSignal): Promise<Bands>;
}

/** Pixels of the base image that a tile may be made from directly. */
const directPixels = 2 ** 22;
/** Pixels that may be decoded for it: blocks of striped files are as wide as the image. */
const directDecoded = 2 ** 25;
/** Milliseconds between looks for overviews that somebody else finished. */
const lookEvery = 2000;
/** Pictures of samples kept, one per choice of bands. */
const mostDrafts = 2;

/**
 * A raster as a stack of resolutions to draw tiles from: the file itself, its own overviews, and below those ours, from a
 * file in our own folder that `buildOverviews` makes. Until that is built, tiles of a small part are made from the image
 * directly, with the same pixels as later, and tiles of a large part from a picture of samples, as drafts.
 */
export class TileSource {
  readonly header: SceneHeader;
  /** Digest of the file. */
  readonly fingerprint: string;
  /** Of a palette raster: reds, greens and blues by index. Its pixels are indices where reduction is `mode`, else colours. */
  readonly palette: readonly Uint8Array[] | null;
  readonly reduction: Reduction;
  readonly #scene: OpenedScene;
  readonly #own: SourceLevel[];
  /** The smallest image in the file: our overviews begin below it. */
  readonly #base: SourceLevel;
  readonly #place: { path: string; base: PyramidBase } | null;
  #pyramid: Pyramid | null;
  #opening: Promise<Pyramid> | null = null;
  /** When overviews were last looked for. */
  #looked = performance.now();
  readonly #draftMilliseconds: number;
  readonly #drafts = new Map<string, { picture: CoarsePicture; sampled: Promise<void> }>();

  private constructor(
    scene: OpenedScene,
    fingerprint: string,
    reduction: Reduction,
    own: SourceLevel[],
    place: { path: string; base: PyramidBase } | null,
    pyramid: Pyramid | null,
    draftMilliseconds: number,
  ) {
    this.header = scene.header;
    this.palette = scene.palette ?? null;
    this.fingerprint = fingerprint;
    this.reduction = reduction;
    this.#scene = scene;
    this.#own = own;
    this.#base = own.at(-1)!;
    this.#place = place;
    this.#pyramid = pyramid;
    this.#draftMilliseconds = draftMilliseconds;
  }

  /** Opens a raster to draw tiles from. Throws what `openScene` throws. */
  static async open(path: string, options: TileSourceOptions, signal?: AbortSignal): Promise<TileSource> {
    const scene = await openScene(path, signal, {
      allowIncomplete: true,
      paletteAs: options.reduction === 'average' ? 'colours' : 'indices',
      ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
    });
    try {
      const fingerprint = await fingerprintFile(path);
      const reduction = options.reduction ?? ((scene.palette ?? null) === null ? 'average' : 'mode');
      const own = ownLevels(scene);
      const base = own.at(-1)!;
      const place =
        base.width * base.height <= directPixels
          ? null
          : {
              path: join(options.overviewFolder, `${fingerprint.slice(0, 32)}-${reduction}.tif`),
              base: pyramidBase(scene, base, reduction, fingerprint),
            };
      const pyramid = place === null ? null : await Pyramid.openFinished(place.path, place.base);
      const draftMilliseconds = options.draftMilliseconds ?? 700;
      return new TileSource(scene, fingerprint, reduction, own, place, pyramid, draftMilliseconds);
    } catch (failure) {
      await scene.close();
      throw failure;
    }
  }

  /** The raster itself; it stays this source's to close. */
  get scene(): Pick<Scene, 'header' | 'read'> {
    return this.#scene;
  }

  /** Whether the file comes with what is known of a radar. */
  get radar(): boolean {
    return this.#scene.radar !== undefined;
  }

  /** Whether `buildOverviews` has something to do. */
  get lacksOverviews(): boolean {
    return this.#place !== null && this.#pyramid?.finished !== true;
  }

  /** Builds the overviews that the file lacks; see `Pyramid.build`. Tiles can be drawn meanwhile, and improve. */
  async buildOverviews(
    options: { signal?: AbortSignal; report?: ReportProgress; pause?: () => Promise<void> } = {},
  ): Promise<void> {
    if (this.#place === null) return;
    this.#opening ??= Pyramid.open(this.#place.path, this.#place.base);
    try {
      this.#pyramid ??= await this.#opening;
    } finally {
      this.#opening = null;
    }
    await this.#pyramid.build(options);
  }

  /**
   * The level to draw from where a tile pixel covers `scale` scene pixels: the smallest that still has a pixel for each
   * tile pixel and can be read now. `area` gives the window of a level that the tile needs.
   */
  async levelFor(
    scale: number,
    area: (level: Pick<SourceLevel, 'width' | 'height' | 'scaleX' | 'scaleY'>) => Window,
    bands: readonly number[],
  ): Promise<SourceLevel> {
    // A thousandth: resolutions that should be powers of two apart carry rounding.
    const bound = Math.max(1, scale * 1.001);
    const fits = (level: { scaleX: number; scaleY: number }) => Math.min(level.scaleX, level.scaleY) <= bound;
    const affordable = (level: SourceLevel) => {
      const window = area(level);
      return window.width * window.height <= directPixels;
    };
    const fitting = this.#own.filter(fits);
    const reductions = pyramidSizes(this.#base.width, this.#base.height).map((size, index) => ({
      ...size,
      index,
      scaleX: this.#base.scaleX * 2 ** (index + 1),
      scaleY: this.#base.scaleY * 2 ** (index + 1),
    }));
    // From the level that fits best to smaller ones, for tiles whose scale varies wildly.
    const finest = fitting.at(-1)!;
    if (fitting.length < this.#own.length || !reductions.some(fits)) {
      for (const level of this.#own.slice(fitting.length - 1)) if (affordable(level)) return level;
    }
    await this.#findPyramid();
    const best = reductions.filter(fits).length - 1;
    for (const level of reductions.slice(Math.max(0, best))) {
      const window = area(level);
      if (window.width * window.height > directPixels) continue;
      const pyramid = this.#pyramid;
      if (pyramid?.ready(level.index, window)) {
        return {
          ...level,
          draft: false,
          read: (wanted, selected, signal) => pyramid.read(level.index, wanted, selected, signal),
        };
      }
      if (this.#direct(level.index + 1, window)) return this.#reduced(level, level.index + 1);
      return this.#draft(bands);
    }
    if (affordable(finest)) return finest;
    return this.#draft(bands);
  }

  /** Frees the file. The pyramid's file stays for the next time. */
  async close(): Promise<void> {
    await this.#pyramid?.close();
    await this.#scene.close();
  }

  /** Takes up overviews that were finished elsewhere since: by another thread, or another program. */
  async #findPyramid(): Promise<void> {
    if (this.#place === null || this.#pyramid !== null || this.#opening !== null) return;
    const now = performance.now();
    if (now - this.#looked < lookEvery) return;
    this.#looked = now;
    const found = await Pyramid.openFinished(this.#place.path, this.#place.base);
    if (this.#pyramid === null && this.#opening === null) this.#pyramid = found;
    else await found?.close();
  }

  #direct(halvings: number, window: Window): boolean {
    const factor = 2 ** halvings;
    const width = window.width * factor;
    const height = window.height * factor;
    if (Math.min(width, this.#base.width) * Math.min(height, this.#base.height) > directPixels) return false;
    const across = Math.max(width, Math.min(this.#block().width, this.#base.width));
    return across * Math.min(height, this.#base.height) <= directDecoded;
  }

  /** Blocks of the base image; those of overviews and of formats that do not say are taken for tiles. */
  #block(): { readonly width: number; readonly height: number } {
    return (this.#own.length === 1 ? this.#scene.blockSize : undefined) ?? { width: 512, height: 512 };
  }

  /** A level made from the base image as it is asked for, with the pixels that our overviews will have. */
  #reduced(level: Omit<SourceLevel, 'draft' | 'read'>, halvings: number): SourceLevel {
    const base = this.#base;
    const { width, height, scaleX, scaleY } = level;
    const read: SourceLevel['read'] = async (window, bands, signal) => {
      const factor = 2 ** halvings;
      const left = Math.max(0, window.column);
      const top = Math.max(0, window.row);
      const right = Math.min(width, window.column + window.width);
      const bottom = Math.min(height, window.row + window.height);
      let pixels = await base.read(
        {
          column: left * factor,
          row: top * factor,
          width: Math.max(0, Math.min(right * factor, base.width) - left * factor),
          height: Math.max(0, Math.min(bottom * factor, base.height) - top * factor),
        },
        bands,
        signal,
      );
      for (let halving = 0; halving < halvings; halving++) pixels = halve(pixels, this.reduction);
      return placed(pixels, left - window.column, top - window.row, window);
    };
    return { width, height, scaleX, scaleY, draft: false, read };
  }

  async #draft(bands: readonly number[]): Promise<SourceLevel> {
    const key = bands.join(',');
    let draft = this.#drafts.get(key);
    if (draft === undefined) {
      const image: SampledImage = {
        width: this.#base.width,
        height: this.#base.height,
        type: this.header.bands[0]!.type,
        block: this.#block(),
        read: (window, wanted, signal) => this.#base.read(window, wanted, signal),
      };
      const picture = new CoarsePicture(image, bands);
      // Shared by every tile, so no one tile's signal may end it; its time is bounded.
      draft = { picture, sampled: picture.sample(this.#draftMilliseconds) };
      this.#drafts.set(key, draft);
      draft.sampled.catch(() => this.#drafts.delete(key));
      for (const old of this.#drafts.keys()) {
        if (this.#drafts.size <= mostDrafts) break;
        this.#drafts.delete(old);
      }
    }
    await draft.sampled;
    const { picture } = draft;
    const { width, height } = this.header.grid;
    return {
      width: picture.width,
      height: picture.height,
      scaleX: width / picture.width,
      scaleY: height / picture.height,
      draft: true,
      read: async (window) => picture.read(window),
    };
  }
}

function ownLevels(scene: OpenedScene): SourceLevel[] {
  const { grid, overviews } = scene.header;
  return [grid, ...overviews].map(({ width, height }, index) => ({
    width,
    height,
    scaleX: grid.width / width,
    scaleY: grid.height / height,
    draft: false,
    read: (window, bands, signal) => scene.read(window, bands, index, signal),
  }));
}

function pyramidBase(
  scene: OpenedScene,
  base: SourceLevel,
  reduction: Reduction,
  fingerprint: string,
): PyramidBase {
  const { bands, grid } = scene.header;
  const all = [...bands.keys()];
  return {
    grid: baseGrid(grid, base),
    type: bands[0]!.type,
    bands: bands.length,
    reduction,
    fingerprint,
    read: (window, signal) => base.read(window, all, signal),
  };
}

function baseGrid(grid: Grid, base: SourceLevel): Grid {
  const { width, height, scaleX, scaleY } = base;
  return { width, height, transform: scaleAffine(grid.transform, scaleX, scaleY), crs: grid.crs };
}

/** The pixels in a window's arrays, their first at (column, row); what is left is invalid. */
function placed(pixels: Bands, column: number, row: number, window: Window): Bands {
  if (column === 0 && row === 0 && pixels.width === window.width && pixels.height === window.height)
    return pixels;
  const count = window.width * window.height;
  const valid = new Uint8Array(count);
  const planes = pixels.planes.map((plane) => {
    const target = new (plane.constructor as new (length: number) => typeof plane)(count);
    for (let line = 0; line < pixels.height; line++) {
      const from = line * pixels.width;
      target.set(plane.subarray(from, from + pixels.width), (row + line) * window.width + column);
    }
    return target;
  });
  for (let line = 0; line < pixels.height; line++) {
    const from = line * pixels.width;
    valid.set(pixels.valid.subarray(from, from + pixels.width), (row + line) * window.width + column);
  }
  return { width: window.width, height: window.height, planes, valid };
}
