import { open, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Problem } from '../../report/problem.ts';
import { type ByteSource, bytesOfFile } from '../tiff-file.ts';

/** The files of a product, in a folder or an archive, by names relative to its manifest: `annotation/….xml`. */
export interface ProductFiles {
  /** What Problems name. */
  path: string;
  has(name: string): Promise<boolean>;
  /** A whole text file; a Problem above `largestText`. */
  text(name: string): Promise<string>;
  /** A file for reading by position; the caller closes it. */
  open(name: string, signal?: AbortSignal): Promise<ByteSource>;
  /** Bytes that opening a file unpacks first; 0 where it is read in place. */
  unpackedBytes(name: string): number;
  close(): Promise<void>;
}

/** Annotations of the longest products are some megabytes; parsed, a text takes forty times its size. */
const largestText = 16 * 2 ** 20;

/** A relative name as a manifest writes it (`./a/b`), or null for one that leads out of the product. */
export function plainName(href: string): string | null {
  const name = href.replaceAll('\\', '/').replace(/^\.\//, '');
  const parts = name.split('/');
  const odd = name === '' || name.includes('\0') || name.includes(':') || name.startsWith('/');
  return odd || parts.some((part) => part === '' || part === '.' || part === '..') ? null : name;
}

/** A product in a folder. Links that lead out of it are refused. */
export async function productFolder(folder: string): Promise<ProductFiles> {
  const root = await realpath(folder);
  const locate = async (name: string): Promise<string | null> => {
    try {
      const path = await realpath(join(root, name));
      return path.startsWith(root + sep) && (await stat(path)).isFile() ? path : null;
    } catch {
      return null;
    }
  };
  const need = async (name: string): Promise<string> => {
    const path = await locate(name);
    if (path === null) throw missing(folder, name);
    return path;
  };
  return {
    path: folder,
    has: async (name) => (await locate(name)) !== null,
    async text(name) {
      const path = await need(name);
      requireSmall(folder, name, (await stat(path)).size);
      return readFile(path, 'utf8');
    },
    async open(name) {
      const file = await open(await need(name), 'r');
      return bytesOfFile(file, (await file.stat()).size);
    },
    unpackedBytes: () => 0,
    close: async () => {},
  };
}

export function missing(product: string, name: string): Problem {
  return new Problem(
    'scene/incomplete-product',
    `${product}: its file ${name} is missing.`,
    'Download the product again, whole.',
  );
}

export function requireSmall(product: string, name: string, bytes: number): void {
  if (bytes <= largestText) return;
  throw new Problem(
    'scene/corrupt',
    `${product}: ${name} is ${bytes} bytes long, no annotation.`,
    'Download the product again.',
  );
}
