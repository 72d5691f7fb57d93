import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { filesOfScene, stackedFiles } from '../../worker/scene/band-stack.ts';
import { fingerprintFile } from '../../worker/scene/fingerprint.ts';

/** A file that a project refers to: a scene, or a raster of a run. */
export interface FileLink {
  kind: 'scene' | 'raster';
  id: number;
  name: string;
  /** Absolute. */
  path: string;
  bytes: number;
  /** Digest by `fingerprintFile`; null where none was stored. */
  fingerprint: string | null;
}

export interface MissingFile extends FileLink {
  /** Files that may be the missing one, the surest first. Absolute. */
  suggestions: { path: string; sure: boolean }[];
}

/** Folders looked through for one repair, and how deep. */
const mostFolders = 200;
const deepest = 3;

/** Between the files of a stack: `+` may be in a name, a line break is in none. */
const stackMark = '\n';

/** `target` seen from the project's folder, with `/`; absolute where no relative path leads there. Of a stack every file. */
export function toStored(projectPath: string, target: string): string {
  const files = target.split('+');
  if (files.length > 1 && files.every((file) => path.isAbsolute(file)) && !existsSync(target))
    return files.map((file) => toStored(projectPath, file)).join(stackMark);
  const relative = path.relative(path.dirname(projectPath), path.resolve(target));
  return path.isAbsolute(relative) ? relative : relative.split(path.sep).join('/');
}

/** Absolute path of what `toStored` made. */
export function fromStored(projectPath: string, stored: string): string {
  return stored
    .split(stackMark)
    .map((file) => path.resolve(path.dirname(projectPath), file))
    .join('+');
}

/** What a scene is called until somebody names it. */
export async function nameOfScene(file: string): Promise<string> {
  return (await filesOfScene(file)).map((each) => path.basename(each)).join(' + ');
}

/** Of all files of a scene. */
export async function bytesOfScene(file: string): Promise<number> {
  const sizes = await Promise.all((await filesOfScene(file)).map(async (each) => (await stat(each)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * The links whose files are not there, each with files of the same name found near the project, in its parent folder
 * and beside links that are whole. A suggestion is sure where its fingerprint (else its size) is the missing file's.
 */
export async function findMissing(
  projectPath: string,
  links: readonly FileLink[],
  signal?: AbortSignal,
): Promise<MissingFile[]> {
  const missing: FileLink[] = [];
  const starts = new Set<string>([path.dirname(projectPath)]);
  for (const link of links) {
    if (await isThere(link.path)) starts.add(path.dirname(link.path));
    else missing.push(link);
  }
  if (missing.length === 0) return [];
  starts.add(path.dirname(path.dirname(projectPath)));
  const wanted = new Set(
    missing.flatMap((link) => filesNamed(link.path).map((file) => path.basename(file).toLowerCase())),
  );
  const found = new Map<string, string[]>();
  let queue = [...starts].map((folder) => ({ folder, depth: 0 }));
  const seen = new Set<string>();
  while (queue.length > 0 && seen.size < mostFolders) {
    signal?.throwIfAborted();
    const [next, ...rest] = queue as [{ folder: string; depth: number }, ...typeof queue];
    queue = rest;
    if (seen.has(next.folder)) continue;
    seen.add(next.folder);
    const entries = await readdir(next.folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const full = path.join(next.folder, entry.name);
      const name = entry.name.toLowerCase();
      if (wanted.has(name)) found.set(name, [...(found.get(name) ?? []), full]);
      if (entry.isDirectory() && !entry.name.startsWith('.') && next.depth < deepest)
        queue.push({ folder: full, depth: next.depth + 1 });
    }
  }
  return Promise.all(
    missing.map(async (link) => {
      const candidates = candidatesFor(filesNamed(link.path), found);
      const suggestions: MissingFile['suggestions'] = [];
      for (const candidate of candidates) {
        if (await isThere(candidate))
          suggestions.push({ path: candidate, sure: await isSame(link, candidate) });
      }
      suggestions.sort((a, b) => Number(b.sure) - Number(a.sure));
      return { ...link, suggestions };
    }),
  );
}

/** The files that a link's path names, whether they are there or not. */
function filesNamed(file: string): string[] {
  const files = file.split('+');
  return files.length > 1 && files.every((each) => path.isAbsolute(each)) ? files : [file];
}

/** Files of the same name; of a stack, all of them in one folder. */
function candidatesFor(files: readonly string[], found: ReadonlyMap<string, string[]>): string[] {
  const [first, ...others] = files.map((file) => found.get(path.basename(file).toLowerCase()) ?? []);
  return first!.flatMap((candidate) => {
    const beside = others.map((own) => own.find((file) => path.dirname(file) === path.dirname(candidate)));
    return beside.every((file) => file !== undefined) ? [[candidate, ...beside].join('+')] : [];
  });
}

/** Whether a file is the one that a link means. */
async function isSame(link: FileLink, candidate: string): Promise<boolean> {
  if ((await bytesOfScene(candidate).catch(() => null)) !== link.bytes) return false;
  if (link.fingerprint === null) return true;
  return (await fingerprintFile(candidate).catch(() => null)) === link.fingerprint;
}

/** A scene may be a product's folder, or a stack of files. */
async function isThere(file: string): Promise<boolean> {
  if ((await stackedFiles(file)) !== null) return true;
  const about = await stat(file).catch(() => null);
  return about?.isFile() === true || (about?.isDirectory() === true && (await isFolderOfProduct(file)));
}

async function isFolderOfProduct(folder: string): Promise<boolean> {
  return (await stat(path.join(folder, 'manifest.safe')).catch(() => null))?.isFile() ?? false;
}
