import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLzw, decodePackBits } from '../../../src/worker/scene/lzw.ts';

/** TIFF 6.0 §13's encoder, as the page states it. */
function encodeLzw(input: Uint8Array): Uint8Array {
  const output: number[] = [];
  let accumulator = 0;
  let bits = 0;
  const write = (code: number, width: number): void => {
    accumulator = (accumulator << width) | code;
    bits += width;
    while (bits >= 8) {
      bits -= 8;
      output.push((accumulator >>> bits) & 255);
      accumulator &= (1 << bits) - 1;
    }
  };
  let table = new Map<string, number>();
  let next = 258;
  let width = 9;
  write(256, width);
  let prefix = '';
  const codeOf = (text: string): number => (text.length === 1 ? text.charCodeAt(0) : table.get(text)!);
  for (const byte of input) {
    const longer = prefix + String.fromCharCode(byte);
    if (longer.length === 1 || table.has(longer)) {
      prefix = longer;
      continue;
    }
    write(codeOf(prefix), width);
    table.set(longer, next++);
    // The encoder's table is one entry ahead of the decoder's.
    if (next === 512 || next === 1024 || next === 2048) width++;
    if (next === 4095) {
      write(256, width);
      table = new Map();
      next = 258;
      width = 9;
    }
    prefix = String.fromCharCode(byte);
  }
  if (prefix !== '') {
    write(codeOf(prefix), width);
    next++;
    if (next === 512 || next === 1024 || next === 2048) width++;
  }
  write(257, width);
  if (bits > 0) write(0, 8 - bits);
  return Uint8Array.from(output);
}

describe('LZW', () => {
  test('law: decode ∘ encode = identity', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 8 }), (bytes, levels) => {
        // Few distinct values make long runs and codes that refer to themselves.
        const input = bytes.map((byte) => byte % levels);
        const output = new Uint8Array(input.length);
        expect(decodeLzw(encodeLzw(input), output)).toBe(input.length);
        expect(output).toEqual(input);
      }),
      { numRuns: 200 },
    );
  });

  test('long input: full tables, every code width', () => {
    const input = new Uint8Array(200_000).map(
      (_, at) => (Math.imul(at, 2654435761) >>> (at % 3 === 0 ? 24 : 29)) & 255,
    );
    const output = new Uint8Array(input.length);
    expect(decodeLzw(encodeLzw(input), output)).toBe(input.length);
    expect(output).toEqual(input);
  });

  test('law: any bytes end, and write no more than there is room for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 0, max: 5000 }), (bytes, room) => {
        const written = decodeLzw(bytes, new Uint8Array(room));
        expect(written).toBeLessThanOrEqual(room);
        expect(written).toBeGreaterThanOrEqual(-1);
      }),
      { numRuns: 500 },
    );
  });

  test('a code beyond the table is refused', () => {
    // Clear, 65, 300.
    expect(decodeLzw(Uint8Array.of(0x80, 0x10, 0x65, 0x80), new Uint8Array(10))).toBe(-1);
  });
});

test('PackBits: the example of TIFF 6.0 §9, and any bytes end', () => {
  const packed = Uint8Array.of(
    0xfe,
    0xaa,
    0x02,
    0x80,
    0x00,
    0x2a,
    0xfd,
    0xaa,
    0x03,
    0x80,
    0x00,
    0x2a,
    0x22,
    0xf7,
    0xaa,
  );
  const plain = [
    0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
  ];
  const output = new Uint8Array(24);
  expect(decodePackBits(packed, output)).toBe(24);
  expect(Array.from(output)).toEqual(plain);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 1000 }), (bytes, room) => {
      expect(decodePackBits(bytes, new Uint8Array(room))).toBeLessThanOrEqual(room);
    }),
  );
});
