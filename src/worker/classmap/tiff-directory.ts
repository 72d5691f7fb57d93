/** Field types of TIFF 6.0 and BigTIFF. */
type FieldType = 'ascii' | 'uint16' | 'uint32' | 'float64' | 'uint64';

const typeCodes: Record<FieldType, number> = { ascii: 2, uint16: 3, uint32: 4, float64: 12, uint64: 16 };
const typeSizes: Record<FieldType, number> = { ascii: 1, uint16: 2, uint32: 4, float64: 8, uint64: 8 };

/** One tag of a directory; text is written in UTF-8 with its terminator. */
export interface TiffField {
  tag: number;
  type: FieldType;
  values: ArrayLike<number> | string;
}

function encodeValues(field: TiffField): { count: number; bytes: Buffer } {
  if (typeof field.values === 'string') {
    const bytes = Buffer.from(`${field.values}\0`, 'utf8');
    return { count: bytes.length, bytes };
  }
  const { values } = field;
  const bytes = Buffer.alloc(values.length * typeSizes[field.type]);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    switch (field.type) {
      case 'ascii':
        bytes.writeUInt8(value, index);
        break;
      case 'uint16':
        bytes.writeUInt16LE(value, index * 2);
        break;
      case 'uint32':
        bytes.writeUInt32LE(value, index * 4);
        break;
      case 'float64':
        bytes.writeDoubleLE(value, index * 8);
        break;
      case 'uint64':
        bytes.writeBigUInt64LE(BigInt(value), index * 8);
        break;
    }
  }
  return { count: values.length, bytes };
}

/**
 * Bytes of an image file directory, little-endian, that will stand at file offset `offset` (even), followed by the
 * values that do not fit into its entries.
 */
export function encodeDirectory(fields: readonly TiffField[], offset: number, big: boolean): Buffer {
  const sorted = [...fields].sort((left, right) => left.tag - right.tag);
  const entrySize = big ? 20 : 12;
  const inline = big ? 8 : 4;
  const countSize = big ? 8 : 2;
  const directory = Buffer.alloc(countSize + sorted.length * entrySize + inline);
  if (big) directory.writeBigUInt64LE(BigInt(sorted.length), 0);
  else directory.writeUInt16LE(sorted.length, 0);
  const outside: Buffer[] = [];
  let next = offset + directory.length;
  sorted.forEach((field, index) => {
    const { count, bytes } = encodeValues(field);
    const at = countSize + index * entrySize;
    directory.writeUInt16LE(field.tag, at);
    directory.writeUInt16LE(typeCodes[field.type], at + 2);
    if (big) directory.writeBigUInt64LE(BigInt(count), at + 4);
    else directory.writeUInt32LE(count, at + 4);
    const value = at + (big ? 12 : 8);
    if (bytes.length <= inline) {
      bytes.copy(directory, value);
      return;
    }
    if (next % 2 === 1) {
      outside.push(Buffer.alloc(1));
      next++;
    }
    if (big) directory.writeBigUInt64LE(BigInt(next), value);
    else directory.writeUInt32LE(next, value);
    outside.push(bytes);
    next += bytes.length;
  });
  return Buffer.concat([directory, ...outside]);
}
