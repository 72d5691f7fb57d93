import type Database from 'better-sqlite3';
import * as z from 'zod';
import type { Crs } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import { measureRings } from '../../worker/vector/measure-rings.ts';
import { mergePolygons, soundPolygon } from '../../worker/vector/merge-polygons.ts';
import { splitPolygon } from '../../worker/vector/split-polygon.ts';
import { decodePolygon, PolygonEncoder } from './geopackage-geometry.ts';
import { geometryColumn, keyColumn, quoteName } from './geopackage-schema.ts';
import type { History, Recorder, Row } from './history.ts';
import { readLayerCrs } from './layer-crs.ts';

const classList = z.array(
  z.object({
    id: z.int(),
    name: z.string(),
    words: z.array(z.string()),
    colour: z.string(),
  }),
);

export type LayerClass = z.infer<typeof classList>[number];

/** Corrections of polygons by hand; each is one step of undo. Polygons are named by their `fid`. */
export class LayerEdits {
  readonly #database: Database.Database;
  readonly #history: History;
  readonly #write: <Result>(work: () => Result, transaction?: boolean) => Result;

  constructor(
    database: Database.Database,
    history: History,
    write: <Result>(work: () => Result, transaction?: boolean) => Result,
  ) {
    this.#database = database;
    this.#history = history;
    this.#write = write;
  }

  /** The classes that a layer was made with. */
  classes(table: string): LayerClass[] {
    const rows = this.#database
      .prepare(
        `SELECT metadata FROM gpkg_metadata m JOIN gpkg_metadata_reference r ON r.md_file_id = m.id
         WHERE r.table_name = ? AND m.md_standard_uri = 'urn:landscribe:provenance:1' ORDER BY m.id DESC`,
      )
      .pluck()
      .all(table) as string[];
    for (const text of rows) {
      const found = z.object({ classes: classList }).safeParse(parseJson(text));
      if (found.success) return found.data.classes;
    }
    return [];
  }

