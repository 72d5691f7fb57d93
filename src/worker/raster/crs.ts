/** A coordinate reference system as a raster declares it. */
export interface Crs {
  /** EPSG code, or null for a custom system. */
  epsg: number | null;
  /** Name a person knows: `ETRS89 / UTM zone 32N`. */
  name: string;
  kind: 'geographic' | 'projected' | 'other';
  /** Definition that proj4 understands, or null where none could be derived. */
  proj4: string | null;
  /** Well-known text (WKT 1, OGC), or null where none could be derived. */
  wkt: string | null;
  /** Metres per unit of a projected system (1 for metres, 0.3048 for feet); radians do not occur: geographic is in degrees. */
  metresPerUnit: number;
}
