import type { PicturePart } from '../../worker/steps/reduce-strip.ts';
import type { LivePicture } from '../rpc/runs.ts';

/** A picture that grows: two bytes a pixel, class (0: none yet) and confidence in 1/255. */
export interface GrowingPicture {
  width: number;
  height: number;
  /** `[height · width]` each. */
  classes: Uint8Array;
  confidence: Uint8Array;
}

interface Kept {
  picture: GrowingPicture;
  revision: number;
  /** The picture as PNG, of that revision. */
  png: { revision: number; bytes: Promise<Uint8Array> } | null;
}

/** Pictures kept at once; the oldest go. */
const mostPictures = 8;

/** Pictures of class numbers on their way, by id, as PNG: red is the class, green the confidence. */
export class LivePictures {
  readonly #kept = new Map<string, Kept>();

  /** Begins or replaces a picture. */
  set(id: string, picture: GrowingPicture): void {
    const revision = (this.#kept.get(id)?.revision ?? 0) + 1;
    this.#kept.delete(id);
    this.#kept.set(id, { picture, revision, png: null });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostPictures) break;
      this.#kept.delete(oldest);
    }
  }

  /** Puts a part into its place; false for an unknown picture. */
  add(id: string, { column, row, width, height, classes, confidence }: PicturePart): boolean {
    const kept = this.#kept.get(id);
    if (!kept) return false;
    const { picture } = kept;
    const rows = Math.min(height, picture.height - row);
    const span = Math.min(width, picture.width - column);
    for (let y = 0; y < rows; y++) {
      const to = (row + y) * picture.width + column;
      picture.classes.set(classes.subarray(y * width, y * width + span), to);
      picture.confidence.set(confidence.subarray(y * width, y * width + span), to);
    }
    kept.revision++;
    return true;
  }

  /** What the contract says of it. */
  describe(
    id: string,
    about: Pick<LivePicture, 'crs' | 'transform' | 'classes'>,
    format: 'png' | 'bin' = 'png',
  ): LivePicture | null {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    const { width, height } = kept.picture;
    const address = `/live/${id}.${format}?r=${kept.revision}`;
    return { id, address, revision: kept.revision, width, height, ...about };
  }

  /** Classes, then confidence, as they are: quicker than a PNG where pictures follow each other. Null for an unknown id. */
  bytes(id: string): Uint8Array | null {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    const { classes, confidence } = kept.picture;
    const out = new Uint8Array(classes.length + confidence.length);
    out.set(classes);
    out.set(confidence, classes.length);
    return out;
  }

  remove(id: string): void {
    this.#kept.delete(id);
  }

  /** Null for an unknown id. */
  async png(id: string): Promise<Uint8Array | null> {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    if (kept.png?.revision !== kept.revision)
      kept.png = { revision: kept.revision, bytes: encode(kept.picture) };
    return kept.png.bytes;
  }
}

async function encode({ width, height, classes, confidence }: GrowingPicture): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < classes.length; i++) {
    pixels[3 * i] = classes[i]!;
    pixels[3 * i + 1] = confidence[i]!;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 4 })
    .toBuffer();
}
