/** Pickles written instruction by instruction, honest and hostile. Opcodes: Python's pickletools. */

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const op = {
  proto: Buffer.from([0x80, 2]),
  stop: Buffer.from('.'),
  mark: Buffer.from('('),
  none: Buffer.from('N'),
  reduce: Buffer.from('R'),
  build: Buffer.from('b'),
  newObject: Buffer.from([0x81]),
  emptyTuple: Buffer.from(')'),
  emptyDict: Buffer.from('}'),
  emptyList: Buffer.from(']'),
  tuple: Buffer.from('t'),
  setItems: Buffer.from('u'),
  appends: Buffer.from('e'),
  persistentId: Buffer.from('Q'),
  false: Buffer.from([0x89]),
  true: Buffer.from([0x88]),
};

export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from('X'), u32(bytes.length), bytes]);
}

export function integer(value: number): Buffer {
  if (value >= 0 && value <= 0x7fffffff) return Buffer.concat([Buffer.from('J'), u32(value)]);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return Buffer.concat([Buffer.from([0x8a, 8]), bytes]);
}

export const tuple = (...items: Buffer[]): Buffer => Buffer.concat([op.mark, ...items, op.tuple]);
export const list = (...items: Buffer[]): Buffer =>
  Buffer.concat([op.emptyList, op.mark, ...items, op.appends]);
export const call = (callable: Buffer, ...args: Buffer[]): Buffer =>
  Buffer.concat([callable, tuple(...args), op.reduce]);

export const dict = (items: Record<string, Buffer>): Buffer =>
  Buffer.concat([
    op.emptyDict,
    op.mark,
    ...Object.entries(items).flatMap(([key, value]) => [text(key), value]),
    op.setItems,
  ]);

export const orderedDict = (items: Record<string, Buffer>): Buffer =>
  Buffer.concat([
    global('collections', 'OrderedDict'),
    op.emptyTuple,
    op.reduce,
    op.mark,
    ...Object.entries(items).flatMap(([key, value]) => [text(key), value]),
    op.setItems,
  ]);

export const pickle = (...parts: Buffer[]): Buffer => Buffer.concat([op.proto, ...parts, op.stop]);

export interface TensorDescription {
  storage: string;
  /** torch's name of the storage class. */
  type?: string;
  /** Elements of the storage. */
  count: number;
  offset?: number;
  shape: number[];
  strides: number[];
  /** Legacy files: [key, offset, count] of a view. */
  view?: [string, number, number];
  legacy?: boolean;
}

/** What torch writes for a tensor: `_rebuild_tensor_v2` of a persistent id. */
export function tensor(description: TensorDescription): Buffer {
  const { storage, type = 'FloatStorage', count, offset = 0, shape, strides, view, legacy } = description;
  const id = [text('storage'), global('torch', type), text(storage), text('cpu'), integer(count)];
  if (view) id.push(tuple(text(view[0]), integer(view[1]), integer(view[2])));
  else if (legacy) id.push(op.none);
  return call(
    global('torch._utils', '_rebuild_tensor_v2'),
    Buffer.concat([tuple(...id), op.persistentId]),
    integer(offset),
    tuple(...shape.map(integer)),
    tuple(...strides.map(integer)),
    op.false,
    Buffer.concat([global('collections', 'OrderedDict'), op.emptyTuple, op.reduce]),
  );
}

export const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

/** A whole legacy file: the five pickles, then the storages. */
export function legacyFile(root: Buffer, storages: [key: string, elements: number, bytes: Buffer][]): Buffer {
  const machine = dict({ protocol_version: integer(1001), little_endian: op.true });
  return Buffer.concat([
    magic,
    pickle(integer(1001)),
    pickle(machine),
    pickle(root),
    pickle(list(...storages.map(([key]) => text(key)))),
    ...storages.flatMap(([, elements, bytes]) => {
      const count = Buffer.alloc(8);
      count.writeBigInt64LE(BigInt(elements));
      return [count, bytes];
    }),
  ]);
}

export const floats = (...values: number[]): Buffer => Buffer.from(new Float32Array(values).buffer);
