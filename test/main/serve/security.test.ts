import { mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AllowedPaths } from '../../../src/main/desktop/allowed-paths.ts';
import { Desktop } from '../../../src/main/desktop/desktop.ts';
import { homeOf } from '../../../src/main/packs/home.ts';
import { largestMessage, type Serving, startServer } from '../../../src/main/serve/server.ts';
import { admitted, connect } from './client.ts';

let serving: Serving;
let desktop: Desktop;
let origin: string;
let cookie: string;
let root: string;
let outside: string;

/** A request as anybody may write it, `Host` included. */
function ask(
  address: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port: serving.port, path: address, method, headers },
      (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      },
    );
    request.on('error', reject);
    request.end();
  });
}

/** Whether a socket opens; the status of the refusal otherwise. */
function opens(headers: Record<string, string>, address = '/rpc'): Promise<true | number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${serving.port}${address}`, { headers });
    socket.on('open', () => {
      socket.close();
      resolve(true);
    });
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('error', () => {});
  });
}

const problemOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'none';
  } catch (error) {
    return (error as { data?: { code?: string } }).data?.code ?? String(error);
  }
};

beforeAll(async () => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'landscribe-door-')));
  root = path.join(folder, 'allowed');
  outside = path.join(folder, 'secret.tif');
  const screen = path.join(folder, 'screen');
  mkdirSync(root);
  mkdirSync(screen);
  writeFileSync(outside, 'secret');
  writeFileSync(path.join(folder, 'package.json'), '{"secret":1}');
  writeFileSync(path.join(screen, 'index.html'), '<!doctype html><title>screen</title>');
  symlinkSync(folder, path.join(root, 'way-out'));
  const home = homeOf({ LANDSCRIBE_HOME: path.join(folder, 'home') });
  desktop = new Desktop({ door: 'browser', home, allowed: await AllowedPaths.of([root]) });
  serving = await startServer({ host: '127.0.0.1', port: 0, desktop, screen });
  origin = `http://127.0.0.1:${serving.port}`;
  expect((await ask('/?token=wrong')).status).toBe(401);
  cookie = await admitted(serving.url);
});

afterAll(async () => {
  await serving.close();
  await desktop.close();
});

describe('the browser door admits', () => {
  it('the page with the cookie, under headers that close it', async () => {
    const { status, headers, body } = await ask('/', { cookie });
    expect([status, body]).toEqual([200, expect.stringContaining('screen')]);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['cross-origin-resource-policy']).toBe('same-origin');
  });

  it('a tunnel: another port under a name of this machine', async () => {
    const host = 'localhost:9999';
    expect((await ask('/', { cookie, host })).status).toBe(200);
    expect(await opens({ cookie, host, origin: `http://${host}` })).toBe(true);
  });
});

describe('the browser door refuses', () => {
  it('whoever has neither token nor cookie', async () => {
    expect((await ask('/')).status).toBe(401);
    expect((await ask('/', { cookie: `${cookie}x` })).status).toBe(401);
    expect((await ask('/tiles/scene/1/0/0/0')).status).toBe(401);
    expect((await ask('/columns/layer')).status).toBe(401);
    expect((await ask('/live/a.png')).status).toBe(401);
    expect(await opens({ origin })).toBe(401);
  });

  it('a token that was used', async () => {
    const again = await ask(new URL(serving.url).pathname + new URL(serving.url).search);
    expect(again.status).toBe(401);
    expect(again.headers['set-cookie']).toBeUndefined();
  });

  it('a cookie that scripts or other sites could use: it is HttpOnly and SameSite=Strict', async () => {
    const token = serving.admission.renewToken();
    const { headers } = await ask(`/?token=${token}`);
    expect(headers['set-cookie']![0]).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
  });

  it.each([
    'evil.example',
    'evil.example:80',
    '10.0.0.1',
    'localhost.evil.example',
    '[::1',
    '127.0.0.1.nip.io',
  ])('the host %s, cookie or not', async (host) => {
    expect((await ask('/', { cookie, host })).status).toBe(403);
    expect(await opens({ cookie, host, origin: `http://${host}` })).toBe(403);
  });

  it.each([
    'http://evil.example',
    'null',
    'https://127.0.0.1',
    'http://localhost',
  ])('the origin %s', async (foreign) => {
    expect(await opens({ cookie, origin: foreign })).toBe(403);
    expect((await ask('/tiles/scene/1/0/0/0', { cookie, origin: foreign })).status).toBe(403);
  });

  it('a socket without an origin, and requests that a foreign page makes', async () => {
    expect(await opens({ cookie })).toBe(403);
    const headers = { cookie, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    expect((await ask('/tiles/scene/1/0/0/0', headers)).status).toBe(403);
  });

  it('other methods and other sockets', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect((await ask('/', { cookie }, method)).status).toBe(405);
    expect(await opens({ cookie, origin }, '/other')).toBe(404);
  });

  it.each([
    '/../package.json',
    '/..%2fpackage.json',
    '/%2e%2e/package.json',
    '/assets/../../package.json',
    '/..\\package.json',
    '/.%00./package.json',
    '//etc/passwd',
    '/etc/passwd',
  ])('the address %s', async (address) => {
    const { status, body } = await ask(address, { cookie });
    expect(status).toBe(404);
    expect(body).not.toContain('secret');
  });

  it('files outside the root, by any way round', async () => {
    const { host, close } = await connect(origin, cookie);
    const ways = [
      outside,
      path.join(root, '..', 'secret.tif'),
      path.join(root, 'way-out', 'secret.tif'),
      '/etc/passwd',
      '/proc/self/environ',
    ];
    for (const way of ways) {
      expect(await problemOf(host.scenes.info({ path: way })), way).toBe('place/outside');
      expect(await problemOf(host.scenes.add({ paths: [way] })), way).toBe('place/outside');
      expect(await problemOf(host.places.list({ folder: path.dirname(way) })), way).toBe('place/outside');
      const created = host.project.create({ path: `${way}.gpkg`, overwrite: true });
      expect(await problemOf(created), way).toBe('place/outside');
      expect(await problemOf(host.project.open({ path: way })), way).toBe('place/outside');
    }
    expect(await problemOf(host.scenes.info({ path: 'relative.tif' }))).toBe('place/not-absolute');
    for (const name of ['..', 'a/b', '../x', '.'])
      expect(await problemOf(host.places.makeFolder({ folder: root, name }))).toBe('place/bad-name');
    const { entries } = await host.places.list({ folder: null });
    expect(entries.map((entry) => entry.path)).toEqual([root]);
    close();
  });

  it('a message over the limit, and goes on for others', async () => {
    const { socket } = await connect(origin, cookie);
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.send(Buffer.alloc(largestMessage + 1));
    expect([1006, 1009]).toContain(await closed);
    const other = await connect(origin, cookie);
    expect((await other.host.about()).door).toBe('browser');
    other.close();
  });

  it('input that is none, with a problem that says so', async () => {
    const { host, socket, close } = await connect(origin, cookie);
    expect(await problemOf(host.scenes.info({ path: 7 } as never))).toBe('request/invalid');
    expect(await problemOf(host.project.saveCrs({ crs: 'EPSG:1; DROP' }))).toBe('request/invalid');
    socket.send('no message of ours');
    expect((await host.about()).name).toBe('Landscribe');
    close();
  });
});
