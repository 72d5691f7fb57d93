import TileLayer from 'ol/layer/Tile.js';
import ImageTile from 'ol/source/ImageTile.js';
import type { PolygonLook } from '../painting/paint-polygons.ts';
import { PaintedTiles } from '../painting/painter.ts';
import type { MapSystem } from './projection.ts';

/** Painted tiles kept; they take up to a megabyte each. */
const keptTiles = 192;
/** Milliseconds that a look waits at most for the tiles of the one before it: a slider shows what it can meanwhile. */
const patience = 400;

let nothing: Promise<ImageBitmap> | null = null;

/** A source whose tiles are there until others take their place, as `key` tells them apart. */
class KeptTiles extends ImageTile {
  set key(key: string) {
    this.setKey(key);
  }
}

/** Polygons of a layer as a layer of the map; tiles are painted elsewhere and only put side by side here. */
export class PaintedLayer {
  readonly layer = new TileLayer<ImageTile>({ cacheSize: keptTiles });
  readonly #tiles = new PaintedTiles();
  #source: KeptTiles | null = null;
  #system: MapSystem | null = null;
  #address = '';
  #about: unknown = null;
  #version = 0;
  #changed = 0;
  /** Tiles on their way. */
  #expected = 0;
  #next: { look: PolygonLook; timer: ReturnType<typeof setTimeout> } | null = null;

  /**
   * `address` with {z}, {x} and {y}. `about` tells looks apart: with the same one nothing is painted anew. What was painted
   * before stays until the new tiles are there.
   */
  show(address: string, system: MapSystem, look: PolygonLook, about: unknown): void {
    const moved = address !== this.#address;
    this.#address = address;
    if (about !== this.#about) {
      this.#about = about;
      this.#change(look);
    }
    if (system !== this.#system) {
      this.#system = system;
      this.#source = this.#sourceIn(system);
      this.#name();
      this.layer.setSource(this.#source);
    } else if (moved) this.#name();
  }

  forget(): void {
    if (this.#next) clearTimeout(this.#next.timer);
    this.#next = null;
    this.layer.setSource(null);
    this.#tiles.forget();
  }

  #change(look: PolygonLook): void {
    const waited = performance.now() - this.#changed;
    if (this.#expected === 0 || waited > patience) this.#take(look);
    else if (this.#next) this.#next.look = look;
    else
      this.#next = {
        look,
        timer: setTimeout(() => this.#next && this.#take(this.#next.look), patience - waited),
      };
  }

  #take(look: PolygonLook): void {
    if (this.#next) clearTimeout(this.#next.timer);
    this.#next = null;
    this.#changed = performance.now();
    this.#version = this.#tiles.look(look);
    this.#name();
  }

  #name(): void {
    if (this.#source) this.#source.key = `${this.#address} ${this.#version}`;
  }

  #sourceIn(system: MapSystem): KeptTiles {
    return new KeptTiles({
      projection: system.projection,
      tileGrid: system.tileGrid,
      transition: 0,
      loader: async (z, x, y, { signal }) => {
        const place = this.#address.replace('{z}', `${z}`).replace('{x}', `${x}`).replace('{y}', `${y}`);
        const density = Math.min(2, Math.ceil(window.devicePixelRatio));
        this.#expected++;
        try {
          const bitmap = await this.#tiles.tile(place, z, density, signal);
          nothing ??= createImageBitmap(new ImageData(1, 1));
          return bitmap ?? (await nothing);
        } finally {
          this.#expected--;
          if (this.#expected === 0 && this.#next) this.#take(this.#next.look);
        }
      },
    });
  }
}
