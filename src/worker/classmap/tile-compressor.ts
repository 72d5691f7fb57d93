import { constants, createDeflate, type Deflate } from 'node:zlib';

/**
 * A zlib stream that is used for one tile after another. A new one per tile would take and free a quarter of a
 * megabyte each time, and over a long run the allocator keeps tens of megabytes of such holes.
 */
export class TileCompressor {
  readonly #stream: Deflate;
  #chunks: Buffer[] = [];
  #reject: (error: Error) => void = () => {};

  /** `level`: zlib's, 1-9; `tileBytes`: size of a tile. */
  constructor(level: number, tileBytes: number) {
    this.#stream = createDeflate({ level, chunkSize: Math.max(1024, tileBytes) });
    this.#stream.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.#stream.on('error', (error) => this.#reject(error));
  }

  /** The complete zlib stream of `bytes`; one call at a time. `bytes` must not change until it resolves. */
  compress(bytes: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.#stream.write(bytes);
      this.#stream.flush(constants.Z_FINISH, () => {
        const chunks = this.#chunks;
        this.#chunks = [];
        this.#stream.reset();
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      });
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}
