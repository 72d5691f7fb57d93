import { open } from 'node:fs/promises';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { CheckpointFile } from './checkpoint-file.ts';
import { ZipArchive } from './zip.ts';

/**
 * Writes the one file called `member`, in whatever folder of a zip archive, to `target`; returns its bytes. The archive
 * is read in pieces. Throws `checkpoint/…` problems that name the archive.
 */
export async function unpackMember(
  archiveFile: string,
  member: string,
  target: string,
  signal?: AbortSignal,
  onBytes?: (done: number, total: number) => void,
): Promise<number> {
  const file = await CheckpointFile.open(archiveFile);
  try {
    const archive = await openArchive(file, member);
    const matching = [...archive.entries.values()].filter(({ name }) => name.split('/').at(-1) === member);
    const [entry] = matching;
    if (!entry || matching.length > 1) {
      throw new Problem(
        'checkpoint/no-member',
        `${archiveFile}: holds ${matching.length} files called ${member} instead of one.`,
        'Give the published archive.',
      );
    }
    const out = await open(target, 'wx');
    try {
      let at = 0;
      for await (const piece of archive.chunks(entry, 0, entry.size, signal)) {
        throwIfCancelled(signal);
        await out.writeFile(piece);
        at += piece.length;
        onBytes?.(at, entry.size);
      }
    } finally {
      await out.close();
    }
    return entry.size;
  } finally {
    await file.close();
  }
}

async function openArchive(file: CheckpointFile, member: string): Promise<ZipArchive> {
  const start = await file.read(0, Math.min(4, file.size), 'its start');
  if (start.toString('latin1') !== 'PK\x03\x04') {
    throw new Problem(
      'checkpoint/unknown-format',
      `${file.path}: is not a zip archive, where ${member} should lie in one.`,
      'Give the published archive.',
    );
  }
  return ZipArchive.open(file);
}
