import { open } from 'node:fs/promises';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { type GeoTiffScene, openGeoTiff } from './geotiff.ts';

export interface OpenSceneOptions {
  /** Bound of the decoded blocks kept in memory, bytes. */
  cacheBytes?: number;
  /** Opens a file that is cut short, too, with `details.warning` saying so; reading what is missing is a Problem. */
  allowIncomplete?: boolean;
}

/** An opened scene that also counts the blocks it decoded. */
export type OpenedScene = GeoTiffScene;

const defaultCacheBytes = 256 * 2 ** 20;

/**
 * Opens a raster; its content, not its ending, tells the format. Throws `scene/missing`, `scene/not-a-raster`,
 * `scene/unsupported`, `scene/truncated`, `scene/corrupt`, `scene/unreadable` or `disk/full`.
 */
export async function openScene(
  path: string,
  signal?: AbortSignal,
  options: OpenSceneOptions = {},
): Promise<OpenedScene> {
  throwIfCancelled(signal);
  const head = await firstBytes(path);
  const settings = {
    cacheBytes: options.cacheBytes ?? defaultCacheBytes,
    allowIncomplete: options.allowIncomplete ?? false,
  };
  if (isTiff(head)) return openGeoTiff(path, settings);
  const png = startsWith(head, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  if (png || startsWith(head, [0xff, 0xd8, 0xff])) {
    const { openImage } = await import('./image.ts');
    return openImage(path, png ? 'PNG' : 'JPEG', settings, signal);
  }
  const known = knownFormat(head);
  if (known !== null) {
    throw new Problem(
      'scene/unsupported',
      `${path} is ${known}, which is not read yet.`,
      'Convert it to GeoTIFF first, for example with gdal_translate.',
    );
  }
  throw new Problem(
    'scene/not-a-raster',
    head.length === 0 ? `${path} is empty.` : `${path} is not a raster image.`,
    'Scenes are GeoTIFF, PNG or JPEG files.',
  );
}

async function firstBytes(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      if ((await file.stat()).isDirectory()) throw folder(path);
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
    if (code === 'EISDIR') throw folder(path);
    throw new Problem(
      'scene/unreadable',
      `${path} cannot be read (${code ?? String(cause)}).`,
      'Check that you may read the file and that its disk is there.',
      cause,
    );
  }
}

function folder(path: string): Problem {
  return new Problem(
    'scene/not-a-raster',
    `${path} is a folder.`,
    'Name the raster file in it; product folders (SAFE) are not read yet.',
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
  if (startsWith(head, [0, 0, 0, 12, 0x6a, 0x50]) || startsWith(head, [0xff, 0x4f, 0xff, 0x51]))
    return 'a JPEG 2000 file';
  if (startsWith(head, [0x50, 0x4b, 3, 4])) return 'a zip archive';
  if (startsWith(head, [0x89, 0x48, 0x44, 0x46])) return 'an HDF5 file';
  if (startsWith(head, [0x43, 0x44, 0x46])) return 'a NetCDF file';
  if (startsWith(head, [0x45, 0x48, 0x46, 0x41])) return 'an Erdas Imagine file';
  if (startsWith(head, [0x52, 0x49, 0x46, 0x46])) return 'a WebP file';
  if (startsWith(head, [0x47, 0x49, 0x46, 0x38])) return 'a GIF file';
  return null;
}
