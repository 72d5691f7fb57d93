import type Database from 'better-sqlite3';
import * as z from 'zod';
import type { Crs } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import { decodePolygon } from './geopackage-geometry.ts';
import { geometryColumn, keyColumn, quoteName, rtreeName } from './geopackage-schema.ts';
import { readLayerCrs } from './layer-crs.ts';
import { sqliteProblem } from './sqlite-problem.ts';

export interface LayerPolygon {
  fid: number;
  classId: number;
  className: string;
  confidence: number;
  area: number;
  perimeter: number;
  /** x, y in turn in the layer's system, exterior first; empty where the row holds no polygon. */
  rings: Float64Array[];
}

/** Polygons below either bound are left out. */
export interface LayerBounds {
  confidence: number;
  /** Square metres. */
  area: number;
}

/** Attributes of all polygons in the order of `fid`, `[n]` each. */
export interface LayerColumns {
  fid: Int32Array;
  classId: Int32Array;
  confidence: Float32Array;
  area: Float64Array;
  perimeter: Float64Array;
}

const provenanceRow = z.record(z.string(), z.json());
const attributes =
  "coalesce(class_id, 0) AS classId, coalesce(class_name, '') AS className, coalesce(confidence, 0.0) AS confidence, coalesce(area_m2, 0.0) AS area, coalesce(perimeter_m, 0.0) AS perimeter";
/** Values in one statement. */
const batch = 500;

/** Reads polygons of a project's layers. */
export class LayerReader {
  readonly #database: Database.Database;
  readonly #path: string;

  constructor(database: Database.Database, path: string) {
    this.#database = database;
    this.#path = path;
  }

  crs(table: string): Crs | null {
    return this.#read(() => readLayerCrs(this.#database, table));
  }

