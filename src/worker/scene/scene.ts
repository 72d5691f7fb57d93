import type { Bands } from '../raster/bands.ts';
import type { Grid, Window } from '../raster/grid.ts';
import type { RadarProduct } from './radar-product.ts';

export interface BandHeader {
  name: string;
  /** `red`, `green`, `blue`, `near-infrared`, `alpha`, `grey`, `palette`, `VV`, … or null when the file does not say. */
  role: string | null;
  type: 'uint8' | 'int8' | 'uint16' | 'int16' | 'uint32' | 'int32' | 'float32' | 'float64' | 'complex';
  nodata: number | null;
}

export interface SceneHeader {
  path: string;
  /** `GeoTIFF`, `BigTIFF`, `PNG`, `JPEG`, … */
  format: string;
  grid: Grid;
  bands: BandHeader[];
  /** Size of each reduced image in the file, largest first; the scene itself is not among them. */
  overviews: { width: number; height: number }[];
  /** Ground size of a pixel in metres (geometric mean of both axes at the scene's centre), or null without a CRS. */
  groundSampleDistance: number | null;
  /** Compression, tiling and whatever else `info` prints. */
  details: Record<string, string>;
}

/** An opened raster. Every format is one file in this folder behind this interface. */
export interface Scene {
  readonly header: SceneHeader;
  /** Of radar products that bring their own tables. */
  readonly radar?: RadarProduct;
  /**
   * Pixels of `window` (level 0: the scene's pixels; level n: of overview n - 1), for the band indices given, 0-based.
   * Pixels outside the raster come back invalid. Palette scenes come back as their colours. Memory is bounded by the
   * window and a cache of decoded blocks.
   */
  read(window: Window, bands: readonly number[], level: number, signal?: AbortSignal): Promise<Bands>;
  close(): Promise<void>;
}
