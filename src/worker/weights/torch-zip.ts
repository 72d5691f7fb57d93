import { Problem } from '../report/problem.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type CheckpointFile, quoted } from './checkpoint-file.ts';
import { bytesPerElement } from './elements.ts';
import type { PickleValue, StorageReference } from './pickle-values.ts';
import { type StorageChunks, scriptTensors, stateDict, torchCheckpoint } from './torch-tensors.ts';
import { PickleCutShort, unpickle } from './unpickle.ts';
import { ZipArchive, type ZipEntry } from './zip.ts';

/** The structure of a trainer checkpoint of ViT-L with its optimiser takes less than 1 MB. */
const pickleLimit = 32 << 20;

/**
 * What torch.save (1.6 and later) and torch.jit.save write: a zip archive with one folder that holds `data.pkl`, the
 * structure, and `data/KEY`, the storages. TorchScript archives also hold `code/` and `constants.pkl`, which are
 * not needed to get at the weights.
 */
export async function openTorchZip(file: CheckpointFile): Promise<Checkpoint> {
  const archive = await ZipArchive.open(file);
  const pickles = [...archive.entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw new Problem(
      'checkpoint/unknown-format',
      `${file.path}: is a zip archive, but not one that torch wrote (${pickles.length} entries data.pkl).`,
      'Give the checkpoint itself, not an archive that contains it.',
    );
  const folder = pickles[0]!.slice(0, -'data.pkl'.length);
  await requireLittleEndian(file, archive, folder);
  const script = archive.entries.has(`${folder}constants.pkl`);
  const root = await readPickle(file, archive, archive.entries.get(pickles[0]!)!, script);

  const chunks: StorageChunks = (storage, begin, end, signal) =>
    archive.chunks(storageEntry(file, archive, folder, storage), begin, end, signal);
  const { tensors, metadata } = script
    ? { tensors: scriptTensors(file, root), metadata: {} }
    : stateDict(file, root);
  for (const { storage } of tensors.values()) storageEntry(file, archive, folder, storage);
  return torchCheckpoint(file, script ? 'torchscript' : 'torch-zip', tensors, metadata, chunks);
}

async function readPickle(
  file: CheckpointFile,
  archive: ZipArchive,
  entry: ZipEntry,
  script: boolean,
): Promise<PickleValue> {
  const bytes = await archive.read(entry, pickleLimit);
  try {
    return unpickle(file.path, bytes, { script }).value;
  } catch (problem) {
    if (problem instanceof PickleCutShort)
      throw file.corrupt(`its pickle ends early, ${problem.message}.`, problem);
    throw problem;
  }
}

/** The entry that holds a storage; its declared size must cover the elements the pickle claims. */
function storageEntry(
  file: CheckpointFile,
  archive: ZipArchive,
  folder: string,
  storage: StorageReference,
): ZipEntry {
  const entry = archive.entries.get(`${folder}data/${storage.key}`);
  const bytes = (storage.offset + storage.count) * bytesPerElement[storage.type];
  if (!entry) throw file.corrupt(`its storage ${quoted(storage.key)} is missing.`);
  if (storage.offset > 0)
    throw file.corrupt('it refers to a view of a storage, which this format does not have.');
  if (entry.size < bytes)
    throw file.corrupt(`its storage ${entry.name} has ${entry.size} bytes where ${bytes} are claimed.`);
  return entry;
}

async function requireLittleEndian(file: CheckpointFile, archive: ZipArchive, folder: string): Promise<void> {
  const entry = archive.entries.get(`${folder}byteorder`);
  if (!entry) return;
  const order = (await archive.read(entry, 100)).toString('latin1').trim();
  if (order !== 'little')
    throw file.corrupt(`its byte order is ${quoted(order)}; only little-endian is read.`);
}
