import type { Desktop } from './desktop.ts';

export interface FetchRequest {
  path: string;
  query: URLSearchParams;
}

export interface FetchReply {
  status: number;
  type: string;
  /** Null: nothing, with 204. */
  body: Uint8Array | null;
  headers: Record<string, string>;
}

/** What the addresses of the contract stand for (`rpc/addresses.ts`), for HTTP and the desktop's own protocol alike. */
export type Fetch = (request: FetchRequest, signal?: AbortSignal) => Promise<FetchReply>;

export function createFetch(_desktop: Desktop): Fetch {
  return async () => ({ status: 404, type: 'text/plain', body: null, headers: {} });
}
