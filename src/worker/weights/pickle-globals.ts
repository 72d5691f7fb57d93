import type { ElementType } from './elements.ts';
import {
  PickleDict,
  PickleTuple,
  type PickleValue,
  StorageReference,
  TensorReference,
} from './pickle-values.ts';

/** `module.name` of torch's typed storages → element type. */
export const storageTypes = new Map<string, ElementType>([
  ['torch.DoubleStorage', 'float64'],
  ['torch.FloatStorage', 'float32'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
  ['torch.LongStorage', 'int64'],
  ['torch.IntStorage', 'int32'],
  ['torch.ShortStorage', 'int16'],
  ['torch.CharStorage', 'int8'],
  ['torch.ByteStorage', 'uint8'],
  ['torch.BoolStorage', 'bool'],
]);

/** Names that stand for themselves: element types that checkpoints mention beside their tensors. */
export const constants = new Set(
  ['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool'].map(
    (type) => `torch.${type}`,
  ),
);

/** The only calls a pickle can make. Each gets its arguments and returns a value, or undefined if they do not fit. */
export const calls = new Map<string, (args: PickleValue[]) => PickleValue | undefined>([
  ['collections.OrderedDict', orderedDict],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', (args) => (args[0] instanceof TensorReference ? args[0] : undefined)],
  ['torch.Size', (args) => (args.length === 1 && args[0] instanceof PickleTuple ? args[0] : undefined)],
]);

/** Lists in TorchScript archives go through these. */
export const scriptCalls = new Map<string, (args: PickleValue[]) => PickleValue | undefined>(
  ['build_intlist', 'build_tensorlist', 'build_doublelist', 'build_boollist', 'restore_type_tag'].map(
    (name) => [`torch.jit._pickle.${name}`, (args) => args[0]],
  ),
);

/** TorchScript's own classes. */
export const scriptClass = /^__torch__(\.[A-Za-z_][A-Za-z0-9_]*)+$/;

export function isCount(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function orderedDict(args: PickleValue[]): PickleValue | undefined {
  const dict = new PickleDict();
  if (args.length === 0) return dict;
  const [pairs] = args;
  if (!Array.isArray(pairs)) return undefined;
  for (const pair of pairs) {
    const items = pair instanceof PickleTuple ? pair.items : Array.isArray(pair) ? pair : [];
    if (items.length !== 2) return undefined;
    dict.entries.set(items[0]!, items[1]!);
  }
  return dict;
}

/**
 * `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])`. Refuses a tensor that
 * reaches outside its storage or that repeats elements, so that its size is bounded by the storage's.
 */
function rebuildTensor(args: PickleValue[]): PickleValue | undefined {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof StorageReference) || !isCount(offset)) return undefined;
  if (!(size instanceof PickleTuple) || !(stride instanceof PickleTuple)) return undefined;
  const shape = size.items;
  const strides = stride.items;
  if (shape.length !== strides.length || shape.length > 8) return undefined;
  if (!shape.every(isCount) || !strides.every(isCount)) return undefined;
  let count = 1;
  let last = offset;
  for (let axis = 0; axis < shape.length; axis++) {
    count *= shape[axis]!;
    last += Math.max(0, shape[axis]! - 1) * strides[axis]!;
  }
  if (count > 0 && last >= storage.count) return undefined;
  if (count > storage.count) return undefined;
  return new TensorReference(storage, offset, shape, strides);
}
