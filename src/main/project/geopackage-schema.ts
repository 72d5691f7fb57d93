/**
 * The SQL of a GeoPackage 1.3 (OGC 12-128r17, annexes C and F) and of the tables that GIS programs add to it. Names
 * that come from outside pass through `quoteName` and `quoteText`.
 */

/** "GPKG" and 1.3.0, as SQLite's header carries them. */
export const applicationId = 0x47504b47;
export const userVersion = 10300;

export const spatialReferenceTable = `
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL,
  definition TEXT NOT NULL,
  description TEXT
);`;

/** The three rows every GeoPackage must have. */
export const requiredSpatialReferences = [
  ['Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'],
  ['Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system'],
  [
    'WGS 84 geodetic',
    4326,
    'EPSG',
    4326,
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]',
    'longitude/latitude coordinates in decimal degrees on the WGS 84 spheroid',
  ],
] as const;

/** First `srs_id` of systems without an EPSG code; EPSG codes are below it. */
export const firstCustomSrsId = 100_000;

export const contentsTables = `
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY,
  data_type TEXT NOT NULL,
  identifier TEXT UNIQUE,
  description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE,
  min_y DOUBLE,
  max_x DOUBLE,
  max_y DOUBLE,
  srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
);
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL,
  m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id)
);
CREATE TABLE gpkg_extensions (
  table_name TEXT,
  column_name TEXT,
  extension_name TEXT NOT NULL,
  definition TEXT NOT NULL,
  scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
);`;

export const metadataTables = `
CREATE TABLE gpkg_metadata (
  id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL,
  md_scope TEXT NOT NULL DEFAULT 'dataset',
  md_standard_uri TEXT NOT NULL,
  mime_type TEXT NOT NULL DEFAULT 'text/xml',
  metadata TEXT NOT NULL DEFAULT ''
);
CREATE TABLE gpkg_metadata_reference (
  reference_scope TEXT NOT NULL,
  table_name TEXT,
  column_name TEXT,
  row_id_value INTEGER,
  timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  md_file_id INTEGER NOT NULL,
  md_parent_id INTEGER,
  CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
  CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id)
);`;

/** As QGIS creates it when a style is saved into the database. */
export const layerStylesTable = `
CREATE TABLE "layer_styles" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "f_table_catalog" TEXT(256),
  "f_table_schema" TEXT(256),
  "f_table_name" TEXT(256),
  "f_geometry_column" TEXT(256),
  "styleName" TEXT(30),
  "styleQML" TEXT,
  "styleSLD" TEXT,
  "useAsDefault" BOOLEAN,
  "description" TEXT,
  "owner" TEXT(30),
  "ui" TEXT(30),
  "update_time" DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
);`;

/** GDAL's own table: with it, opening a large layer does not count all rows. */
export const featureCountTable = `
CREATE TABLE gpkg_ogr_contents (table_name TEXT NOT NULL PRIMARY KEY, feature_count INTEGER DEFAULT NULL);`;

export const rtreeDefinition = 'http://www.geopackage.org/spec130/#extension_rtree';
export const metadataDefinition = 'http://www.geopackage.org/spec130/#extension_metadata';

export const geometryColumn = 'geom';
export const keyColumn = 'fid';

/** A result layer: one row a polygon. */
export function polygonTable(table: string): string {
  return `
CREATE TABLE ${quoteName(table)} (
  ${quoteName(keyColumn)} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  ${quoteName(geometryColumn)} POLYGON,
  "class_id" MEDIUMINT,
  "class_name" TEXT,
  "confidence" DOUBLE,
  "area_m2" DOUBLE,
  "perimeter_m" DOUBLE
);`;
}

export function insertPolygon(table: string): string {
  return `INSERT INTO ${quoteName(table)} (${quoteName(geometryColumn)}, "class_id", "class_name", "confidence", "area_m2", "perimeter_m") VALUES (?, ?, ?, ?, ?, ?)`;
}

export function rtreeName(table: string): string {
  return `rtree_${table}_${geometryColumn}`;
}

