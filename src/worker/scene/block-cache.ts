import type { Samples } from '../raster/bands.ts';

interface Entry {
  bytes: number;
  block: Promise<Samples | null>;
}

/**
 * Decoded blocks, least recently used out first, bounded in bytes. A block that is being decoded is shared by everyone
 * who asks for it meanwhile.
 */
export class BlockCache {
  readonly limit: number;
  /** Blocks decoded so far: a scan that fits the cache decodes each block once. */
  reads = 0;
  private readonly entries = new Map<string, Entry>();
  private bytes = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** The block called `key`, decoded by `load` unless it is here. A null block has no bytes in the file (sparse). */
  get(key: string, load: () => Promise<Samples | null>): Promise<Samples | null> {
    const known = this.entries.get(key);
    if (known !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, known);
      return known.block;
    }
    this.reads++;
    const entry: Entry = { bytes: 0, block: load() };
    this.entries.set(key, entry);
    entry.block.then(
      (block) => {
        if (this.entries.get(key) !== entry) return;
        entry.bytes = 256 + (block?.byteLength ?? 0);
        this.bytes += entry.bytes;
        this.shrink();
      },
      () => {
        if (this.entries.get(key) === entry) this.entries.delete(key);
      },
    );
    return entry.block;
  }

  clear(): void {
    this.entries.clear();
    this.bytes = 0;
  }

  private shrink(): void {
    for (const [key, entry] of this.entries) {
      // The last block stays even when it alone passes the limit: windows ask for the same block again and again.
      if (this.bytes <= this.limit || this.bytes === entry.bytes) return;
      // Entries of zero bytes are still being decoded.
      if (entry.bytes === 0) continue;
      this.entries.delete(key);
      this.bytes -= entry.bytes;
    }
  }
}
