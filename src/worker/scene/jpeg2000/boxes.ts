import { pixelTransform } from '../../raster/affine.ts';
import { findEpsg } from '../../raster/crs.ts';
import { type Georeference, georeferenceOf } from '../georeference.ts';
import { type Element, parseXml } from '../safe/xml.ts';
import { type ByteSource, bytesOfBuffer, readTiff } from '../tiff-file.ts';

/** What a JP2 file (ITU-T T.800 annex I) holds besides its pixels. */
export interface Jp2Boxes {
  /** Where the codestream lies. */
  from: number;
  to: number;
  /** A degenerate GeoTIFF (GeoJP2), or null. */
  geoTiff: Uint8Array | null;
  /** The text of the XML box that holds GML (OGC 05-047), or null. */
  gml: string | null;
}

const geoJp2 = 'b14bf8bd083d4b43a5ae8cd7d5a6ce03';
const largestBox = 4 * 2 ** 20;
const mostBoxes = 1000;

/** Reads the boxes of a JP2 file, or a bare codestream. Throws `RangeError` where there is no codestream. */
export async function readBoxes(source: ByteSource): Promise<Jp2Boxes> {
  const start = await source.read(0, 4);
  if (start[0] === 0xff && start[1] === 0x4f) return { from: 0, to: source.size, geoTiff: null, gml: null };
  const found: Jp2Boxes = { from: 0, to: 0, geoTiff: null, gml: null };
  await walk(source, 0, source.size, found, { left: mostBoxes });
  if (found.to === 0) throw new RangeError('no image in it');
  return found;
}

async function walk(
  source: ByteSource,
  from: number,
  to: number,
  found: Jp2Boxes,
  budget: { left: number },
): Promise<void> {
  for (let at = from; at + 8 <= to && budget.left-- > 0; ) {
    const head = Buffer.from(await source.read(at, 16));
    if (head.length < 8) return;
    let length = head.readUInt32BE(0);
    let skip = 8;
    if (length === 1 && head.length >= 16) {
      length = Number(head.readBigUInt64BE(8));
      skip = 16;
    } else if (length === 0) length = to - at;
    if (length < skip) return;
    const end = Math.min(to, at + length);
    const kind = head.toString('latin1', 4, 8);
    if (kind === 'jp2c') {
      if (found.to === 0) [found.from, found.to] = [at + skip, end];
    } else if (kind === 'asoc') await walk(source, at + skip, end, found, budget);
    else if ((kind === 'uuid' || kind === 'xml ') && end - at <= largestBox) {
      const bytes = Buffer.from(await source.read(at + skip, end - at - skip));
      if (kind === 'uuid' && bytes.toString('hex', 0, 16) === geoJp2) found.geoTiff = bytes.subarray(16);
      if (kind === 'xml ' && bytes.includes('RectifiedGrid')) found.gml = bytes.toString('utf8');
    }
    at = end;
  }
}

/** The georeference of a JP2 file: its GeoTIFF box, else its GML; pixel coordinates without either. */
export async function jp2Georeference(boxes: Jp2Boxes, path: string): Promise<Georeference> {
  if (boxes.geoTiff !== null) {
    const tiff = await readTiff(bytesOfBuffer(boxes.geoTiff), path).catch(() => null);
    if (tiff !== null) return georeferenceOf(tiff.tags, path);
  }
  const placed = boxes.gml === null ? null : fromGml(boxes.gml, path);
  return placed ?? { transform: pixelTransform, crs: null, note: 'none: pixel coordinates' };
}

/** The grid's origin is the first pixel's centre. */
function fromGml(text: string, path: string): Georeference | null {
  let grid: Element | null;
  try {
    grid = descendant(parseXml(text, path, 'FeatureCollection'), 'RectifiedGrid', 12);
  } catch {
    return null;
  }
  const point = grid?.find('origin/Point') ?? null;
  const vectors = grid?.all('offsetVector').map(({ text }) => text.split(/[\s,]+/).map(Number)) ?? [];
  if (point === null || vectors.length !== 2) return null;
  const [x, y] = (point.find('pos') ?? point.find('coordinates'))?.text.split(/[\s,]+/).map(Number) ?? [];
  const [a, d] = vectors[0]!;
  const [b, e] = vectors[1]!;
  const values = [x, y, a, b, d, e];
  if (values.some((value) => value === undefined || !Number.isFinite(value)) || a! * e! === b! * d!)
    return null;
  const code = /(?:EPSG:+|epsg\.xml#)(\d{1,6})$/i.exec(point.attribute('srsName') ?? '')?.[1];
  const crs = code === undefined ? null : findEpsg(Number(code));
  // Northings and latitudes first, where the system says so, cannot be told apart in older files: not guessed.
  if (crs !== null && crs.kind !== 'projected') return null;
  return { transform: [x! - (a! + b!) / 2, a!, b!, y! - (d! + e!) / 2, d!, e!], crs, note: null };
}

function descendant(element: Element, name: string, depth: number): Element | null {
  const here = element.find(name);
  if (here !== null || depth === 0) return here;
  for (const step of ['featureMember', 'FeatureCollection', 'RectifiedGridCoverage', 'rectifiedGridDomain']) {
    for (const child of element.all(step)) {
      const found = descendant(child, name, depth - 1);
      if (found !== null) return found;
    }
  }
  return null;
}
