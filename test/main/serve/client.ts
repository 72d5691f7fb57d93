import { createORPCClient } from '@orpc/client';
import { RPCLink } from '@orpc/client/websocket';
import { WebSocket } from 'ws';
import type { Host } from '../../../src/main/rpc/contract.ts';

/** The cookie that the address with the token is exchanged for. */
export async function admitted(url: string): Promise<string> {
  const reply = await fetch(url, { redirect: 'manual' });
  const cookie = reply.headers.get('set-cookie')?.split(';')[0];
  if (reply.status !== 303 || cookie === undefined) throw new Error(`not admitted: ${reply.status}`);
  return cookie;
}

/** The contract over a browser door's socket. */
export async function connect(
  origin: string,
  cookie: string,
): Promise<{ host: Host; socket: WebSocket; close(): void }> {
  const socket = new WebSocket(`${origin.replace(/^http/, 'ws')}/rpc`, {
    headers: { cookie, origin },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  const host: Host = createORPCClient(new RPCLink({ websocket: socket as never }));
  return { host, socket, close: () => socket.close() };
}
