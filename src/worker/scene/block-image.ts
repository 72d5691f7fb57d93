import type { Samples } from '../raster/bands.ts';
import { clipWindow, type Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';
import type { BlockCache } from './block-cache.ts';

/** An image stored in rectangular blocks of equal size; those at the right and bottom border may hang over. */
export interface BlockImage {
  /** Distinguishes its blocks from those of other images in the same cache. */
  key: string;
  width: number;
  height: number;
  blockWidth: number;
  blockHeight: number;
  /** Samples interleaved in one block: all of a pixel, or 1 where each sample has its own blocks. */
  interleaved: number;
  /** What a sample of a block without bytes (sparse) reads as. */
  fill: number;
  /** Decodes a block; `plane` is the sample where each has its own blocks, else 0. Null for a sparse block. */
  load(plane: number, blockRow: number, blockColumn: number): Promise<Samples | null>;
}

/** Blocks decoded at the same time: enough to keep libuv's threads busy, few enough to bound memory. */
const inFlight = 4;

/**
 * Copies samples of `window` (in the image's pixels) into `planes`, one array of `window.height · window.width` for each
 * entry of `samples`. Pixels outside the image keep what the arrays held. Every block is fetched once per call;
 * the signal is heeded between blocks, which callers share.
 */
export async function gather(
  image: BlockImage,
  cache: BlockCache,
  window: Window,
  samples: readonly number[],
  planes: readonly Samples[],
  signal?: AbortSignal,
): Promise<void> {
  const inside = clipWindow(window, image.width, image.height);
  if (inside.width === 0 || inside.height === 0 || samples.length === 0) return;
  const { blockWidth, blockHeight } = image;
  const firstRow = Math.floor(inside.row / blockHeight);
  const lastRow = Math.floor((inside.row + inside.height - 1) / blockHeight);
  const firstColumn = Math.floor(inside.column / blockWidth);
  const lastColumn = Math.floor((inside.column + inside.width - 1) / blockWidth);
  const separate = image.interleaved === 1;
  const groups = separate ? samples.map((sample, index) => [sample, index] as const) : [[0, -1] as const];

  async function one(group: readonly [number, number], blockRow: number, blockColumn: number): Promise<void> {
    throwIfCancelled(signal);
    const [plane, only] = group;
    const block = await cache.get(`${image.key}/${plane}/${blockRow}/${blockColumn}`, () =>
      image.load(plane, blockRow, blockColumn),
    );
    for (let index = 0; index < samples.length; index++) {
      if (separate && index !== only) continue;
      copyBlock(
        image,
        block,
        separate ? 0 : samples[index]!,
        blockRow,
        blockColumn,
        inside,
        window,
        planes[index]!,
      );
    }
  }

  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (let blockRow = firstRow; blockRow <= lastRow && failures.length === 0; blockRow++) {
    for (let blockColumn = firstColumn; blockColumn <= lastColumn && failures.length === 0; blockColumn++) {
      for (const group of groups) {
        const task: Promise<void> = one(group, blockRow, blockColumn)
          .catch((failure: unknown) => {
            failures.push(failure);
          })
          .finally(() => running.delete(task));
        running.add(task);
        if (running.size >= inFlight) await Promise.race(running);
      }
    }
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}

function copyBlock(
  image: BlockImage,
  block: Samples | null,
  offset: number,
  blockRow: number,
  blockColumn: number,
  inside: Window,
  window: Window,
  target: Samples,
): void {
  const { blockWidth, blockHeight } = image;
  const top = blockRow * blockHeight;
  const left = blockColumn * blockWidth;
  const fromRow = Math.max(inside.row, top);
  const toRow = Math.min(inside.row + inside.height, top + blockHeight);
  const fromColumn = Math.max(inside.column, left);
  const columns = Math.min(inside.column + inside.width, left + blockWidth) - fromColumn;
  const stride = image.interleaved;
  for (let row = fromRow; row < toRow; row++) {
    const to = (row - window.row) * window.width + (fromColumn - window.column);
    if (block === null) {
      target.fill(image.fill, to, to + columns);
      continue;
    }
    const from = ((row - top) * blockWidth + (fromColumn - left)) * stride + offset;
    if (stride === 1) target.set(block.subarray(from, from + columns), to);
    else
      for (let index = 0, at = from; index < columns; index++, at += stride) target[to + index] = block[at]!;
  }
}
