import { Cancelled } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { TileHost } from '../tiles/tile-host.ts';
import type { EventHub } from './event-hub.ts';

/** Builds the overviews that the project's rasters lack, one after the other, while nobody asks for tiles. */
export class OverviewBuilder {
  readonly #tiles: TileHost;
  readonly #hub: EventHub;
  readonly #seen = new Set<string>();
  readonly #stop = new AbortController();
  #last: Promise<void> = Promise.resolve();

  constructor(tiles: TileHost, hub: EventHub) {
    this.#tiles = tiles;
    this.#hub = hub;
  }

  /** Does nothing for a raster of this version that was added before. `sceneId` null: nobody is told. */
  add(file: string, version: string, reduction: 'average' | 'mode', sceneId: number | null): void {
    const key = `${version} ${file}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#last = this.#last.then(async () => {
      const { signal } = this.#stop;
      if (signal.aborted) return;
      let told = -1;
      const tell = (share: number) => {
        if (sceneId === null || (share < 1 && share - told < 0.01)) return;
        told = share;
        this.#hub.send({ kind: 'overviews', sceneId, share });
      };
      try {
        await this.#tiles.buildPyramid(
          file,
          signal,
          ({ done, total }) => tell(total > 0 ? Math.min(0.999, done / total) : 0),
          reduction,
        );
        if (told >= 0) tell(1);
      } catch (error) {
        const problem = asProblem(error);
        if (problem instanceof Cancelled) return;
        // The map goes on without them, only slower.
        this.#hub.note('warning', `${problem.message} ${problem.hint}`.trim());
      }
    });
  }

  async close(): Promise<void> {
    this.#stop.abort(new Cancelled());
    await this.#last;
  }
}
