import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Download, type DownloadOptions, download } from '../../../src/main/packs/download.ts';
import { followsProxies } from '../../../src/main/packs/http.ts';
import { dropAt, etagOf, type Mirror, noise, part, rangeStart, startMirror } from './mirror.ts';

const base = mkdtempSync(path.join(tmpdir(), 'landscribe-download-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const content = noise(200_000);
/** What a reader may have taken from the network but not yet written when a connection drops. */
const buffered = 256 << 10;
let mirror: Mirror;
let folder: string;
let target: string;

beforeEach(async () => {
  mirror = await startMirror({ 'model.pt': content });
  folder = mkdtempSync(path.join(base, 'run-'));
  target = path.join(folder, 'model.pt');
});
afterEach(() => mirror.close());

/** No proxies of this machine, no waiting. */
const quick: DownloadOptions = { env: {}, stallMs: 5000, attempts: 4, waitMs: () => 1 };

function fetchModel(file: Partial<Download> = {}, options: DownloadOptions = {}) {
  return download(
    { url: `${mirror.address}model.pt`, target, bytes: null, aboutBytes: null, checksummed: true, ...file },
    { ...quick, ...options },
  );
}

function expectWhole(): void {
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(readdirSync(folder)).toEqual(['model.pt']);
}

describe('an honest server', () => {
  it('is asked once, for the file as it is', async () => {
    expect(await fetchModel()).toEqual({ resumed: false });
    expectWhole();
    expect(mirror.asked).toHaveLength(1);
    expect(mirror.asked[0]!.headers['accept-encoding']).toBe('identity');
    expect(mirror.asked[0]!.headers.range).toBeUndefined();
  });

  it('is believed about the length while progress rises to it', async () => {
    const seen: [number, number][] = [];
    await fetchModel({}, { onBytes: (done, total) => void seen.push([done, total]) });
    expect(seen[0]).toEqual([0, content.length]);
    expect(seen.at(-1)).toEqual([content.length, content.length]);
    for (let i = 1; i < seen.length; i++) expect(seen[i]![0]).toBeGreaterThan(seen[i - 1]![0] - 1);
  });

  it('may redirect', async () => {
    mirror.behave = (request, response) => {
      if (request.url !== '/old') return false;
      response.writeHead(302, { location: '/model.pt' }).end();
      return true;
    };
    await fetchModel({ url: `${mirror.address}old` });
    expectWhole();
  });
});

describe('connections that drop', () => {
  it('cost no more than what was under way, wherever they drop', async () => {
    const large = noise(3_000_000);
    mirror.files.set('model.pt', large);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: large.length - 1 }), { minLength: 1, maxLength: 5 }),
        async (cuts) => {
          cuts.sort((a, b) => a - b);
          rmSync(target, { force: true });
          mirror.sent = 0;
          let next = 0;
          mirror.behave = (request, response, bytes) =>
            next < cuts.length ? dropAt(mirror, request, response, bytes, cuts[next++]!) : false;
          await fetchModel({}, { attempts: 10 });
          expect(readFileSync(target).equals(large)).toBe(true);
          expect(mirror.sent).toBeLessThanOrEqual(large.length + cuts.length * buffered);
        },
      ),
      { numRuns: 15, seed: 5 },
    );
  });

  it('are picked up by the next run', async () => {
    const large = noise(4_000_000);
    mirror.files.set('model.pt', large);
    for (const cut of [1_000_000, 2_000_000, 3_000_000]) {
      mirror.behave = (request, response, bytes) => dropAt(mirror, request, response, bytes, cut);
      await expect(fetchModel({}, { attempts: 1 })).rejects.toMatchObject({
        code: 'download/unreachable',
        hint: expect.stringMatching(/The first \d\.\d MB are kept/),
      });
      expect(existsSync(target)).toBe(false);
      expect(statSync(`${target}.part`).size).toBeGreaterThanOrEqual(cut - buffered);
    }
    mirror.behave = () => false;
    expect(await fetchModel()).toEqual({ resumed: true });
    expect(readFileSync(target).equals(large)).toBe(true);
    expect(mirror.sent).toBeLessThanOrEqual(large.length + 3 * buffered);
  });

  it('are given up after so many attempts that bring nothing', async () => {
    mirror.behave = (request) => {
      request.socket.destroy();
      return true;
    };
    await expect(fetchModel()).rejects.toMatchObject({ code: 'download/unreachable' });
    expect(mirror.asked).toHaveLength(4);
    // What brought nothing leaves nothing.
    expect(readdirSync(folder)).toEqual([]);
  });

  it('are no reason to join two files', async () => {
    const other = noise(content.length, 9);
    mirror.behave = (request, response, bytes, attempt) => {
      if (attempt > 0) return false;
      mirror.files.set('model.pt', content);
      return dropAt(mirror, request, response, bytes, 90_000);
    };
    mirror.files.set('model.pt', other);
    await fetchModel();
    expectWhole();
  });

  it('start anew where neither checksum nor validator can tell two files apart', async () => {
    mirror.behave = (_, response, bytes, attempt) => {
      response.writeHead(200, { 'content-length': bytes.length });
      if (attempt > 0) response.end(bytes);
      else response.write(bytes.subarray(0, 90_000), () => setTimeout(() => response.destroy(), 5));
      return true;
    };
    await expect(fetchModel({ checksummed: false }, { attempts: 1 })).rejects.toMatchObject({
      code: 'download/unreachable',
    });
    expect(await fetchModel({ checksummed: false })).toEqual({ resumed: false });
    expectWhole();
    expect(mirror.asked[1]!.headers.range).toBeUndefined();
  });
});

