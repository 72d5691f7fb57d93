import ImageLayer from 'ol/layer/Image.js';
import ImageCanvas from 'ol/source/ImageCanvas.js';
import type { LivePicture } from '../../main/rpc/runs.ts';
import { channelsOf } from '../symbology/palette.ts';
import type { MapSystem } from './projection.ts';

/** A picture of class numbers on its way, drawn in the classes' colours as far as it is sure enough. */
export class DrawnPicture {
  readonly layer = new ImageLayer<ImageCanvas>();
  /** Told of a picture's address when the map has drawn it. */
  onDrawn: (address: string) => void = () => {};
  #pixels: PicturePixels | null = null;
  #shown = '';
  #loaded = '';
  #address = '';

  /** `colours` by class id; classes without one are not drawn. */
  show(
    picture: LivePicture,
    colours: ReadonlyMap<number, string>,
    confidence: number,
    system: MapSystem,
  ): void {
    const { address } = picture;
    this.#address = address;
    if (this.#loaded === address) {
      this.#draw(picture, colours, confidence, system);
      return;
    }
    void readPixels(picture).then((pixels) => {
      if (this.#address !== address || !pixels) return;
      this.#pixels = pixels;
      this.#loaded = address;
      this.#draw(picture, colours, confidence, system);
    });
  }

  #draw(
    picture: LivePicture,
    colours: ReadonlyMap<number, string>,
    confidence: number,
    system: MapSystem,
  ): void {
    const pixels = this.#pixels;
    if (!pixels) return;
    const key = JSON.stringify([this.#loaded, [...colours], confidence, system.system.crs]);
    if (key === this.#shown) return;
    this.#shown = key;
    const { width, height } = pixels;
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d')!;
    const drawn = context.createImageData(width, height);
    const table = new Uint32Array(256);
    for (const [id, colour] of colours) {
      const [red, green, blue] = channelsOf(colour);
      table[id & 255] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    }
    const { classes, sure } = pixels;
    const to = new Uint32Array(drawn.data.buffer);
    const least = Math.round(confidence * 255);
    for (let i = 0; i < to.length; i++) to[i] = sure[i]! >= least ? table[classes[i]!]! : 0;
    context.putImageData(drawn, 0, 0);
    const address = this.#loaded;
    this.layer.once('postrender', () => this.onDrawn(address));
    const [x, xStep, xSkew, y, ySkew, yStep] = picture.transform;
    this.layer.setSource(
      new ImageCanvas({
        projection: system.projection,
        ratio: 1,
        interpolate: false,
        canvasFunction(extent, resolution, pixelRatio, size) {
          const out = document.createElement('canvas');
          out.width = Math.round(size[0]!);
          out.height = Math.round(size[1]!);
          const to = out.getContext('2d')!;
          to.imageSmoothingEnabled = false;
          const scale = pixelRatio / resolution;
          to.setTransform(
            xStep * scale,
            -ySkew * scale,
            xSkew * scale,
            -yStep * scale,
            (x - extent[0]!) * scale,
            (extent[3]! - y) * scale,
          );
          to.drawImage(canvas, 0, 0);
          return out;
        },
      }),
    );
  }
}

/** Class and confidence of every pixel, `[height · width]`. */
interface PicturePixels {
  width: number;
  height: number;
  classes: Uint8Array;
  sure: Uint8Array;
}

/** The picture's bytes as they are; null where it is gone, as one is that others have followed. */
async function readPixels({ address, width, height }: LivePicture): Promise<PicturePixels | null> {
  const reply = await fetch(address);
  if (!reply.ok) return null;
  const count = width * height;
  if (/\.bin(\?|$)/.test(address)) {
    const bytes = new Uint8Array(await reply.arrayBuffer());
    if (bytes.length !== 2 * count) return null;
    return { width, height, classes: bytes.subarray(0, count), sure: bytes.subarray(count) };
  }
  // Opaque, and no colour profile touches it.
  const bitmap = await createImageBitmap(await reply.blob(), {
    premultiplyAlpha: 'none',
    colorSpaceConversion: 'none',
  });
  const canvas = document.createElement('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const pixels = bitmap.width * bitmap.height;
  const classes = new Uint8Array(pixels);
  const sure = new Uint8Array(pixels);
  for (let i = 0; i < pixels; i++) {
    classes[i] = data[4 * i]!;
    sure[i] = data[4 * i + 1]!;
  }
  return { width: bitmap.width, height: bitmap.height, classes, sure };
}
