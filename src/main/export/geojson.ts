import { shiftAccuracy } from '../../worker/raster/datum-shift.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import { cutAtAntimeridian, doubleArea } from './antimeridian.ts';
import type { LayerDescription, LayerReport, LayerWriter, StagedOutput } from './layer-writer.ts';
import { LongitudeLatitude } from './longitude-latitude.ts';
import { type OutputOptions, StagedFile } from './staged-file.ts';

/**
 * Decimals of a degree: 1e-7° is 1.1 cm, so a vertex moves by at most 6 mm in each direction. That keeps vertices of
 * pixels from 9 cm up an eighth of a pixel from their place; finer scenes get more decimals.
 */
const usualDecimals = 7;
/** For single polygons that would lose a ring at the layer's decimals; then full precision. */
const finerDecimals = [10, 13, 15];
const metresPerDegree = 111_320;

const pixelSystem = { type: 'name', properties: { name: 'LOCAL_CS["Pixels of the image",UNIT["pixel",1]]' } };

/**
 * Writes GeoJSON by RFC 7946: one feature a line, WGS 84 longitude and latitude, exteriors counter-clockwise, polygons
 * cut at the antimeridian. Provenance is the foreign member `provenance`. A scene without georeference keeps its pixel
 * coordinates (x right, y up from the image's top), which the foreign member `coordinates` says to people and `crs` (of
 * GeoJSON 2008) to GDAL and QGIS, which would put them near 0° N 0° E otherwise.
 */
export class GeoJsonWriter implements LayerWriter {
  readonly format = 'geojson';
  readonly files: readonly StagedOutput[];
  readonly #file: StagedFile;
  readonly #transform: LongitudeLatitude | null;
  readonly #decimals: number;
  readonly #names: Map<number, string>;
  readonly #bounds = new Bounds();
  readonly #notes: string[];
  #features = 0;
  #mirrors: boolean | null = null;

  private constructor(file: StagedFile, transform: LongitudeLatitude | null, description: LayerDescription) {
    this.#file = file;
    this.files = [file];
    this.#transform = transform;
    this.#names = new Map(description.classes.map(({ id, name }) => [id, JSON.stringify(name)]));
    const { crs, groundSampleDistance } = description;
    const accuracy = crs && shiftAccuracy(crs);
    this.#notes =
      crs === null
        ? [
            'The scene has no georeference, so the GeoJSON holds pixel coordinates, not longitude and latitude.',
          ]
        : accuracy === null
          ? []
          : [`The GeoJSON's longitudes and latitudes come of ${crs.name} within about ${accuracy} m.`];
    this.#decimals =
      transform && groundSampleDistance
        ? Math.min(
            12,
            Math.max(usualDecimals, Math.ceil(-Math.log10(groundSampleDistance / metresPerDegree / 8))),
          )
        : usualDecimals;
  }

  static async open(
    target: string,
    description: LayerDescription,
    options: OutputOptions = {},
  ): Promise<GeoJsonWriter> {
    const transform = description.crs ? new LongitudeLatitude(description.crs) : null;
    const file = await StagedFile.open(target, options);
    const writer = new GeoJsonWriter(file, transform, description);
    const note = transform
      ? ''
      : `"coordinates": "pixels: x to the right, y up from the top edge of the image",\n"crs": ${JSON.stringify(pixelSystem)},\n`;
    file.text(
      `{\n"type": "FeatureCollection",\n"name": ${JSON.stringify(description.name)},\n${note}"provenance": ${JSON.stringify(description.provenance)},\n"features": [`,
    );
    return writer;
  }

