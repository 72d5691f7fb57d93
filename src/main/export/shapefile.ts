import { join, parse } from 'node:path';
import { Problem } from '../../worker/report/problem.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import { doubleArea } from './antimeridian.ts';
import { esriWellKnownText } from './esri-projection.ts';
import type { LayerDescription, LayerReport, LayerWriter, StagedOutput } from './layer-writer.ts';
import { type OutputOptions, StagedFile } from './staged-file.ts';

/** Bytes that the parts of a shapefile may have: readers keep offsets in signed 32-bit integers. */
const maximumBytes = 2 ** 31 - 1;
const headerBytes = 100;
const polygonType = 5;
/** Bytes of a text field in dBASE. */
const maximumText = 254;

interface Field {
  name: string;
  type: 'N' | 'C';
  width: number;
  decimals: number;
}

/**
 * Writes an ESRI shapefile (ESRI white paper, July 1998): .shp, .shx, .dbf, .prj (if the reference system is known),
 * .cpg (the attributes are UTF-8). Exteriors run clockwise, holes counter-clockwise.
 */
export class ShapefileWriter implements LayerWriter {
  readonly format = 'shp';
  readonly #shapes: StagedFile;
  readonly #index: StagedFile;
  readonly #table: StagedFile;
  /** .cpg and .prj */
  readonly #small: StagedFile[];
  readonly #fields: Field[];
  readonly #recordBytes: number;
  readonly #names: Map<number, Buffer>;
  readonly #notes: string[] = [];
  readonly #limit: number;
  readonly #date: Date;
  #features = 0;
  #minX = Number.POSITIVE_INFINITY;
  #minY = Number.POSITIVE_INFINITY;
  #maxX = Number.NEGATIVE_INFINITY;
  #maxY = Number.NEGATIVE_INFINITY;

