const clearCode = 256;
const endCode = 257;

/**
 * Decodes TIFF's LZW (TIFF 6.0 §13: codes most significant bit first, widths 9 to 12 that change one code early). Stops at
 * the end code or when `output` is full; returns the number of bytes written, or -1 for a code that cannot occur.
 */
export function decodeLzw(input: Uint8Array, output: Uint8Array): number {
  // An entry is a run of bytes already in the output: where it starts and how long it is.
  const starts = new Int32Array(4096);
  const lengths = new Int32Array(4096);
  const size = input.length;
  const capacity = output.length;
  let next = 258;
  let width = 9;
  let accumulator = 0;
  let bits = 0;
  let position = 0;
  let written = 0;
  let previous = -1;
  let previousStart = 0;
  let previousLength = 0;
  for (;;) {
    while (bits < width) {
      if (position >= size) return written;
      accumulator = ((accumulator << 8) | input[position++]!) & 0xffffff;
      bits += 8;
    }
    bits -= width;
    const code = (accumulator >>> bits) & ((1 << width) - 1);
    if (code === endCode) return written;
    if (code === clearCode) {
      next = 258;
      width = 9;
      previous = -1;
      continue;
    }
    const start = written;
    let length = 1;
    if (code < clearCode) {
      if (written >= capacity) return written;
      output[written++] = code;
    } else {
      if (previous < 0 || code > next) return -1;
      // The code about to be defined is the previous run and its own first byte: both already lie in the output.
      const from = code === next ? previousStart : starts[code]!;
      length = code === next ? previousLength + 1 : lengths[code]!;
      const fits = Math.min(length, capacity - written);
      for (let index = 0; index < fits; index++) output[written + index] = output[from + index]!;
      written += fits;
      if (fits < length) return written;
    }
    if (previous >= 0 && next < 4096) {
      starts[next] = previousStart;
      lengths[next] = previousLength + 1;
      next++;
      if (next === (1 << width) - 1 && width < 12) width++;
    }
    previous = code;
    previousStart = start;
    previousLength = length;
    if (written >= capacity) return written;
  }
}

/** Decodes PackBits (TIFF 6.0 §9) into `output`; returns the number of bytes written. */
export function decodePackBits(input: Uint8Array, output: Uint8Array): number {
  let written = 0;
  let position = 0;
  while (position < input.length && written < output.length) {
    const header = input[position++]!;
    if (header < 128) {
      const count = Math.min(header + 1, input.length - position, output.length - written);
      output.set(input.subarray(position, position + count), written);
      position += header + 1;
      written += count;
    } else if (header > 128 && position < input.length) {
      const count = Math.min(257 - header, output.length - written);
      output.fill(input[position++]!, written, written + count);
      written += count;
    }
  }
  return written;
}
