import { type FileHandle, mkdir, open, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Cancelled, Problem, throwIfCancelled } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { elsewhere, get, type HttpOptions, type HttpReply } from './http.ts';

export interface Download {
  url: string;
  /** Where the whole file goes; what has come so far lies beside it as `….part`. */
  target: string;
  /** Exact length where it is published. */
  bytes: number | null;
  /** About how long, for the progress of a server that does not say. */
  aboutBytes: number | null;
  /** Whether a checksum will tell if two halves are of different files; else only a server's validator can. */
  checksummed: boolean;
}

export interface DownloadOptions extends Partial<HttpOptions> {
  /** Attempts in a row that bring nothing new, before giving up. */
  attempts?: number;
  /** Milliseconds before attempt 1, 2, … that follows a failure. */
  waitMs?: (failures: number) => number;
  /** Told the bytes on disk and the length, as far as it is known. */
  onBytes?: ((done: number, total: number) => void) | undefined;
  onNote?: ((text: string) => void) | undefined;
}

/** No published model comes near; a server may not fill the disk. */
const lengthLimit = 16e9;
/** An attempt that brings this much counts as a success, so that a long download survives any number of drops. */
const worthwhile = 1 << 20;
const attemptLimit = 1000;

/** What is remembered of a download under way. */
interface Remembered {
  url: string;
  /** Strong ETag or Last-Modified: what `If-Range` takes (RFC 9110 §13.1.5). */
  validator: string | null;
  total: number | null;
}

/** Another attempt may do better; `restart` when what has come so far cannot be used. */
class Setback extends Error {
  readonly restart: boolean;
  /** What the server asked to wait. */
  readonly waitMs: number;

  constructor(message: string, restart = false, waitMs = 0) {
    super(message);
    this.restart = restart;
    this.waitMs = waitMs;
  }
}

/**
 * Downloads a file to `target`, continuing what an earlier attempt or run left in `target.part`, and says whether it
 * did. The content is not checked. Throws `download/…` and `disk/full`; what has come stays for the next run unless it
 * is of no use.
 */
export async function download(
  file: Download,
  { signal, stallMs = 30_000, env = process.env, ...options }: DownloadOptions = {},
): Promise<{ resumed: boolean }> {
  const { attempts = 6, waitMs = (failures) => Math.min(30_000, 500 * 2 ** failures), onBytes } = options;
  const part = `${file.target}.part`;
  await mkdir(path.dirname(part), { recursive: true });
  const handle = await open(part, 'a+').then(
    // Appending would ignore positions.
    async (created) => {
      await created.close();
      return open(part, 'r+');
    },
    (error) => {
      throw asProblem(error);
    },
  );
  let resumed = false;
  try {
    const memory = new PartMemory(part, file);
    let { size: have } = await handle.stat();
    const remembered = await memory.read();
    if (have > 0 && !usable(file, remembered, have)) have = await restart(handle, memory);
    let failures = 0;
    for (let attempt = 1; ; attempt++) {
      throwIfCancelled(signal);
      const before = have;
      try {
        have = await fetchRest(file, handle, memory, have, { signal, stallMs, env }, onBytes);
        resumed ||= before > 0 && have > before;
        break;
      } catch (error) {
        throwIfCancelled(signal);
        const setback = setbackOf(error);
        if (!setback) throw error;
        have = setback.restart ? await restart(handle, memory) : (await handle.stat()).size;
        resumed ||= have > before && before > 0;
        // Starting anew costs what was there, so that it cannot go on for ever.
        if (!(setback.restart && before > 0)) failures = have - before >= worthwhile ? 1 : failures + 1;
        if (failures >= attempts || attempt >= attemptLimit) throw gaveUp(file, setback, have);
        const wait = Math.max(waitMs(failures), setback.waitMs);
        options.onNote?.(`${path.basename(file.target)}: ${setback.message}; trying again`);
        await pause(wait, undefined, signal ? { signal } : {}).catch(() => {
          throwIfCancelled(signal);
          throw new Cancelled();
        });
      }
    }
    await handle.datasync();
  } catch (error) {
    // Nothing came: there is nothing to go on from.
    const empty = (await handle.stat().catch(() => null))?.size === 0;
    if (empty) await forget(file.target).catch(() => {});
    throw asProblem(error);
  } finally {
    await handle.close();
  }
  await rename(part, file.target);
  await rm(`${part}.json`, { force: true });
  return { resumed };
}

