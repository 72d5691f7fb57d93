import * as z from 'zod';
import { tileStyle } from '../../worker/tiles/style.ts';
import { box, call, crsName, id, label, path, plain } from './base.ts';

/** How a raster is drawn. */
export const rasterStyle = tileStyle;
export type RasterStyle = z.output<typeof rasterStyle>;

/** A scene's header as `landscribe info` tells it. */
export const sceneInfo = z.looseObject({
  path: z.string(),
  format: z.string(),
  width: z.int(),
  height: z.int(),
  bands: z.array(z.looseObject({})),
  crs: crsName,
  crsName: z.string().nullable(),
  /** Size of a pixel in units of the CRS. */
  pixelSize: z.tuple([z.number(), z.number()]).nullable(),
  unit: z.string().nullable(),
  /** Metres per pixel; null without a CRS. */
  groundSampleDistance: z.number().nullable(),
  /** In its own CRS. */
  extent: box,
  modality: z.enum(['optical', 'sar']),
  overviews: z.array(z.object({ width: z.int(), height: z.int() })),
  details: z.record(z.string(), z.string()),
});
export type SceneInfo = z.output<typeof sceneInfo>;

/** Of a sample of one band's valid values. */
const bandStatistics = z.object({
  band: z.int(),
  name: z.string(),
  minimum: z.number(),
  maximum: z.number(),
  mean: z.number(),
  deviation: z.number(),
  /** Values at 2 and 98 % of the sample. */
  low: z.number(),
  high: z.number(),
  /** 64 equal bins from `minimum` to `maximum`. */
  histogram: z.array(z.number()),
});
export type BandStatistics = z.output<typeof bandStatistics>;

export const scenes = {
  info: call.input(z.object({ path })).output(sceneInfo),
  /** Opens scenes into the project, made if there is none; the first sets the project's CRS. */
  add: call.input(z.object({ paths: z.array(path).min(1).max(1000) })).output(z.array(id)),
  remove: call.input(z.object({ id })).output(z.void()),
  change: call
    .input(
      z.object({
        id,
        name: z.string().min(1).max(500).optional(),
        style: rasterStyle.optional(),
        /** Assigns a system; never reprojects. */
        crs: crsName.nullable().optional(),
        display: plain.optional(),
        /** What the scene is taken for; null: what it says of itself. */
        modality: z.enum(['optical', 'sar']).nullable().optional(),
        /** Fields of the radar recipe that are not those proposed for it; null: none. */
        radar: plain.nullable().optional(),
        label,
      }),
    )
    .output(z.void()),
  statistics: call
    .input(z.object({ id, bands: z.array(z.int().min(0)).max(64) }))
    .output(z.array(bandStatistics)),
  /** Values of every band under a point, null where there is no data. */
  identify: call
    .input(z.object({ id, crs: crsName, x: z.number(), y: z.number() }))
    .output(z.object({ column: z.int(), row: z.int(), values: z.array(z.number().nullable()) }).nullable()),
  /** How runs with this pack will look at a scene. */
  preparation: call.input(z.object({ id, pack: z.string() })).output(
    z.object({
      modality: z.enum(['optical', 'sar']),
      /** The recipe, and what would be proposed without the user's changes; null where nothing prepares the pixels. */
      recipe: plain.nullable(),
      proposed: plain.nullable(),
      /** Composites that the scene has the bands for. */
      composites: z.array(z.string()),
      /** Whether the product brings tables for calibration, and for thermal noise that is still in it. */
      calibration: z.boolean(),
      noise: z.boolean(),
      /** Sentences: the steps, the encoder and why, warnings. */
      notes: z.array(z.string()),
    }),
  ),
  /**
   * How far `second` lies from `first` where both show the same ground: metres (pixels without a CRS) east and north,
   * and how sure that is, 0-1.
   */
  shift: call.input(z.object({ first: id, second: id })).output(
    z.object({
      east: z.number(),
      north: z.number(),
      /** In pixels of the coarser scene. */
      pixels: z.number(),
      confidence: z.number(),
      windows: z.int(),
    }),
  ),
};
