import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfBits } from '../../../src/worker/weights/half.ts';
import { openCheckpoint } from '../../../src/worker/weights/open-checkpoint.ts';
import { scratch, withCheckpoint } from './fixture-files.ts';
import {
  call,
  dict,
  floats,
  global,
  integer,
  legacyFile,
  list,
  op,
  orderedDict,
  pickle,
  tensor,
  text,
  tuple,
} from './pickle-writer.ts';
import { type ZipPart, zip } from './zip-writer.ts';

const { put } = scratch();

const matrix = tensor({ storage: '0', count: 6, shape: [2, 3], strides: [3, 1] });
const sixFloats = floats(1, 2, 3, 4, 5, 6);

function torchZip(
  root: Buffer,
  storages: Record<string, Uint8Array>,
  more: ZipPart[] = [],
  deflated = false,
): ZipPart[] {
  return [
    { name: 'archive/data.pkl', bytes: pickle(root), deflated },
    ...more,
    ...Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, bytes, deflated })),
    { name: 'archive/version', bytes: Buffer.from('3\n') },
  ];
}

async function readAll(file: string): Promise<Record<string, number[]>> {
  return withCheckpoint(file, async (checkpoint) => {
    const values: Record<string, number[]> = {};
    for (const name of checkpoint.names()) values[name] = [...(await checkpoint.read(name))];
    return values;
  });
}

