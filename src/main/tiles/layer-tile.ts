import { throwIfCancelled } from '../../worker/report/problem.ts';
import type { TileFrame } from '../../worker/tiles/tile-grid.ts';
import { decodePolygon } from '../project/geopackage-geometry.ts';
import type { FoundPolygon, PolygonFinder, ReadLayer } from '../project/polygon-finder.ts';
import { RingShaper } from './ring-shaper.ts';
import { type TileMapping, tileMapping } from './tile-mapping.ts';
import { type TileFeature, VectorTileWriter } from './vector-tile-writer.ts';

/** Tile units along a side. */
const tileExtent = 4096;
/** Lines at the tile's edge are drawn from both sides: what lies this far outside, tile units, belongs to it too. */
const margin = 128;
/** At most so many polygons with a shape of their own on a tile, the largest: one a pixel. */
const mostShapes = 65_536;
/** Milliseconds between looks at whether the tile is still wanted. */
const turn = 12;

/**
 * The polygons of a layer on a tile as a vector tile, null where there are none. Right to a quarter of a pixel; a polygon
 * smaller than a pixel is drawn as the pixel it lies in, and of several in one pixel the largest stands for all, so that
 * a tile costs no more than its pixels, however many polygons the layer has.
 */
export async function layerTile(
  reader: PolygonFinder,
  layer: ReadLayer,
  frame: TileFrame,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (layer.extent === null) return null;
  const mapping = tileMapping(frame, layer.crs, layer.extent, tileExtent, margin);
  if (mapping === null) return null;
  const cell = tileExtent / frame.width;
  const shapes = new Shapes(mapping, cell);
  let since = performance.now();
  let rows = 0;
  for (const polygon of reader.polygons(layer.table, mapping.box, cell * mapping.unit)) {
    shapes.add(polygon);
    if (++rows % 256 !== 0 || performance.now() - since < turn) continue;
    await new Promise((resolve) => setImmediate(resolve));
    throwIfCancelled(signal);
    since = performance.now();
  }
  return shapes.write();
}

interface Shape {
  feature: TileFeature;
  /** Square tile units. */
  size: number;
  points: Int32Array;
  ends: number[];
}

/** Gathers what a tile shows. */
class Shapes {
  readonly #mapping: TileMapping;
  readonly #cell: number;
  readonly #across: number;
  readonly #shaper: RingShaper;
  #shapes: Shape[] = [];
  /** The largest of the small polygons in each cell. */
  readonly #small = new Map<number, { feature: TileFeature; size: number }>();
  readonly #middle = new Float64Array(2);

  constructor(mapping: TileMapping, cell: number) {
    this.#mapping = mapping;
    this.#cell = cell;
    this.#across = Math.ceil(tileExtent / cell);
    // A quarter of a pixel: what neighbours share is moved alike, so no gaps open between them.
    this.#shaper = new RingShaper(mapping, cell / 4);
  }

  add(polygon: FoundPolygon): void {
    const { fid, classId, confidence, area, envelope, geometry } = polygon;
    const feature = { fid, classId, confidence, area };
    const rings = geometry === null ? null : ringsOf(geometry);
    if (geometry !== null && rings === null) return;
    const shape = rings === null ? null : this.#shaper.shape(rings, envelope, this.#cell);
    if (shape === 'outside') return;
    if (shape === null) {
      this.#addSmall(feature, envelope);
      return;
    }
    this.#shapes.push({ feature, ...shape });
    if (this.#shapes.length >= 2 * mostShapes) this.#keepLargest();
  }

  write(): Uint8Array<ArrayBuffer> | null {
    this.#keepLargest();
    const writer = new VectorTileWriter(tileExtent);
    for (const { feature, points, ends } of this.#shapes) writer.add(feature, points, ends);
    const cell = this.#cell;
    const square = new Int32Array(8);
    for (const [place, { feature }] of this.#small) {
      const left = (place % this.#across) * cell;
      const top = Math.floor(place / this.#across) * cell;
      square.set([left, top, left + cell, top, left + cell, top + cell, left, top + cell]);
      writer.add(feature, square, [8]);
    }
    return writer.finish();
  }

  #addSmall(feature: TileFeature, [minX, maxX, minY, maxY]: FoundPolygon['envelope']): void {
    const middle = this.#middle;
    middle[0] = (minX + maxX) / 2;
    middle[1] = (minY + maxY) / 2;
    this.#mapping.toTile(middle, 1);
    const column = Math.floor(middle[0] / this.#cell);
    const row = Math.floor(middle[1] / this.#cell);
    if (!(column >= 0 && row >= 0 && column < this.#across && row < this.#across)) return;
    const place = row * this.#across + column;
    const size = feature.area ?? (maxX - minX) * (maxY - minY);
    const known = this.#small.get(place);
    if (known === undefined || size > known.size) this.#small.set(place, { feature, size });
  }

  #keepLargest(): void {
    if (this.#shapes.length <= mostShapes) return;
    this.#shapes.sort((a, b) => b.size - a.size);
    this.#shapes.length = mostShapes;
  }
}

/** Null for what is no polygon: other programs' layers may mix geometries, and files may be damaged. */
function ringsOf(geometry: Uint8Array): Float64Array[] | null {
  try {
    const { rings } = decodePolygon(geometry);
    return rings.length === 0 ? null : rings;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
