import { createORPCClient, DynamicLink, ORPCError } from '@orpc/client';
import { RPCLink as PortLink } from '@orpc/client/message-port';
import { RPCLink as SocketLink } from '@orpc/client/websocket';
import type { ProblemShape } from '../../main/rpc/base.ts';
import type { Host } from '../../main/rpc/contract.ts';

/** What the desktop's preload script offers; absent in the browser door. */
export interface DesktopBridge {
  /** Asks for a port to the host, new every time: it comes as a message of the window, for ports do not pass a bridge. */
  requestPort(): void;
  /** The system's own dialog; null when dismissed. */
  chooseFiles(request: {
    kind: 'open' | 'save' | 'folder';
    title: string;
    multiple: boolean;
    filters: { name: string; extensions: string[] }[];
    suggested: string | null;
  }): Promise<string[] | null>;
  /** Path of a file dropped on the window. */
  pathOf(file: File): string;
  onCommand(listener: (id: string) => void): void;
  onOpen(listener: (path: string) => void): void;
  onHostEnded(listener: () => void): void;
}

declare global {
  interface Window {
    landscribe?: DesktopBridge;
  }
}

export const bridge = window.landscribe ?? null;

type Link = SocketLink<Record<never, never>> | PortLink<Record<never, never>>;
let link: Link | null = null;

/** Connects; resolves with what to call to be told of the end. */
export async function connect(): Promise<{ ended: Promise<void> }> {
  if (bridge) {
    const port = await portFrom(bridge);
    link = new PortLink({ port });
    port.start();
    return { ended: new Promise((resolve) => bridge.onHostEnded(resolve)) };
  }
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/rpc`);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error('no connection')), { once: true });
  });
  link = new SocketLink({ websocket: socket });
  return {
    ended: new Promise((resolve) => socket.addEventListener('close', () => resolve(), { once: true })),
  };
}

function portFrom(desktop: DesktopBridge): Promise<MessagePort> {
  return new Promise((resolve) => {
    const onMessage = (event: MessageEvent) => {
      const [port] = event.ports;
      if (event.source !== window || event.data !== 'landscribe-port' || !port) return;
      window.removeEventListener('message', onMessage);
      resolve(port);
    };
    window.addEventListener('message', onMessage);
    desktop.requestPort();
  });
}

/** The host: every call of the contract. */
export const ask: Host = createORPCClient(
  new DynamicLink(() => {
    if (!link) throw new Error('not connected');
    return link;
  }),
);

/** The problem of a failed call, for people. */
export function problemOf(error: unknown): ProblemShape {
  if (error instanceof ORPCError) {
    if (error.code === 'PROBLEM') return error.data as ProblemShape;
    return { code: 'internal', message: error.message, hint: '' };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), hint: '' };
}

export function isAborted(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || problemOf(error).code === 'cancelled');
}
