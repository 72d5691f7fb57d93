import type { ClassStrip } from '../classmap/class-strip.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';

export interface SieveSettings {
  /** Pieces of fewer pixels are merged. */
  minimumPixels: number;
  /** Bytes that rows may take while a small piece in them is undecided; a `Problem` beyond. */
  memoryLimit?: number;
  signal?: AbortSignal | undefined;
}

/** A row that may still change: its runs of equal class, class 0 included. */
interface PendingRow {
  count: number;
  /** First column of each run, and the width after the last. */
  start: Int32Array;
  classId: Uint16Array;
  /** Piece of each run; -1 for class 0. */
  piece: Int32Array;
  /** Number of the settlement that last saw the run. */
  seen: Int32Array;
  confidence: Uint8Array | null;
}

const outputPixels = 1 << 20;

/**
 * Merges small pieces (4-connected, of one class) of a class map into their neighbours; strips in, strips out, of
 * other heights. Confidence passes through.
 *
 * Pieces are settled where they end: when a row holds no pixel of a piece that reached the row before, and the piece
 * has fewer than `minimumPixels`, all its pixels take the class, among those of the pieces beside it, with the longest
 * shared border. Pieces that already have `minimumPixels` in the rows read so far go before smaller ones; equal
 * borders go to the lower class id. The piece is then one with every neighbour of that class, and if that is small
 * still, it is settled in its turn. Pieces that end on the same row are settled from few pixels to many, then from
 * left to right. Class 0 neither takes nor gives. So afterwards every smaller piece borders on class 0 and the edge of
 * the map only, and the result depends on the rows alone, not on the strips.
 *
 * An undecided piece has fewer than `minimumPixels` pixels and therefore rows, so at most that many rows are held.
 */
export async function* sieveStrips(
  strips: AsyncIterable<ClassStrip>,
  settings: SieveSettings,
): AsyncGenerator<ClassStrip> {
  let sieve: Sieve | undefined;
  for await (const strip of strips) {
    throwIfCancelled(settings.signal);
    if (settings.minimumPixels <= 1) {
      yield strip;
      continue;
    }
    sieve ??= new Sieve(strip, settings.minimumPixels, settings.memoryLimit ?? 512 * 2 ** 20);
    for (let row = 0; row < strip.rows; row++) {
      sieve.addRow(strip, row);
      const finished = sieve.take(outputPixels);
      if (finished !== null) yield finished;
    }
  }
  if (sieve === undefined) return;
  sieve.finish();
  for (let finished = sieve.take(1); finished !== null; finished = sieve.take(1)) yield finished;
}

class Sieve {
  private readonly width: number;
  private readonly wide: boolean;
  private readonly minimum: number;
  private readonly memoryLimit: number;

  /** Rows not handed out, oldest first; `rows[0]` is row `firstRow` of the map. */
  private rows: PendingRow[] = [];
  private firstRow: number;
  /** Rows of the map read so far. */
  private nextRow: number;
  /** Rows before this one are final. */
  private finalRow: number;
  private pendingBytes = 0;

  // Pieces: a forest of merged labels, renumbered now and then to forget those of rows handed out.
  private pieceCapacity = 1 << 12;
  private pieceCount = 0;
  private renumberAt = 1 << 12;
  private parent = new Int32Array(this.pieceCapacity);
  private pixels = new Float64Array(this.pieceCapacity);
  private top = new Int32Array(this.pieceCapacity);
  private bottom = new Int32Array(this.pieceCapacity);

  // The piece being settled: places (row, run) of its runs.
  private settlement = 0;
  private placeRow = new Int32Array(1 << 10);
  private placeRun = new Int32Array(1 << 10);
  private places = 0;

  /** Shared border per class with pieces that are large, and with all. */
  private readonly largeBorder = new Float64Array(65536);
  private readonly border = new Float64Array(65536);
  private readonly bordering: number[] = [];

