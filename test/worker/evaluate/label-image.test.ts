import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeDirectory, type TiffField } from '../../../src/worker/classmap/tiff-directory.ts';
import { readLabelImage } from '../../../src/worker/evaluate/label-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'landscribe-labels-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const width = 13;
const height = 5;

/** A PNG by hand (filter 0), so that bit depth and colour type are exactly those asked for. */
function png(bits: number, colourType: number, values: number[]): Buffer {
  const chunk = (type: string, body: Buffer): Buffer => {
    const out = Buffer.alloc(12 + body.length);
    out.writeUInt32BE(body.length, 0);
    out.write(type, 4, 'latin1');
    body.copy(out, 8);
    out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = bits;
  header[9] = colourType;
  const palette = Buffer.from(Array.from({ length: 3 * 2 ** Math.min(bits, 8) }, (_, i) => (i * 37) % 256));
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    ...(colourType === 3 ? [chunk('PLTE', palette), chunk('tRNS', Buffer.of(0))] : []),
    chunk('IDAT', deflateSync(packed(bits, values, 1))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Rows of values, most significant bits first, each row preceded by `lead` zero bytes. */
function packed(bits: number, values: number[], lead: number): Buffer {
  const rowBytes = Math.ceil((width * bits) / 8);
  const out = Buffer.alloc(height * (rowBytes + lead));
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const value = values[row * width + column]!;
      for (let bit = 0; bit < bits; bit++) {
        const position = column * bits + bit;
        const on = (value >> (bits - 1 - bit)) & 1;
        out[row * (rowBytes + lead) + lead + (position >> 3)]! |= on << (7 - (position & 7));
      }
    }
  }
  return out;
}

function tiff(bits: number, photometric: number, values: number[]): Buffer {
  const pixels = packed(bits, values, 0);
  const start = 8 + pixels.length + (pixels.length % 2);
  const fields: TiffField[] = [
    { tag: 256, type: 'uint16', values: [width] },
    { tag: 257, type: 'uint16', values: [height] },
    { tag: 258, type: 'uint16', values: [bits] },
    { tag: 259, type: 'uint16', values: [1] },
    { tag: 262, type: 'uint16', values: [photometric] },
    { tag: 273, type: 'uint32', values: [8] },
    { tag: 277, type: 'uint16', values: [1] },
    { tag: 278, type: 'uint16', values: [height] },
    { tag: 279, type: 'uint32', values: [pixels.length] },
  ];
  if (photometric === 3) {
    fields.push({
      tag: 320,
      type: 'uint16',
      values: Array.from({ length: 3 * 2 ** bits }, (_, i) => (i * 999) % 65536),
    });
  }
  const header = Buffer.alloc(8);
  header.write('II*\0', 0, 'latin1');
  header.writeUInt32LE(start, 4);
  return Buffer.concat([
    header,
    pixels,
    Buffer.alloc(pixels.length % 2),
    encodeDirectory(fields, start, false),
  ]);
}

const valuesOf = (bits: number): number[] =>
  Array.from({ length: width * height }, (_, i) => (i * 7 + (i >> 3)) % 2 ** Math.min(bits, 8));

describe('label images', () => {
  for (const bits of [1, 2, 4, 8]) {
    for (const [name, colourType] of [
      ['grey', 0],
      ['palette', 3],
    ] as const) {
      it(`gives the stored values of a ${bits}-bit ${name} PNG`, async () => {
        const path = join(folder, `${name}${bits}.png`);
        writeFileSync(path, png(bits, colourType, valuesOf(bits)));
        const labels = await readLabelImage(path);
        expect(labels).toMatchObject({ width, height });
        expect([...labels.values]).toEqual(valuesOf(bits));
      });
    }
  }

  for (const [name, bits, photometric] of [
    ['grey', 8, 1],
    ['inverted grey', 8, 0],
    ['palette', 8, 3],
    ['4-bit palette', 4, 3],
    ['1-bit', 1, 1],
  ] as const) {
    it(`gives the stored values of a ${name} TIFF`, async () => {
      const path = join(folder, `${name}.tif`);
      writeFileSync(path, tiff(bits, photometric, valuesOf(bits)));
      expect([...(await readLabelImage(path)).values]).toEqual(valuesOf(bits));
    });
  }

  it('gives 16-bit values unscaled', async () => {
    const path = join(folder, 'sixteen.png');
    const values = Uint16Array.from({ length: width * height }, (_, i) => i * 300);
    await sharp(values, { raw: { width, height, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toFile(path);
    const labels = await readLabelImage(path);
    expect(labels.values).toBeInstanceOf(Uint16Array);
    expect([...labels.values]).toEqual([...values]);
  });

  it('takes grey that was saved in three channels', async () => {
    const path = join(folder, 'grey-as-colours.png');
    const values = valuesOf(8);
    const pixels = Uint8Array.from({ length: 3 * values.length }, (_, i) => values[Math.floor(i / 3)]!);
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(path);
    expect([...(await readLabelImage(path)).values]).toEqual(values);
  });

  it('refuses colours, JPEG, damage and absence, each by name', async () => {
    const path = (name: string): string => join(folder, name);
    const colours = { create: { width, height, channels: 3, background: '#102030' } } as const;
    await sharp(colours).png().toFile(path('colours.png'));
    await sharp(colours).jpeg().toFile(path('labels.jpg'));
    const whole = png(8, 3, valuesOf(8));
    writeFileSync(path('cut.png'), whole.subarray(0, whole.length - 40));
    writeFileSync(path('cut.tif'), tiff(8, 3, valuesOf(8)).subarray(0, 90));
    for (const [name, code] of [
      ['colours.png', 'evaluate/label-format'],
      ['labels.jpg', 'evaluate/label-format'],
      ['cut.png', 'evaluate/label-unreadable'],
      ['cut.tif', 'evaluate/label-unreadable'],
      ['absent.png', 'file/missing'],
    ] as const) {
      await expect(readLabelImage(path(name)), name).rejects.toMatchObject({
        name: 'Problem',
        code,
        message: expect.stringContaining(name),
      });
    }
  });
});
