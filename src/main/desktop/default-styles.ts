import { chooseBands } from '../../worker/prep/choose-bands.ts';
import { measureRange } from '../../worker/prep/stretch.ts';
import { Cancelled } from '../../worker/report/problem.ts';
import { openScene } from '../../worker/scene/open-scene.ts';
import type { RasterStyle } from '../rpc/scenes.ts';
import type { RasterFacts } from './raster-facts.ts';

/** Styles that scenes begin with: eight bits as they are, others from 2 to 98 % of a sample. */
export class DefaultStyles {
  readonly #onReady: () => void;
  readonly #known = new Map<string, RasterStyle | null>();
  readonly #closing = new AbortController();
  #last: Promise<void> = Promise.resolve();

  constructor(onReady: () => void) {
    this.#onReady = onReady;
  }

  /** The scene's, or null while it is being measured; `onReady` tells when. */
  of(facts: RasterFacts): RasterStyle | null {
    const key = `${facts.version} ${facts.path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, null);
    this.#last = this.#last.then(async () => {
      if (this.#closing.signal.aborted) return;
      const style = await measure(facts.path, this.#closing.signal).catch(() => null);
      if (style === null) {
        this.#known.delete(key);
        return;
      }
      this.#known.set(key, style);
      this.#onReady();
    });
    return null;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Cancelled());
    await this.#last;
  }
}

async function measure(file: string, signal: AbortSignal): Promise<RasterStyle> {
  const scene = await openScene(file, signal, { cacheBytes: 64 << 20 });
  try {
    const bands = chooseBands(scene.header.bands);
    const eight = bands.every((band) => scene.header.bands[band]!.type === 'uint8');
    const ranges = eight
      ? bands.map(() => ({ low: 0, high: 255 }))
      : await measureRange(scene, bands, [0.02, 0.98], signal);
    const [red, green, blue] = ranges.map(({ low, high }) => ({ low, high }));
    return { kind: 'imagery', bands, stretch: [red!, green!, blue!], gamma: 1 };
  } finally {
    await scene.close();
  }
}