  constructor(first: ClassStrip, minimum: number, memoryLimit: number) {
    this.width = first.width;
    this.wide = first.classes.BYTES_PER_ELEMENT === 2;
    this.minimum = minimum;
    this.memoryLimit = memoryLimit;
    this.firstRow = first.firstRow;
    this.nextRow = first.firstRow;
    this.finalRow = first.firstRow;
  }

  addRow(strip: ClassStrip, row: number): void {
    const current = this.readRuns(strip, row);
    const above = this.rows.at(-1);
    this.rows.push(current);
    this.pendingBytes += bytesOf(current);
    this.label(above, current);
    this.nextRow++;
    if (above !== undefined) this.settleEnded(above);
    let earliest = this.nextRow;
    for (let run = 0; run < current.count; run++) {
      if (current.classId[run] === 0) continue;
      const piece = this.find(current.piece[run]!);
      if (this.pixels[piece]! < this.minimum) earliest = Math.min(earliest, this.top[piece]!);
    }
    // One row more than the undecided pieces: it borders on them.
    this.finalRow = earliest - 1;
    if (this.pieceCount > this.renumberAt) this.renumber();
    if (this.pendingBytes > this.memoryLimit) {
      throw new Problem(
        'vector/min-area-memory',
        `Merging pieces below ${this.minimum} pixels would hold ${this.nextRow - this.finalRow} rows in memory at row ${this.nextRow}.`,
        'Choose a smaller --min-area.',
      );
    }
  }

  finish(): void {
    const last = this.rows.at(-1);
    this.nextRow++;
    if (last !== undefined) this.settleEnded(last);
    this.finalRow = this.nextRow - 1;
  }