export function rtreeTable(table: string): string {
  return `CREATE VIRTUAL TABLE ${quoteName(rtreeName(table))} USING rtree(id, minx, maxx, miny, maxy)`;
}

/**
 * The six triggers of annex F.3 that keep the R-tree true to later edits. They call ST_IsEmpty, ST_MinX, …, which
 * GIS programs bring along; a connection of ours that edits a layer needs `registerSpatialFunctions` first.
 */
export function rtreeTriggers(table: string): string {
  const t = quoteName(table);
  const c = quoteName(geometryColumn);
  const i = quoteName(keyColumn);
  const index = quoteName(rtreeName(table));
  const trigger = (suffix: string) => quoteName(`${rtreeName(table)}_${suffix}`);
  const insert = `INSERT OR REPLACE INTO ${index} VALUES (
    NEW.${i},
    ST_MinX(NEW.${c}), ST_MaxX(NEW.${c}),
    ST_MinY(NEW.${c}), ST_MaxY(NEW.${c})
  );`;
  return `
CREATE TRIGGER ${trigger('insert')} AFTER INSERT ON ${t}
  WHEN (new.${c} NOT NULL AND NOT ST_IsEmpty(NEW.${c}))
BEGIN
  ${insert}
END;
CREATE TRIGGER ${trigger('update1')} AFTER UPDATE OF ${c} ON ${t}
  WHEN OLD.${i} = NEW.${i} AND
       (NEW.${c} NOTNULL AND NOT ST_IsEmpty(NEW.${c}))
BEGIN
  ${insert}
END;
CREATE TRIGGER ${trigger('update2')} AFTER UPDATE OF ${c} ON ${t}
  WHEN OLD.${i} = NEW.${i} AND
       (NEW.${c} ISNULL OR ST_IsEmpty(NEW.${c}))
BEGIN
  DELETE FROM ${index} WHERE id = OLD.${i};
END;
CREATE TRIGGER ${trigger('update3')} AFTER UPDATE ON ${t}
  WHEN OLD.${i} != NEW.${i} AND
       (NEW.${c} NOTNULL AND NOT ST_IsEmpty(NEW.${c}))
BEGIN
  DELETE FROM ${index} WHERE id = OLD.${i};
  ${insert}
END;
CREATE TRIGGER ${trigger('update4')} AFTER UPDATE ON ${t}
  WHEN OLD.${i} != NEW.${i} AND
       (NEW.${c} ISNULL OR ST_IsEmpty(NEW.${c}))
BEGIN
  DELETE FROM ${index} WHERE id IN (OLD.${i}, NEW.${i});
END;
CREATE TRIGGER ${trigger('delete')} AFTER DELETE ON ${t}
  WHEN old.${c} NOT NULL
BEGIN
  DELETE FROM ${index} WHERE id = OLD.${i};
END;`;
}

/** Keeps `gpkg_ogr_contents` true to later edits, as GDAL does. */
export function featureCountTriggers(table: string): string {
  const name = quoteText(table);
  const change = (by: string) =>
    `UPDATE gpkg_ogr_contents SET feature_count = feature_count ${by} WHERE lower(table_name) = lower(${name});`;
  return `
CREATE TRIGGER ${quoteName(`trigger_insert_feature_count_${table}`)} AFTER INSERT ON ${quoteName(table)}
BEGIN ${change('+ 1')} END;
CREATE TRIGGER ${quoteName(`trigger_delete_feature_count_${table}`)} AFTER DELETE ON ${quoteName(table)}
BEGIN ${change('- 1')} END;`;
}

/**
 * A table name from a layer name: letters, digits and `_` stay, the rest becomes `_`; prefixes that SQLite or the
 * standard keep for themselves get a `layer_` before them.
 */
export function tableName(layer: string): string {
  const characters = layer.normalize('NFC').replace(/[^\p{L}\p{M}\p{N}_]+/gu, '_');
  const name = Array.from(characters).slice(0, 100).join('');
  if (name === '' || /^(\p{N}|gpkg_|rtree_|sqlite_|layer_styles$)/iu.test(name)) return `layer_${name}`;
  return name;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
