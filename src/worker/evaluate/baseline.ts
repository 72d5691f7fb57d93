import sharp from 'sharp';
import { Problem } from '../report/problem.ts';

/** Red, green, blue by pixel, `[height, width, 3]`, 0-255. */
export interface ColourImage {
  width: number;
  height: number;
  pixels: Uint8Array;
}

/** Reads a picture's colours; more bits are scaled to 8, transparency is dropped. Throws `Problem` that names the file. */
export async function readColourImage(path: string): Promise<ColourImage> {
  try {
    const { data, info } = await sharp(path, {
      failOn: 'error',
      limitInputPixels: 400_000_000,
      ignoreIcc: true,
    })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels instead of 3`);
    return { width: info.width, height: info.height, pixels: new Uint8Array(data) };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Problem(
      'evaluate/image-unreadable',
      `${path} cannot be read: ${reason}`,
      'Baselines read PNG, JPEG, WebP and 8- or 16-bit TIFF.',
      error,
    );
  }
}

/** Size of a picture that `readColourImage` can read, from its header; null for formats that only the model's reader knows. */
export async function readImageSize(path: string): Promise<{ width: number; height: number } | null> {
  try {
    const { width, height } = await sharp(path, { limitInputPixels: false }).metadata();
    return { width, height };
  } catch {
    return null;
  }
}

/**
 * The two simplest ways to label a picture, fitted to labelled ones: always the most frequent class, or the class whose
 * mean colour is nearest. Whatever a model is good for begins above them.
 */
export class Baseline {
  readonly #ignore: number;
  readonly #pixels: Float64Array;
  /** Sums of red, green and blue by class, `[classes, 3]`. */
  readonly #sums: Float64Array;

  constructor(classes: number, ignore: number | null) {
    this.#ignore = ignore ?? -1;
    this.#pixels = new Float64Array(classes);
    this.#sums = new Float64Array(3 * classes);
  }

  /** Takes a labelled picture into the fit; labels are 0-based and checked before. */
  fit(image: ColourImage, labels: Uint8Array | Uint16Array): void {
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i]!;
      if (label === this.#ignore) continue;
      this.#pixels[label]!++;
      this.#sums[3 * label]! += image.pixels[3 * i]!;
      this.#sums[3 * label + 1]! += image.pixels[3 * i + 1]!;
      this.#sums[3 * label + 2]! += image.pixels[3 * i + 2]!;
    }
  }

  /** Class id (1-based) of the most frequent class; 0 before anything was fitted. */
  get majority(): number {
    let best = -1;
    for (let index = 0; index < this.#pixels.length; index++) {
      if (this.#pixels[index]! > 0 && (best < 0 || this.#pixels[index]! > this.#pixels[best]!)) best = index;
    }
    return best + 1;
  }

  /** Mean red, green and blue of every class, `[classes, 3]`; NaN for a class that was never seen. */
  get meanColours(): Float64Array {
    return this.#sums.map((sum, index) => sum / (this.#pixels[Math.floor(index / 3)]! || Number.NaN));
  }

  /** Class ids (1-based) by Euclidean distance to the mean colours, `[height · width]`; ties go to the lower id. */
  nearestColour(image: ColourImage): Uint16Array {
    const means = this.meanColours;
    const classes = this.#pixels.length;
    const ids = new Uint16Array(image.width * image.height);
    for (let i = 0; i < ids.length; i++) {
      const red = image.pixels[3 * i]!;
      const green = image.pixels[3 * i + 1]!;
      const blue = image.pixels[3 * i + 2]!;
      let best = Number.POSITIVE_INFINITY;
      let id = 0;
      for (let index = 0; index < classes; index++) {
        const dr = red - means[3 * index]!;
        const dg = green - means[3 * index + 1]!;
        const db = blue - means[3 * index + 2]!;
        const distance = dr * dr + dg * dg + db * db;
        if (distance < best) {
          best = distance;
          id = index + 1;
        }
      }
      ids[i] = id;
    }
    return ids;
  }
}