  /** What the layer was made of; null for a layer of another program. */
  provenance(table: string): z.output<typeof provenanceRow> | null {
    return this.#read(() => {
      const text = this.#database
        .prepare(
          `SELECT metadata FROM gpkg_metadata m JOIN gpkg_metadata_reference r ON r.md_file_id = m.id
           WHERE r.table_name = ? AND m.md_standard_uri = 'urn:landscribe:provenance:1' ORDER BY m.id DESC`,
        )
        .pluck()
        .get(table);
      if (typeof text !== 'string') return null;
      const parsed = provenanceRow.safeParse(JSON.parse(text));
      return parsed.success ? parsed.data : null;
    });
  }

  /** Numbers of the polygons whose bounding boxes touch the box (min x, min y, max x, max y), ascending. */
  inBox(table: string, box: readonly number[], bounds: LayerBounds): number[] {
    this.check(table);
    const [minX, minY, maxX, maxY] = box;
    return this.#read(
      () =>
        this.#database
          .prepare(
            `SELECT r.id FROM ${quoteName(rtreeName(table))} r JOIN ${quoteName(table)} t ON t.${quoteName(keyColumn)} = r.id
             WHERE r.maxx >= ? AND r.minx <= ? AND r.maxy >= ? AND r.miny <= ?
               AND coalesce(t.confidence, 0.0) >= ? AND coalesce(t.area_m2, 0.0) >= ? ORDER BY r.id`,
          )
          .pluck()
          .all(minX, maxX, minY, maxY, bounds.confidence, bounds.area) as number[],
    );
  }

  /** Throws `edit/no-such-polygon`. */
  polygon(table: string, fid: number): LayerPolygon {
    for (const found of this.polygons(table, [fid])) return found;
    throw new Problem('edit/no-such-polygon', `${table} has no polygon ${fid}.`, 'Select again.');
  }

  /** The polygons of these numbers that exist, in their order. */
  *polygons(table: string, fids: readonly number[]): Generator<LayerPolygon> {
    this.check(table);
    const statement = this.#read(() =>
      this.#database.prepare(
        `SELECT ${quoteName(keyColumn)} AS fid, ${quoteName(geometryColumn)} AS geom, ${attributes} FROM ${quoteName(table)} WHERE ${quoteName(keyColumn)} = ?`,
      ),
    );
    for (const fid of fids) {
      const row = this.#read(() => statement.get(fid)) as StoredPolygon | undefined;
      if (row) yield polygonOf(row);
    }
  }

  /** All polygons, a thousand at a time, in the order of their numbers. */
  *batches(table: string, bounds: LayerBounds): Generator<LayerPolygon[]> {
    this.check(table);
    const key = quoteName(keyColumn);
    const statement = this.#read(() =>
      this.#database.prepare(
        `SELECT ${key} AS fid, ${quoteName(geometryColumn)} AS geom, ${attributes} FROM ${quoteName(table)}
         WHERE ${key} > ? AND coalesce(confidence, 0.0) >= ? AND coalesce(area_m2, 0.0) >= ? ORDER BY ${key} LIMIT 1000`,
      ),
    );
    for (let last = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = this.#read(() => statement.all(last, bounds.confidence, bounds.area)) as StoredPolygon[];
      if (rows.length === 0) return;
      yield rows.map(polygonOf);
      last = rows.at(-1)!.fid;
    }
  }

  /** Bounding box of these polygons together, as exact as the index: 32 bit, rounded outwards. Null for none. */
  extent(table: string, fids: readonly number[]): [number, number, number, number] | null {
    this.check(table);
    let extent: [number, number, number, number] | null = null;
    for (let start = 0; start < fids.length; start += batch) {
      const part = fids.slice(start, start + batch);
      const row = this.#read(() =>
        this.#database
          .prepare(
            `SELECT min(minx), min(miny), max(maxx), max(maxy) FROM ${quoteName(rtreeName(table))} WHERE id IN (${part.map(() => '?').join(',')})`,
          )
          .raw()
          .get(...part),
      ) as [number, number, number, number] | [null, null, null, null];
      if (row[0] === null) continue;
      extent = extent
        ? [
            Math.min(extent[0], row[0]),
            Math.min(extent[1], row[1]),
            Math.max(extent[2], row[2]),
            Math.max(extent[3], row[3]),
          ]
        : row;
    }
    return extent;
  }

  columns(table: string): LayerColumns {
    this.check(table);
    return this.#read(() => {
      const rows = this.#database
        .prepare(
          `SELECT ${quoteName(keyColumn)} AS fid, coalesce(class_id, 0), coalesce(confidence, 0.0), coalesce(area_m2, 0.0), coalesce(perimeter_m, 0.0) FROM ${quoteName(table)} ORDER BY fid`,
        )
        .raw();
      const count = this.#database
        .prepare(`SELECT count(*) FROM ${quoteName(table)}`)
        .pluck()
        .get() as number;
      const columns: LayerColumns = {
        fid: new Int32Array(count),
        classId: new Int32Array(count),
        confidence: new Float32Array(count),
        area: new Float64Array(count),
        perimeter: new Float64Array(count),
      };
      let i = 0;
      for (const row of rows.iterate() as Iterable<[number, number, number, number, number]>) {
        columns.fid[i] = row[0];
        columns.classId[i] = row[1];
        columns.confidence[i] = row[2];
        columns.area[i] = row[3];
        columns.perimeter[i] = row[4];
        i++;
      }
      return columns;
    });
  }

  /** Names come from the screen: only layers of ours may be read. Throws `layer/missing`. */
  check(table: string): void {
    const known = this.#read(() =>
      this.#database
        .prepare(
          `SELECT 1 FROM gpkg_contents c JOIN gpkg_metadata_reference r ON r.table_name = c.table_name
           JOIN gpkg_metadata m ON m.id = r.md_file_id
           WHERE c.table_name = ? AND c.data_type = 'features' AND m.md_standard_uri = 'urn:landscribe:provenance:1'`,
        )
        .get(table),
    );
    if (known === undefined)
      throw new Problem(
        'layer/missing',
        `There is no layer ${table} in this project.`,
        'Reload the project.',
      );
  }

  #read<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new Problem(
          'project/damaged',
          `${this.#path}: holds values that Landscribe did not write.`,
          'Go on from a backup.',
          error,
        );
      throw sqliteProblem(error, this.#path);
    }
  }
}

interface StoredPolygon extends Omit<LayerPolygon, 'rings'> {
  geom: unknown;
}

function polygonOf({ geom, ...row }: StoredPolygon): LayerPolygon {
  return { ...row, rings: ringsOf(geom) };
}

function ringsOf(geom: unknown): Float64Array[] {
  if (!(geom instanceof Uint8Array)) return [];
  try {
    return decodePolygon(geom).rings;
  } catch (error) {
    // A row of another program, of another geometry type.
    if (error instanceof RangeError) return [];
    throw error;
  }
}
