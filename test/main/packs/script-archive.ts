import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { halfBits } from '../../../src/worker/weights/half.ts';
import type { NamedWeights } from '../../../src/worker/weights/named-weights.ts';
import { dict, global, op, pickle, tensor, tuple } from '../../worker/weights/pickle-writer.ts';

/** Attributes of a module: tensors as pickled, and modules within. */
interface Module {
  tensors: Map<string, Buffer>;
  modules: Map<string, Module>;
}

const newModule = (): Module => ({ tensors: new Map(), modules: new Map() });

/** The object that torch.jit.save writes for a module: a class of its own, its attributes set by state. */
function pickled(module: Module, path: string): Buffer {
  const attributes = Object.fromEntries([
    ...module.tensors,
    ...[...module.modules].map(([name, child]): [string, Buffer] => [
      name,
      pickled(child, `${path}_${name}`),
    ]),
  ]);
  return Buffer.concat([
    global(`__torch__.${path}`, 'Module'),
    op.emptyTuple,
    op.newObject,
    dict(attributes),
    op.build,
  ]);
}

/**
 * Writes weights as OpenAI publishes its models: a TorchScript archive of nested modules with half-precision storages.
 * One tensor is in memory at a time. Ends below 4 GB (no zip64).
 */
export async function writeScriptArchive(file: string, weights: NamedWeights): Promise<void> {
  const root = newModule();
  const storages = weights.names().map((name, key) => {
    const shape = weights.shape(name);
    const count = shape.reduce((product, extent) => product * extent, 1);
    const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, extent) => product * extent, 1));
    const parts = name.split('.');
    let module = root;
    for (const part of parts.slice(0, -1)) {
      if (!module.modules.has(part)) module.modules.set(part, newModule());
      module = module.modules.get(part)!;
    }
    module.tensors.set(
      parts.at(-1)!,
      tensor({ storage: String(key), type: 'HalfStorage', count, shape, strides }),
    );
    return { name, key };
  });

  const out = await open(file, 'w');
  const directory: Buffer[] = [];
  let position = 0;
  const write = async (bytes: Buffer) => {
    await out.writeFile(bytes);
    position += bytes.length;
  };
  const entry = async (name: string, bytes: Buffer) => {
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(bytes.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(position, 10);
    // Version made by; the local header's fields; comment, disk, attributes and position; the name.
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, rest, Buffer.from(name));
    await write(Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), bytes]));
  };
  try {
    for (const { name, key } of storages) {
      const values = await weights.read(name);
      const halves = Buffer.alloc(values.length * 2);
      for (let i = 0; i < values.length; i++) halves.writeUInt16LE(halfBits(values[i]!), 2 * i);
      await entry(`model/data/${key}`, halves);
    }
    await entry('model/data.pkl', pickle(pickled(root, 'model')));
    await entry('model/constants.pkl', pickle(tuple()));
    const central = Buffer.concat(directory);
    const end = Buffer.alloc(22);
    end.write('PK\x05\x06', 'latin1');
    end.writeUInt16LE(storages.length + 2, 8);
    end.writeUInt16LE(storages.length + 2, 10);
    end.writeUInt32LE(central.length, 12);
    end.writeUInt32LE(position, 16);
    await write(Buffer.concat([central, end]));
  } finally {
    await out.close();
  }
}