  /** The final rows as a strip, once they have `pixels` pixels; null before. */
  take(pixels: number): ClassStrip | null {
    const { width } = this;
    const ready = Math.min(this.finalRow - this.firstRow, this.rows.length);
    if (ready <= 0 || ready * width < pixels) return null;
    const rows = Math.min(ready, Math.max(1, Math.ceil(outputPixels / width)));
    const classes = this.wide ? new Uint16Array(rows * width) : new Uint8Array(rows * width);
    const strip: ClassStrip = { firstRow: this.firstRow, rows, width, classes };
    if (this.rows[0]!.confidence !== null) strip.confidence = new Uint8Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const pending = this.rows[row]!;
      const offset = row * width;
      for (let run = 0; run < pending.count; run++) {
        classes.fill(pending.classId[run]!, offset + pending.start[run]!, offset + pending.start[run + 1]!);
      }
      if (pending.confidence !== null) strip.confidence!.set(pending.confidence, offset);
      this.pendingBytes -= bytesOf(pending);
    }
    this.rows.splice(0, rows);
    this.firstRow += rows;
    return strip;
  }

  private readRuns(strip: ClassStrip, row: number): PendingRow {
    const { width } = this;
    const { classes } = strip;
    const offset = row * width;
    let count = 0;
    for (let x = 0, previous = -1; x < width; x++) {
      const value = classes[offset + x]!;
      if (value !== previous) count++;
      previous = value;
    }
    const start = new Int32Array(count + 1);
    const classId = new Uint16Array(count);
    for (let x = 0, run = 0, previous = -1; x < width; x++) {
      const value = classes[offset + x]!;
      if (value === previous) continue;
      start[run] = x;
      classId[run++] = value;
      previous = value;
    }
    start[count] = width;
    return {
      count,
      start,
      classId,
      piece: new Int32Array(count).fill(-1),
      seen: new Int32Array(count),
      confidence: strip.confidence?.slice(offset, offset + width) ?? null,
    };
  }

  /** Gives the runs of the current row to the pieces that they touch above, or to new ones. */
  private label(above: PendingRow | undefined, current: PendingRow): void {
    const row = this.nextRow;
    for (let run = 0, upper = 0; run < current.count; run++) {
      const classId = current.classId[run]!;
      const from = current.start[run]!;
      const to = current.start[run + 1]!;
      let piece = -1;
      if (above !== undefined) {
        while (above.start[upper + 1]! <= from) upper++;
        for (let k = upper; classId !== 0 && k < above.count && above.start[k]! < to; k++) {
          if (above.classId[k] !== classId) continue;
          const touched = this.find(above.piece[k]!);
          piece = piece < 0 ? touched : this.merge(piece, touched);
        }
      }
      if (classId === 0) continue;
      if (piece < 0) piece = this.addPiece(row);
      current.piece[run] = piece;
      this.pixels[piece]! += to - from;
      this.bottom[piece] = row;
    }
  }

  /** Settles the small pieces of the row before the current one that do not reach the current one. */
  private settleEnded(last: PendingRow): void {
    const { pixels, bottom, minimum } = this;
    const lastRow = this.nextRow - 2;
    const ended: { run: number; pixels: number }[] = [];
    const queued = new Set<number>();
    for (let run = 0; run < last.count; run++) {
      if (last.classId[run] === 0) continue;
      const piece = this.find(last.piece[run]!);
      if (bottom[piece]! > lastRow || pixels[piece]! >= minimum || queued.has(piece)) continue;
      queued.add(piece);
      ended.push({ run, pixels: pixels[piece]! });
    }
    ended.sort((p, q) => p.pixels - q.pixels || p.run - q.run);
    for (const { run } of ended) {
      const piece = this.find(last.piece[run]!);
      if (this.bottom[piece]! > lastRow || this.pixels[piece]! >= minimum) continue;
      this.settle(piece, lastRow - this.firstRow, run);
    }
  }

  /** Merges one piece, found from one of its runs, into its best neighbours. */
  private settle(piece: number, seedRow: number, seedRun: number): void {
    this.settlement++;
    this.places = 0;
    this.addPlace(seedRow, seedRun);
    for (let place = 0; place < this.places; place++) {
      this.eachNeighbour(place, (row, run, length) => {
        const pending = this.rows[row]!;
        const classId = pending.classId[run]!;
        if (classId === 0) return;
        const neighbour = this.find(pending.piece[run]!);
        if (neighbour === piece) {
          if (pending.seen[run] !== this.settlement) this.addPlace(row, run);
          return;
        }
        if (this.border[classId] === 0) this.bordering.push(classId);
        this.border[classId]! += length;
        if (this.pixels[neighbour]! >= this.minimum) this.largeBorder[classId]! += length;
      });
    }
    let best = 0;
    for (const classId of this.bordering) {
      const order =
        this.largeBorder[classId]! - this.largeBorder[best]! ||
        (this.largeBorder[best]! > 0 ? 0 : this.border[classId]! - this.border[best]!);
      if (best === 0 || order > 0 || (order === 0 && classId < best)) best = classId;
    }
    for (const classId of this.bordering) {
      this.border[classId] = 0;
      this.largeBorder[classId] = 0;
    }
    this.bordering.length = 0;
    if (best === 0) return;
    let merged = piece;
    for (let place = 0; place < this.places; place++) {
      this.rows[this.placeRow[place]!]!.classId[this.placeRun[place]!] = best;
    }
    for (let place = 0; place < this.places; place++) {
      this.eachNeighbour(place, (row, run) => {
        const pending = this.rows[row]!;
        if (pending.classId[run] === best) merged = this.merge(merged, this.find(pending.piece[run]!));
      });
    }
  }

  private addPlace(row: number, run: number): void {
    if (this.places === this.placeRow.length) {
      const placeRow = new Int32Array(this.places * 2);
      placeRow.set(this.placeRow);
      this.placeRow = placeRow;
      const placeRun = new Int32Array(this.places * 2);
      placeRun.set(this.placeRun);
      this.placeRun = placeRun;
    }
    this.placeRow[this.places] = row;
    this.placeRun[this.places++] = run;
    this.rows[row]!.seen[run] = this.settlement;
  }

  /** Runs that share an edge with the run at a place, and the length they share. */
  private eachNeighbour(place: number, visit: (row: number, run: number, length: number) => void): void {
    const row = this.placeRow[place]!;
    const run = this.placeRun[place]!;
    const own = this.rows[row]!;
    const from = own.start[run]!;
    const to = own.start[run + 1]!;
    if (run > 0) visit(row, run - 1, 1);
    if (run + 1 < own.count) visit(row, run + 1, 1);
    for (let other = row - 1; other <= row + 1; other += 2) {
      const pending = this.rows[other];
      if (pending === undefined) continue;
      for (let k = runAt(pending, from); k < pending.count && pending.start[k]! < to; k++) {
        visit(other, k, Math.min(to, pending.start[k + 1]!) - Math.max(from, pending.start[k]!));
      }
    }
  }

  private addPiece(row: number): number {
    const piece = this.pieceCount++;
    if (piece === this.pieceCapacity) this.growPieces(this.pieceCapacity * 2);
    this.parent[piece] = piece;
    this.pixels[piece] = 0;
    this.top[piece] = row;
    this.bottom[piece] = row;
    return piece;
  }

  private growPieces(capacity: number): void {
    this.pieceCapacity = capacity;
    for (const name of ['parent', 'top', 'bottom'] as const) {
      const grown = new Int32Array(capacity);
      grown.set(this[name]);
      this[name] = grown;
    }
    const pixels = new Float64Array(capacity);
    pixels.set(this.pixels);
    this.pixels = pixels;
  }

  private find(label: number): number {
    const { parent } = this;
    let root = label;
    while (parent[root]! !== root) root = parent[root]!;
    let step = label;
    while (step !== root) {
      const following = parent[step]!;
      parent[step] = root;
      step = following;
    }
    return root;
  }

  private merge(one: number, other: number): number {
    if (one === other) return one;
    this.parent[other] = one;
    this.pixels[one]! += this.pixels[other]!;
    this.top[one] = Math.min(this.top[one]!, this.top[other]!);
    this.bottom[one] = Math.max(this.bottom[one]!, this.bottom[other]!);
    return one;
  }

  /** Keeps only the pieces that pending rows mention. */
  private renumber(): void {
    const number = new Int32Array(this.pieceCount).fill(-1);
    const roots: number[] = [];
    for (const pending of this.rows) {
      for (let run = 0; run < pending.count; run++) {
        if (pending.piece[run]! < 0) continue;
        const root = this.find(pending.piece[run]!);
        if (number[root]! < 0) number[root] = roots.push(root) - 1;
        pending.piece[run] = number[root]!;
      }
    }
    const { pixels, top, bottom } = this;
    this.pixels = Float64Array.from({ length: this.pieceCapacity }, (_, k) =>
      k < roots.length ? pixels[roots[k]!]! : 0,
    );
    this.top = Int32Array.from({ length: this.pieceCapacity }, (_, k) =>
      k < roots.length ? top[roots[k]!]! : 0,
    );
    this.bottom = Int32Array.from({ length: this.pieceCapacity }, (_, k) =>
      k < roots.length ? bottom[roots[k]!]! : 0,
    );
    for (let k = 0; k < roots.length; k++) this.parent[k] = k;
    this.pieceCount = roots.length;
    this.renumberAt = Math.max(1 << 12, 2 * roots.length);
  }
}

/** The run that holds the column. */
function runAt(row: PendingRow, column: number): number {
  let low = 0;
  let high = row.count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (row.start[middle]! <= column) low = middle;
    else high = middle - 1;
  }
  return low;
}

function bytesOf(row: PendingRow): number {
  // Four arrays of 14 bytes a run together, and their headers.
  return 14 * row.count + 600 + (row.confidence?.length ?? 0);
}
