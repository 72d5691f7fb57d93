/**
 * Reads the vector tiles that the host writes: Mapbox Vector Tile 2.1 (github.com/mapbox/vector-tile-spec), one layer of
 * polygons with an id and the properties `class`, `confidence` and `area`, into flat arrays instead of an object for
 * each: a tile may have sixteen thousand.
 */
export interface TilePolygons {
  /** Tile units along a side. */
  extent: number;
  count: number;
  /** By polygon; −1 without one. */
  fids: Float64Array;
  /** By polygon; −1 without one. */
  classIds: Int32Array;
  /** By polygon, 0-1 and square metres; NaN without one. */
  confidences: Float64Array;
  areas: Float64Array;
  /** Where a polygon's rings end in `ringEnds`. */
  lastRings: Uint32Array;
  /** Where a ring's points end in `points`. */
  ringEnds: Uint32Array;
  /** Tile units, y downwards, x, y, … without a repeated last point. */
  points: Int16Array;
  bytes: number;
}

const empty = new Uint8Array();

/** Throws RangeError for bytes that are no such tile. */
export function readTilePolygons(tile: Uint8Array): TilePolygons {
  const layers: Uint8Array[] = [];
  eachField(tile, (field, _, bytes) => {
    if (field === 3) layers.push(bytes);
  });
  let extent = 4096;
  const features: Uint8Array[] = [];
  const keys: string[] = [];
  const values: number[] = [];
  const text = new TextDecoder();
  // The host writes one layer; what more there is would have tables of its own.
  eachField(layers[0] ?? empty, (field, value, bytes) => {
    if (field === 2) features.push(bytes);
    else if (field === 3) keys.push(text.decode(bytes));
    else if (field === 4) values.push(numberOf(bytes));
    else if (field === 5) extent = value;
  });
  const count = features.length;
  const fids = new Float64Array(count).fill(-1);
  const classIds = new Int32Array(count).fill(-1);
  const confidences = new Float64Array(count).fill(Number.NaN);
  const areas = new Float64Array(count).fill(Number.NaN);
  const lastRings = new Uint32Array(count);
  const rings = new Rings();
  for (const [index, feature] of features.entries()) {
    eachField(feature, (field, value, bytes) => {
      if (field === 1) fids[index] = value;
      else if (field === 2) {
        const reader = new Reader(bytes);
        while (!reader.done) {
          const key = keys[reader.varint()];
          const found = values[reader.varint()] ?? Number.NaN;
          if (key === 'class' && Number.isInteger(found)) classIds[index] = found;
          else if (key === 'confidence') confidences[index] = found;
          else if (key === 'area') areas[index] = found;
        }
      } else if (field === 4) rings.add(bytes);
    });
    lastRings[index] = rings.count;
  }
  const { points, ends } = rings.finish();
  const columns = [fids, classIds, confidences, areas, lastRings, ends, points];
  return {
    extent,
    count,
    fids,
    classIds,
    confidences,
    areas,
    lastRings,
    ringEnds: ends,
    points,
    bytes: columns.reduce((sum, { byteLength }) => sum + byteLength, 0),
  };
}

/** Points of rings, as long as they come. */
class Rings {
  count = 0;
  #points = new Int16Array(1 << 14);
  #ends = new Uint32Array(1 << 10);
  #length = 0;

  add(commands: Uint8Array): void {
    const reader = new Reader(commands);
    let [x, y] = [0, 0];
    while (!reader.done) {
      const command = reader.varint();
      const kind = command & 7;
      if (kind === 7) {
        this.#close();
        continue;
      }
      if (kind !== 1 && kind !== 2) throw new RangeError(`vector tile: command ${kind}`);
      for (let times = command >>> 3; times > 0; times--) {
        x += zigzag(reader.varint());
        y += zigzag(reader.varint());
        this.#point(x, y);
      }
    }
  }

  finish(): { points: Int16Array; ends: Uint32Array } {
    return { points: this.#points.slice(0, this.#length), ends: this.#ends.slice(0, this.count) };
  }

  #point(x: number, y: number): void {
    if (this.#length + 2 > this.#points.length) {
      const larger = new Int16Array(2 * this.#points.length);
      larger.set(this.#points);
      this.#points = larger;
    }
    this.#points[this.#length++] = x;
    this.#points[this.#length++] = y;
  }

  #close(): void {
    if (this.count === this.#ends.length) {
      const larger = new Uint32Array(2 * this.#ends.length);
      larger.set(this.#ends);
      this.#ends = larger;
    }
    this.#ends[this.count++] = this.#length;
  }
}

const zigzag = (value: number) => (value >>> 1) ^ -(value & 1);

/** A property's value as a number; NaN for texts. */
function numberOf(bytes: Uint8Array): number {
  let found = Number.NaN;
  eachField(bytes, (field, value, content) => {
    if (field === 2) found = new DataView(content.buffer, content.byteOffset).getFloat32(0, true);
    else if (field === 3) found = new DataView(content.buffer, content.byteOffset).getFloat64(0, true);
    else if (field === 4 || field === 5) found = value;
    else if (field === 6) found = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  });
  return found;
}

/** The fields of a message: a number's value, or a block's bytes. */
function eachField(message: Uint8Array, take: (field: number, value: number, bytes: Uint8Array) => void) {
  const reader = new Reader(message);
  while (!reader.done) {
    const tag = reader.varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) take(field, reader.varint(), empty);
    else if (wire === 1) take(field, 0, reader.bytes(8));
    else if (wire === 2) take(field, 0, reader.bytes(reader.varint()));
    else if (wire === 5) take(field, 0, reader.bytes(4));
    else throw new RangeError(`vector tile: wire type ${wire}`);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('vector tile: ends within a number');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  bytes(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new RangeError('vector tile: ends within a block');
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }
}
