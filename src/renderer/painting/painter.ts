import type { PaintMessage, PaintReply } from './messages.ts';
import type { PolygonLook } from './paint-polygons.ts';

interface Promised {
  resolve(bitmap: ImageBitmap | null): void;
  reject(error: Error): void;
}

const promised = new Map<number, Promised>();
let ids = 0;
let thread: Worker | null = null;

/** The window's one painting thread, started when a layer is first shown. */
function painter(): Worker {
  if (thread) return thread;
  thread = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'painter' });
  thread.addEventListener('message', ({ data }: MessageEvent<PaintReply>) => {
    const waits = promised.get(data.id);
    promised.delete(data.id);
    if (!waits) return;
    if ('problem' in data) waits.reject(new Error(data.problem));
    else waits.resolve(data.bitmap);
  });
  thread.addEventListener('error', (event) => {
    const error = new Error(event.message || 'The painting thread could not start.');
    for (const { reject } of promised.values()) reject(error);
    promised.clear();
  });
  return thread;
}

function say(message: PaintMessage): void {
  painter().postMessage(message);
}

/** Polygons of one layer on one map, painted off the window's thread. */
export class PaintedTiles {
  readonly #picture = ++ids;
  #version = 0;

  /** How the tiles asked for from now on look; returns the look's version. */
  look(look: PolygonLook): number {
    say({ kind: 'look', picture: this.#picture, version: ++this.#version, look });
    return this.#version;
  }

  /** A tile in the current look; null: nothing is on it. Rejects when the look changes or `signal` says so. */
  tile(address: string, zoom: number, density: number, signal: AbortSignal): Promise<ImageBitmap | null> {
    const id = ++ids;
    return new Promise((resolve, reject) => {
      promised.set(id, { resolve, reject });
      signal.addEventListener('abort', () => {
        if (!promised.delete(id)) return;
        say({ kind: 'cancel', id });
        reject(new Error('no longer wanted'));
      });
      say({ kind: 'tile', id, picture: this.#picture, version: this.#version, address, zoom, density });
    });
  }

  forget(): void {
    say({ kind: 'forget', picture: this.#picture });
  }
}
