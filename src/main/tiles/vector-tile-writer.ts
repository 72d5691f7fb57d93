/**
 * Writes Mapbox Vector Tiles 2.1 (github.com/mapbox/vector-tile-spec): protocol buffers, here one layer `polygons`
 * whose features have an id and the properties `class`, `confidence` and `area`.
 */
const layerName = 'polygons';
const keys = ['class', 'confidence', 'area'] as const;
const wire = { varint: 0, eight: 1, bytes: 2 } as const;
const [moveTo, lineTo, closePath] = [1, 2, 7] as const;
const polygonType = 3;

export interface TileFeature {
  fid: number;
  classId: number | null;
  confidence: number | null;
  area: number | null;
}

/** Bytes that grow. */
class Bytes {
  #bytes = new Uint8Array(1 << 14);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** @param value whole, from 0 to 2⁵³ - 1 */
  varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7fff_ffff) {
      this.#bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.#bytes[this.length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.length++] = rest;
  }

  tag(field: number, type: number): void {
    this.varint(field * 8 + type);
  }

  block(field: number, content: Uint8Array): void {
    this.tag(field, wire.bytes);
    this.varint(content.length);
    this.#reserve(content.length);
    this.#bytes.set(content, this.length);
    this.length += content.length;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + count));
    larger.set(this.written);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Collects the features of one tile. */
export class VectorTileWriter {
  readonly #extent: number;
  readonly #features = new Bytes();
  readonly #feature = new Bytes();
  readonly #part = new Bytes();
  readonly #values = new Bytes();
  /** Places of values in the layer's table; classes apart, as their type is another. */
  readonly #classes = new Map<number, number>();
  readonly #numbers = new Map<number, number>();
  #valueCount = 0;
  #count = 0;

  /** @param extent tile units along a side */
  constructor(extent: number) {
    this.#extent = extent;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * A polygon in tile units, y downwards: x, y, … of its rings, which end before `ends`, exterior clockwise to the eye
   * and holes the other way, without a repeated last point.
   */
  add(feature: TileFeature, points: Int32Array, ends: readonly number[]): void {
    const { fid, classId, confidence, area } = feature;
    const out = this.#feature;
    out.length = 0;
    // Ids are unsigned; other programs may number from below zero.
    if (Number.isSafeInteger(fid) && fid >= 0) {
      out.tag(1, wire.varint);
      out.varint(fid);
    }
    const part = this.#part;
    part.length = 0;
    if (classId !== null) {
      part.varint(0);
      part.varint(this.#class(classId));
    }
    if (confidence !== null) {
      part.varint(1);
      part.varint(this.#number(confidence));
    }
    if (area !== null) {
      part.varint(2);
      part.varint(this.#number(area));
    }
    out.block(2, part.written);
    out.tag(3, wire.varint);
    out.varint(polygonType);
    part.length = 0;
    let [x, y] = [0, 0];
    let at = 0;
    for (const end of ends) {
      part.varint(moveTo + 8);
      const first = at;
      for (; at < end; at += 2) {
        if (at === first + 2) part.varint(lineTo + 8 * ((end - at) / 2));
        const dx = points[at]! - x;
        const dy = points[at + 1]! - y;
        part.varint(((dx << 1) ^ (dx >> 31)) >>> 0);
        part.varint(((dy << 1) ^ (dy >> 31)) >>> 0);
        x += dx;
        y += dy;
      }
      part.varint(closePath + 8);
    }
    out.block(4, part.written);
    this.#features.block(2, out.written);
    this.#count++;
  }

  /** The tile; null without features. */
  finish(): Uint8Array<ArrayBuffer> | null {
    if (this.#count === 0) return null;
    const text = new TextEncoder();
    const layer = new Bytes();
    layer.tag(15, wire.varint);
    layer.varint(2);
    layer.block(1, text.encode(layerName));
    layer.tag(5, wire.varint);
    layer.varint(this.#extent);
    for (const key of keys) layer.block(3, text.encode(key));
    const tail = [layer.written, this.#values.written, this.#features.written];
    const length = tail.reduce((sum, bytes) => sum + bytes.length, 0);
    const head = new Bytes();
    head.tag(3, wire.bytes);
    head.varint(length);
    const tile = new Uint8Array(head.length + length);
    let at = 0;
    for (const bytes of [head.written, ...tail]) {
      tile.set(bytes, at);
      at += bytes.length;
    }
    return tile;
  }

  #class(value: number): number {
    const known = this.#classes.get(value);
    if (known !== undefined) return known;
    // A value's length is written before it: a tag, and a varint of at most ten bytes.
    const entry = this.#entry;
    entry.length = 0;
    entry.tag(value < 0 ? 6 : 5, wire.varint);
    entry.varint(value < 0 ? -2 * value - 1 : value);
    this.#values.block(4, entry.written);
    this.#classes.set(value, this.#valueCount);
    return this.#valueCount++;
  }

  #number(value: number): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const entry = this.#entry;
    entry.length = 0;
    entry.tag(3, wire.eight);
    entry.double(value);
    this.#values.block(4, entry.written);
    this.#numbers.set(value, this.#valueCount);
    return this.#valueCount++;
  }

  readonly #entry = new Bytes();
}