  private constructor(files: StagedFile[], description: LayerDescription, limit: number) {
    [this.#shapes, this.#index, this.#table, ...this.#small] = files;
    this.#limit = limit;
    this.#date = new Date(description.provenance.date);
    const cut: string[] = [];
    this.#names = new Map(
      description.classes.map(({ id, name }) => {
        const bytes = Buffer.from(name);
        if (bytes.length > maximumText) cut.push(name);
        return [id, clipUtf8(bytes, maximumText)];
      }),
    );
    if (cut.length > 0)
      this.#notes.push(
        `Shapefiles hold ${maximumText} bytes of text: ${cut.length} class names are shortened.`,
      );
    if (!description.crs) this.#notes.push('The scene has no georeference, so the shapefile has no .prj.');
    else if (!description.crs.wkt)
      this.#notes.push(
        `There is no well-known text for ${description.crs.name}, so the shapefile has no .prj.`,
      );
    const nameWidth = Math.max(1, ...[...this.#names.values()].map((bytes) => bytes.length));
    this.#fields = [
      { name: 'class_id', type: 'N', width: 5, decimals: 0 },
      { name: 'class_name', type: 'C', width: nameWidth, decimals: 0 },
      { name: 'confidence', type: 'N', width: 8, decimals: 6 },
      { name: 'area_m2', type: 'N', width: 20, decimals: 4 },
      { name: 'perim_m', type: 'N', width: 20, decimals: 4 },
    ];
    this.#recordBytes = 1 + this.#fields.reduce((sum, field) => sum + field.width, 0);
  }

  /** `target` is the .shp. `limit` is the size in bytes that no part may pass; only tests lower it. */
  static async open(
    target: string,
    description: LayerDescription,
    options: OutputOptions = {},
    limit = maximumBytes,
  ): Promise<ShapefileWriter> {
    const { dir, name } = parse(target);
    const beside = (ending: string) => join(dir, name) + ending;
    const endings = ['.shx', '.dbf', '.cpg'];
    if (description.crs?.wkt) endings.push('.prj');
    const files: StagedFile[] = [];
    try {
      for (const path of [target, ...endings.map(beside)]) files.push(await StagedFile.open(path, options));
      const writer = new ShapefileWriter(files, description, limit);
      writer.#begin(description);
      return writer;
    } catch (error) {
      for (const file of files) await file.discard();
      throw error;
    }
  }

  /** The .shp comes last: with it the others are complete. */
  get files(): readonly StagedOutput[] {
    return [...this.#small, this.#table, this.#index, this.#shapes];
  }

  async add(batch: readonly PolygonFeature[]): Promise<void> {
    for (const feature of batch) {
      const shape = this.#shapes;
      const { rings } = feature;
      let points = 0;
      for (const ring of rings) points += ring.length >> 1;
      const content = 44 + 4 * rings.length + 16 * points;
      this.#refuseBeyond(shape, 8 + content);
      this.#refuseBeyond(this.#index, 8);
      this.#refuseBeyond(this.#table, this.#recordBytes + 1);
      const start = shape.size;
      this.#features++;
      let at = shape.reserve(8 + content);
      const { buffer } = shape;
      at = buffer.writeInt32BE(this.#features, at);
      at = buffer.writeInt32BE(content / 2, at);
      at = buffer.writeInt32LE(polygonType, at);
      at = this.#writeBox(buffer, at, rings[0]);
      at = buffer.writeInt32LE(rings.length, at);
      at = buffer.writeInt32LE(points, at);
      let first = 0;
      for (const ring of rings) {
        at = buffer.writeInt32LE(first, at);
        first += ring.length >> 1;
      }
      for (let r = 0; r < rings.length; r++) at = writeRing(buffer, at, rings[r], r === 0);

      const entry = this.#index.reserve(8);
      this.#index.buffer.writeInt32BE(start / 2, entry);
      this.#index.buffer.writeInt32BE(content / 2, entry + 4);
      this.#writeAttributes(feature);
      await shape.drain();
      await this.#index.drain();
      await this.#table.drain();
    }
  }

  async seal(): Promise<LayerReport> {
    this.#table.buffer[this.#table.reserve(1)] = 0x1a;
    const records = Buffer.alloc(4);
    records.writeUInt32LE(this.#features);
    await this.#table.patch(4, records);
    await this.#shapes.patch(0, this.#header(this.#shapes.size));
    await this.#index.patch(0, this.#header(this.#index.size));
    const files = [this.#shapes, this.#index, this.#table, ...this.#small];
    let bytes = 0;
    for (const file of files) {
      await file.seal();
      bytes += file.size;
    }
    return {
      format: this.format,
      paths: files.map(({ target }) => target),
      features: this.#features,
      bytes,
      notes: this.#notes,
    };
  }

  async discard(): Promise<void> {
    for (const file of [this.#shapes, this.#index, this.#table, ...this.#small]) await file.discard();
  }

  #begin(description: LayerDescription): void {
    for (const file of [this.#shapes, this.#index]) {
      const at = file.reserve(headerBytes);
      file.buffer.fill(0, at, at + headerBytes);
    }
    const length = 32 + 32 * this.#fields.length + 1;
    const at = this.#table.reserve(length);
    const { buffer } = this.#table;
    buffer.fill(0, at, at + length);
    buffer[at] = 0x03;
    const date = Number.isNaN(this.#date.getTime()) ? new Date() : this.#date;
    buffer[at + 1] = date.getUTCFullYear() - 1900;
    buffer[at + 2] = date.getUTCMonth() + 1;
    buffer[at + 3] = date.getUTCDate();
    buffer.writeUInt16LE(length, at + 8);
    buffer.writeUInt16LE(this.#recordBytes, at + 10);
    this.#fields.forEach((field, index) => {
      const start = at + 32 + 32 * index;
      buffer.write(field.name, start, 10, 'latin1');
      buffer.write(field.type, start + 11, 1, 'latin1');
      buffer[start + 16] = field.width;
      buffer[start + 17] = field.decimals;
    });
    buffer[at + length - 1] = 0x0d;
    const [codePage, projection] = this.#small;
    codePage.text('UTF-8');
    if (description.crs?.wkt) projection.text(esriWellKnownText(description.crs.wkt));
  }

  #refuseBeyond(file: StagedFile, bytes: number): void {
    if (file.size + bytes <= this.#limit) return;
    throw new Problem(
      'output/too-large',
      `${file.target}: the layer does not fit into a shapefile, which ends at 2 GB (after ${this.#features} polygons).`,
      'Use --format gpkg, or write fewer and simpler polygons with --min-area and --simplify.',
    );
  }

  #writeBox(buffer: Buffer, at: number, exterior: Float64Array): number {
    let minX = Number.POSITIVE_INFINITY;
    let minY = Number.POSITIVE_INFINITY;
    let maxX = Number.NEGATIVE_INFINITY;
    let maxY = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < exterior.length; i += 2) {
      const x = exterior[i];
      const y = exterior[i + 1];
      if (x < minX) minX = x;
      if (x > maxX) maxX = x;
      if (y < minY) minY = y;
      if (y > maxY) maxY = y;
    }
    this.#minX = Math.min(this.#minX, minX);
    this.#minY = Math.min(this.#minY, minY);
    this.#maxX = Math.max(this.#maxX, maxX);
    this.#maxY = Math.max(this.#maxY, maxY);
    for (const value of [minX, minY, maxX, maxY]) at = buffer.writeDoubleLE(value, at);
    return at;
  }

  #writeAttributes(feature: PolygonFeature): void {
    const name = this.#names.get(feature.classId);
    if (!name) throw new Error(`class ${feature.classId} is not among the classes`);
    const start = this.#table.reserve(this.#recordBytes);
    const { buffer } = this.#table;
    buffer.fill(0x20, start, start + this.#recordBytes);
    const [id, text, confidence, area, perimeter] = this.#fields;
    let at = start + 1;
    at = writeNumber(buffer, at, id, feature.classId);
    name.copy(buffer, at);
    at += text.width;
    at = writeNumber(buffer, at, confidence, feature.confidence);
    at = writeNumber(buffer, at, area, feature.area);
    writeNumber(buffer, at, perimeter, feature.perimeter);
  }

  #header(bytes: number): Buffer {
    const header = Buffer.alloc(headerBytes);
    header.writeInt32BE(9994, 0);
    header.writeInt32BE(bytes / 2, 24);
    header.writeInt32LE(1000, 28);
    header.writeInt32LE(polygonType, 32);
    if (this.#features > 0)
      [this.#minX, this.#minY, this.#maxX, this.#maxY].forEach((value, index) => {
        header.writeDoubleLE(value, 36 + 8 * index);
      });
    return header;
  }
}

/** Writes a ring clockwise if it is the exterior, else counter-clockwise, whichever way it comes. */
function writeRing(buffer: Buffer, at: number, ring: Float64Array, exterior: boolean): number {
  if (doubleArea(ring) > 0 === exterior)
    for (let i = ring.length - 2; i >= 0; i -= 2) {
      at = buffer.writeDoubleLE(ring[i], at);
      at = buffer.writeDoubleLE(ring[i + 1], at);
    }
  else for (let i = 0; i < ring.length; i++) at = buffer.writeDoubleLE(ring[i], at);
  return at;
}

/** Right-aligned, with fewer decimals if it would not fit; blank (null) if it is not a number. */
function writeNumber(buffer: Buffer, at: number, field: Field, value: number): number {
  if (Number.isFinite(value)) {
    let text = value.toFixed(field.decimals);
    for (let decimals = field.decimals - 1; text.length > field.width && decimals >= 0; decimals--)
      text = value.toFixed(decimals);
    if (text.length <= field.width) buffer.write(text, at + field.width - text.length, 'latin1');
  }
  return at + field.width;
}

/** At most `length` bytes, cut between characters. */
function clipUtf8(bytes: Buffer, length: number): Buffer {
  if (bytes.length <= length) return bytes;
  let end = length;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
