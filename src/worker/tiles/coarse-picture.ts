import type { Bands, Samples } from '../raster/bands.ts';
import type { Window } from '../raster/grid.ts';
import { samplesOf } from '../scene/sample-layout.ts';
import type { BandHeader } from '../scene/scene.ts';

/** The image to be sampled. */
export interface SampledImage {
  width: number;
  height: number;
  type: BandHeader['type'];
  /** Pixels that are decoded at once. */
  block: { readonly width: number; readonly height: number };
  read(window: Window, bands: readonly number[], signal?: AbortSignal): Promise<Bands>;
}

/** Longest side of the picture, pixels. */
const longestSide = 1024;

/**
 * A small picture of a large image made of single pixels from as many of its blocks as there was time for, spread evenly
 * and refined from coarse to fine; what was not reached repeats the nearest pixel up and left. It is a draft: it shows
 * where things are until overviews are there. Memory is at most 1024 × 1024 pixels.
 */
export class CoarsePicture {
  readonly width: number;
  readonly height: number;
  /** Grows with every refinement. */
  revision = 0;
  /** Whether every pixel was sampled itself. */
  complete = false;
  readonly #image: SampledImage;
  readonly #bands: readonly number[];
  readonly #planes: Samples[];
  readonly #valid: Uint8Array;
  readonly #now: () => number;

  constructor(image: SampledImage, bands: readonly number[], now: () => number = () => performance.now()) {
    const scale = Math.max(1, Math.max(image.width, image.height) / longestSide);
    this.width = Math.max(1, Math.round(image.width / scale));
    this.height = Math.max(1, Math.round(image.height / scale));
    this.#image = image;
    this.#bands = bands;
    this.#now = now;
    const count = this.width * this.height;
    this.#planes = bands.map(() => samplesOf(image.type, count));
    this.#valid = new Uint8Array(count);
  }

  /**
   * Samples until all is sampled or `milliseconds` have passed; the first, coarsest round is always finished. May be
   * called once.
   */
  async sample(milliseconds: number, signal?: AbortSignal): Promise<void> {
    const rows = groups(this.height, this.#image.height, this.#image.block.height);
    const columns = groups(this.width, this.#image.width, this.#image.block.width);
    const start = this.#now();
    let first = 1;
    while (first < Math.max(rows.length, columns.length)) first *= 2;
    // About 64 blocks, or rows of a striped image, are read whatever the time.
    let coarsest = first;
    while (coarsest > 1 && Math.ceil(rows.length / coarsest) * Math.ceil(columns.length / coarsest) < 64)
      coarsest /= 2;
    for (let step = coarsest; step >= 1; step /= 2) {
      for (let row = 0; row < rows.length; row += step) {
        for (let column = 0; column < columns.length; column += step) {
          const visited = step < coarsest && row % (2 * step) === 0 && column % (2 * step) === 0;
          if (visited) continue;
          if (step < coarsest && this.#now() - start > milliseconds) return;
          await this.#take(rows, columns, row, column, step, signal);
        }
      }
      this.revision++;
    }
    this.complete = true;
  }

  /** Samples the block at (row, column) of the groups, and fills the square of `step` groups with its pixels. */
  async #take(
    rows: readonly Group[],
    columns: readonly Group[],
    row: number,
    column: number,
    step: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const down = rows[row]!;
    const across = columns[column]!;
    const lastRow = rows[Math.min(row + step, rows.length) - 1]!.end;
    const lastColumn = columns[Math.min(column + step, columns.length) - 1]!.end;
    const left = across.places[0]!;
    const width = across.places.at(-1)! - left + 1;
    let source: Bands | null = null;
    for (let y = down.first; y < lastRow; y++) {
      if (y < down.end) {
        const window = { column: left, row: down.places[y - down.first]!, width, height: 1 };
        source = await this.#image.read(window, this.#bands, signal);
      }
      for (let x = across.first; x < lastColumn; x++) {
        const from = across.places[Math.min(x, across.end - 1) - across.first]! - left;
        const to = y * this.width + x;
        this.#valid[to] = source!.valid[from]!;
        for (let band = 0; band < this.#planes.length; band++) {
          this.#planes[band]![to] = source!.planes[band]![from]!;
        }
      }
    }
  }

  /** Pixels of a window; outside the picture they come back invalid. */
  read(window: Window): Bands {
    const count = window.width * window.height;
    const planes = this.#planes.map(() => samplesOf(this.#image.type, count));
    const valid = new Uint8Array(count);
    const left = Math.max(0, window.column);
    const right = Math.min(this.width, window.column + window.width);
    for (let row = Math.max(0, window.row); row < Math.min(this.height, window.row + window.height); row++) {
      if (left >= right) break;
      const from = row * this.width;
      const to = (row - window.row) * window.width + left - window.column;
      valid.set(this.#valid.subarray(from + left, from + right), to);
      for (let band = 0; band < planes.length; band++) {
        planes[band]!.set(this.#planes[band]!.subarray(from + left, from + right), to);
      }
    }
    return { width: window.width, height: window.height, planes, valid };
  }
}

/** Consecutive pixels [first, end) of the picture along an axis that come from one block of the image. */
interface Group {
  first: number;
  end: number;
  /** Image pixel at the centre of each. */
  places: number[];
}

function groups(size: number, imageSize: number, blockSize: number): Group[] {
  const list: Group[] = [];
  let block = -1;
  for (let at = 0; at < size; at++) {
    const place = Math.min(imageSize - 1, Math.floor(((at + 0.5) * imageSize) / size));
    const of = Math.floor(place / blockSize);
    if (of !== block) list.push({ first: at, end: at, places: [] });
    block = of;
    const group = list.at(-1)!;
    group.end = at + 1;
    group.places.push(place);
  }
  return list;
}
