import sharp from 'sharp';
import type { TilePicture } from './draw-tile.ts';

export type TileFormat = 'png' | 'webp';

/**
 * The picture as a file's bytes. PNG, and WebP of classes, keep every pixel; WebP of imagery is lossy, and a third of the
 * size. Both are tuned for speed: the tile travels from one process to its neighbour.
 */
export async function encodeTile(
  picture: TilePicture,
  format: TileFormat,
  lossless = true,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, rgba } = picture;
  const image = sharp(rgba, { raw: { width, height, channels: 4 } });
  const bytes =
    format === 'png'
      ? await image.png({ compressionLevel: 3, adaptiveFiltering: false }).toBuffer()
      : await image.webp(lossless ? { lossless: true, effort: 0 } : { quality: 90, effort: 1 }).toBuffer();
  return new Uint8Array(bytes);
}
