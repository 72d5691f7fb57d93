import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

/** Rows in a strip. */
export const stripRows = 8;

/**
 * Writes a GeoTIFF in strips without compression or overviews: eight-bit bands by pixel, EPSG:32632, pixels of half a
 * metre from (500000, 5600000) on. `row` fills the samples of a row; strips for which `has` is false stay holes of the
 * file, which read as 0.
 */
export function writeStripedTiff(
  file: string,
  size: { width: number; height: number; bands: number },
  row: (row: number, samples: Uint8Array) => void,
  has: (strip: number) => boolean = () => true,
): void {
  const { width, height, bands } = size;
  const strips = Math.ceil(height / stripRows);
  const rowBytes = width * bands;
  // Header, directory of 14 fields, then what does not fit into it.
  const directory = 8;
  const fields = 14;
  const extra = directory + 2 + 12 * fields + 4;
  const head = Buffer.alloc(extra + 256 + 8 * strips);
  let entry = directory + 2;
  let free = extra;
  const place = (bytes: number) => {
    const at = free;
    free += bytes + (bytes % 2);
    return at;
  };
  const field = (tag: number, type: 3 | 4 | 12, values: readonly number[]) => {
    const bytes = { 3: 2, 4: 4, 12: 8 }[type] * values.length;
    head.writeUInt16LE(tag, entry);
    head.writeUInt16LE(type, entry + 2);
    head.writeUInt32LE(values.length, entry + 4);
    let at = entry + 8;
    if (bytes > 4) {
      at = place(bytes);
      head.writeUInt32LE(at, entry + 8);
    }
    for (const value of values) {
      if (type === 3) at = head.writeUInt16LE(value, at);
      else if (type === 4) at = head.writeUInt32LE(value, at);
      else at = head.writeDoubleLE(value, at);
    }
    entry += 12;
  };
  const first = head.length;
  head.write('II', 0, 'latin1');
  head.writeUInt16LE(42, 2);
  head.writeUInt32LE(directory, 4);
  head.writeUInt16LE(fields, directory);
  field(256, 4, [width]);
  field(257, 4, [height]);
  field(258, 3, Array<number>(bands).fill(8));
  field(259, 3, [1]);
  field(262, 3, [bands >= 3 ? 2 : 1]);
  field(
    273,
    4,
    Array.from({ length: strips }, (_, strip) => first + strip * stripRows * rowBytes),
  );
  field(277, 3, [bands]);
  field(278, 4, [stripRows]);
  field(
    279,
    4,
    Array.from({ length: strips }, (_, strip) => Math.min(stripRows, height - strip * stripRows) * rowBytes),
  );
  field(284, 3, [1]);
  field(339, 3, Array<number>(bands).fill(1));
  field(33550, 12, [0.5, 0.5, 0]);
  field(33922, 12, [0, 0, 0, 500_000, 5_600_000, 0]);
  field(34735, 3, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632]);
  const handle = openSync(file, 'w');
  try {
    ftruncateSync(handle, first + height * rowBytes);
    writeSync(handle, head, 0, head.length, 0);
    const samples = new Uint8Array(rowBytes);
    for (let at = 0; at < height; at++) {
      if (!has(Math.floor(at / stripRows))) continue;
      row(at, samples);
      writeSync(handle, samples, 0, rowBytes, first + at * rowBytes);
    }
  } finally {
    closeSync(handle);
  }
}
