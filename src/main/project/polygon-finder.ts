import path from 'node:path';
import * as z from 'zod';
import type { Crs } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import { keyColumn, quoteName } from './geopackage-schema.ts';
import { crsOfRow, type LayerCrsRow, layerCrsColumns, layerCrsRow } from './layer-crs.ts';
import { openForReading, type Reading } from './open-database.ts';
import { sqliteProblem } from './sqlite-problem.ts';

/** What is on a map of a layer. */
export interface ReadLayer {
  table: string;
  /** Null: pixels. */
  crs: Crs | null;
  /** min x, min y, max x, max y of all polygons; null for none. */
  extent: [number, number, number, number] | null;
  /** Changes with every edit. */
  changed: string;
}

/** A polygon as found by its envelope. */
export interface FoundPolygon {
  fid: number;
  classId: number | null;
  confidence: number | null;
  area: number | null;
  /** min x, max x, min y, max y, rounded outwards to 32 bits. */
  envelope: [number, number, number, number];
  /** GeoPackage geometry; null where the envelope is smaller than was asked for on both sides. */
  geometry: Uint8Array | null;
}

const layerRow = layerCrsRow.extend({
  column: z.string(),
  changed: z.string(),
  min_x: z.number().nullable(),
  min_y: z.number().nullable(),
  max_x: z.number().nullable(),
  max_y: z.number().nullable(),
});

/** Kept decoded pages of the file, KiB: polygons that are near are drawn together, and lie apart in the file. */
const cacheKibibytes = 32 * 1024;

/**
 * Reads layers of a project by place, beside whoever writes it and whatever thread that is in. Needs an R-tree; columns
 * of ours that another program's layer has not come as null.
 */
export class PolygonFinder {
  readonly path: string;
  readonly #reading: Reading;

  /** Throws `project/missing` and what SQLite says of a file that is none of its own. */
  constructor(file: string) {
    this.path = path.resolve(file);
    this.#reading = this.#try(() => openForReading(this.path));
    this.#try(() => this.#reading.database.pragma(`cache_size = -${cacheKibibytes}`));
  }

  /** Throws `layer/none` or `layer/no-index`. */
  layer(table: string): ReadLayer {
    const { database } = this.#reading;
    const found = this.#try(() =>
      database
        .prepare(
          `SELECT g.column_name AS column, ${layerCrsColumns}, c.last_change AS changed, c.min_x, c.min_y, c.max_x, c.max_y
           FROM gpkg_contents c
           JOIN gpkg_geometry_columns g ON g.table_name = c.table_name
           JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id
           WHERE c.table_name = ? AND c.data_type = 'features'`,
        )
        .get(table),
    );
    const row = layerRow.safeParse(found);
    if (!row.success)
      throw new Problem('layer/none', `${this.path}: has no layer ${table}.`, 'Reload the project.');
    const { changed, min_x, min_y, max_x, max_y } = row.data;
    const index = this.#indexOf(table, row.data.column);
    const extent =
      min_x === null || min_y === null || max_x === null || max_y === null
        ? this.#try(
            () =>
              database
                .prepare(`SELECT min(minx), min(miny), max(maxx), max(maxy) FROM ${quoteName(index)}`)
                .raw()
                .get() as (number | null)[],
          )
        : [min_x, min_y, max_x, max_y];
    return {
      table,
      crs: understood(row.data),
      extent: extent.every((value) => value !== null) ? (extent as ReadLayer['extent']) : null,
      changed,
    };
  }

  /** Number of polygons whose envelope touches the box (min x, min y, max x, max y). */
  count(table: string, box: readonly [number, number, number, number]): number {
    const index = this.#indexOf(table, this.#columns(table).geometry);
    return this.#try(
      () =>
        this.#reading.database
          .prepare(
            `SELECT count(*) FROM ${quoteName(index)} WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?`,
          )
          .pluck()
          .get(box[2], box[0], box[3], box[1]) as number,
    );
  }

  /** The polygons whose envelope touches the box; geometries of those that reach `small` on a side. */
  *polygons(
    table: string,
    box: readonly [number, number, number, number],
    small: number,
  ): Generator<FoundPolygon, void> {
    const { geometry, key, known } = this.#columns(table);
    const index = quoteName(this.#indexOf(table, geometry));
    const own = (name: string) => (known.has(name) ? `t.${quoteName(name)}` : 'NULL');
    const rows = this.#try(() =>
      this.#reading.database
        .prepare(
          `SELECT r.id, r.minx, r.maxx, r.miny, r.maxy, ${own('class_id')}, ${own('confidence')}, ${own('area_m2')},
             CASE WHEN max(r.maxx - r.minx, r.maxy - r.miny) >= ? THEN t.${quoteName(geometry)} END
           FROM ${index} r CROSS JOIN ${quoteName(table)} t ON t.${quoteName(key)} = r.id
           WHERE r.minx <= ? AND r.maxx >= ? AND r.miny <= ? AND r.maxy >= ?`,
        )
        .raw()
        .iterate(small, box[2], box[0], box[3], box[1]),
    ) as IterableIterator<unknown[]>;
    try {
      for (const [fid, minX, maxX, minY, maxY, classId, confidence, area, blob] of rows)
        yield {
          fid: fid as number,
          classId: finite(classId),
          confidence: finite(confidence),
          area: finite(area),
          envelope: [minX as number, maxX as number, minY as number, maxY as number],
          geometry: blob instanceof Uint8Array ? blob : null,
        };
    } catch (error) {
      throw sqliteProblem(error, this.path);
    }
  }

  close(): void {
    this.#reading.close();
  }

  #columns(table: string): { geometry: string; key: string; known: Set<string> } {
    return this.#try(() => {
      const { database } = this.#reading;
      const geometry = database
        .prepare('SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?')
        .pluck()
        .get(table) as string | undefined;
      if (geometry === undefined)
        throw new Problem('layer/none', `${this.path}: has no layer ${table}.`, 'Reload the project.');
      const columns = database.pragma(`table_info(${quoteName(table)})`) as { name: string; pk: number }[];
      const key = columns.find(({ pk }) => pk === 1)?.name ?? keyColumn;
      return { geometry, key, known: new Set(columns.map(({ name }) => name)) };
    });
  }

  #indexOf(table: string, column: string): string {
    const name = `rtree_${table}_${column}`;
    const found = this.#try(() =>
      this.#reading.database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(name),
    );
    if (found === undefined)
      throw new Problem(
        'layer/no-index',
        `${this.path}: layer ${table} has no spatial index.`,
        'Create one in a GIS program (in QGIS: Vector > Data Management Tools > Create Spatial Index).',
      );
    return name;
  }

  #try<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw sqliteProblem(error, this.path);
    }
  }
}

function finite(cell: unknown): number | null {
  return typeof cell === 'number' && Number.isFinite(cell) ? cell : null;
}

/** Throws `layer/unknown-crs` for a system that nothing can be drawn from. */
function understood(row: LayerCrsRow): Crs | null {
  const crs = crsOfRow(row);
  if (crs === null || crs.proj4 !== null || crs.epsg !== null) return crs;
  throw new Problem(
    'layer/unknown-crs',
    `The layer's reference system ${row.srs_name} is not understood.`,
    'Export the layer in another system in a GIS program.',
  );
}
