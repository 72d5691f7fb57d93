/** A value as SQLite stores it, integers without loss. */
export type Cell = null | bigint | number | string | Uint8Array;

const kinds = { none: 0, integer: 1, real: 2, text: 3, blob: 4 } as const;

/**
 * A row's values as bytes: for each a kind, then 64 bits little-endian (integer or real) or a 32-bit length and the
 * bytes (text in UTF-8, blob). Integers and reals of equal value stay apart, and every bit pattern of a real survives.
 */
export function encodeRow(cells: readonly Cell[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const cell of cells) {
    if (cell === null) parts.push(Uint8Array.of(kinds.none));
    else if (typeof cell === 'bigint' || typeof cell === 'number') {
      const part = Buffer.alloc(9);
      part[0] = typeof cell === 'bigint' ? kinds.integer : kinds.real;
      if (typeof cell === 'bigint') part.writeBigInt64LE(cell, 1);
      else part.writeDoubleLE(cell, 1);
      parts.push(part);
    } else {
      const bytes = typeof cell === 'string' ? Buffer.from(cell, 'utf8') : cell;
      const head = Buffer.alloc(5);
      head[0] = typeof cell === 'string' ? kinds.text : kinds.blob;
      head.writeUInt32LE(bytes.byteLength, 1);
      parts.push(head, bytes);
    }
  }
  return Buffer.concat(parts);
}

/** The values of `encodeRow`. Throws a RangeError for bytes that it cannot have written. */
export function decodeRow(bytes: Uint8Array): Cell[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cells: Cell[] = [];
  let offset = 0;
  while (offset < buffer.length) {
    const kind = buffer[offset++];
    if (kind === kinds.none) cells.push(null);
    else if (kind === kinds.integer || kind === kinds.real) {
      cells.push(kind === kinds.integer ? buffer.readBigInt64LE(offset) : buffer.readDoubleLE(offset));
      offset += 8;
    } else if (kind === kinds.text || kind === kinds.blob) {
      const length = buffer.readUInt32LE(offset);
      offset += 4;
      if (length > buffer.length - offset) throw new RangeError('a value reaches beyond its row');
      const value = buffer.subarray(offset, offset + length);
      cells.push(kind === kinds.text ? value.toString('utf8') : value);
      offset += length;
    } else throw new RangeError(`kind ${kind} of a value is not known`);
  }
  return cells;
}
