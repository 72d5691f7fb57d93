import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Why a request is turned away, with the status to say it. */
export interface Refusal {
  status: 400 | 401 | 403 | 405;
  reason: string;
}

/**
 * Who may talk to the server: the browser that was given the address with the token, under the server's own name.
 * Checking the host's name keeps out pages that let their own name point here (DNS rebinding), checking the origin keeps
 * out pages of other places, and the cookie everybody else.
 */
export class Admission {
  readonly #cookieName: string;
  readonly #secret = randomBytes(32).toString('base64url');
  readonly #names: ReadonlySet<string>;
  readonly #anyAddress: boolean;
  #token: string | null = randomBytes(32).toString('base64url');

  /** @param host what the server listens on; @param port for the cookie's name: cookies do not tell ports apart */
  constructor(host: string, port: number) {
    this.#cookieName = `landscribe-${port}`;
    this.#anyAddress = host === '0.0.0.0' || host === '::';
    this.#names = new Set(['localhost', '127.0.0.1', '::1', host.toLowerCase()]);
  }

  /** For the one address that opens the screen; null once it was used. */
  get token(): string | null {
    return this.#token;
  }

  /** A new token, as good as the first: for a window that the program opens later. */
  renewToken(): string {
    this.#token = randomBytes(32).toString('base64url');
    return this.#token;
  }

  /** The cookie to set for a request that brings the token, which is used up by it; null for a wrong one. */
  exchange(token: string): string | null {
    if (this.#token === null || !sameText(token, this.#token)) return null;
    this.#token = null;
    return `${this.#cookieName}=${this.#secret}; Path=/; HttpOnly; SameSite=Strict`;
  }

  /** Whether host and origin are ours; before anything else is looked at. */
  refuseForeign(request: IncomingMessage, { needsOrigin = false } = {}): Refusal | null {
    const host = request.headers.host;
    if (host === undefined || !this.#isOurName(host))
      return { status: 403, reason: 'The host name is not this server’s.' };
    const { origin } = request.headers;
    if (needsOrigin && origin === undefined) return { status: 403, reason: 'The origin is missing.' };
    if (origin !== undefined && origin !== `http://${host}`)
      return { status: 403, reason: 'The request comes from another page.' };
    const site = request.headers['sec-fetch-site'];
    if (site === 'cross-site' && request.headers['sec-fetch-mode'] !== 'navigate')
      return { status: 403, reason: 'The request comes from another page.' };
    return null;
  }

  hasCookie(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((part) => part.trim());
    return cookies.some((cookie) => {
      const [name, value] = cookie.split('=', 2);
      return name === this.#cookieName && value !== undefined && sameText(value, this.#secret);
    });
  }

  #isOurName(host: string): boolean {
    const name = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host);
    if (!name) return false;
    const plain = (name[1] ?? name[2]!).toLowerCase();
    // An address as such cannot be made to point elsewhere.
    return this.#names.has(plain) || (this.#anyAddress && isIP(plain) !== 0);
  }
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
