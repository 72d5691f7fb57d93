import type Database from 'better-sqlite3';
import { quoteName } from './geopackage-schema.ts';

/**
 * Fills an empty SQLite R-tree (sqlite.org/rtree.html, two dimensions of 32-bit floats) by writing its nodes, which is
 * several times faster than inserting and packs them better. Envelopes are gathered, ordered along a Hilbert curve
 * (Kamel and Faloutsos 1993) and cut into leaves, 65,536 at a time; only the leaves' envelopes stay in memory (24
 * bytes for 48 polygons).
 *
 * A node is a blob: depth of the tree (in the root only) and number of cells as 16-bit integers, then cells of a
 * 64-bit id (row of a polygon or number of the child node) and min x, max x, min y, max y; all big-endian, padded to
 * the node's size. Node 1 is the root. Two tables lead back: row to leaf, node to parent.
 */
const batchSize = 1 << 16;
const headerBytes = 4;
const cellBytes = 24;
/** A little room is left in each node, so that later edits do not split every one they touch. */
const fill = 0.94;

interface Level {
  nodes: number[];
  /** min x, max x, min y, max y a node. */
  envelopes: number[];
}

export class RtreeBulkLoader {
  readonly #database: Database.Database;
  readonly #writeNode: Database.Statement;
  readonly #writeRow: Database.Statement;
  readonly #writeParent: Database.Statement;
  readonly #nodeBytes: number;
  readonly #perNode: number;
  readonly #rows = new Float64Array(batchSize);
  readonly #envelopes = new Float64Array(batchSize * 4);
  readonly #leaves: Level = { nodes: [], envelopes: [] };
  #gathered = 0;
  #nextNode = 2;