  /** Gives polygons another class of the layer. */
  changeClass(table: string, fids: readonly number[], classId: number): void {
    const entry = this.classes(table).find(({ id }) => id === classId);
    if (!entry)
      throw new Problem('edit/no-class', `${table} has no class ${classId}.`, 'Choose one of its classes.');
    this.#change(`Change class to ${entry.name}`, (recorder) => {
      for (const fid of fids)
        if (!recorder.update(table, BigInt(fid), { class_id: BigInt(classId), class_name: entry.name }))
          throw noSuch(table, fid);
    });
  }

  remove(table: string, fids: readonly number[]): void {
    this.#change(fids.length === 1 ? 'Delete polygon' : `Delete ${fids.length} polygons`, (recorder) => {
      for (const fid of fids) if (!recorder.remove(table, BigInt(fid))) throw noSuch(table, fid);
    });
  }

  /**
   * Makes adjacent polygons one: the largest of them, whose `fid` and class stay, with the others' ground; its
   * confidence becomes the mean by area. Returns the `fid`. Throws `edit/not-adjacent` or `edit/overlap`.
   */
  merge(table: string, fids: readonly number[]): number {
    const unique = [...new Set(fids)];
    if (unique.length < 2)
      throw new Problem('edit/too-few', 'Merging needs two polygons.', 'Select the polygons to merge.');
    return this.#change(`Merge ${unique.length} polygons`, (recorder) => {
      const parts = unique.map((fid) => {
        const row = polygonRow(recorder, table, fid);
        return {
          fid,
          row,
          area: number(row.area_m2),
          confidence: number(row.confidence),
          ...decode(row, table),
        };
      });
      const kept = parts.reduce((largest, part) => (part.area > largest.area ? part : largest));
      const rings = mergePolygons(parts.map((part) => part.rings));
      const area = parts.reduce((sum, part) => sum + part.area, 0);
      const confidence =
        area > 0 ? parts.reduce((sum, part) => sum + part.confidence * part.area, 0) / area : kept.confidence;
      for (const part of parts) if (part !== kept) recorder.remove(table, BigInt(part.fid));
      recorder.update(table, BigInt(kept.fid), { ...this.#measured(table, kept.srsId, rings), confidence });
      return kept.fid;
    });
  }

  /** Cuts a polygon along a line; the largest piece keeps its `fid`. Returns the pieces' `fid`s, that one first. */
  split(table: string, fid: number, line: Float64Array): number[] {
    return this.#change('Split polygon', (recorder) => {
      const row = polygonRow(recorder, table, fid);
      const { rings, srsId } = decode(row, table);
      const [largest, ...rest] = splitPolygon(rings, line);
      recorder.update(table, BigInt(fid), this.#measured(table, srsId, largest!));
      const { fid: _, ...values } = row;
      const added = rest.map((piece) =>
        Number(recorder.insert(table, { ...values, ...this.#measured(table, srsId, piece) })),
      );
      return [fid, ...added];
    });
  }

  /** Gives a polygon other rings, exterior first. Throws where they cross themselves or fall apart. */
  reshape(table: string, fid: number, rings: readonly Float64Array[]): void {
    this.#change('Reshape polygon', (recorder) => {
      const { srsId } = decode(polygonRow(recorder, table, fid), table);
      recorder.update(table, BigInt(fid), this.#measured(table, srsId, soundPolygon(rings)));
    });
  }

  /**
   * Gives the layer's classes other names and colours, in what it was made of, in its styles and in its rows; `style` is
   * what programs are to draw.
   */
  restyle(
    table: string,
    classes: readonly Pick<LayerClass, 'id' | 'name' | 'colour'>[],
    style: { qml: string; sld: string },
    label: string,
  ): void {
    const now = this.classes(table);
    const next = now.map((entry) => ({ ...entry, ...classes.find(({ id }) => id === entry.id) }));
    const database = this.#database;
    this.#change(label, (recorder) => {
      const metadata = database
        .prepare(
          `SELECT m.id, m.metadata FROM gpkg_metadata m JOIN gpkg_metadata_reference r ON r.md_file_id = m.id
           WHERE r.table_name = ? AND m.md_standard_uri = 'urn:landscribe:provenance:1' ORDER BY m.id DESC`,
        )
        .get(table) as { id: number; metadata: string } | undefined;
      const provenance =
        metadata && z.record(z.string(), z.unknown()).safeParse(parseJson(metadata.metadata));
      if (!metadata || !provenance?.success) throw noLayer(table);
      recorder.update('gpkg_metadata', BigInt(metadata.id), {
        metadata: JSON.stringify({ ...provenance.data, classes: next }),
      });
      const styles = database
        .prepare('SELECT id FROM layer_styles WHERE f_table_name = ? AND useAsDefault = 1')
        .pluck()
        .all(table) as number[];
      for (const id of styles)
        recorder.update('layer_styles', BigInt(id), { styleQML: style.qml, styleSLD: style.sld });
      for (const entry of next) {
        if (now.find(({ id }) => id === entry.id)?.name === entry.name) continue;
        const fids = database
          .prepare(`SELECT ${quoteName(keyColumn)} FROM ${quoteName(table)} WHERE class_id = ?`)
          .pluck()
          .all(entry.id) as number[];
        for (const fid of fids) recorder.update(table, BigInt(fid), { class_name: entry.name });
      }
    });
  }

  /** What the layer is called, here and in other programs; its table keeps its name. */
  rename(table: string, name: string): void {
    const taken = this.#database
      .prepare('SELECT 1 FROM gpkg_contents WHERE lower(identifier) = lower(?) AND table_name <> ?')
      .get(name, table);
    if (taken)
      throw new Problem('edit/name-taken', `There is a layer ${name} already.`, 'Choose another name.');
    this.#change(`Rename to ${name}`, (recorder) => {
      if (!recorder.update('gpkg_contents', table, { identifier: name })) throw noLayer(table);
    });
  }

  /** Takes the layer out of the file's tables of contents; undo brings it back, its rows wait for that. */
  drop(table: string): void {
    this.#change(`Remove ${table}`, (recorder) => {
      this.#database
        .prepare('INSERT OR REPLACE INTO landscribe_dropped_layers VALUES (?, ?)')
        .run(table, Date.now());
      recorder.remove('gpkg_geometry_columns', table);
      recorder.remove('gpkg_ogr_contents', table);
      if (!recorder.remove('gpkg_contents', table)) throw noLayer(table);
    });
  }

  #change<Result>(label: string, work: (recorder: Recorder) => Result): Result {
    return this.#write(() => this.#history.change(label, work), false);
  }

  #measured(table: string, srsId: number, rings: readonly Float64Array[]): Row {
    const { area, perimeter } = measureRings(this.#crs(table))(rings);
    const blob = Buffer.from(new PolygonEncoder(srsId).encode(rings));
    return { [geometryColumn]: blob, area_m2: area, perimeter_m: perimeter };
  }

  /** The system that the layer's polygons are measured in; null: pixels. */
  #crs(table: string): Crs | null {
    const crs = readLayerCrs(this.#database, table);
    if (crs !== null && crs.kind === 'other' && crs.proj4 === null)
      throw new Problem(
        'edit/unknown-crs',
        `${table}: areas cannot be measured in its reference system.`,
        'Export the layer in another system to edit it.',
      );
    return crs;
  }
}

function polygonRow(recorder: Recorder, table: string, fid: number): Row {
  const row = recorder.read(table, BigInt(fid));
  if (!row) throw noSuch(table, fid);
  return row;
}

function decode(row: Row, table: string): { rings: Float64Array[]; srsId: number } {
  const blob = row[geometryColumn];
  try {
    if (blob instanceof Uint8Array) return decodePolygon(blob);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new Problem(
    'edit/no-polygon',
    `${table}: row ${row.fid} holds no polygon.`,
    'Edit it in a GIS program.',
  );
}

function number(cell: Row[string] | undefined): number {
  return typeof cell === 'number' || typeof cell === 'bigint' ? Number(cell) : 0;
}

function noSuch(table: string, fid: number): Problem {
  return new Problem('edit/no-such-polygon', `${table} has no polygon ${fid}.`, 'Select again.');
}

function noLayer(table: string): Problem {
  return new Problem('layer/missing', `There is no layer ${table} in this project.`, 'Reload the project.');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
