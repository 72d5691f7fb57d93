import * as z from 'zod';
import { Cancelled, Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { crsName } from '../rpc/base.ts';
import { rasterStyle } from '../rpc/scenes.ts';
import { packColumns } from './columns.ts';
import type { Desktop } from './desktop.ts';
import { systemNamed } from './systems.ts';

export interface FetchRequest {
  path: string;
  query: URLSearchParams;
}

export interface FetchReply {
  status: number;
  type: string;
  /** Null: nothing. */
  body: Uint8Array | null;
  headers: Record<string, string>;
}

/** What the addresses of the contract stand for (`rpc/addresses.ts`), for HTTP and the desktop's own protocol alike. */
export type Fetch = (request: FetchRequest, signal?: AbortSignal) => Promise<FetchReply>;

/** An address says which version it means, so that its answer is the same for good. */
const lasting = { 'Cache-Control': 'private, max-age=31536000, immutable' };
const nothing: FetchReply = { status: 204, type: 'text/plain', body: null, headers: lasting };

const wholeNumber = z
  .string()
  .regex(/^-?\d{1,9}$/)
  .transform(Number);
const place = z.tuple([wholeNumber, wholeNumber, wholeNumber]);

/** Never rejects: what fails is answered with a status and the problem as JSON. */
export function createFetch(desktop: Desktop): Fetch {
  return async ({ path, query }, signal) => {
    try {
      const [room, ...rest] = path.slice(1).split('/').map(decodeURIComponent);
      if (room === 'tiles') return await tile(desktop, rest, query, signal);
      if (room === 'columns' && rest.length === 1)
        return {
          status: 200,
          type: 'application/octet-stream',
          body: packColumns(desktop.store.polygons.columns(rest[0]!)),
          headers: query.has('v') ? lasting : {},
        };
      if (room === 'live' && rest.length === 1) {
        const [, id, format] = /^(.*)\.(png|bin)$/.exec(rest[0]!) ?? [];
        const { pictures } = desktop;
        const body = format === 'bin' ? pictures.bytes(id!) : id ? await pictures.png(id) : null;
        const type = format === 'bin' ? 'application/octet-stream' : 'image/png';
        if (body) return { status: 200, type, body, headers: {} };
      }
      throw new Problem('address/unknown', 'There is nothing at this address.');
    } catch (error) {
      return refusal(error);
    }
  };
}

async function tile(
  desktop: Desktop,
  [kind, name, ...rest]: string[],
  query: URLSearchParams,
  signal: AbortSignal | undefined,
): Promise<FetchReply> {
  const [z_, x, y] = parsed(place, rest, 'tile');
  const at = { z: z_, x, y };
  const { project } = desktop;
  const crs = systemNamed(parsed(crsName, query.get('crs'), 'crs'), project.crs());
  if (kind === 'layer') {
    project.store.polygons.check(name ?? '');
    const layer = { project: project.store.path, layer: name!, crs, ...at };
    const body = await desktop.tiles.vectorTile(layer, signal);
    if (body === null) return nothing;
    return { status: 200, type: 'application/vnd.mapbox-vector-tile', body, headers: lasting };
  }
  const id = parsed(wholeNumber, name, 'id');
  const style = parsed(rasterStyle, jsonOf(query.get('style')), 'style');
  const raster =
    kind === 'scene' ? project.rasterOfScene(id) : kind === 'raster' ? project.rasterOfRun(id) : null;
  if (!raster) throw new Problem('address/unknown', 'There is nothing at this address.');
  const drawn = await desktop.tiles.rasterTile({ ...raster, style, crs, ...at }, signal);
  if (drawn === null) return nothing;
  const headers: Record<string, string> = drawn.draft ? { 'X-Draft': '1' } : lasting;
  return { status: 200, type: drawn.type, body: drawn.body, headers };
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Problem('request/invalid', `The address is not valid: ${what}.`, 'Reload the window.');
}

function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}

function refusal(error: unknown): FetchReply {
  const wrong = error instanceof URIError;
  const { code, message, hint } = wrong
    ? new Problem('request/invalid', 'The address is not valid.', 'Reload the window.')
    : asProblem(error);
  const status =
    error instanceof Cancelled || code === 'cancelled'
      ? 499
      : /^(request|tiles)\//.test(code)
        ? 400
        : /^(address|layer|project|scene|file|crs)\//.test(code)
          ? 404
          : 500;
  const body = Buffer.from(JSON.stringify({ code, message, hint }));
  return { status, type: 'application/json; charset=utf-8', body, headers: {} };
}
