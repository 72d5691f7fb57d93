import type { ClassEntry } from '../../worker/classmap/class-entry.ts';
import type { Crs } from '../../worker/raster/crs.ts';
import type { Provenance } from '../../worker/steps/provenance.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';

/** What every format needs to know before the first polygon. */
export interface LayerDescription {
  /** Layer name as GIS programs show it. */
  name: string;
  /** Of the polygons' coordinates; null: pixel coordinates. */
  crs: Crs | null;
  classes: readonly ClassEntry[];
  provenance: Provenance;
  /** Metres per pixel, if known; GeoJSON takes its number of decimals from it. */
  groundSampleDistance: number | null;
}

/** What was written, for the summary of a run. */
export interface LayerReport {
  format: string;
  /** Every file that belongs to the layer; the one to open comes first. */
  paths: string[];
  features: number;
  bytes: number;
  /** What the format could not keep: shortened names, unknown coordinates, … One sentence each. */
  notes: string[];
}

/**
 * Takes the polygons of one layer in batches and writes them to temporary files beside their targets. `seal`
 * completes them and forces them to disk, `publish` gives them their names. Whatever fails, `discard` leaves nothing
 * behind; it may be called at any time and more than once.
 */
export interface LayerWriter {
  readonly format: string;
  add(batch: readonly PolygonFeature[]): Promise<void>;
  seal(): Promise<LayerReport>;
  /** The sealed files, in the order in which they are renamed. */
  readonly files: readonly StagedOutput[];
  discard(): Promise<void>;
}

/** A complete file under a temporary name. */
export interface StagedOutput {
  readonly target: string;
  readonly temporary: string;
}
