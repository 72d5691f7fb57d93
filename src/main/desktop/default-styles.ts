import { chooseBands } from '../../worker/prep/choose-bands.ts';
import { type RasterStyle, rasterStyle } from '../rpc/scenes.ts';
import type { TileHost } from '../tiles/tile-host.ts';
import type { RasterFacts } from './raster-facts.ts';

/** Of scenes whose colours need no measuring; null for others. */
function styleAsStored({ info, bands }: RasterFacts): RasterStyle | null {
  if (info.modality === 'sar' || bands.some(({ role }) => role === 'palette')) return null;
  const chosen = chooseBands(bands);
  if (!chosen.every((band) => bands[band]!.type === 'uint8')) return null;
  const whole = { low: 0, high: 255 };
  return { kind: 'imagery', bands: chosen, stretch: [whole, whole, whole], gamma: 1 };
}

/** Styles that scenes begin with: palettes in their colours, eight bits as they are, others from 2 to 98 % of a sample. */
export class DefaultStyles {
  readonly #tiles: TileHost;
  readonly #onReady: () => void;
  readonly #known = new Map<string, RasterStyle | null>();

  constructor(tiles: TileHost, onReady: () => void) {
    this.#tiles = tiles;
    this.#onReady = onReady;
  }

  /** The scene's, or null while it is being measured; `onReady` tells when. */
  of(facts: RasterFacts): RasterStyle | null {
    const key = `${facts.version} ${facts.path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const stored = styleAsStored(facts);
    if (stored) {
      this.#known.set(key, stored);
      return stored;
    }
    this.#known.set(key, null);
    // A scene that cannot be read shows its problem elsewhere, and stays without a style.
    this.#tiles.defaultStyle(facts.path, 'as stored').then(
      (style) => {
        this.#known.set(key, rasterStyle.parse(style));
        this.#onReady();
      },
      () => {},
    );
    return null;
  }
}
