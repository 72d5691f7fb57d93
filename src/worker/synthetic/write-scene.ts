import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { geoTags } from '../classmap/geo-tags.ts';
import { GeoTiffWriter } from '../classmap/geotiff-writer.ts';
import { describeClassMap, writeSidecar } from '../classmap/map-files.ts';
import { storageProblem } from '../classmap/storage-problem.ts';
import { encodeDirectory } from '../classmap/tiff-directory.ts';
import type { Affine } from '../raster/affine.ts';
import { crsFromEpsg } from '../raster/crs.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { syntheticClasses } from './classes.ts';
import type { SyntheticScene } from './generate-scene.ts';

const compress = promisify(deflate);

/** UTM zone 32 north on WGS 84: a place in metres for a scene that is nowhere. */
const sceneEpsg = 32632;
const west = 356_000;
const north = 5_645_000;
const tileSize = 256;

/** Where synthetic scenes lie: EPSG:32632, north up, square pixels of the scene's resolution. */
export function sceneTransform(resolution: number): Affine {
  return [west, resolution, 0, north, 0, -resolution];
}

/** Writes the picture as a tiled RGB GeoTIFF (deflate), whole or not at all; replaces what is there. Throws `Problem`. */
export async function writeSceneImage(
  scene: SyntheticScene,
  path: string,
  software: string,
  signal?: AbortSignal,
): Promise<void> {
  const { width, height, pixels, resolution } = scene;
  const across = Math.ceil(width / tileSize);
  const down = Math.ceil(height / tileSize);
  const offsets: number[] = [];
  const byteCounts: number[] = [];
  const part = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    const file = await open(part, 'wx');
    try {
      const header = Buffer.alloc(8);
      header.write('II*\0', 0, 'latin1');
      let length = header.length;
      for (let row = 0; row < down; row++) {
        throwIfCancelled(signal);
        const tiles = await Promise.all(
          Array.from({ length: across }, (_, column) =>
            compress(cutTile(pixels, width, height, column, row)),
          ),
        );
        for (const tile of tiles) {
          offsets.push(length);
          byteCounts.push(tile.length);
          await file.writeFile(row === 0 && length === 8 ? Buffer.concat([header, tile]) : tile);
          length += tile.length;
        }
      }
      const start = length + (length % 2);
      const directory = encodeDirectory(
        [
          { tag: 256, type: 'uint32', values: [width] },
          { tag: 257, type: 'uint32', values: [height] },
          { tag: 258, type: 'uint16', values: [8, 8, 8] },
          { tag: 259, type: 'uint16', values: [8] },
          { tag: 262, type: 'uint16', values: [2] },
          { tag: 270, type: 'ascii', values: 'Synthetic scene; it shows no real place' },
          { tag: 277, type: 'uint16', values: [3] },
          { tag: 284, type: 'uint16', values: [1] },
          { tag: 305, type: 'ascii', values: software },
          { tag: 317, type: 'uint16', values: [2] },
          { tag: 322, type: 'uint32', values: [tileSize] },
          { tag: 323, type: 'uint32', values: [tileSize] },
          { tag: 324, type: 'uint32', values: offsets },
          { tag: 325, type: 'uint32', values: byteCounts },
          { tag: 339, type: 'uint16', values: [1, 1, 1] },
          ...geoTags(sceneTransform(resolution), crsFromEpsg(sceneEpsg)),
        ],
        start,
        false,
      );
      await file.writeFile(Buffer.concat([Buffer.alloc(length % 2), directory]));
      header.writeUInt32LE(start, 4);
      await file.write(header, 0, header.length, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw storageProblem(error, path);
  }
}

/** A tile's samples, red, green, blue by pixel, as differences along the row (TIFF predictor 2); padded with 0. */
function cutTile(pixels: Uint8Array, width: number, height: number, column: number, row: number): Buffer {
  const tile = Buffer.alloc(tileSize * tileSize * 3);
  const length = width * height;
  const rows = Math.min(tileSize, height - row * tileSize);
  const columns = Math.min(tileSize, width - column * tileSize);
  for (let r = 0; r < rows; r++) {
    const from = (row * tileSize + r) * width + column * tileSize;
    for (let band = 0; band < 3; band++) {
      let before = 0;
      for (let c = 0; c < columns; c++) {
        const value = pixels[band * length + from + c]!;
        tile[(r * tileSize + c) * 3 + band] = (value - before) & 255;
        before = value;
      }
    }
  }
  return tile;
}

/** Writes the true class map like a result of `segment`: palette, class names, nodata 0. Throws `Problem`. */
export async function writeSceneTruth(
  scene: SyntheticScene,
  path: string,
  software: string,
  signal?: AbortSignal,
): Promise<void> {
  const writer = await GeoTiffWriter.open(
    {
      path,
      partPath: `${path}.${randomUUID().slice(0, 8)}.part`,
      width: scene.width,
      height: scene.height,
      sampleType: 'uint8',
      tileSize,
      bigTiff: 'auto',
      level: 6,
    },
    { digest: '', state: '', strips: [] },
  );
  try {
    await writer.writeBlock(0, 0, scene.width, scene.height, scene.classes, signal);
    await writer.commitStrip('');
    await writer.seal(
      describeClassMap({
        transform: sceneTransform(scene.resolution),
        crs: crsFromEpsg(sceneEpsg),
        software,
        classes: syntheticClasses,
        provenance: '{"source":"synthetic scene, true map"}',
      }),
    );
    await writer.publish();
  } catch (error) {
    await writer.discard();
    throw error;
  }
  await writeSidecar(path, crsFromEpsg(sceneEpsg), syntheticClasses);
}
