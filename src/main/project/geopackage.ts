import Database from 'better-sqlite3';
import type { ClassEntry } from '../../worker/classmap/class-entry.ts';
import type { Crs } from '../../worker/raster/crs.ts';
import type { Provenance } from '../../worker/steps/provenance.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import { blobEnvelope, PolygonEncoder } from './geopackage-geometry.ts';
import * as schema from './geopackage-schema.ts';
import { RtreeBulkLoader } from './rtree-bulk.ts';

export interface LayerStyle {
  /** At most 30 characters: the column's width. */
  name: string;
  qml: string;
  sld: string;
}

export interface PolygonLayerDescription {
  /** Becomes the table's name, see `tableName`. */
  name: string;
  description: string;
  crs: Crs | null;
  classes: readonly ClassEntry[];
  provenance: Provenance;
  style: LayerStyle;
}

/**
 * Opens `path` as a new, empty GeoPackage that nobody else sees yet: no journal, no syncs. A failure leaves a file
 * to be deleted, and what is written must be synced by the caller after `close`.
 */
export function createPrivateGeoPackage(path: string): Database.Database {
  const database = new Database(path);
  try {
    database.pragma('journal_mode = OFF');
    database.pragma('synchronous = OFF');
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('cache_size = -65536');
    createGeoPackageTables(database);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Makes an empty database a GeoPackage: identity, the tables the standard requires, styles, metadata, counts. */
function createGeoPackageTables(database: Database.Database): void {
  database.pragma(`application_id = ${schema.applicationId}`);
  database.pragma(`user_version = ${schema.userVersion}`);
  database.transaction(() => {
    database.exec(schema.spatialReferenceTable + schema.contentsTables + schema.metadataTables);
    const reference = database.prepare('INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)');
    for (const row of schema.requiredSpatialReferences) reference.run(...row);
    const extension = database.prepare('INSERT INTO gpkg_extensions VALUES (?, NULL, ?, ?, ?)');
    for (const table of ['gpkg_metadata', 'gpkg_metadata_reference'])
      extension.run(table, 'gpkg_metadata', schema.metadataDefinition, 'read-write');
    database.exec(schema.layerStylesTable + schema.featureCountTable);
    database
      .prepare(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('layer_styles', 'attributes', 'layer_styles')",
      )
      .run();
    database.prepare('INSERT INTO gpkg_ogr_contents VALUES (?, 0)').run('layer_styles');
    database.exec(schema.featureCountTriggers('layer_styles'));
  })();
}

/**
 * The `srs_id` of a reference system, entered if it is new: its EPSG code; a number from 100,000 for a custom one;
 * -1 without any.
 */
export function addSpatialReference(database: Database.Database, crs: Crs | null): number {
  if (!crs) return -1;
  // A system known by name only is still told from others; GDAL warns about definitions it cannot parse.
  const definition =
    crs.wkt ?? `LOCAL_CS["${crs.name.replaceAll('"', "'")}",UNIT["metre",${crs.metresPerUnit}]]`;
  const insert = database.prepare('INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)');
  if (crs.epsg !== null) {
    insert.run(crs.name, crs.epsg, 'EPSG', crs.epsg, crs.wkt ?? 'undefined', crs.proj4);
    return crs.epsg;
  }
  const known = database
    .prepare(
      "SELECT srs_id FROM gpkg_spatial_ref_sys WHERE organization = 'NONE' AND srs_id >= ? AND definition = ? AND srs_name = ?",
    )
    .pluck()
    .get(schema.firstCustomSrsId, definition, crs.name) as number | undefined;
  if (known !== undefined) return known;
  const id = database
    .prepare('SELECT max(? - 1, max(srs_id)) + 1 FROM gpkg_spatial_ref_sys')
    .pluck()
    .get(schema.firstCustomSrsId) as number;
  insert.run(crs.name, id, 'NONE', id, definition, crs.proj4);
  return id;
}

/** The SQL functions that the R-tree triggers call, for a connection that edits layers. */
export function registerSpatialFunctions(database: Database.Database): void {
  const bound = (index: number) => (blob: unknown) =>
    blob instanceof Uint8Array ? (blobEnvelope(blob)?.[index] ?? null) : null;
  const options = { deterministic: true };
  database.function('ST_IsEmpty', options, (blob: unknown) =>
    blob instanceof Uint8Array ? Number(blobEnvelope(blob) === null) : null,
  );
  ['ST_MinX', 'ST_MaxX', 'ST_MinY', 'ST_MaxY'].forEach((name, index) => {
    database.function(name, options, bound(index));
  });
}

/**
 * A new feature table of polygons with everything that belongs to it. `add` as often as there are batches, each a
 * transaction; `finish` once: the layer's triggers, extent and count come then, so that filling is not slowed by them.
 */
export class PolygonLayer {
  readonly table: string;
  readonly #database: Database.Database;
  readonly #insert: Database.Statement;
  readonly #index: RtreeBulkLoader;
  readonly #encoder: PolygonEncoder;
  readonly #names: Map<number, string>;
  readonly #extent = [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  #count = 0;

  /** Throws if the database has a table of that name already. */
  constructor(database: Database.Database, description: PolygonLayerDescription) {
    const { crs, classes, provenance, style } = description;
    const table = schema.tableName(description.name);
    this.table = table;
    this.#database = database;
    this.#names = new Map(classes.map((entry) => [entry.id, entry.name]));
    const srsId = database.transaction(() => {
      const id = addSpatialReference(database, crs);
      database.exec(schema.polygonTable(table));
      database
        .prepare(
          "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES (?, 'features', ?, ?, ?)",
        )
        .run(table, description.name, description.description, id);
      database
        .prepare("INSERT INTO gpkg_geometry_columns VALUES (?, ?, 'POLYGON', ?, 0, 0)")
        .run(table, schema.geometryColumn, id);
      database.exec(schema.rtreeTable(table));
      database
        .prepare("INSERT INTO gpkg_extensions VALUES (?, ?, 'gpkg_rtree_index', ?, 'write-only')")
        .run(table, schema.geometryColumn, schema.rtreeDefinition);
      database
        .prepare(
          "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, ?, ?, ?, ?, 1, ?, '')",
        )
        .run(table, schema.geometryColumn, style.name.slice(0, 30), style.qml, style.sld, 'Class colours');
      const { lastInsertRowid } = database
        .prepare(
          "INSERT INTO gpkg_metadata (md_scope, md_standard_uri, mime_type, metadata) VALUES ('dataset', 'urn:landscribe:provenance:1', 'application/json', ?)",
        )
        .run(JSON.stringify(provenance));
      database
        .prepare(
          "INSERT INTO gpkg_metadata_reference (reference_scope, table_name, md_file_id) VALUES ('table', ?, ?)",
        )
        .run(table, lastInsertRowid);
      return id;
    })();
    this.#insert = database.prepare(schema.insertPolygon(table));
    this.#index = new RtreeBulkLoader(database, schema.rtreeName(table));
    this.#encoder = new PolygonEncoder(srsId);
  }

  add(batch: readonly PolygonFeature[]): void {
    this.#database.transaction(() => {
      const { envelope } = this.#encoder;
      const extent = this.#extent;
      for (const feature of batch) {
        const name = this.#names.get(feature.classId);
        if (name === undefined) throw new Error(`class ${feature.classId} is not among the classes`);
        const blob = this.#encoder.encode(feature.rings);
        this.#insert.run(blob, feature.classId, name, feature.confidence, feature.area, feature.perimeter);
        // Rows of a new table are numbered from 1.
        this.#index.add(++this.#count, envelope);
        for (let i = 0; i < 4; i += 2) {
          if (envelope[i] < extent[i]) extent[i] = envelope[i];
          if (envelope[i + 1] > extent[i + 1]) extent[i + 1] = envelope[i + 1];
        }
      }
    })();
  }

  /** Returns the number of polygons in the table. */
  finish(): number {
    const [minX, maxX, minY, maxY] = this.#count > 0 ? this.#extent : [null, null, null, null];
    this.#database.transaction(() => {
      this.#index.finish();
      this.#database
        .prepare(
          "UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ?, last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE table_name = ?",
        )
        .run(minX, minY, maxX, maxY, this.table);
      this.#database.prepare('INSERT INTO gpkg_ogr_contents VALUES (?, ?)').run(this.table, this.#count);
      this.#database.exec(schema.rtreeTriggers(this.table) + schema.featureCountTriggers(this.table));
    })();
    return this.#count;
  }
}