describe('servers that stall', () => {
  it('are left, and asked for the rest', async () => {
    mirror.behave = (_, response, bytes, attempt) => {
      if (attempt > 0) return false;
      response.writeHead(200, { 'content-length': bytes.length, etag: etagOf(bytes) });
      response.write(bytes.subarray(0, 120_000));
      return true;
    };
    const notes: string[] = [];
    await fetchModel({}, { stallMs: 1000, onNote: (text) => void notes.push(text) });
    expectWhole();
    expect(mirror.asked[1]!.headers.range).toBe('bytes=120000-');
    expect(notes).toEqual([expect.stringContaining('no byte for')]);
  });

  it('are given up when they never answer', async () => {
    mirror.behave = () => true;
    await expect(fetchModel({}, { stallMs: 300, attempts: 2 })).rejects.toMatchObject({
      code: 'download/unreachable',
      hint: expect.stringContaining('proxy'),
    });
  });
});

describe('servers that lie', () => {
  /** The first answer stops after 80,000 bytes; the second names a range that depends on what is asked for. */
  function lieAboutRanges(rangeOf: (start: number) => string): void {
    mirror.behave = (request, response, whole, attempt) => {
      if (attempt === 0) {
        response.writeHead(200, { 'content-length': whole.length, etag: etagOf(whole) });
        response.write(whole.subarray(0, 80_000));
        return true;
      }
      if (attempt > 1) return false;
      const start = rangeStart(request, whole)!;
      response
        .writeHead(206, { 'content-range': rangeOf(start), etag: etagOf(whole) })
        .end(whole.subarray(start));
      return true;
    };
  }
  const { length } = content;

  it.each<[string, (start: number) => string]>([
    ['another start', (start) => `bytes ${start - 10_000}-${length - 1}/${length}`],
    ['another length', (start) => `bytes ${start}-${length}/${length + 1}`],
    ['an end behind the end', (start) => `bytes ${start}-${length}/${length}`],
    ['a range backwards', (start) => `bytes ${start}-${start - 1}/${length}`],
    ['no numbers', () => 'bytes all'],
    ['huge numbers', (start) => `bytes ${start}-99999999999999999999/${length}`],
  ])('about ranges (%s) are asked for the whole file', async (_, rangeOf) => {
    lieAboutRanges(rangeOf);
    await fetchModel({}, { stallMs: 1000 });
    expectWhole();
    expect(mirror.asked[1]!.headers.range).toBe('bytes=80000-');
    expect(mirror.asked[2]!.headers.range).toBeUndefined();
  });

  it('by sending more than a range says are cut off', async () => {
    lieAboutRanges((start) => `bytes ${start}-${start + 999}/${length}`);
    await expect(fetchModel({}, { stallMs: 1000 })).rejects.toMatchObject({ code: 'download/length' });
    expect(existsSync(target)).toBe(false);
  });

  it('may send less than the rest at a time', async () => {
    mirror.behave = (request, response, bytes) => {
      const start = rangeStart(request, bytes) ?? 0;
      if (start === 0) return dropAt(mirror, request, response, bytes, 20_000);
      const end = Math.min(bytes.length, start + 60_000);
      response
        .writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}`, etag: etagOf(bytes) })
        .end(bytes.subarray(start, end));
      return true;
    };
    await fetchModel({}, { attempts: 10 });
    expectWhole();
  });

  it('by sending a part unasked are refused', async () => {
    mirror.behave = (_, response, bytes) => {
      part(response, bytes, 10).end(bytes.subarray(10));
      return true;
    };
    await expect(fetchModel()).rejects.toMatchObject({ code: 'download/refused' });
  });

  it('about the length are caught before anything is written', async () => {
    await expect(fetchModel({ bytes: content.length + 1 })).rejects.toMatchObject({
      code: 'download/length',
      message: expect.stringContaining(`has ${content.length} bytes, but ${content.length + 1}`),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('by announcing more than they send are given up', async () => {
    mirror.behave = (_, response, bytes) => {
      response.writeHead(200, { 'content-length': bytes.length + 5000 });
      response.write(bytes, () => setTimeout(() => response.destroy(), 5));
      return true;
    };
    await expect(fetchModel()).rejects.toMatchObject({ code: 'download/unreachable' });
    expect(existsSync(target)).toBe(false);
  });

  it('by never ending are cut off at the published length', async () => {
    mirror.behave = (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(content));
      };
      response.on('drain', more);
      more();
      return true;
    };
    await expect(fetchModel({ bytes: 700_000 })).rejects.toMatchObject({ code: 'download/length' });
    expect(statSync(`${target}.part`).size).toBeLessThanOrEqual(700_000);
  });

  it('about the encoding are refused', async () => {
    mirror.behave = (_, response, bytes) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes);
      return true;
    };
    await expect(fetchModel()).rejects.toMatchObject({
      code: 'download/refused',
      message: expect.stringContaining('gzip'),
    });
  });

  it.each([
    ['file:///etc/passwd', 'not safe'],
    ['/loop', 'too often'],
  ])('by redirecting to %s are not followed', async (location, reason) => {
    mirror.behave = (_, response) => {
      response.writeHead(302, { location }).end();
      return true;
    };
    await expect(fetchModel()).rejects.toMatchObject({
      code: 'download/redirect',
      message: expect.stringContaining(reason),
    });
  });
});

describe('answers other than the file', () => {
  it('end the download where trying again is of no use', async () => {
    await expect(fetchModel({ url: `${mirror.address}none.pt` })).rejects.toMatchObject({
      code: 'download/refused',
      message: expect.stringContaining('404'),
    });
    expect(mirror.asked).toHaveLength(1);
  });

  it('are waited out where the server is busy', async () => {
    mirror.behave = (_, response, __, attempt) => {
      if (attempt > 1) return false;
      response.writeHead(attempt === 0 ? 503 : 429, { 'retry-after': '0' }).end();
      return true;
    };
    await fetchModel();
    expectWhole();
  });

  it('to a part that is longer than the file start it anew', async () => {
    mirror.behave = (request, response, bytes, attempt) =>
      attempt === 0 ? dropAt(mirror, request, response, bytes, 150_000) : false;
    await expect(fetchModel({}, { attempts: 1 })).rejects.toThrow();
    const shorter = content.subarray(0, 100_000);
    mirror.files.set('model.pt', shorter);
    await fetchModel();
    expect(readFileSync(target).equals(shorter)).toBe(true);
  });
});

describe('the user', () => {
  it('can stop at any moment and go on later', async () => {
    const controller = new AbortController();
    mirror.behave = (_, response, bytes, attempt) => {
      if (attempt > 0) return false;
      response.writeHead(200, { 'content-length': bytes.length, etag: etagOf(bytes) });
      response.write(bytes.subarray(0, 60_000));
      return true;
    };
    const running = fetchModel(
      {},
      {
        signal: controller.signal,
        onBytes: (done) => {
          if (done === 60_000) controller.abort();
        },
      },
    );
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(statSync(`${target}.part`).size).toBe(60_000);
    expect(await fetchModel()).toEqual({ resumed: true });
    expectWhole();
  });

  it('can stop while it waits to try again', async () => {
    const controller = new AbortController();
    mirror.behave = (request) => {
      request.socket.destroy();
      return true;
    };
    const running = fetchModel(
      {},
      {
        signal: controller.signal,
        waitMs: () => 60_000,
        onNote: () => setImmediate(() => controller.abort()),
      },
    );
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('proxies', () => {
  /** A forward proxy that keeps the addresses it was asked for. */
  async function startProxy(): Promise<{ address: string; asked: string[]; close(): void }> {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(200, { 'content-length': content.length }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      asked,
      close: () => void server.close(),
    };
  }

  it('that refuse are told of at once', async () => {
    const server = createServer();
    server.on('connect', (_, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const env = { HTTPS_PROXY: `http://127.0.0.1:${port}` };
      await expect(fetchModel({ url: 'https://models.invalid/model.pt' }, { env })).rejects.toMatchObject({
        code: 'download/proxy',
        message: expect.stringContaining('407'),
        hint: expect.stringContaining('HTTPS_PROXY'),
      });
    } finally {
      server.close();
    }
  });

  it.each([
    'socks5://127.0.0.1:1080',
    'proxy.example.org:3128',
    'nonsense',
  ])('of a kind that Node passes by are told of: %s', async (proxy) => {
    for (const name of ['HTTP_PROXY', 'http_proxy']) {
      await expect(fetchModel({}, { env: { [name]: proxy } })).rejects.toMatchObject({
        code: 'download/proxy',
      });
    }
    expect(mirror.asked).toEqual([]);
  });

  it('need a Node.js that follows them', () => {
    const versions = ['20.19.0', '22.20.9', '22.21.0', '23.11.0', '24.4.1', '24.5.0', '25.0.0'];
    expect(versions.map(followsProxies)).toEqual([false, false, true, false, false, true, true]);
  });

  it('of the environment are used, and left out where it says so', async () => {
    const proxy = await startProxy();
    try {
      const url = 'http://models.invalid/model.pt';
      await fetchModel({ url }, { env: { HTTP_PROXY: proxy.address } });
      expectWhole();
      expect(proxy.asked).toEqual([url]);
      rmSync(target);
      await fetchModel({}, { env: { HTTP_PROXY: proxy.address, NO_PROXY: '127.0.0.1' } });
      expectWhole();
      expect(proxy.asked).toHaveLength(1);
      expect(mirror.asked).toHaveLength(1);
    } finally {
      proxy.close();
    }
  });
});
