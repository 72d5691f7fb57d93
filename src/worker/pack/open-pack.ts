import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { type Manifest, manifestFile, parseManifest } from './manifest.ts';

/** A pack on disk whose manifest has been parsed. */
export interface Pack {
  folder: string;
  manifest: Manifest;
  /** SHA-256 of the manifest, which itself holds the digests of all other files. */
  checksum: string;
}

/** A manifest lists graphs and digests; nothing large. */
const manifestLimit = 4 << 20;

/** Opens a pack and checks that its files are there at their sizes. Throws `pack/…` problems that name the file. */
export async function openPack(folder: string): Promise<Pack> {
  const file = path.join(folder, manifestFile);
  let bytes: Buffer;
  try {
    if ((await stat(file)).size > manifestLimit) {
      throw new Problem(
        'pack/manifest',
        `${file}: is too large for a manifest.`,
        'Give the folder of a pack.',
      );
    }
    bytes = await readFile(file);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem(
      'pack/missing',
      `${folder}: is not a model pack (no ${manifestFile}).`,
      'Build one with landscribe pack build, or give another folder.',
      cause,
    );
  }
  const manifest = parseManifest(bytes.toString('utf8'), file);
  for (const [name, { bytes: size }] of Object.entries(manifest.files)) {
    const found = await stat(path.join(folder, name)).catch(() => null);
    if (!found) throw corrupt(folder, name, 'is missing');
    if (found.size !== size) throw corrupt(folder, name, `has ${found.size} bytes instead of ${size}`);
  }
  return { folder, manifest, checksum: createHash('sha256').update(bytes).digest('hex') };
}

/** Compares every file with its digest; throws `pack/corrupt` for the first that differs. */
export async function verifyPack(pack: Pack, signal?: AbortSignal): Promise<void> {
  for (const [name, { sha256 }] of Object.entries(pack.manifest.files)) {
    throwIfCancelled(signal);
    if ((await fileDigest(path.join(pack.folder, name))) !== sha256) {
      throw corrupt(pack.folder, name, 'is damaged (its checksum differs)');
    }
  }
}

/** SHA-256 of a file, hexadecimal. */
export async function fileDigest(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** What a pack's manifest says of the files that it is built from. */
export function describeSources(
  sources: readonly { role: string; file: string }[],
): Promise<Manifest['sources']> {
  return Promise.all(
    sources.map(async ({ role, file }) => ({
      role,
      file: path.basename(file),
      sha256: await fileDigest(file),
    })),
  );
}

function corrupt(folder: string, name: string, what: string): Problem {
  return new Problem(
    'pack/corrupt',
    `${path.join(folder, name)}: ${what}.`,
    'Build or install the pack again.',
  );
}
