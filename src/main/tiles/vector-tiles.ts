import { statSync } from 'node:fs';
import { Cancelled, throwIfCancelled } from '../../worker/report/problem.ts';
import type { TileCache } from '../../worker/tiles/tile-cache.ts';
import { type TileGrid, type TilePlace, tileFrame } from '../../worker/tiles/tile-grid.ts';
import { PolygonFinder } from '../project/polygon-finder.ts';
import { layerTile } from './layer-tile.ts';

export interface LayerTileRequest {
  project: string;
  layer: string;
  grid: TileGrid;
  place: TilePlace;
}

interface OpenProject {
  finder: PolygonFinder;
  /** Tells the file from another one put in its place. */
  file: string;
  /** Tiles being made. */
  users: number;
  leaving: boolean;
}

/** Vector tiles of the layers of any number of projects; one connection for each, tiles in a cache that is shared. */
export class VectorTiles {
  readonly #cache: TileCache;
  readonly #projects = new Map<string, OpenProject>();
  /** One after the other: each has the connection's cache and the thread to itself. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(cache: TileCache) {
    this.#cache = cache;
  }

  /** The tile, null where nothing is on it; as of now: an edited layer's tiles are made anew. */
  async tile(request: LayerTileRequest, signal?: AbortSignal): Promise<Uint8Array | null> {
    const { project: path, layer: table, grid, place } = request;
    const frame = tileFrame(grid, place);
    throwIfCancelled(signal);
    const project = this.#open(path);
    project.users++;
    try {
      const layer = project.finder.layer(table);
      const { crs, origin, resolutions, tileSize } = grid;
      const system = crs === null ? null : [crs.epsg, crs.proj4];
      const key = JSON.stringify([
        'layer',
        path,
        project.file,
        table,
        layer.changed,
        system,
        origin,
        resolutions[place.zoom],
        tileSize,
        place.column,
        place.row,
      ]);
      const tile = await this.#cache.get(
        key,
        async (within) => ({
          bytes: await this.#inTurn(within, () => layerTile(project.finder, layer, frame, within)),
          draft: false,
        }),
        signal,
      );
      return tile.bytes;
    } finally {
      project.users--;
      if (project.leaving && project.users === 0) project.finder.close();
    }
  }

  /** Closes a project's file, once nobody uses it. */
  forget(path: string): void {
    const project = this.#projects.get(path);
    if (project === undefined) return;
    this.#projects.delete(path);
    project.leaving = true;
    if (project.users === 0) project.finder.close();
  }

  close(): void {
    for (const path of [...this.#projects.keys()]) this.forget(path);
  }

  async #inTurn<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last;
    const mine = before.then(() => {
      if (signal.aborted) throw new Cancelled();
      return work();
    });
    this.#last = mine.catch(() => {});
    return mine;
  }

  #open(path: string): OpenProject {
    const about = statSync(path, { throwIfNoEntry: false });
    const file = `${about?.dev} ${about?.ino} ${about?.birthtimeMs}`;
    const known = this.#projects.get(path);
    if (known?.file === file) return known;
    this.forget(path);
    const opened = { finder: new PolygonFinder(path), file, users: 0, leaving: false };
    this.#projects.set(path, opened);
    return opened;
  }
}
