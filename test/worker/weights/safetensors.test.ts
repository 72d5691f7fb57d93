import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type NamedWeights, weightsInMemory } from '../../../src/worker/weights/named-weights.ts';
import { openCheckpoint } from '../../../src/worker/weights/open-checkpoint.ts';
import { writeSafetensors } from '../../../src/worker/weights/write-safetensors.ts';
import { scratch, withCheckpoint } from './fixture-files.ts';

const { put, folder } = scratch();

function file(header: unknown, contents = Buffer.alloc(16)): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, contents]);
}

const tensors = fc.dictionary(
  fc
    .string({ minLength: 1, maxLength: 30 })
    .filter((name) => name !== '__metadata__' && name !== '__proto__'),
  fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
  { maxKeys: 8 },
);

describe('safetensors', () => {
  it('what is written is read back, as float32 and rounded to float16', async () => {
    await fc.assert(
      fc.asyncProperty(tensors, fc.constantFrom('float32', 'float16'), async (shapes, type) => {
        const entries = Object.entries(shapes).map(([name, shape], index) => {
          const count = shape.reduce((product, extent) => product * extent, 1);
          // Multiples of 1/8 below 128 are exact in float16.
          const values = Float32Array.from(
            { length: count },
            (_, at) => ((at * 37 + index) % 2048) / 8 - 128,
          );
          return [name, { shape, values }] as const;
        });
        const target = path.join(folder, 'round.safetensors');
        await writeSafetensors(target, weightsInMemory('test', new Map(entries)), {
          type,
          metadata: { step: '7' },
        });
        await withCheckpoint(target, async (checkpoint) => {
          expect(checkpoint.metadata).toEqual({ step: '7' });
          expect([...checkpoint.names()].sort()).toEqual(Object.keys(shapes).sort());
          for (const [name, { shape, values }] of entries) {
            expect(checkpoint.header(name)).toEqual({ dtype: type, shape: [...shape] });
            expect(await checkpoint.read(name)).toEqual(values);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it('reads tensors of many pieces', async () => {
    const values = Float32Array.from({ length: 1_000_003 }, (_, index) => index % 2001);
    const target = path.join(folder, 'long.safetensors');
    for (const type of ['float32', 'float16'] as const) {
      await writeSafetensors(
        target,
        weightsInMemory('test', new Map([['w', { shape: [1_000_003], values }]])),
        { type },
      );
      await withCheckpoint(target, async (checkpoint) => {
        const read = await checkpoint.read('w');
        expect(read.findIndex((value, index) => value !== values[index])).toBe(-1);
        expect(read.length).toBe(values.length);
      });
    }
  });

  const two = (a: [number, number], b: [number, number]) => ({
    a: { dtype: 'F32', shape: [2], data_offsets: a },
    b: { dtype: 'F32', shape: [2], data_offsets: b },
  });
  it.each<[string, Buffer, RegExp]>([
    ['a header that is no JSON', file('{"a":'), /not JSON/],
    ['a header longer than the file', file('{}', Buffer.alloc(0)).fill(0xff, 0, 2), /header/],
    [
      'a header of 4 GiB',
      Buffer.concat([Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]), Buffer.from('{}')]),
      /claims/,
    ],
    ['an unknown type', file({ a: { dtype: 'F8', shape: [4], data_offsets: [0, 4] } }), /"F8"/],
    [
      'a type of the prototype',
      file({ a: { dtype: 'constructor', shape: [], data_offsets: [0, 4] } }),
      /constructor/,
    ],
    ['a negative extent', file({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }), /shape/],
    ['a fractional extent', file({ a: { dtype: 'F32', shape: [1.5], data_offsets: [0, 6] } }), /shape/],
    ['sizes that differ', file({ a: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } }), /8 bytes/],
    [
      'a product that overflows',
      file({ a: { dtype: 'F32', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 0] } }),
      /bytes/,
    ],
    ['an end before the begin', file({ a: { dtype: 'F32', shape: [0], data_offsets: [8, 4] } }), /bytes/],
    ['a tensor beyond the file', file(two([0, 8], [12, 20])), /the file has/],
    ['overlapping tensors', file(two([0, 8], [4, 12])), /overlaps/],
    ['a tensor that is a number', file({ a: 7 }), /not described/],
  ])('refuses %s', async (_, bytes, reason) => {
    const target = put('bad.safetensors', bytes);
    await expect(openCheckpoint(target)).rejects.toMatchObject({
      code: expect.stringMatching(/^checkpoint\/(corrupt|truncated)$/),
      message: expect.stringMatching(reason),
    });
    await expect(openCheckpoint(target)).rejects.toThrow(target);
  });

  it('a failed write leaves the old file and nothing else', async () => {
    const home = path.join(folder, 'home');
    mkdirSync(home);
    const target = path.join(home, 'weights.safetensors');
    writeFileSync(target, 'old');
    const failing: NamedWeights = {
      source: 'test',
      names: () => ['a', 'b'],
      shape: () => [2],
      read: async (name) => {
        if (name === 'b') throw new Error('lost');
        return new Float32Array(2);
      },
    };
    await expect(writeSafetensors(target, failing)).rejects.toThrow('lost');
    const short: NamedWeights = { ...failing, read: async () => new Float32Array(1) };
    await expect(writeSafetensors(target, short)).rejects.toThrow('1 values');
    expect(readdirSync(home)).toEqual(['weights.safetensors']);
    await expect(openCheckpoint(target)).rejects.toThrow('no known format');
    await expect(writeSafetensors(path.join(home, 'no/where'), failing)).rejects.toMatchObject({
      code: 'disk/not-writable',
    });
  });
});
