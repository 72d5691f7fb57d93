import { mkdtemp, open, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { georeferenceBeside } from './georeference.ts';
import { type GeoTiffOptions, type GeoTiffScene, tiffScene } from './geotiff.ts';
import { type ByteSource, bytesOfBuffer, bytesOfFile, readTiff } from './tiff-file.ts';

/** Images of at most this many decoded bytes stay in memory; larger ones are decoded once into a temporary file. */
export const inMemoryBytes = 64 * 2 ** 20;

/**
 * Opens a PNG or JPEG. These formats can only be decoded from the top, so the image is turned once into plain tiles, in
 * memory or in a temporary file that goes with `close`; windows are then read like a TIFF's. Pixels are the stored ones:
 * no orientation tag, no colour profile is applied.
 */
export async function openImage(
  path: string,
  format: 'PNG' | 'JPEG',
  options: GeoTiffOptions,
  signal?: AbortSignal,
): Promise<GeoTiffScene> {
  const input = sharp(path, {
    failOn: 'error',
    limitInputPixels: false,
    sequentialRead: true,
    ignoreIcc: true,
  });
  let folder: string | null = null;
  const sources: ByteSource[] = [];
  try {
    const metadata = await input.metadata();
    const { width, height, channels } = metadata;
    if (!(width > 0) || !(height > 0)) throw new RangeError('no pixels in it');
    const sixteen = metadata.depth === 'ushort';
    const grey = metadata.space === 'b-w' || metadata.space === 'grey16';
    const bytes = width * height * channels * (sixteen ? 2 : 1);
    throwIfCancelled(signal);
    const tiles = input.toColourspace(grey ? (sixteen ? 'grey16' : 'b-w') : sixteen ? 'rgb16' : 'srgb').tiff({
      compression: 'none',
      predictor: 'none',
      tile: true,
      tileWidth: 256,
      tileHeight: 256,
      bigtiff: true,
    });
    let source: ByteSource;
    if (bytes <= inMemoryBytes) {
      source = bytesOfBuffer(await tiles.toBuffer());
    } else {
      folder = await mkdtemp(join(tmpdir(), 'landscribe-image-'));
      await checkSpace(folder, path, bytes);
      const file = join(folder, 'tiles.tif');
      await tiles.toFile(file);
      const handle = await open(file, 'r');
      const { size } = await stat(file);
      source = bytesOfFile(handle, size);
      // Where the system lets an open file go, it cannot outlive the program.
      if (process.platform !== 'win32') await rm(folder, { recursive: true, force: true });
    }
    sources.push(source);
    throwIfCancelled(signal);
    const tiff = await readTiff(source, path);
    const georeference = await georeferenceBeside(path);
    const scene = tiffScene(path, tiff, source, georeference, [], sources, options);
    const { header } = scene;
    header.format = format;
    const place = folder === null ? 'in memory' : 'in a temporary file';
    const { alpha, georeference: where } = header.details;
    header.details = { compression: format, layout: `decoded once, ${place}` };
    if (alpha !== undefined) header.details.alpha = alpha;
    if (where !== undefined) header.details.georeference = where;
    const temporary = folder;
    return {
      ...scene,
      async close() {
        await scene.close();
        if (temporary !== null) await rm(temporary, { recursive: true, force: true });
      },
    };
  } catch (cause) {
    for (const source of sources) await source.close();
    if (folder !== null) await rm(folder, { recursive: true, force: true });
    if (cause instanceof Problem) throw cause;
    const text = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
    if (/ENOSPC|no space|write failed/i.test(text)) throw noSpace(path, tmpdir());
    throw new Problem(
      'scene/corrupt',
      `${path}: the ${format} is damaged or cut short (${text}).`,
      'Copy or download the file again.',
      cause,
    );
  }
}

async function checkSpace(folder: string, path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes * 1.1) throw noSpace(path, folder);
}

function noSpace(path: string, folder: string): Problem {
  return new Problem(
    'disk/full',
    `${path}: there is no room in ${folder} to unpack it.`,
    'Free some space, or set TMPDIR to a folder on a larger disk.',
  );
}
