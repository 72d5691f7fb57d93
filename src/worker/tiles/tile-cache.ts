import { Cancelled, throwIfCancelled } from '../report/problem.ts';

/** A tile as it is sent. */
export interface EncodedTile {
  /** Null where nothing of the scene is on the tile. */
  bytes: Uint8Array<ArrayBuffer> | null;
  /** A better one can be had once overviews are built; such tiles are not kept. */
  draft: boolean;
}

interface Running {
  work: Promise<EncodedTile>;
  abort: AbortController;
  waiting: number;
}

/** What an entry costs besides its bytes: key, map entry, objects. */
const entryBytes = 512;

/**
 * Finished tiles, least recently used out first, bounded in bytes. Whoever asks for a tile that is being made shares the
 * work; it is cancelled when nobody is left waiting. Drafts and failures are not kept.
 */
export class TileCache {
  readonly limit: number;
  readonly #entries = new Map<string, EncodedTile>();
  readonly #running = new Map<string, Running>();
  #bytes = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes held now, never more than `limit`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The tile called `key`, made by `make` unless it is here or being made. Throws `Cancelled` when `signal` fires. */
  async get(
    key: string,
    make: (signal: AbortSignal) => Promise<EncodedTile>,
    signal?: AbortSignal,
  ): Promise<EncodedTile> {
    throwIfCancelled(signal);
    const kept = this.#entries.get(key);
    if (kept !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, kept);
      return kept;
    }
    const running = this.#running.get(key) ?? this.#start(key, make);
    running.waiting++;
    let stop: (() => void) | undefined;
    try {
      if (signal === undefined) return await running.work;
      const cancelled = new Promise<never>((_, reject) => {
        stop = () => reject(new Cancelled());
        signal.addEventListener('abort', stop, { once: true });
      });
      return await Promise.race([running.work, cancelled]);
    } finally {
      if (stop !== undefined) signal?.removeEventListener('abort', stop);
      running.waiting--;
      if (running.waiting === 0) {
        // Whoever asks after this moment must not be handed work that is about to fail.
        if (this.#running.get(key) === running) this.#running.delete(key);
        running.abort.abort();
      }
    }
  }

  /** Forgets the tiles whose key begins so: a scene was closed, or its overviews were built. */
  forget(prefix: string): void {
    for (const [key, tile] of this.#entries) {
      if (!key.startsWith(prefix)) continue;
      this.#entries.delete(key);
      this.#bytes -= sizeOf(key, tile);
    }
  }

  #start(key: string, make: (signal: AbortSignal) => Promise<EncodedTile>): Running {
    const abort = new AbortController();
    const running: Running = { work: make(abort.signal), abort, waiting: 0 };
    this.#running.set(key, running);
    running.work.then(
      (tile) => {
        if (this.#running.get(key) === running) this.#running.delete(key);
        if (!tile.draft) this.#keep(key, tile);
      },
      () => {
        if (this.#running.get(key) === running) this.#running.delete(key);
      },
    );
    return running;
  }

  #keep(key: string, tile: EncodedTile): void {
    const size = sizeOf(key, tile);
    if (size > this.limit || this.#entries.has(key)) return;
    for (const [oldest, old] of this.#entries) {
      if (this.#bytes + size <= this.limit) break;
      this.#entries.delete(oldest);
      this.#bytes -= sizeOf(oldest, old);
    }
    this.#entries.set(key, tile);
    this.#bytes += size;
  }
}

function sizeOf(key: string, tile: EncodedTile): number {
  return entryBytes + 2 * key.length + (tile.bytes?.byteLength ?? 0);
}