describe('torch zip', () => {
  it.each([
    ['a plain dict', dict({ w: matrix })],
    ['an OrderedDict', orderedDict({ w: matrix })],
    [
      'a nested state_dict beside counters',
      dict({ epoch: integer(3), state_dict: orderedDict({ w: matrix }) }),
    ],
    ['a model inside a model', dict({ model: dict({ state_dict: dict({ w: matrix }) }) })],
    [
      'a parameter',
      dict({ w: call(global('torch._utils', '_rebuild_parameter'), matrix, op.true, op.none) }),
    ],
    [
      '_metadata on the dict',
      Buffer.concat([orderedDict({ w: matrix }), dict({ _metadata: dict({}) }), op.build]),
    ],
    ['values that are no tensors', dict({ w: matrix, steps: integer(9), name: text('x'), none: op.none })],
  ])('reads %s', async (_, root) => {
    const file = put('plain.pt', zip(torchZip(root, { 0: sixFloats })));
    expect(await readAll(file)).toEqual({ w: [1, 2, 3, 4, 5, 6] });
  });

  it('reads deflated entries and zip64', async () => {
    for (const deflated of [false, true])
      for (const zip64 of [false, true]) {
        const file = put(
          'packed.pt',
          zip(torchZip(dict({ w: matrix }), { 0: sixFloats }, [], deflated), { zip64 }),
        );
        expect(await readAll(file)).toEqual({ w: [1, 2, 3, 4, 5, 6] });
      }
  });

  it('reads every element type', async () => {
    const half = new Uint16Array([1.5, -2, 65504].map(halfBits));
    const upper = new Uint16Array([0x3fc0, 0xc000, 0x7f7f]);
    const types: [type: string, bytes: Uint8Array, expected: number[]][] = [
      [
        'DoubleStorage',
        new Uint8Array(new Float64Array([1.5, -2, 1e30]).buffer),
        [1.5, -2, Math.fround(1e30)],
      ],
      ['FloatStorage', floats(1.5, -2, 3), [1.5, -2, 3]],
      ['HalfStorage', new Uint8Array(half.buffer), [1.5, -2, 65504]],
      ['BFloat16Storage', new Uint8Array(upper.buffer), [1.5, -2, 3.3895313892515355e38]],
      ['LongStorage', new Uint8Array(new BigInt64Array([1n, -2n, 49408n]).buffer), [1, -2, 49408]],
      ['IntStorage', new Uint8Array(new Int32Array([1, -2, 3]).buffer), [1, -2, 3]],
      ['ShortStorage', new Uint8Array(new Int16Array([1, -2, 3]).buffer), [1, -2, 3]],
      ['CharStorage', new Uint8Array(new Int8Array([1, -2, 3]).buffer), [1, -2, 3]],
      ['ByteStorage', new Uint8Array([1, 254, 3]), [1, 254, 3]],
      ['BoolStorage', new Uint8Array([1, 0, 1]), [1, 0, 1]],
    ];
    const tensors = types.map(([type], index): [string, Buffer] => [
      type,
      tensor({ storage: String(index), type, count: 3, shape: [3], strides: [1] }),
    ]);
    const storages = Object.fromEntries(types.map(([, bytes], index) => [String(index), bytes]));
    const file = put('types.pt', zip(torchZip(dict(Object.fromEntries(tensors)), storages)));
    expect(await readAll(file)).toEqual(
      Object.fromEntries(types.map(([type, , expected]) => [type, expected])),
    );
  });

  it('any strides and offset into a shared storage give the elements that they name', async () => {
    const extents = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    const cases = extents.chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        order: fc.shuffledSubarray(
          shape.map((_, axis) => axis),
          { minLength: shape.length },
        ),
        gap: fc.integer({ min: 1, max: 3 }),
        offset: fc.integer({ min: 0, max: 5 }),
        deflated: fc.boolean(),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, order, gap, offset, deflated }) => {
        // Axes laid out in any order with gaps between elements.
        const strides = shape.map(() => 0);
        let span = gap;
        for (const axis of order) {
          strides[axis] = span;
          span *= shape[axis]!;
        }
        const count = offset + span + 2;
        const values = Float32Array.from({ length: count }, (_, index) => index);
        const root = dict({
          whole: tensor({ storage: 's', count, shape: [count], strides: [1] }),
          part: tensor({ storage: 's', count, offset, shape, strides }),
        });
        const file = put(
          'strides.pt',
          zip(torchZip(root, { s: new Uint8Array(values.buffer) }, [], deflated)),
        );
        const expected: number[] = [];
        const visit = (axis: number, at: number): void => {
          if (axis === shape.length) expected.push(at);
          else for (let i = 0; i < shape[axis]!; i++) visit(axis + 1, at + i * strides[axis]!);
        };
        visit(0, offset);
        expect(await readAll(file)).toEqual({ whole: [...values], part: expected });
      }),
      { numRuns: 150 },
    );
  });

  it('says what it is and reads scalars and empty tensors', async () => {
    const root = dict({
      scalar: tensor({ storage: '0', count: 1, shape: [], strides: [] }),
      empty: tensor({ storage: '1', count: 0, shape: [0, 5], strides: [5, 1] }),
    });
    const file = put('scalar.pt', zip(torchZip(root, { 0: floats(7), 1: floats() })));
    await withCheckpoint(file, async (checkpoint) => {
      expect(checkpoint.format).toBe('torch-zip');
      expect(checkpoint.header('scalar')).toEqual({ dtype: 'float32', shape: [] });
      expect(checkpoint.header('empty')).toEqual({ dtype: 'float32', shape: [0, 5] });
      await expect(checkpoint.read('absent')).rejects.toMatchObject({ code: 'checkpoint/missing-tensor' });
    });
    expect(await readAll(file)).toEqual({ scalar: [7], empty: [] });
  });

  it('stops when asked to', async () => {
    const file = put('cancel.pt', zip(torchZip(dict({ w: matrix }), { 0: sixFloats })));
    await withCheckpoint(file, async (checkpoint) => {
      await expect(checkpoint.read('w', AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    });
  });
});

