import type { RadarTables } from './safe/radar-tables.ts';

/** What a scene knows of the radar that made it, beyond its pixels. */
export interface RadarProduct {
  /** What the pixels hold: the magnitude of the complex image. */
  quantity: 'amplitude';
  /** Looks averaged in a pixel, nominal; they overlap, so fewer are independent (4.4 of 5 in IW GRDH products). */
  looks: number;
  /** Metres along range (columns, on the ground or slanted) and azimuth (rows). */
  spacing: { range: number; azimuth: number };
  /** Whether thermal noise was already taken off. */
  noiseRemoved: boolean;
  /** Tables of a band, read when first asked for. Null where the product has no calibration annotation. */
  tables(band: number): Promise<RadarTables | null>;
}
