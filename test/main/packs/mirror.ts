import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What came with a request. */
export interface Asked {
  url: string;
  headers: IncomingMessage['headers'];
}

/** Answers a request in place of the honest server; false leaves it to that one. */
export type Behaviour = (
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  attempt: number,
) => boolean;

export interface Mirror {
  address: string;
  /** Files by their names; may be changed while it runs. */
  files: Map<string, Buffer>;
  asked: Asked[];
  /** Bytes of bodies handed to the network. */
  sent: number;
  behave: Behaviour;
  close(): Promise<void>;
}

export const etagOf = (content: Buffer): string =>
  `"${createHash('sha256').update(content).digest('hex').slice(0, 16)}"`;

/** A server on the loopback interface that knows ranges and validators (RFC 9110), and misbehaves when told to. */
export async function startMirror(files: Record<string, Buffer> = {}): Promise<Mirror> {
  const attempts = new Map<string, number>();
  const mirror: Mirror = {
    address: '',
    files: new Map(Object.entries(files)),
    asked: [],
    sent: 0,
    behave: () => false,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  const server = createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname.slice(1));
    mirror.asked.push({ url: request.url ?? '', headers: request.headers });
    const attempt = attempts.get(name) ?? 0;
    attempts.set(name, attempt + 1);
    const content = mirror.files.get(name) ?? Buffer.alloc(0);
    if (mirror.behave(request, response, content, attempt)) return;
    if (!mirror.files.has(name)) {
      response.writeHead(404).end();
      return;
    }
    const start = rangeStart(request, content);
    mirror.sent += content.length - (start ?? 0);
    if (start === null) {
      response.writeHead(200, { 'content-length': content.length, etag: etagOf(content) }).end(content);
    } else if (start >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    } else {
      part(response, content, start).end(content.subarray(start));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  mirror.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return mirror;
}

/** First byte asked for, or null where the whole file is the answer. */
export function rangeStart(request: IncomingMessage, content: Buffer): number | null {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const ifRange = request.headers['if-range'];
  if (!range || (ifRange !== undefined && ifRange !== etagOf(content))) return null;
  return Number(range[1]);
}

/** Head of an honest 206. */
export function part(response: ServerResponse, content: Buffer, start: number): ServerResponse {
  return response.writeHead(206, {
    'content-length': content.length - start,
    'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
    etag: etagOf(content),
  });
}

/** Sends honestly up to byte `cut` of the file, then drops the connection. */
export function dropAt(
  mirror: Mirror,
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  cut: number,
): true {
  const start = rangeStart(request, content);
  if (start === null) {
    response.writeHead(200, { 'content-length': content.length, etag: etagOf(content) });
  } else part(response, content, start);
  const bytes = content.subarray(start ?? 0, Math.max(start ?? 0, cut));
  mirror.sent += bytes.length;
  response.write(bytes, () => {
    // What was written shall arrive before the connection is gone.
    setTimeout(() => response.destroy(), 5);
  });
  return true;
}

/** Bytes that no two places share. */
export function noise(length: number, seed = 1): Buffer {
  const out = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    out[i] = state >>> 16;
  }
  return out;
}