/** Removes what an unfinished download has left. */
export async function forget(target: string): Promise<void> {
  await rm(`${target}.part`, { force: true });
  await rm(`${target}.part.json`, { force: true });
}

class PartMemory {
  readonly #file: string;
  readonly #url: string;
  current: Remembered;

  constructor(part: string, { url }: Download) {
    this.#file = `${part}.json`;
    this.#url = url;
    this.current = { url, validator: null, total: null };
  }

  async read(): Promise<Remembered | null> {
    try {
      const { url, validator, total } = JSON.parse(await readFile(this.#file, 'utf8')) as Partial<Remembered>;
      if (url !== this.#url) return null;
      this.current = {
        url,
        validator: typeof validator === 'string' ? validator : null,
        total: typeof total === 'number' && Number.isSafeInteger(total) ? total : null,
      };
      return this.current;
    } catch {
      return null;
    }
  }

  async write(validator: string | null, total: number | null): Promise<void> {
    this.current = { url: this.#url, validator, total };
    await writeFile(this.#file, JSON.stringify(this.current));
  }

  async clear(): Promise<void> {
    this.current = { url: this.#url, validator: null, total: null };
    await rm(this.#file, { force: true });
  }
}

function usable(file: Download, remembered: Remembered | null, have: number): boolean {
  if (!remembered || (!file.checksummed && remembered.validator === null)) return false;
  const total = file.bytes ?? remembered.total;
  return total === null || have <= total;
}

async function restart(handle: FileHandle, memory: PartMemory): Promise<number> {
  await handle.truncate(0);
  await memory.clear();
  return 0;
}

/** Fetches what comes after the first `have` bytes; returns the file's length once all of it is there. */
async function fetchRest(
  file: Download,
  handle: FileHandle,
  memory: PartMemory,
  have: number,
  options: HttpOptions,
  onBytes: DownloadOptions['onBytes'],
): Promise<number> {
  const { validator, total: known } = memory.current;
  if (have > 0 && have === (file.bytes ?? known)) return have;
  const headers: Record<string, string> = {
    'user-agent': 'landscribe',
    accept: '*/*',
    'accept-encoding': 'identity',
  };
  if (have > 0) {
    headers.range = `bytes=${have}-`;
    if (validator !== null) headers['if-range'] = validator;
  }
  const reply = await get(file.url, headers, options);
  let plan: ReplyPlan;
  try {
    plan = planOf(file, reply, have, memory.current);
    await prepare(file, handle, memory, have, plan);
  } catch (error) {
    reply.discard();
    throw error;
  }
  const total = plan.total ?? file.aboutBytes ?? 0;
  let at = plan.start;
  onBytes?.(at, total);
  for await (const chunk of reply.body) {
    if (at + chunk.length > plan.limit) {
      throw new Problem(
        'download/length',
        `${file.url}: sends more than the ${plan.limit} bytes it should have.`,
        elsewhere,
      );
    }
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await handle
        .write(chunk, done, chunk.length - done, at + done)
        .catch((error) => {
          throw asProblem(error);
        });
      done += bytesWritten;
    }
    at += chunk.length;
    onBytes?.(at, Math.max(total, at));
  }
  if (plan.total !== null && at < plan.total) throw new Setback(`the connection ended at byte ${at}`);
  return at;
}

/** Room on the disk, and what is to be replaced gone, before the first byte is written. */
async function prepare(
  file: Download,
  handle: FileHandle,
  memory: PartMemory,
  have: number,
  plan: ReplyPlan,
): Promise<void> {
  try {
    await requireRoom(file, plan);
    if (plan.start < have) await handle.truncate(plan.start);
    await memory.write(plan.validator, plan.total);
  } catch (error) {
    // The disk's failure, which no other attempt mends.
    throw asProblem(error);
  }
}

interface ReplyPlan {
  /** Where the reply's first byte goes. */
  start: number;
  total: number | null;
  limit: number;
  validator: string | null;
}

/** What a reply brings, once its status and headers are found to fit what was asked for. */
function planOf(
  file: Download,
  { status, headers }: HttpReply,
  have: number,
  remembered: Remembered,
): ReplyPlan {
  if (status === 416) throw new Setback('the server has no more than what is here already', true);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    throw new Setback(`the server answers ${status}`, false, retryAfter(headers['retry-after']));
  }
  if (status !== 200 && status !== 206) {
    throw new Problem('download/refused', `${file.url}: the server answers ${status}.`, elsewhere);
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Problem('download/refused', `${file.url}: comes encoded as ${encoding}.`, elsewhere);
  }
  const length = wholeNumber(headers['content-length']);
  const validator = validatorOf(headers);
  let start = 0;
  let total = length;
  let limit: number | null = null;
  if (status === 206) {
    const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers['content-range'] ?? '');
    const [first, last] = [Number(range?.[1]), Number(range?.[2])];
    total = range && range[3] !== '*' ? Number(range[3]) : null;
    const fits =
      range !== null &&
      have > 0 &&
      first === have &&
      last >= first &&
      (total === null || last < total) &&
      (length === null || length === last - first + 1) &&
      (total === null || remembered.total === null || total === remembered.total) &&
      (remembered.validator === null || validator === null || validator === remembered.validator);
    if (!fits) {
      if (have === 0) {
        throw new Problem(
          'download/refused',
          `${file.url}: sends a part (${headers['content-range'] ?? 'unnamed'}) where the whole was asked for.`,
          elsewhere,
        );
      }
      throw new Setback(`the server sends another part (${headers['content-range'] ?? 'unnamed'})`, true);
    }
    start = first;
    limit = last + 1;
    total ??= remembered.total;
  }
  if (file.bytes !== null && total !== null && total !== file.bytes) {
    throw new Problem(
      'download/length',
      `${file.url}: has ${total} bytes, but ${file.bytes} are published.`,
      elsewhere,
    );
  }
  total ??= file.bytes;
  if (total !== null && total > lengthLimit) {
    throw new Problem(
      'download/length',
      `${file.url}: claims ${total} bytes; no model is that large.`,
      elsewhere,
    );
  }
  return {
    start,
    total,
    limit: limit ?? total ?? lengthLimit,
    validator: validator ?? (start > 0 ? remembered.validator : null),
  };
}

function validatorOf(headers: HttpReply['headers']): string | null {
  const { etag } = headers;
  if (etag?.startsWith('"')) return etag;
  return headers['last-modified'] ?? null;
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Seconds of a Retry-After header as milliseconds, at most two minutes. */
function retryAfter(header: string | undefined): number {
  return Math.min(120, wholeNumber(header) ?? 0) * 1000;
}

async function requireRoom(file: Download, { start, total }: ReplyPlan): Promise<void> {
  if (total === null) return;
  const { bavail, bsize } = await statfs(path.dirname(file.target));
  if (bavail * bsize >= total - start) return;
  throw new Problem(
    'disk/full',
    `${file.target}: ${Math.ceil((total - start) / 1e6)} MB are to come, but only ${Math.floor((bavail * bsize) / 1e6)} MB are free.`,
    'Free some space, or set $LANDSCRIBE_HOME to a folder on another disk.',
  );
}

/** Null for failures that another attempt cannot mend. */
function setbackOf(error: unknown): Setback | null {
  if (error instanceof Setback) return error;
  if (error instanceof Problem || !(error instanceof Error)) return null;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (/CERT|UNABLE_TO_|SELF_SIGNED|^ERR_TLS|^ERR_INVALID/.test(code)) {
    throw new Problem(
      'download/certificate',
      `The server's certificate is not trusted (${code}).`,
      'Behind a proxy that opens connections, set NODE_EXTRA_CA_CERTS to its certificate.',
      error,
    );
  }
  if (code.startsWith('ERR_PROXY')) {
    throw new Problem(
      'download/proxy',
      `The proxy does not let the connection through: ${error.message.split('\n')[0]}.`,
      `Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY. ${elsewhere}`,
      error,
    );
  }
  return new Setback(code && !error.message.includes(code) ? `${error.message} (${code})` : error.message);
}

function gaveUp(file: Download, setback: Setback, have: number): Problem {
  return new Problem(
    'download/unreachable',
    `${file.url}: could not be downloaded: ${setback.message}.`,
    have > 0
      ? `The first ${(have / 1e6).toFixed(1)} MB are kept: the same command goes on from there. ${elsewhere}`
      : `Check the network and the proxy settings (HTTPS_PROXY, NO_PROXY). ${elsewhere}`,
    setback,
  );
}
