import { endianness } from 'node:os';

/**
 * GeoPackageBinary (OGC 12-128r17, clause 2.1.3): "GP", version, flags, srs_id, envelope, then the geometry as ISO
 * well-known binary. Everything is written little-endian with an x-y envelope.
 */
const envelopeXy = 0b0000_0010;
const littleEndian = 0b0000_0001;
const empty = 0b0001_0000;
const headerBytes = 8 + 32;
const polygonType = 3;
const nativeLittleEndian = endianness() === 'LE';

/** [min x, max x, min y, max y]: the order of GeoPackage envelopes and R-trees. */
export type Envelope = Float64Array;

/** Envelope of a polygon from its exterior ring (x, y, x, y, …), written into `into`. */
function ringEnvelope(ring: Float64Array, into: Envelope): void {
  let minX = Number.POSITIVE_INFINITY;
  let maxX = Number.NEGATIVE_INFINITY;
  let minY = Number.POSITIVE_INFINITY;
  let maxY = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < ring.length; i += 2) {
    const x = ring[i];
    const y = ring[i + 1];
    if (x < minX) minX = x;
    if (x > maxX) maxX = x;
    if (y < minY) minY = y;
    if (y > maxY) maxY = y;
  }
  into[0] = minX;
  into[1] = maxX;
  into[2] = minY;
  into[3] = maxY;
}

/** Writes polygons as blobs into one buffer that grows to the largest of them; a blob is valid until the next. */
export class PolygonEncoder {
  readonly #srsId: number;
  readonly envelope: Envelope = new Float64Array(4);
  #buffer: Buffer = Buffer.alloc(1 << 16);

  constructor(srsId: number) {
    this.#srsId = srsId;
  }

  /** `rings` as in `PolygonFeature`. `envelope` is that of the polygon encoded last. */
  encode(rings: readonly Float64Array[]): Buffer {
    let bytes = headerBytes + 9;
    for (const ring of rings) bytes += 4 + ring.byteLength;
    if (bytes > this.#buffer.length) this.#buffer = Buffer.alloc(bytes * 2);
    const buffer = this.#buffer;
    ringEnvelope(rings[0], this.envelope);
    buffer[0] = 0x47;
    buffer[1] = 0x50;
    buffer[2] = 0;
    buffer[3] = envelopeXy | littleEndian;
    buffer.writeInt32LE(this.#srsId, 4);
    for (let i = 0; i < 4; i++) buffer.writeDoubleLE(this.envelope[i], 8 + 8 * i);
    buffer[headerBytes] = 1;
    buffer.writeUInt32LE(polygonType, headerBytes + 1);
    buffer.writeUInt32LE(rings.length, headerBytes + 5);
    let offset = headerBytes + 9;
    for (const ring of rings) {
      buffer.writeUInt32LE(ring.length >> 1, offset);
      offset = writeDoubles(buffer, offset + 4, ring);
    }
    return buffer.subarray(0, bytes);
  }
}

function writeDoubles(buffer: Buffer, offset: number, values: Float64Array): number {
  if (nativeLittleEndian) {
    buffer.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    return offset + values.byteLength;
  }
  for (const value of values) offset = buffer.writeDoubleLE(value, offset);
  return offset;
}

/**
 * Rings of a polygon blob, of any byte order; empty for an empty polygon. Throws a RangeError for a damaged blob or
 * another geometry type. Counts are checked against the blob's length before anything is allocated.
 */
export function decodePolygon(blob: Uint8Array): { srsId: number; rings: Float64Array[] } {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const { little, start } = header(view);
  const srsId = view.getInt32(4, little);
  const order = view.getUint8(start) === 1;
  const type = view.getUint32(start + 1, order);
  if (type !== polygonType) throw new RangeError(`geometry type ${type} is not a polygon`);
  const count = view.getUint32(start + 5, order);
  let offset = start + 9;
  if (count > (blob.byteLength - offset) / 4) throw new RangeError('more rings than bytes');
  const rings: Float64Array[] = [];
  for (let r = 0; r < count; r++) {
    const points = view.getUint32(offset, order);
    offset += 4;
    if (points > (blob.byteLength - offset) / 16) throw new RangeError('more points than bytes');
    const ring = new Float64Array(points * 2);
    for (let i = 0; i < ring.length; i++, offset += 8) ring[i] = view.getFloat64(offset, order);
    rings.push(ring);
  }
  return { srsId, rings };
}

/** Envelope of a polygon blob, from its header where it has one; null for an empty geometry. */
export function blobEnvelope(blob: Uint8Array): Envelope | null {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const { little, start, isEmpty } = header(view);
  if (isEmpty) return null;
  const envelope = new Float64Array(4);
  if (start >= headerBytes) {
    for (let i = 0; i < 4; i++) envelope[i] = view.getFloat64(8 + 8 * i, little);
    return envelope;
  }
  const [exterior] = decodePolygon(blob).rings;
  if (!exterior || exterior.length === 0) return null;
  ringEnvelope(exterior, envelope);
  return envelope;
}

function header(view: DataView): { little: boolean; start: number; isEmpty: boolean } {
  if (view.getUint16(0) !== 0x4750) throw new RangeError('not a GeoPackage geometry');
  const flags = view.getUint8(3);
  const kind = (flags >> 1) & 7;
  if (kind > 4) throw new RangeError(`envelope type ${kind} is not known`);
  const start = 8 + [0, 32, 48, 48, 64][kind];
  return { little: (flags & littleEndian) !== 0, start, isEmpty: (flags & empty) !== 0 };
}