  /** `index` must be an empty R-tree. */
  constructor(database: Database.Database, index: string) {
    const node = quoteName(`${index}_node`);
    const bytes = database.prepare(`SELECT length(data) FROM ${node} WHERE nodeno = 1`).pluck().get();
    if (typeof bytes !== 'number' || bytes < headerBytes + 2 * cellBytes)
      throw new Error(`${index} is not an R-tree`);
    this.#database = database;
    this.#nodeBytes = bytes;
    this.#perNode = Math.floor(((bytes - headerBytes) / cellBytes) * fill);
    const statements = unprotected(database, () => [
      database.prepare(`INSERT OR REPLACE INTO ${node} VALUES (?, ?)`),
      database.prepare(`INSERT INTO ${quoteName(`${index}_rowid`)} VALUES (?, ?)`),
      database.prepare(`INSERT INTO ${quoteName(`${index}_parent`)} VALUES (?, ?)`),
    ]);
    [this.#writeNode, this.#writeRow, this.#writeParent] = statements;
  }

  /** `envelope` is min x, max x, min y, max y. Rows must be new; in ascending order they are fastest. */
  add(row: number, envelope: Float64Array): void {
    this.#rows[this.#gathered] = row;
    this.#envelopes.set(envelope, this.#gathered * 4);
    if (++this.#gathered === batchSize) unprotected(this.#database, () => this.#writeLeaves());
  }

  /** Writes what is left and the levels above the leaves. */
  finish(): void {
    if (this.#gathered === 0 && this.#leaves.nodes.length === 0) return;
    unprotected(this.#database, () => {
      this.#writeLeaves();
      this.#writeUpperLevels();
    });
  }

  #writeUpperLevels(): void {
    let depth = 0;
    let level = this.#leaves;
    while (level.nodes.length > 1) {
      depth++;
      const above: Level = { nodes: [], envelopes: [] };
      const groups = Math.ceil(level.nodes.length / this.#perNode);
      for (let group = 0; group < groups; group++) {
        const from = share(group, groups, level.nodes.length);
        const to = share(group + 1, groups, level.nodes.length);
        const number = groups === 1 ? 1 : this.#nextNode++;
        const blob = Buffer.alloc(this.#nodeBytes);
        for (let i = from; i < to; i++) {
          writeCell(blob, i - from, level.nodes[i], level.envelopes, i * 4);
          this.#writeParent.run(level.nodes[i], number);
        }
        blob.writeUInt16BE(number === 1 ? depth : 0, 0);
        this.#close(number, blob, to - from, above);
      }
      level = above;
    }
  }

  #writeLeaves(): void {
    const count = this.#gathered;
    if (count === 0) return;
    this.#gathered = 0;
    const order = hilbertOrder(this.#envelopes, count);
    const leafOf = new Float64Array(count);
    const groups = Math.ceil(count / this.#perNode);
    const only = groups === 1 && this.#leaves.nodes.length === 0;
    for (let group = 0; group < groups; group++) {
      const from = share(group, groups, count);
      const to = share(group + 1, groups, count);
      const number = only ? 1 : this.#nextNode++;
      const blob = Buffer.alloc(this.#nodeBytes);
      for (let i = from; i < to; i++) {
        const member = order[i];
        writeCell(blob, i - from, this.#rows[member], this.#envelopes, member * 4);
        leafOf[member] = number;
      }
      this.#close(number, blob, to - from, this.#leaves);
    }
    for (let i = 0; i < count; i++) this.#writeRow.run(this.#rows[i], leafOf[i]);
  }

  #close(number: number, blob: Buffer, cells: number, level: Level): void {
    blob.writeUInt16BE(cells, 2);
    let minX = Number.POSITIVE_INFINITY;
    let maxX = Number.NEGATIVE_INFINITY;
    let minY = Number.POSITIVE_INFINITY;
    let maxY = Number.NEGATIVE_INFINITY;
    for (let cell = 0, at = headerBytes + 8; cell < cells; cell++, at += cellBytes) {
      minX = Math.min(minX, blob.readFloatBE(at));
      maxX = Math.max(maxX, blob.readFloatBE(at + 4));
      minY = Math.min(minY, blob.readFloatBE(at + 8));
      maxY = Math.max(maxY, blob.readFloatBE(at + 12));
    }
    level.nodes.push(number);
    level.envelopes.push(minX, maxX, minY, maxY);
    this.#writeNode.run(number, blob);
  }
}

/** SQLite keeps the tables behind an R-tree from statements; `work` may write them. */
function unprotected<T>(database: Database.Database, work: () => T): T {
  database.unsafeMode(true);
  try {
    return work();
  } finally {
    database.unsafeMode(false);
  }
}

/** Start of group `group` when `count` members are spread over `groups` as evenly as they go. */
function share(group: number, groups: number, count: number): number {
  return Math.floor((group * count) / groups);
}

function writeCell(blob: Buffer, cell: number, id: number, envelopes: ArrayLike<number>, at: number): void {
  const offset = headerBytes + cell * cellBytes;
  blob.writeUInt32BE(Math.floor(id / 2 ** 32), offset);
  blob.writeUInt32BE(id % 2 ** 32, offset + 4);
  blob.writeFloatBE(floatBelow(envelopes[at]), offset + 8);
  blob.writeFloatBE(floatAbove(envelopes[at + 1]), offset + 12);
  blob.writeFloatBE(floatBelow(envelopes[at + 2]), offset + 16);
  blob.writeFloatBE(floatAbove(envelopes[at + 3]), offset + 20);
}

const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);

/** The largest 32-bit float that is at most `value`. */
export function floatBelow(value: number): number {
  float[0] = value;
  if (float[0] > value) {
    // One step towards minus infinity: the bits of negative floats count upwards from zero.
    if (float[0] === 0) float[0] = -(2 ** -149);
    else floatBits[0] += float[0] > 0 ? -1 : 1;
  }
  return float[0];
}

/** The smallest 32-bit float that is at least `value`. */
export function floatAbove(value: number): number {
  return -floatBelow(-value);
}

/** Indices of `count` envelopes in the order of their centres along a Hilbert curve over their common extent. */
function hilbertOrder(envelopes: Float64Array, count: number): Uint32Array {
  let minX = Number.POSITIVE_INFINITY;
  let maxX = Number.NEGATIVE_INFINITY;
  let minY = Number.POSITIVE_INFINITY;
  let maxY = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count * 4; i += 4) {
    minX = Math.min(minX, envelopes[i]);
    maxX = Math.max(maxX, envelopes[i + 1]);
    minY = Math.min(minY, envelopes[i + 2]);
    maxY = Math.max(maxY, envelopes[i + 3]);
  }
  const scaleX = maxX > minX ? 65535 / (maxX - minX) : 0;
  const scaleY = maxY > minY ? 65535 / (maxY - minY) : 0;
  // Key and index share a double: 32 bits of curve, 16 of index.
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const x = ((envelopes[4 * i] + envelopes[4 * i + 1]) / 2 - minX) * scaleX;
    const y = ((envelopes[4 * i + 2] + envelopes[4 * i + 3]) / 2 - minY) * scaleY;
    keys[i] = hilbert(x | 0, y | 0) * batchSize + i;
  }
  keys.sort();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = keys[i] % batchSize;
  return order;
}

/** Position of the cell (x, y), 16 bits each, along the Hilbert curve. */
function hilbert(x: number, y: number): number {
  let position = 0;
  for (let side = 1 << 15; side > 0; side >>= 1) {
    const right = (x & side) !== 0 ? 1 : 0;
    const upper = (y & side) !== 0 ? 1 : 0;
    position = position * 4 + ((3 * right) ^ upper);
    if (upper === 0) {
      if (right === 1) {
        x = 65535 - x;
        y = 65535 - y;
      }
      const swap = x;
      x = y;
      y = swap;
    }
  }
  return position;
}
