import { open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { bandsOfFiles, stackBands, stackedFiles } from './band-stack.ts';
import { type GeoTiffScene, openGeoTiff } from './geotiff.ts';

export interface OpenSceneOptions {
  /** Bound of the decoded blocks kept in memory, bytes. */
  cacheBytes?: number;
  /** Opens a file that is cut short, too, with `details.warning` saying so; reading what is missing is a Problem. */
  allowIncomplete?: boolean;
  /** Whether a palette raster reads as its three colours (default) or as one band of palette indices. */
  paletteAs?: 'colours' | 'indices';
}

/** An opened scene that also counts the blocks it decoded. */
export type OpenedScene = GeoTiffScene;

const defaultCacheBytes = 256 * 2 ** 20;

/**
 * Opens a raster; its content, not its ending, tells the format. `A.tif+B.tif` opens the bands of several files as one scene. Throws `scene/missing`, `scene/not-a-raster`,
 * `scene/incomplete-product`, `scene/stack-mismatch`, `scene/unsupported`, `scene/truncated`, `scene/corrupt`, `scene/unreadable` or `disk/full`.
 */
export async function openScene(
  path: string,
  signal?: AbortSignal,
  options: OpenSceneOptions = {},
): Promise<OpenedScene> {
  throwIfCancelled(signal);
  const stacked = await stackedFiles(path);
  if (stacked !== null) return openStack(path, stacked, signal, options);
  const head = basename(path) === 'manifest.safe' ? 'folder' : await firstBytes(path);
  const settings = {
    cacheBytes: options.cacheBytes ?? defaultCacheBytes,
    allowIncomplete: options.allowIncomplete ?? false,
    paletteAs: options.paletteAs ?? 'colours',
  };
  if (head === 'folder' || startsWith(head, zipStart)) {
    const { openProduct } = await import('./safe/open-product.ts');
    const folder = basename(path) === 'manifest.safe' ? dirname(path) : path;
    const product = await openProduct(folder, head === 'folder' ? 'folder' : 'zip', settings, signal);
    if (product !== null) return product;
    throw head === 'folder' ? notAProduct(path) : unsupported(path, 'a zip archive without a SAFE manifest');
  }
  if (isTiff(head)) return openGeoTiff(path, settings);
  const png = startsWith(head, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  if (png || startsWith(head, [0xff, 0xd8, 0xff])) {
    const { openImage } = await import('./image.ts');
    return openImage(path, png ? 'PNG' : 'JPEG', settings, signal);
  }
  if (startsWith(head, [0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20]) || startsWith(head, [0xff, 0x4f, 0xff, 0x51])) {
    const { openJpeg2000 } = await import('./jpeg2000/open-jpeg2000.ts');
    return openJpeg2000(path, settings);
  }
  const known = knownFormat(head);
  if (known !== null) throw unsupported(path, known);
  throw notARaster(head.length === 0 ? `${path} is empty.` : `${path} is not a raster image.`);
}

function notARaster(message: string): Problem {
  return new Problem(
    'scene/not-a-raster',
    message,
    'Scenes are GeoTIFF, JPEG 2000, PNG or JPEG files, or products of Sentinel-1 and Sentinel-2 (SAFE folder or zip).',
  );
}

async function openStack(
  path: string,
  files: readonly string[],
  signal: AbortSignal | undefined,
  options: OpenSceneOptions,
): Promise<OpenedScene> {
  const cacheBytes = Math.floor((options.cacheBytes ?? defaultCacheBytes) / files.length);
  const scenes: OpenedScene[] = [];
  try {
    for (const file of files) scenes.push(await openScene(file, signal, { ...options, cacheBytes }));
    return stackBands(path, 'stack', bandsOfFiles(scenes), { stack: `${files.length} files` });
  } catch (failure) {
    for (const scene of scenes) await scene.close();
    throw failure;
  }
}

const zipStart = [0x50, 0x4b, 3, 4] as const;

function unsupported(path: string, what: string): Problem {
  return new Problem(
    'scene/unsupported',
    `${path} is ${what}, which is not read yet.`,
    'Convert it to GeoTIFF first, for example with gdal_translate.',
  );
}

/** The start of a file, or that it is a folder. */
async function firstBytes(path: string): Promise<Uint8Array | 'folder'> {
  try {
    const about = await stat(path);
    if (about.isDirectory()) return 'folder';
    // Opening a pipe would wait for somebody who writes to it.
    if (!about.isFile()) throw notARaster(`${path} is no file.`);
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(32), 0, 32, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new Problem('scene/missing', `${path} does not exist.`, 'Check the name and the folder.', cause);
    }
    throw new Problem(
      'scene/unreadable',
      `${path} cannot be read (${code ?? String(cause)}).`,
      'Check that you may read the file and that its disk is there.',
      cause,
    );
  }
}

function notAProduct(path: string): Problem {
  return new Problem(
    'scene/not-a-raster',
    `${path} is a folder without a manifest.safe in it.`,
    'Name the raster file in it, or a SAFE folder.',
  );
}

function startsWith(head: Uint8Array, bytes: readonly number[]): boolean {
  return bytes.every((byte, index) => head[index] === byte);
}

function isTiff(head: Uint8Array): boolean {
  const little = startsWith(head, [0x49, 0x49]) && (head[2] === 42 || head[2] === 43) && head[3] === 0;
  const big = startsWith(head, [0x4d, 0x4d]) && head[2] === 0 && (head[3] === 42 || head[3] === 43);
  return little || big;
}

function knownFormat(head: Uint8Array): string | null {
  if (startsWith(head, [0x89, 0x48, 0x44, 0x46])) return 'an HDF5 file';
  if (startsWith(head, [0x43, 0x44, 0x46])) return 'a NetCDF file';
  if (startsWith(head, [0x45, 0x48, 0x46, 0x41])) return 'an Erdas Imagine file';
  if (startsWith(head, [0x52, 0x49, 0x46, 0x46])) return 'a WebP file';
  if (startsWith(head, [0x47, 0x49, 0x46, 0x38])) return 'a GIF file';
  return null;
}