  async add(batch: readonly PolygonFeature[]): Promise<void> {
    for (const feature of batch) {
      const name = this.#names.get(feature.classId);
      if (name === undefined) throw new Error(`class ${feature.classId} is not among the classes`);
      const { classId, confidence, area, perimeter } = feature;
      this.#file.text(
        `${this.#features === 0 ? '\n' : ',\n'}{"type":"Feature","properties":{"class_id":${classId},"class_name":${name},"confidence":${decimal(confidence, 1e6)},"area_m2":${decimal(area, 1e4)},"perimeter_m":${decimal(perimeter, 1e4)}},"geometry":`,
      );
      this.#geometry(feature.rings);
      this.#file.text('}');
      this.#features++;
      await this.#file.drain();
    }
  }

  async seal(): Promise<LayerReport> {
    const box = this.#features > 0 ? `,\n"bbox": ${JSON.stringify(this.#bounds.box())}` : '';
    this.#file.text(`${this.#features > 0 ? '\n' : ''}]${box}\n}\n`);
    await this.#file.seal();
    const { target, size } = this.#file;
    return {
      format: this.format,
      paths: [target],
      features: this.#features,
      bytes: size,
      notes: this.#notes,
    };
  }

  async discard(): Promise<void> {
    await this.#file.discard();
  }

  #geometry(source: readonly Float64Array[]): void {
    const polygons = this.#polygons(source);
    if (polygons.length === 0) throw new Error('a polygon without area');
    const decimals = this.#transform ? this.#decimals : 15;
    for (const digits of [decimals, ...finerDecimals.filter((finer) => finer > decimals)]) {
      const rounded = roundPolygons(polygons, digits);
      if (!rounded && digits !== 15) continue;
      this.#write(rounded ?? polygons, rounded ? digits : null);
      return;
    }
  }

  /** Rings to be written, oriented as the RFC wants them. */
  #polygons(source: readonly Float64Array[]): Float64Array[][] {
    const transform = this.#transform;
    if (!transform) return [orient(source)];
    const exterior = transform.ring(source[0], null);
    const rings = [exterior];
    for (let i = 1; i < source.length; i++) rings.push(transform.ring(source[i], exterior[0]));
    this.#mirrors ??= transform.mirrors(source[0][0], source[0][1]);
    if (this.#mirrors) for (const ring of rings) reversePoints(ring);
    return cutAtAntimeridian(rings).map(orient);
  }

  /** `digits`: decimals that the coordinates are rounded to; null: full precision. */
  #write(polygons: readonly (readonly Float64Array[])[], digits: number | null): void {
    const file = this.#file;
    const several = polygons.length > 1;
    file.text(several ? '{"type":"MultiPolygon","coordinates":[' : '{"type":"Polygon","coordinates":');
    polygons.forEach((rings, p) => {
      file.text(p > 0 ? ',[' : '[');
      rings.forEach((ring, r) => {
        file.text(r > 0 ? ',[' : '[');
        this.#bounds.add(ring, several);
        // In portions: a ring can have millions of points.
        for (let from = 0; from < ring.length; from += portion) {
          const to = Math.min(from + portion, ring.length);
          const start = file.reserve((to - from) * longestNumber);
          const { buffer } = file;
          let at = start;
          for (let i = from; i < to; i += 2) {
            if (i > 0) buffer[at++] = comma;
            buffer[at++] = openBracket;
            at = writeNumber(buffer, at, ring[i], digits);
            buffer[at++] = comma;
            at = writeNumber(buffer, at, ring[i + 1], digits);
            buffer[at++] = closeBracket;
          }
          file.release((to - from) * longestNumber - (at - start));
        }
        file.text(']');
      });
      file.text(']');
    });
    file.text(several ? ']}' : '}');
  }
}

/** Coordinates that are written at a time. */
const portion = 8192;
/** Bytes of a coordinate and its share of the marks around it; the longest double has 24 characters. */
const longestNumber = 28;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const minus = 0x2d;
const point = 0x2e;
const zero = 0x30;

/** Writes a number without trailing zeros, several times faster than by way of a string; returns the end. */
function writeNumber(buffer: Buffer, at: number, value: number, digits: number | null): number {
  if (digits === null) return at + buffer.write(String(value), at, 'latin1');
  const scale = 10 ** digits;
  let scaled = Math.round(Math.abs(value) * scale);
  if (value < 0 && scaled > 0) buffer[at++] = minus;
  let whole = Math.floor(scaled / scale);
  scaled -= whole * scale;
  const hundreds = whole >= 100 ? 1 : 0;
  if (hundreds) {
    const digit = Math.floor(whole / 100);
    buffer[at++] = zero + digit;
    whole -= digit * 100;
  }
  if (hundreds || whole >= 10) buffer[at++] = zero + Math.floor(whole / 10);
  buffer[at++] = zero + (whole % 10);
  if (scaled === 0) return at;
  buffer[at] = point;
  let end = at + digits + 1;
  for (let i = end - 1; i > at; i--) {
    const rest = Math.floor(scaled / 10);
    buffer[i] = zero + (scaled - rest * 10);
    scaled = rest;
  }
  while (buffer[end - 1] === zero) end--;
  return end;
}

