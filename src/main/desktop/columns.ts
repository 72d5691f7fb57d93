import { endianness } from 'node:os';
import type { LayerColumns } from '../project/layer-reader.ts';

/**
 * A layer's attributes as `columnsAddress` describes them: uint32 count, then fid, class, confidence, area and perimeter,
 * each column starting at a multiple of 8 bytes, little endian.
 */
export function packColumns({ fid, classId, confidence, area, perimeter }: LayerColumns): Uint8Array {
  const columns = [fid, classId, confidence, area, perimeter];
  const bytes = columns.reduce((end, column) => aligned(end) + column.byteLength, aligned(4));
  const packed = new Uint8Array(bytes);
  new DataView(packed.buffer).setUint32(0, fid.length, true);
  let end = 4;
  for (const column of columns) {
    const start = aligned(end);
    end = start + column.byteLength;
    packed.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), start);
    if (endianness() === 'BE') swap(packed.subarray(start, end), column.BYTES_PER_ELEMENT);
  }
  return packed;
}

function aligned(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

function swap(bytes: Uint8Array, size: number): void {
  for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse();
}
