import type { TokenTile } from '../infer/tile-labeller.ts';
import type { Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { MergedTokens } from '../tile/merged-tokens.ts';
import { selectWindows, windowAt, windowNumber } from '../tile/plan.ts';
import { type TokenTiles, tileOver, tokenTileAt } from '../tile/token-tiles.ts';
import { GlobalScores } from './global-scores.ts';
import type { RowSource, WorkingPart } from './row-source.ts';
import { type PreparedWindow, workInOrder } from './window-queue.ts';
import type { WorkingSource } from './window-rows.ts';

/** A window's tokens `[rows · columns, embedding]`, and its class token compared with the words: λ·cls·words `[words]`. */
export interface FastWindow {
  tokens: Float32Array;
  global: Float32Array;
}

/** Encodes windows and labels tiles; each works on one thing at a time. */
export interface FastWorker {
  encode(pixels: Float32Array, window: Window): Promise<FastWindow>;
  /** Similarities `[words, core height, core width]`. */
  label(tile: TokenTile, pixels: Float32Array): Promise<Float32Array>;
}

export interface FastRowsRequest {
  tiles: TokenTiles;
  working: WorkingSource;
  /** Colours 0-255 to what the model takes. */
  normalise(pixels: Float32Array, valid: Uint8Array): Float32Array;
  workers: readonly FastWorker[];
  words: number;
  embedding: number;
}

/**
 * Scores in the fast mode: tokens of overlapping windows are merged on their common grid, then each tile of the grid
 * is upsampled once, with kernels once per pixel. No seams where windows end. Against the reference it differs in what
 * is averaged: tokens, not scores. Rows do not depend on parts, threads or extent.
 */
export class FastRows implements RowSource {
  readonly words: number;
  readonly rowsHeld: number;
  readonly bytesAhead: number;
  readonly #request: FastRowsRequest;

  constructor(request: FastRowsRequest) {
    this.#request = request;
    this.words = request.words;
    // A tile's rows of scores, and in the same measure the tokens beside them.
    const { patch, reach, plan, tile } = request.tiles;
    const { length: lanes } = request.workers;
    const tokenRows = tile.height + 2 * reach + (2 * plan.rows.window) / patch;
    this.rowsHeld = tile.height * patch + Math.ceil((tokenRows * request.embedding) / patch / this.words);
    const windowPixels = plan.columns.window * plan.rows.window;
    const tilePixels = (tile.width + 2 * reach) * (tile.height + 2 * reach) * patch * patch;
    this.bytesAhead = Math.max(
      windowsAhead(lanes) * windowPixels * (3 * 4 + 1),
      tilesAhead(lanes) * tilePixels * (3 * 4 + 1 + this.words * 4),
    );
  }

  async *read(
    { column, width, first, end }: WorkingPart,
    means: Float32Array,
    valid: Uint8Array,
    signal?: AbortSignal,
  ): AsyncGenerator<number> {
    const { tiles, embedding, workers } = this.#request;
    const { plan, patch } = tiles;
    const { words } = this;
    const topLeft = tileOver(tiles, column, first);
    const bottomRight = tileOver(tiles, column + width - 1, end - 1);
    const firstColumn = topLeft.column;
    const columnCount = bottomRight.column + 1 - firstColumn;
    const leftmost = tokenTileAt(tiles, firstColumn, 0).around;
    const rightmost = tokenTileAt(tiles, firstColumn + columnCount - 1, 0).around;
    const tokenColumns = { start: leftmost.column, end: rightmost.column + rightmost.width };
    const tokens = new MergedTokens(embedding, tokenColumns.start, tokenColumns.end - tokenColumns.start);
    const classScores = new Map<number, Float32Array>();
    const global = new GlobalScores(
      plan,
      column,
      width,
      words,
      (x, y) => classScores.get(y * plan.columns.count + x) ?? null,
    );
    let nextWindowRow = 0;
    for (let tileRow = topLeft.row; tileRow <= bottomRight.row; tileRow++) {
      throwIfCancelled(signal);
      const { core, around } = tokenTileAt(tiles, firstColumn, tileRow);
      // No window is encoded for the sake of what reaches over the border of a part.
      const { part } = tiles;
      const left = Math.max(tokenColumns.start, part.column);
      const upper = Math.max(around.row, part.row);
      const touched = selectWindows(plan, {
        column: left * patch,
        row: upper * patch,
        width: (Math.min(tokenColumns.end, part.column + part.width) - left) * patch,
        height: (Math.min(around.row + around.height, part.row + part.height) - upper) * patch,
      });
      tokens.drop(around.row);
      for (const number of classScores.keys())
        if (number < touched.firstRow * plan.columns.count) classScores.delete(number);
      const windows: Window[] = [];
      for (let y = Math.max(nextWindowRow, touched.firstRow); y < touched.endRow; y++)
        for (let x = touched.firstColumn; x < touched.endColumn; x++) windows.push(windowAt(plan, x, y));
      nextWindowRow = touched.endRow;
      const encoded = workInOrder(
        windows,
        (window) => this.#prepare(window, signal),
        workers.map((worker) => (pixels: Float32Array, window: Window) => worker.encode(pixels, window)),
        windowsAhead(workers.length),
        signal,
      );
      for await (const { window, answer } of encoded) {
        if (!answer) continue;
        const [windowRows, windowColumns] = [window.height / patch, window.width / patch];
        const at = { column: window.column / patch, row: window.row / patch };
        tokens.add(answer.tokens, { ...at, width: windowColumns, height: windowRows }, around.row);
        classScores.set(windowNumber(plan, window), answer.global);
      }

      // Scores of the tile row under the asked columns.
      const height = core.height * patch;
      const scores = new Float32Array(words * height * width);
      const known = new Uint8Array(height * width);
      const places = new Map<Window, ReturnType<typeof tokenTileAt>>();
      for (let index = 0; index < columnCount; index++) {
        const place = tokenTileAt(tiles, firstColumn + index, tileRow);
        places.set(inPixels(place.around, patch), place);
      }
      const labelled = workInOrder(
        places.keys(),
        (window) => this.#prepare(window, signal),
        workers.map((worker) => (pixels: Float32Array, window: Window) => {
          const place = places.get(window)!;
          const { column: x, row: y, width: w, height: h } = place.around;
          const tile: TokenTile = {
            rows: h,
            columns: w,
            tokens: tokens.mean(x, y, w, h),
            margin: {
              top: place.core.row - y,
              left: place.core.column - x,
              bottom: y + h - place.core.row - place.core.height,
              right: x + w - place.core.column - place.core.width,
            },
          };
          return worker.label(tile, pixels);
        }),
        tilesAhead(workers.length),
        signal,
      );
      for await (const { window, answer, valid: measured } of labelled) {
        const inner = inPixels(places.get(window)!.core, patch);
        const left = Math.max(column, inner.column);
        const right = Math.min(column + width, inner.column + inner.width);
        for (let y = 0; y < height; y++) {
          const from = (inner.row + y - window.row) * window.width + left - window.column;
          known.set(measured.subarray(from, from + right - left), y * width + left - column);
          if (!answer) continue;
          for (let word = 0; word < words; word++) {
            const source = (word * height + y) * inner.width + left - inner.column;
            scores.set(
              answer.subarray(source, source + right - left),
              (word * height + y) * width + left - column,
            );
          }
        }
      }
      const top = core.row * patch;
      for (let row = Math.max(first, top); row < Math.min(end, top + height); row++) {
        const y = row - top;
        for (let word = 0; word < words; word++) {
          const from = (word * height + y) * width;
          means.set(scores.subarray(from, from + width), word * width);
        }
        valid.set(known.subarray(y * width, (y + 1) * width));
        global.add(row, means);
        yield row;
      }
    }
  }

  async #prepare(window: Window, signal?: AbortSignal): Promise<PreparedWindow> {
    const { pixels, valid } = await this.#request.working.read(window, signal);
    return { pixels: this.#request.normalise(pixels, valid), valid };
  }
}

/** Windows and tiles that are read, worked on or waiting for their turn. */
const windowsAhead = (lanes: number): number => 2 * lanes + 1;
const tilesAhead = (lanes: number): number => lanes + 1;

function inPixels({ column, row, width, height }: Window, patch: number): Window {
  return { column: column * patch, row: row * patch, width: width * patch, height: height * patch };
}
