import Database from 'better-sqlite3';
import * as z from 'zod';
import type { Crs } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import type { PolygonLayerDescription } from './geopackage.ts';
import { decodePolygon } from './geopackage-geometry.ts';
import { geometryColumn, keyColumn, quoteName } from './geopackage-schema.ts';
import { type LayerCrsRow, layerCrsColumns, layerCrsRow } from './layer-crs.ts';
import { sqliteProblem } from './sqlite-problem.ts';
import { storedProvenance } from './stored-provenance.ts';

const layerRow = layerCrsRow.extend({
  table_name: z.string(),
  description: z.string(),
  qml: z.string(),
  sld: z.string(),
  style: z.string(),
  metadata: z.string(),
});

const polygonRow = z.object({
  geom: z.instanceof(Uint8Array),
  class_id: z.int(),
  confidence: z.number(),
  area_m2: z.number(),
  perimeter_m: z.number(),
});

const batchSize = 1000;

/** A GeoPackage with one layer, as a run writes it, to be taken into a project. */
export class LayerFile {
  readonly description: Omit<PolygonLayerDescription, 'name'>;
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #table: string;

  /** Throws `layer/unreadable` for a file that is none of ours. */
  constructor(path: string) {
    this.#path = path;
    const database = this.#reading(() => new Database(path, { readonly: true, fileMustExist: true }));
    this.#database = database;
    try {
      const row = this.#reading(() =>
        layerRow.parse(
          database
            .prepare(
              `SELECT c.table_name, c.description, ${layerCrsColumns}, l.styleQML AS qml, l.styleSLD AS sld, l.styleName AS style, m.metadata
               FROM gpkg_contents c
               JOIN gpkg_spatial_ref_sys s ON s.srs_id = c.srs_id
               JOIN layer_styles l ON l.f_table_name = c.table_name
               JOIN gpkg_metadata_reference r ON r.table_name = c.table_name
               JOIN gpkg_metadata m ON m.id = r.md_file_id
               WHERE c.data_type = 'features'`,
            )
            .get(),
        ),
      );
      this.#table = row.table_name;
      const made = this.#reading(() => storedProvenance.parse(JSON.parse(row.metadata)));
      this.description = {
        description: row.description,
        crs: crsAsWritten(row),
        classes: made.classes,
        provenance: made,
        style: { name: row.style, qml: row.qml, sld: row.sld },
      };
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** The polygons in their order, a thousand at a time. */
  *batches(): Generator<PolygonFeature[]> {
    const key = quoteName(keyColumn);
    const rows = this.#database.prepare(
      `SELECT ${key} AS fid, ${quoteName(geometryColumn)} AS geom, class_id, confidence, area_m2, perimeter_m
       FROM ${quoteName(this.#table)} WHERE ${key} > ? ORDER BY ${key} LIMIT ${batchSize}`,
    );
    for (let last = Number.MIN_SAFE_INTEGER; ; ) {
      const found = this.#reading(() => rows.all(last)) as { fid: number }[];
      if (found.length === 0) return;
      yield found.map((row) =>
        this.#reading(() => {
          const { geom, class_id, confidence, area_m2, perimeter_m } = polygonRow.parse(row);
          const { rings } = decodePolygon(geom);
          return { classId: class_id, confidence, area: area_m2, perimeter: perimeter_m, rings };
        }),
      );
      last = found.at(-1)!.fid;
    }
  }

  close(): void {
    this.#database.close();
  }

  #reading<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof z.ZodError || error instanceof RangeError || error instanceof SyntaxError)
        throw new Problem(
          'layer/unreadable',
          `${this.#path}: holds no layer that Landscribe wrote.`,
          'Add it as a layer of its own instead.',
          error,
        );
      throw sqliteProblem(error, this.#path);
    }
  }
}

/** Enough of the system to enter it into another file as it stands in this one. */
function crsAsWritten(row: LayerCrsRow): Crs | null {
  if (row.srs_id === -1) return null;
  return {
    epsg: row.organization.toUpperCase() === 'EPSG' ? row.code : null,
    name: row.srs_name,
    kind: 'other',
    proj4: row.proj4,
    wkt: row.definition === 'undefined' ? null : row.definition,
    metresPerUnit: 1,
  };
}