/** The extent of all rings; where it crosses the antimeridian, its west is greater than its east (RFC 7946, 5.2). */
class Bounds {
  #west = Number.POSITIVE_INFINITY;
  #east = Number.NEGATIVE_INFINITY;
  #south = Number.POSITIVE_INFINITY;
  #north = Number.NEGATIVE_INFINITY;
  /** The same in longitudes 0-360. */
  #west360 = Number.POSITIVE_INFINITY;
  #east360 = Number.NEGATIVE_INFINITY;
  #cut = false;

  add(ring: Float64Array, cut: boolean): void {
    if (cut) this.#cut = true;
    let west = Number.POSITIVE_INFINITY;
    let east = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < ring.length; i += 2) {
      if (ring[i] < west) west = ring[i];
      if (ring[i] > east) east = ring[i];
      if (ring[i + 1] < this.#south) this.#south = ring[i + 1];
      if (ring[i + 1] > this.#north) this.#north = ring[i + 1];
    }
    this.#west = Math.min(this.#west, west);
    this.#east = Math.max(this.#east, east);
    const turn = east <= 0 && west < 0 ? 360 : 0;
    const crosses = west < 0 && east > 0;
    this.#west360 = Math.min(this.#west360, crosses ? 0 : west + turn);
    this.#east360 = Math.max(this.#east360, crosses ? 360 : east + turn);
  }

  box(): [number, number, number, number] {
    if (this.#cut && this.#east360 - this.#west360 < this.#east - this.#west)
      return [this.#west360, this.#south, this.#east360 - 360, this.#north];
    return [this.#west, this.#south, this.#east, this.#north];
  }
}

function decimal(value: number, scale: number): number | null {
  return Number.isFinite(value) ? Math.round(value * scale) / scale : null;
}

/**
 * Rings rounded to `digits` decimals, repeated points left out; null if one of them lost its area or its direction.
 * Slivers that a cut at the antimeridian left are dropped instead.
 */
function roundPolygons(
  polygons: readonly (readonly Float64Array[])[],
  digits: number,
): Float64Array[][] | null {
  if (digits >= 15) return null;
  const scale = 10 ** digits;
  const result: Float64Array[][] = [];
  for (const rings of polygons) {
    const rounded: Float64Array[] = [];
    let sliver = false;
    for (let r = 0; r < rings.length; r++) {
      const ring = rings[r];
      const points = new Float64Array(ring.length);
      let length = 0;
      for (let i = 0; i < ring.length; i += 2) {
        const x = Math.min(180, Math.max(-180, Math.round(ring[i] * scale) / scale));
        const y = Math.min(90, Math.max(-90, Math.round(ring[i + 1] * scale) / scale));
        if (length > 0 && points[length - 2] === x && points[length - 1] === y) continue;
        points[length++] = x;
        points[length++] = y;
      }
      const kept = points.subarray(0, length);
      const area = doubleArea(kept);
      if (length < 8 || (r === 0 ? area <= 0 : area >= 0)) {
        if (r > 0 || polygons.length === 1) return null;
        sliver = true;
        break;
      }
      rounded.push(kept);
    }
    if (!sliver) result.push(rounded);
  }
  return result.length > 0 ? result : null;
}

/** Exterior counter-clockwise, holes clockwise. */
function orient(rings: readonly Float64Array[]): Float64Array[] {
  return rings.map((ring, index) => {
    if (doubleArea(ring) > 0 === (index === 0)) return ring;
    const turned = ring.slice();
    reversePoints(turned);
    return turned;
  });
}

function reversePoints(ring: Float64Array): void {
  ring.reverse();
  for (let i = 0; i < ring.length; i += 2) {
    const swap = ring[i];
    ring[i] = ring[i + 1];
    ring[i + 1] = swap;
  }
}
