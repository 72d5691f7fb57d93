import type { PaintMessage, PaintReply } from './messages.ts';
import { type PolygonLook, paintPolygons } from './paint-polygons.ts';
import { readTilePolygons, type TilePolygons } from './tile-polygons.ts';

/**
 * The thread of the window that fetches vector tiles and paints them, so that the window itself only puts pictures side
 * by side, however many polygons there are. The tile asked for last comes first, as it is what is looked at.
 */

/** Pixels along a tile's side that stand for one pixel of the grid's tile. */
const tilePixels = 256;
/** Tiles with fewer polygons are painted twice as fine: their edges stay sharp between the grid's scales. */
const fineCount = 6000;
const fetchesAtOnce = 6;
/** Of read tiles, kept so that another look needs no fetch. */
const cacheBytes = 96 * 2 ** 20;

interface Wanted extends Extract<PaintMessage, { kind: 'tile' }> {
  /** Ends its fetch. */
  controller: AbortController;
  /** It gave way to a tile of another zoom, and waits again. */
  gaveWay: boolean;
}

const looks = new Map<number, { version: number; look: PolygonLook }>();
const waiting: Wanted[] = [];
const active = new Map<number, Wanted>();
/** By address, longest unused first. */
const read = new Map<string, TilePolygons | null>();
let held = 0;
let zoom = 0;

addEventListener('message', ({ data }: MessageEvent<PaintMessage>) => {
  if (data.kind === 'look') looks.set(data.picture, { version: data.version, look: data.look });
  else if (data.kind === 'forget') looks.delete(data.picture);
  else if (data.kind === 'cancel') cancel(data.id);
  else {
    zoom = data.zoom;
    waiting.push({ ...data, controller: new AbortController(), gaveWay: false });
    if (active.size >= fetchesAtOnce) makeWay();
    next();
  }
});

function cancel(id: number): void {
  active.get(id)?.controller.abort();
  const at = waiting.findIndex((wanted) => wanted.id === id);
  if (at >= 0) waiting.splice(at, 1);
}

/** Crowded tiles of zooms passed by may take long. */
function makeWay(): void {
  const passed = [...active.values()].find((wanted) => wanted.zoom !== zoom && !wanted.gaveWay);
  if (!passed) return;
  passed.gaveWay = true;
  passed.controller.abort();
}

function next(): void {
  while (active.size < fetchesAtOnce) {
    // The map asks for what is nearest to its middle first.
    const at = waiting.findIndex((wanted) => wanted.zoom === zoom);
    const wanted = at >= 0 ? waiting.splice(at, 1)[0] : waiting.pop();
    if (!wanted) return;
    active.set(wanted.id, wanted);
    void answer(wanted).finally(() => {
      active.delete(wanted.id);
      if (wanted.gaveWay) waiting.push({ ...wanted, controller: new AbortController(), gaveWay: false });
      next();
    });
  }
}

async function answer(wanted: Wanted): Promise<void> {
  const { id, picture, version, address, density, controller } = wanted;
  const reply = (message: PaintReply, transfer: Transferable[] = []) => postMessage(message, { transfer });
  try {
    const polygons = await polygonsAt(address, controller.signal);
    // Messages that came meanwhile are read first: they may say that the tile is wanted no more.
    await new Promise((resolve) => setTimeout(resolve));
    const current = looks.get(picture);
    if (wanted.gaveWay) return;
    if (controller.signal.aborted || current?.version !== version) {
      reply({ id, problem: 'no longer wanted' });
      return;
    }
    if (polygons === null) {
      reply({ id, bitmap: null });
      return;
    }
    const fine = polygons.count <= fineCount ? Math.max(2, density) : density;
    const size = tilePixels * fine;
    const canvas = new OffscreenCanvas(size, size);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context) throw new Error('no canvas to paint on');
    paintPolygons(context, polygons, current.look, size, fine);
    const bitmap = canvas.transferToImageBitmap();
    reply({ id, bitmap }, [bitmap]);
  } catch (error) {
    if (wanted.gaveWay) return;
    reply({ id, problem: error instanceof Error ? error.message : String(error) });
  }
}

async function polygonsAt(address: string, signal: AbortSignal): Promise<TilePolygons | null> {
  const known = read.get(address);
  if (known !== undefined) {
    read.delete(address);
    read.set(address, known);
    return known;
  }
  const response = await fetch(address, { signal });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const bytes = response.status === 204 ? new Uint8Array() : new Uint8Array(await response.arrayBuffer());
  const polygons = bytes.length === 0 ? null : readTilePolygons(bytes);
  if (!read.has(address)) {
    read.set(address, polygons);
    held += sizeOf(polygons);
  }
  for (const [oldest, tile] of read) {
    if (held <= cacheBytes || oldest === address) break;
    read.delete(oldest);
    held -= sizeOf(tile);
  }
  return polygons;
}

/** Nothing takes some bytes too: an address to remember. */
const sizeOf = (polygons: TilePolygons | null) => 512 + (polygons?.bytes ?? 0);
