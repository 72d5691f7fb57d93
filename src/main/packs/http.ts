import type { IncomingMessage } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import { Problem, throwIfCancelled } from '../../worker/report/problem.ts';

export interface HttpOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds without a byte after which a connection counts as dead. */
  stallMs: number;
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY are read from here. */
  env: NodeJS.ProcessEnv;
}

export interface HttpReply {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** The body's bytes; throws when the connection drops, stalls or the signal fires. */
  body: AsyncIterable<Buffer>;
  /** Leaves the body unread. */
  discard(): void;
}

const redirectLimit = 8;

/**
 * GETs an address, through redirects and the environment's proxies. Throws what Node throws for connections that fail,
 * `Problem` for what trying again cannot mend.
 */
export async function get(
  address: string,
  headers: Record<string, string>,
  options: HttpOptions,
): Promise<HttpReply> {
  let url = new URL(address);
  for (let redirects = 0; ; redirects++) {
    const reply = await getOnce(url, headers, options);
    if (![301, 302, 303, 307, 308].includes(reply.status)) return reply;
    reply.discard();
    const { location } = reply.headers;
    const next = location === undefined ? null : URL.parse(location, url.href);
    if (next === null || redirects === redirectLimit) {
      throw new Problem(
        'download/redirect',
        `${address}: is redirected ${next === null ? 'to nowhere' : 'too often'}.`,
        elsewhere,
      );
    }
    if (!/^https?:$/.test(next.protocol) || (url.protocol === 'https:' && next.protocol === 'http:')) {
      throw new Problem(
        'download/redirect',
        `${address}: is redirected to ${next.protocol}//${next.host}, which is not safe to follow.`,
        elsewhere,
      );
    }
    url = next;
  }
}

export const elsewhere = 'Use a mirror (--mirror), or fetch the files elsewhere and install with --from.';

/** Whether this Node's own agents follow proxies (`proxyEnv`): from 22.21 and 24.5 on. */
export function followsProxies(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
}

/** Node passes by proxies that it cannot use, without a word; the user wanted one. */
function requireUsableProxy({ protocol }: URL, env: NodeJS.ProcessEnv): void {
  const name = protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const proxy = env[name] || env[name.toUpperCase()];
  if (!proxy) return;
  if (!/^https?:$/.test(URL.parse(proxy)?.protocol ?? '')) {
    throw new Problem(
      'download/proxy',
      `${name.toUpperCase()} is no http or https address.`,
      'Set it to one such as http://proxy.example.org:3128, or empty it.',
    );
  }
  if (followsProxies(process.versions.node)) return;
  throw new Problem(
    'download/proxy',
    `${name.toUpperCase()} is set, but Node.js ${process.versions.node} cannot use proxies.`,
    'Use Node.js 24.5 or newer, or fetch the files elsewhere and install with --from.',
  );
}

async function getOnce(
  url: URL,
  headers: Record<string, string>,
  { signal, stallMs, env }: HttpOptions,
): Promise<HttpReply> {
  throwIfCancelled(signal);
  requireUsableProxy(url, env);
  const client = url.protocol === 'https:' ? https : http;
  const agent = new client.Agent({ keepAlive: false, proxyEnv: env });
  const request = client.get(url, { agent, headers });
  const watch = new StallWatch(stallMs, (error) => request.destroy(error));
  const onAbort = () => request.destroy(signal!.reason instanceof Error ? signal!.reason : undefined);
  signal?.addEventListener('abort', onAbort, { once: true });
  const settle = () => {
    watch.rest();
    signal?.removeEventListener('abort', onAbort);
    request.destroy();
    agent.destroy();
  };
  try {
    watch.expect();
    const [response, pieces] = await new Promise<[IncomingMessage, AsyncGenerator<Buffer>]>(
      (resolve, reject) => {
        // Listening to the body begins here, so that nothing of it is missed.
        request.on('response', (reply) => resolve([reply, collected(reply, watch)]));
        request.on('error', reject);
      },
    );
    async function* body(): AsyncGenerator<Buffer> {
      try {
        for await (const piece of pieces) {
          throwIfCancelled(signal);
          yield piece;
        }
      } catch (error) {
        throwIfCancelled(signal);
        throw error;
      } finally {
        settle();
      }
    }
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: body(),
      discard: settle,
    };
  } catch (error) {
    settle();
    throwIfCancelled(signal);
    throw error;
  }
}

/** Fires when bytes that are expected stay away. */
class StallWatch {
  /** What was said when it fired; the stream itself only says that it was aborted. */
  failure: Error | null = null;
  readonly #ms: number;
  readonly #stalled: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, stalled: (error: Error) => void) {
    this.#ms = ms;
    this.#stalled = stalled;
  }

  /** From now on, or again. */
  expect(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.failure = new Error(`no byte for ${Math.round(this.#ms / 1000)} s`);
      this.#stalled(this.failure);
    }, this.#ms);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }
}

/** Bytes taken from the network before the disk has them. */
const queueLimit = 1 << 20;

/**
 * A reply's bytes. What has arrived when the connection fails is handed out before the failure is thrown: a stream
 * read by itself would drop it, and a server that ends every connection early would never be done.
 */
function collected(response: IncomingMessage, watch: StallWatch): AsyncGenerator<Buffer> {
  const queue: Buffer[] = [];
  let queued = 0;
  let ended = false;
  let failure: Error | null = null;
  let wake = () => {};
  response.on('data', (piece: Buffer) => {
    queue.push(piece);
    queued += piece.length;
    if (queued < queueLimit) watch.expect();
    else {
      // Writing may take its time; only waiting for the network counts.
      response.pause();
      watch.rest();
    }
    wake();
  });
  response.on('end', () => {
    ended = true;
    watch.rest();
    wake();
  });
  response.on('error', (error) => {
    failure ??= watch.failure ?? error;
    wake();
  });
  response.on('close', () => {
    if (!ended) failure ??= new Error('the connection closed');
    wake();
  });
  return (async function* () {
    for (;;) {
      const piece = queue.shift();
      if (piece) {
        queued -= piece.length;
        if (queued < queueLimit && response.isPaused()) {
          watch.expect();
          response.resume();
        }
        yield piece;
      } else if (failure) throw failure;
      else if (ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  })();
}