describe('TorchScript', () => {
  const module = (name: string, attributes: Record<string, Buffer>): Buffer =>
    Buffer.concat([
      global(`__torch__.${name}`, 'Module'),
      op.emptyTuple,
      op.newObject,
      dict(attributes),
      op.build,
    ]);

  it('names tensors by their path through the modules', async () => {
    const root = module('model', {
      training: op.false,
      scale: tensor({ storage: '1', type: 'LongStorage', count: 1, shape: [], strides: [] }),
      sizes: call(global('torch.jit._pickle', 'build_intlist'), list(integer(1), integer(2))),
      tower: module('model.___torch_mangle_3', { 0: module('block', { weight: matrix, hook: op.none }) }),
    });
    const parts = torchZip(root, { 0: sixFloats, 1: new Uint8Array(new BigInt64Array([224n]).buffer) }, [
      { name: 'archive/constants.pkl', bytes: pickle(tuple()) },
      { name: 'archive/code/__torch__/model.py', bytes: Buffer.from('import os') },
    ]);
    const file = put('script.pt', zip(parts));
    expect(await readAll(file)).toEqual({ scale: [224], 'tower.0.weight': [1, 2, 3, 4, 5, 6] });
    await withCheckpoint(file, async (checkpoint) => expect(checkpoint.format).toBe('torchscript'));
  });

  it('a module that contains itself is refused', async () => {
    const loop = Buffer.concat([
      global('__torch__.a', 'A'),
      op.emptyTuple,
      op.newObject,
      Buffer.from('q\x00'),
      op.emptyDict,
      op.mark,
      text('self'),
      Buffer.from('h\x00'),
      op.setItems,
      op.build,
    ]);
    const file = put(
      'loop.pt',
      zip(torchZip(loop, {}, [{ name: 'archive/constants.pkl', bytes: pickle(tuple()) }])),
    );
    await expect(openCheckpoint(file)).rejects.toMatchObject({
      code: 'checkpoint/corrupt',
      message: expect.stringContaining('nested too deeply'),
    });
  });

  it('script classes mean nothing outside a TorchScript archive', async () => {
    const file = put('not-script.pt', zip(torchZip(module('model', { w: matrix }), { 0: sixFloats })));
    await expect(openCheckpoint(file)).rejects.toMatchObject({
      code: 'checkpoint/forbidden-global',
      message: expect.stringContaining('__torch__.model.Module'),
    });
  });
});

describe('legacy torch', () => {
  const legacy = (name: string, count: number, view?: [string, number, number]): Buffer =>
    tensor({
      storage: name,
      count,
      shape: [view ? view[2] : count],
      strides: [1],
      legacy: true,
      ...(view && { view }),
    });

  it('reads storages in the order of their list, and views of them', async () => {
    const root = dict({
      epoch: integer(4),
      state_dict: orderedDict({ a: legacy('70', 2), b: legacy('9', 3), tail: legacy('9', 3, ['v', 1, 2]) }),
      optimizer: dict({ moment: legacy('55', 1) }),
    });
    const file = put(
      'legacy.pth',
      legacyFile(root, [
        ['55', 1, floats(9)],
        ['70', 2, floats(1, 2)],
        ['9', 3, floats(3, 4, 5)],
      ]),
    );
    expect(await readAll(file)).toEqual({ a: [1, 2], b: [3, 4, 5], tail: [4, 5] });
    await withCheckpoint(file, async (checkpoint) => {
      expect(checkpoint.format).toBe('torch-legacy');
      expect(checkpoint.metadata).toEqual({ epoch: '4' });
    });
  });

  it('reads an object pickle that is longer than its first look', async () => {
    const notes: Record<string, Buffer> = {};
    for (let index = 0; index < 3000; index++) notes[`note ${index}`] = text('x'.repeat(100));
    const file = put('long.pth', legacyFile(dict({ w: legacy('1', 2), ...notes }), [['1', 2, floats(1, 2)]]));
    expect(await readAll(file)).toEqual({ w: [1, 2] });
  });

  it.each<[string, Buffer]>([
    ['no list', legacyFile(dict({ w: legacy('1', 2) }), [])],
    ['another storage', legacyFile(dict({ w: legacy('1', 2) }), [['2', 2, floats(1, 2)]])],
    ['a count beyond the file', legacyFile(dict({ w: legacy('1', 2) }), [['1', 2 ** 40, floats(1, 2)]])],
    ['a negative count', legacyFile(dict({ w: legacy('1', 2) }), [['1', -1, floats(1, 2)]])],
    ['fewer elements', legacyFile(dict({ w: legacy('1', 2) }), [['1', 1, floats(1, 2)]])],
  ])('refuses %s for a storage', async (_, bytes) => {
    const file = put('bad.pth', bytes);
    await expect(openCheckpoint(file)).rejects.toMatchObject({
      code: 'checkpoint/corrupt',
      message: expect.stringContaining(file),
    });
  });
});
