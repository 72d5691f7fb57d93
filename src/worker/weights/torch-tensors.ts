import type { Checkpoint, TensorHeader } from './checkpoint.ts';
import { type CheckpointFile, quoted } from './checkpoint-file.ts';
import { bytesPerElement, elementCount } from './elements.ts';
import {
  PickleDict,
  PickleInstance,
  type PickleValue,
  type StorageReference,
  TensorReference,
} from './pickle-values.ts';
import { missingTensor, readFloat32, requireReadable } from './read-tensor.ts';

/** Bytes `begin` to `end` (exclusive) of a storage, in pieces that the next one overwrites. */
export type StorageChunks = (
  storage: StorageReference,
  begin: number,
  end: number,
  signal: AbortSignal | undefined,
) => AsyncIterable<Uint8Array>;

/** A checkpoint over tensors that a pickle described and whose storages lie elsewhere in the file. */
export function torchCheckpoint(
  file: CheckpointFile,
  format: Checkpoint['format'],
  tensors: Map<string, TensorReference>,
  metadata: Record<string, string>,
  chunks: StorageChunks,
): Checkpoint {
  if (tensors.size === 0) throw file.corrupt('it holds no tensors.');
  const find = (name: string): TensorReference => tensors.get(name) ?? missingTensor(file.path, name);
  return {
    path: file.path,
    format,
    metadata,
    names: () => [...tensors.keys()],
    header: (name): TensorHeader => {
      const { storage, shape } = find(name);
      return { dtype: storage.type, shape: [...shape] };
    },
    read: async (name, signal) => readStrided(file, name, find(name), chunks, signal),
    close: () => file.close(),
  };
}

async function readStrided(
  file: CheckpointFile,
  name: string,
  { storage, offset, shape, strides }: TensorReference,
  chunks: StorageChunks,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const count = elementCount(shape);
  requireReadable(file, name, count);
  if (count === 0) return new Float32Array(0);
  // The elements from the first to the last one that the tensor touches.
  let span = 1;
  for (let axis = 0; axis < shape.length; axis++) span += (shape[axis]! - 1) * strides[axis]!;
  requireReadable(file, name, span);
  const size = bytesPerElement[storage.type];
  const bytes = chunks(storage, offset * size, (offset + span) * size, signal);
  const values = await readFloat32(file, name, storage.type, span, bytes);
  return isRowMajor(shape, strides) ? values : gather(values, shape, strides, count);
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

function gather(
  values: Float32Array,
  shape: readonly number[],
  strides: readonly number[],
  count: number,
): Float32Array {
  const out = new Float32Array(count);
  const index = new Array<number>(shape.length).fill(0);
  const inner = shape.length - 1;
  const innerExtent = shape[inner]!;
  const innerStride = strides[inner]!;
  let base = 0;
  for (let at = 0; at < count; ) {
    for (let i = 0, from = base; i < innerExtent; i++, from += innerStride) out[at++] = values[from]!;
    for (let axis = inner - 1; axis >= 0; axis--) {
      base += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      base -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Keys under which trainers keep the weights, in the order tried. */
const nests = ['state_dict', 'model_state_dict', 'model', 'module', 'net'];

/**
 * The tensors of a saved state_dict and the plain values beside it. Looks into `state_dict` and its like where the
 * top level itself holds no tensors; entries that are no tensors (counters, hyperparameters) are left out.
 */
export function stateDict(
  file: CheckpointFile,
  root: PickleValue,
): { tensors: Map<string, TensorReference>; metadata: Record<string, string> } {
  const metadata: Record<string, string> = {};
  let dict = root;
  for (let depth = 0; depth < 4 && dict instanceof PickleDict; depth++) {
    const tensors = new Map<string, TensorReference>();
    for (const [key, value] of dict.entries) {
      if (typeof key !== 'string') continue;
      if (value instanceof TensorReference) tensors.set(key, value);
      else if (typeof value === 'string' || typeof value === 'number') metadata[key] ??= String(value);
    }
    if (tensors.size > 0) return { tensors, metadata };
    const inside: PickleDict = dict;
    const nest = nests.find((key) => inside.entries.get(key) instanceof PickleDict);
    if (nest === undefined) break;
    dict = inside.entries.get(nest)!;
  }
  const keys =
    root instanceof PickleDict ? [...root.entries.keys()].filter((key) => typeof key === 'string') : [];
  throw file.corrupt(
    keys.length > 0
      ? `no tensors were found in it; its keys are ${quoted(keys.slice(0, 10).join(', '))}.`
      : 'it holds no state_dict.',
  );
}

const depthLimit = 64;
const attributeLimit = 200_000;

/** The tensors of a TorchScript module and its submodules, named by their path of attributes. */
export function scriptTensors(file: CheckpointFile, root: PickleValue): Map<string, TensorReference> {
  if (!(root instanceof PickleInstance))
    throw file.corrupt('it is a TorchScript archive of something that is no module.');
  const tensors = new Map<string, TensorReference>();
  let visited = 0;
  const visit = (instance: PickleInstance, prefix: string, depth: number): void => {
    if (depth > depthLimit) throw file.corrupt('its modules are nested too deeply.');
    for (const [key, value] of instance.attributes.entries) {
      if (++visited > attributeLimit) throw file.corrupt('its modules have too many attributes.');
      if (typeof key !== 'string') continue;
      if (value instanceof TensorReference) tensors.set(prefix + key, value);
      else if (value instanceof PickleInstance) visit(value, `${prefix}${key}.`, depth + 1);
    }
  };
  visit(root, '', 0);
  return tensors;
}
