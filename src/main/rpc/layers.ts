import * as z from 'zod';
import { box, call, colour, crsName, id, label, line, path } from './base.ts';

export const table = z.string().min(1).max(200);
const fid = z.int();
const fids = z.array(fid).min(1).max(1_000_000);

export const layerClass = z.object({
  id: z.int(),
  name: z.string(),
  words: z.array(z.string()),
  colour,
});
export type LayerClass = z.output<typeof layerClass>;

/** One polygon: attributes, and rings in the asked system, exterior first. */
export const polygon = z.object({
  fid,
  classId: z.int(),
  className: z.string(),
  confidence: z.number(),
  /** Square metres; pixels² without a CRS. */
  area: z.number(),
  /** Metres; pixels without a CRS. */
  perimeter: z.number(),
  rings: z.array(line),
});
export type Polygon = z.output<typeof polygon>;

/** Live filter of a layer: polygons below either are hidden, never removed. */
export const layerFilter = z.object({ confidence: z.number().min(0).max(1), area: z.number().min(0) });

/** Polygons as the map shows them: `hidden` are classes that are switched off in the legend. */
const shownInBox = z.object({
  layer: table,
  crs: crsName,
  box,
  filter: layerFilter,
  hidden: z.array(z.int()).optional(),
});

const exportRequest = z.object({
  layer: table,
  /** Base name; each format adds its ending. */
  out: path,
  formats: z.array(z.enum(['gpkg', 'geojson', 'shp', 'tif'])).min(1),
  /** null: the layer's own. GeoJSON is always longitude and latitude. */
  crs: crsName.nullable(),
  /** null: all. */
  fids: fids.nullable(),
  filter: layerFilter,
  /** Metres; shared borders are simplified together. */
  simplify: z.number().min(0),
  overwrite: z.boolean(),
});
export type ExportRequest = z.output<typeof exportRequest>;

export const layers = {
  /** Polygons at a point, topmost first, or in a box. `rings` in `crs`. */
  at: call.input(shownInBox.extend({ limit: z.int().min(1).max(1000) })).output(z.array(polygon)),
  /** Polygons that touch the box, by number. */
  touching: call.input(shownInBox).output(z.array(fid)),
  polygon: call.input(z.object({ layer: table, fid, crs: crsName })).output(polygon),
  /** Of the polygons together, in `crs`; null for none. */
  extent: call.input(z.object({ layer: table, fids, crs: crsName })).output(box.nullable()),
  changeClass: call.input(z.object({ layer: table, fids, classId: z.int() })).output(z.void()),
  remove: call.input(z.object({ layer: table, fids })).output(z.void()),
  merge: call.input(z.object({ layer: table, fids })).output(z.object({ fid })),
  split: call
    .input(z.object({ layer: table, fid, crs: crsName, line }))
    .output(z.object({ fids: z.array(fid) })),
  reshape: call
    .input(z.object({ layer: table, fid, crs: crsName, rings: z.array(line).min(1) }))
    .output(z.void()),
  /** Names and colours of the classes; the file's styles follow, so that QGIS shows the same. */
  style: call
    .input(
      z.object({
        layer: table,
        classes: z.array(layerClass.pick({ id: true, name: true, colour: true })),
        label,
      }),
    )
    .output(z.void()),
  rename: call.input(z.object({ layer: table, name: z.string().min(1).max(200) })).output(z.void()),
  /** Removes the layer from the project's file, with undo. */
  drop: call.input(z.object({ layer: table })).output(z.void()),
  /** Queues the export. */
  export: call.input(exportRequest).output(z.object({ jobId: id })),
  /** Number of vertices before and after simplifying, over the polygons of the box. */
  simplified: call
    .input(z.object({ layer: table, crs: crsName, box, metres: z.number().min(0) }))
    .output(z.object({ before: z.int(), after: z.int(), polygons: z.array(z.array(line)) })),
  /**
   * Where the class map of one layer's run says a class and that of another's does not: a raster of the project, with
   * the areas of both, only the first and only the second, in square metres.
   */
  difference: call
    .input(
      z.object({ first: table, firstClass: z.int(), second: table, secondClass: z.int(), name: z.string() }),
    )
    .output(z.object({ jobId: id })),
};
