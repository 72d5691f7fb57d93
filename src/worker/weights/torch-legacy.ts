import type { Checkpoint } from './checkpoint.ts';
import { type CheckpointFile, quoted } from './checkpoint-file.ts';
import { bytesPerElement, type ElementType } from './elements.ts';
import { PickleDict, type PickleValue } from './pickle-values.ts';
import { type StorageChunks, stateDict, torchCheckpoint } from './torch-tensors.ts';
import { PickleCutShort, type Unpickled, unpickle } from './unpickle.ts';

/** Protocol 2, LONG1 of 10 bytes: 0x1950a86a20f9469cfc6c, STOP. */
const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
const firstPickleBytes = 1 << 16;
const pickleLimit = 32 << 20;

export function isTorchLegacy(start: Buffer): boolean {
  return start.subarray(0, magic.length).equals(magic);
}

/**
 * What torch.save wrote before 1.6, one after the other: pickles of a magic number, the protocol version, facts about
 * the writing machine, the object, and the list of storage keys; then for each key in that order the number of
 * elements (int64) and the elements.
 */
export async function openTorchLegacy(file: CheckpointFile): Promise<Checkpoint> {
  let position = magic.length;
  const next = async (what: string): Promise<Unpickled> => {
    const unpickled = await readPickle(file, position, what);
    position += unpickled.length;
    return unpickled;
  };
  const protocol = await next('the protocol version');
  if (protocol.value !== 1001) throw file.corrupt('its protocol version is not 1001.');
  const { value: machine } = await next('the facts about the machine');
  if (!(machine instanceof PickleDict) || machine.entries.get('little_endian') !== true)
    throw file.corrupt('it was not written on a little-endian machine.');
  const { value: root, storageTypes } = await next('the object');
  const { value: keys } = await next('the storage keys');
  if (!Array.isArray(keys)) throw file.corrupt('its storage keys are no list.');

  const { tensors, metadata } = stateDict(file, root);
  const places = await placeStorages(file, keys, position, storageTypes);
  for (const [name, { storage }] of tensors) {
    const place = places.get(storage.key);
    if (!place) throw file.corrupt(`the storage of tensor ${quoted(name)} is missing.`);
    if (storage.offset + storage.count > place.count)
      throw file.corrupt(
        `the storage of tensor ${quoted(name)} has ${place.count} elements, fewer than claimed.`,
      );
  }
  const chunks: StorageChunks = (storage, begin, end, signal) => {
    const size = bytesPerElement[storage.type];
    const start = places.get(storage.key)!.position + storage.offset * size;
    return file.chunks(start + begin, end - begin, `storage ${quoted(storage.key)}`, signal);
  };
  return torchCheckpoint(file, 'torch-legacy', tensors, metadata, chunks);
}

/** A pickle does not say how long it is: read a little, and more if it goes on. */
async function readPickle(file: CheckpointFile, position: number, what: string): Promise<Unpickled> {
  const available = Math.min(file.size - position, pickleLimit);
  for (let length = Math.min(firstPickleBytes, available); ; length = Math.min(length * 4, available)) {
    const bytes = await file.read(position, length, what);
    try {
      return unpickle(file.path, bytes);
    } catch (problem) {
      if (!(problem instanceof PickleCutShort)) throw problem;
      if (length === available) throw file.corrupt(`its pickle of ${what} has no end.`, problem);
    }
  }
}

interface Place {
  /** First byte. */
  position: number;
  /** Elements. */
  count: number;
}

async function placeStorages(
  file: CheckpointFile,
  keys: PickleValue[],
  start: number,
  types: ReadonlyMap<string, ElementType>,
): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  let position = start;
  for (const key of keys) {
    const type = typeof key === 'string' ? types.get(key) : undefined;
    if (typeof key !== 'string' || !type || places.has(key))
      throw file.corrupt('its list of storages does not match its tensors.');
    const count = Number(
      (await file.read(position, 8, `the size of storage ${quoted(key)}`)).readBigInt64LE(),
    );
    const bytes = count * bytesPerElement[type];
    if (!(count >= 0 && position + 8 + bytes <= file.size))
      throw file.corrupt(`its storage ${quoted(key)} claims ${count} elements, more than the file holds.`);
    places.set(key, { position: position + 8, count });
    position += 8 + bytes;
  }
  return places;
}
