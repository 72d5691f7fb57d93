import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { RPCHandler } from '@orpc/server/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { Desktop } from '../desktop/desktop.ts';
import { createFetch } from '../desktop/fetch.ts';
import { desktopRouter } from '../desktop/router.ts';
import { Admission } from './admission.ts';
import { contentPolicy, screenFile, screenFolder, screenIsBuilt } from './screen-files.ts';

export interface ServeOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  desktop: Desktop;
  /** Folder of the built screen. */
  screen?: string;
}

export interface Serving {
  /** With the one-time token. */
  url: string;
  host: string;
  port: number;
  admission: Admission;
  close(): Promise<void>;
}

/** Of one message; the largest that the contract knows is a line of two million numbers. */
export const largestMessage = 64 << 20;

const securityHeaders = {
  'Content-Security-Policy': contentPolicy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=()',
} as const;

/** Serves the screen, the contract under `/rpc`, and what is drawn. Throws `serve/port` where it cannot listen. */
export async function startServer({
  host,
  port,
  desktop,
  screen = screenFolder,
}: ServeOptions): Promise<Serving> {
  const server = createServer({ maxHeaderSize: 64 << 10 });
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const admission = new Admission(host, address.port);
  const handler = new RPCHandler(desktopRouter(desktop));
  const fetch = createFetch(desktop);
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: largestMessage,
    perMessageDeflate: false,
  });

  server.on('request', (request, response) => {
    void answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, 500, 'text/plain; charset=utf-8', asProblem(error).message);
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = admission.refuseForeign(request);
    if (refusal) return send(response, refusal.status, 'text/plain; charset=utf-8', refusal.reason);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, 'text/plain; charset=utf-8', 'Only GET.', { Allow: 'GET, HEAD' });
    const url = new URL(request.url ?? '/', 'http://landscribe');
    const token = url.pathname === '/' ? url.searchParams.get('token') : null;
    if (token !== null) {
      const cookie = admission.exchange(token);
      if (cookie !== null)
        return send(response, 303, 'text/plain', '', { 'Set-Cookie': cookie, Location: '/' });
      // A used link opened again in the browser that it let in.
      if (admission.hasCookie(request)) return send(response, 303, 'text/plain', '', { Location: '/' });
      return send(response, 401, 'text/html; charset=utf-8', closedPage);
    }
    if (!admission.hasCookie(request)) return send(response, 401, 'text/html; charset=utf-8', closedPage);
    if (/^\/(tiles|columns|live)\//.test(url.pathname)) {
      const leaving = new AbortController();
      response.on('close', () => leaving.abort());
      const reply = await fetch({ path: url.pathname, query: url.searchParams }, leaving.signal);
      return send(response, reply.status, reply.type, reply.body, reply.headers);
    }
    const file = await screenFile(url.pathname, screen);
    if (file)
      return send(response, 200, file.type, file.body, {
        'Cache-Control': file.lasting ? 'private, max-age=31536000, immutable' : 'no-store',
      });
    if (url.pathname === '/' && !(await screenIsBuilt(screen)))
      return send(response, 503, 'text/html; charset=utf-8', notBuiltPage);
    send(response, 404, 'text/plain; charset=utf-8', 'There is nothing here.');
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const refusal =
      admission.refuseForeign(request, { needsOrigin: true }) ??
      (admission.hasCookie(request) ? null : { status: 401, reason: 'The cookie is missing.' });
    const path = new URL(request.url ?? '/', 'http://landscribe').pathname;
    if (refusal || path !== '/rpc') {
      const status = refusal?.status ?? 404;
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      // A message over the limit closes the connection (1009); nobody else is touched by it.
      webSocket.on('error', () => webSocket.terminate());
      void handler.upgrade(webSocket, { context: {} });
    });
  });

  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${name}:${address.port}/?token=${admission.token}`,
    host,
    port: address.port,
    admission,
    async close() {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array | null,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    ...securityHeaders,
    'Cache-Control': 'no-store',
    'Content-Type': type,
    'Content-Length': body === null ? 0 : Buffer.byteLength(body),
    ...headers,
  });
  response.end(response.req.method === 'HEAD' || body === null ? undefined : body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? 'another program uses it'
          : error.code === 'EACCES'
            ? 'you may not use it'
            : error.message;
      reject(
        new Problem(
          'serve/port',
          `Port ${port} on ${host} cannot be used: ${reason}.`,
          'Give another one with --port, or 0 for any that is free.',
          error,
        ),
      );
    });
    server.listen(port, host, () => resolve());
  });
}

const page = (title: string, text: string) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Landscribe</title>
<body style="font: 15px system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1 style="font-size: 1.3rem">${title}</h1><p>${text}</p></body></html>
`;

const closedPage = page(
  'This window is not admitted',
  'Open the address that <code>npm run serve</code> printed. It works once; start the server again for a new one.',
);
const notBuiltPage = page(
  'The screen is not built',
  'Run <code>npm run build</code> in the folder of Landscribe, then reload this page.',
);
