import sharp from 'sharp';
import type { TilePicture } from './draw-tile.ts';

export type TileFormat = 'png' | 'webp';

/**
 * The picture as a file's bytes, every pixel kept: lossy WebP halves the colours' resolution, which shows at borders and
 * costs more time than it saves. Both are tuned for speed: the tile travels from one process to its neighbour.
 */
export async function encodeTile(picture: TilePicture, format: TileFormat): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, rgba } = picture;
  const image = sharp(rgba, { raw: { width, height, channels: 4 } });
  const bytes =
    format === 'png'
      ? await image.png({ compressionLevel: 3, adaptiveFiltering: false }).toBuffer()
      : await image.webp({ lossless: true, effort: 0 }).toBuffer();
  return new Uint8Array(bytes);
}
