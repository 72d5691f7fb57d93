import { MessageChannelMain, type MessagePortMain, type UtilityProcess, utilityProcess } from 'electron';
import type { FetchReply } from '../desktop/fetch.ts';

/** Milliseconds; a host that keeps ending sooner than this will not get better. */
const shortLife = 5000;

type Answer = { id: number; reply: FetchReply };

/**
 * The host in a process of its own, so that a crash of a native library takes neither the window nor the project with
 * it: it is started again, with the project that was open.
 */
export class HostProcess {
  readonly #file: string;
  readonly #onEnded: (code: number, startsAgain: boolean) => void;
  #started = 0;
  #shortLives = 0;
  readonly #waiting = new Map<number, (reply: FetchReply) => void>();
  #process: UtilityProcess | null = null;
  #project: string | null;
  #nextId = 1;
  #closing = false;

  constructor(file: string, project: string | null, onEnded: (code: number, startsAgain: boolean) => void) {
    this.#file = file;
    this.#project = project;
    this.#onEnded = onEnded;
    this.#start();
  }

  #start(): void {
    const args = this.#project === null ? [] : ['--project', this.#project];
    const child = utilityProcess.fork(this.#file, args, { serviceName: 'Landscribe host' });
    this.#process = child;
    this.#started = performance.now();
    child.on('message', (message: Answer | { project: string | null }) => {
      if ('project' in message) this.#project = message.project;
      else {
        this.#waiting.get(message.id)?.(message.reply);
        this.#waiting.delete(message.id);
      }
    });
    child.on('exit', (code) => {
      for (const answer of this.#waiting.values()) answer(gone);
      this.#waiting.clear();
      this.#process = null;
      if (this.#closing) return;
      this.#shortLives = performance.now() - this.#started < shortLife ? this.#shortLives + 1 : 0;
      const startsAgain = this.#shortLives < 3;
      if (startsAgain) this.#start();
      this.#onEnded(code, startsAgain);
    });
  }

  /** A port for the page, whose other end is the host's. */
  connect(): MessagePortMain {
    const { port1, port2 } = new MessageChannelMain();
    this.#process?.postMessage({ kind: 'connect' }, [port1]);
    return port2;
  }

  /** What the host draws for an address. */
  fetch(path: string, query: string): Promise<FetchReply> {
    const child = this.#process;
    if (!child) return Promise.resolve(gone);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      child.postMessage({ kind: 'fetch', id, path, query });
    });
  }

  /** Asks the host to stop, and waits: what runs is kept for the next start. */
  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#process;
    if (!child) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.postMessage({ kind: 'close' });
    });
  }
}

const gone: FetchReply = { status: 503, type: 'text/plain', body: null, headers: {} };
