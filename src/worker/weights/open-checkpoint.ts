import { Problem } from '../report/problem.ts';
import type { Checkpoint } from './checkpoint.ts';
import { CheckpointFile } from './checkpoint-file.ts';
import { openSafetensors } from './safetensors.ts';
import { isTorchLegacy, openTorchLegacy } from './torch-legacy.ts';
import { openTorchZip } from './torch-zip.ts';

/**
 * Opens a checkpoint, recognised by its content: safetensors, torch zip, TorchScript archive or the torch format
 * before 1.6. The caller closes it. Throws a `Problem` with a `checkpoint/…` code that names the file.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const file = await CheckpointFile.open(path);
  try {
    if (file.size === 0) throw unknownFormat(path, 'the file is empty');
    const start = await file.read(0, Math.min(512, file.size), 'its start');
    if (start.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1'))) return await openTorchZip(file);
    if (isTorchLegacy(start)) return await openTorchLegacy(file);
    // A header of less than 4 GiB, then its JSON.
    if (start.length >= 10 && start.readUInt32LE(4) === 0 && start[8] === 0x7b)
      return await openSafetensors(file);
    throw unknownFormat(path, describeStart(start));
  } catch (problem) {
    await file.close();
    throw problem;
  }
}

function unknownFormat(path: string, what: string): Problem {
  return new Problem(
    'checkpoint/unknown-format',
    `${path}: is not a checkpoint this program reads: ${what}.`,
    'Give a safetensors file or a file written by torch.save or torch.jit.save.',
  );
}

/** Files that people meet in place of a checkpoint. */
function describeStart(start: Buffer): string {
  const text = start.toString('latin1');
  if (text.startsWith('version https://git-lfs'))
    return 'it is a Git LFS pointer, the weights themselves were not fetched';
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) return 'it is a web page, not the download';
  if (start[0] === 0x1f && start[1] === 0x8b) return 'it is a gzip file';
  if (text.slice(257, 262) === 'ustar') return 'it is a tar file';
  if (start[0] === 0x80) return 'it is a pickle, but not one that torch.save wrote';
  return 'its first bytes belong to no known format';
}
