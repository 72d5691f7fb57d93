/** Size and mask of a LERC 2 block. */
export interface LercHeader {
  width: number;
  height: number;
  /** Samples per pixel. */
  samples: number;
  /** 1 for pixels without a value, `[height · width]`; null where all have one. */
  outside: Uint8Array | null;
}

/**
 * Reads the header and the mask of a LERC 2 block (Esri's specification, versions 2 to 5). Throws RangeError for any
 * other bytes.
 */
export function readLercHeader(bytes: Uint8Array): LercHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 66 || String.fromCharCode(...bytes.subarray(0, 6)) !== 'Lerc2 ')
    throw new RangeError('no LERC 2');
  const version = view.getInt32(6, true);
  if (version < 2 || version > 5) throw new RangeError(`LERC of version ${version}`);
  // Version 3 added a checksum, version 4 the number of samples.
  let at = version >= 3 ? 14 : 10;
  const height = view.getInt32(at, true);
  const width = view.getInt32(at + 4, true);
  at += 8;
  let samples = 1;
  if (version >= 4) {
    samples = view.getInt32(at, true);
    at += 4;
  }
  const present = view.getInt32(at, true);
  if (!(width > 0) || !(height > 0) || !(samples > 0) || width * height > 2 ** 28) {
    throw new RangeError(`a LERC block of ${width} × ${height} pixels`);
  }
  if (present === width * height) return { width, height, samples, outside: null };
  const outside = new Uint8Array(width * height).fill(1);
  if (present === 0) return { width, height, samples, outside };
  // Counts, type, tolerance and range lie between.
  at += 40;
  const end = at + 4 + view.getInt32(at, true);
  at += 4;
  if (end > bytes.length) throw new RangeError('a LERC mask that is cut short');
  // Runs of a bit set: a count above 0 precedes as many bytes, one below 0 a byte to repeat.
  let byte = 0;
  const mark = (value: number): void => {
    const base = byte++ * 8;
    for (let bit = 0; bit < 8 && base + bit < outside.length; bit++) {
      if ((value >> (7 - bit)) & 1) outside[base + bit] = 0;
    }
  };
  while (at + 2 < end && byte * 8 < outside.length) {
    const count = view.getInt16(at, true);
    at += 2;
    if (count > 0) for (let index = 0; index < count && at < end; index++) mark(bytes[at++]!);
    else {
      for (let index = 0; index < -count && byte * 8 < outside.length; index++) mark(bytes[at]!);
      at++;
    }
  }
  return { width, height, samples, outside };
}
