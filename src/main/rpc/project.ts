import * as z from 'zod';
import { box, call, crsName, id, label, path, plain } from './base.ts';
import { layerClass, layerFilter, table } from './layers.ts';
import { prompt } from './prompts.ts';
import { rasterStyle, sceneInfo } from './scenes.ts';
import { system } from './systems.ts';

const projectScene = z.object({
  id,
  name: z.string(),
  path,
  /** Null while its file is missing or cannot be read; `problem` says why. */
  info: sceneInfo.nullable(),
  problem: z.string().nullable(),
  style: rasterStyle.nullable(),
  /** In the project's CRS. */
  extent: box.nullable(),
  /** Changes with the file, for addresses of tiles. */
  version: z.string(),
  display: plain,
  /** What the user takes the scene for; null: what it says of itself. */
  modality: z.enum(['optical', 'sar']).nullable(),
  /** Fields of the radar recipe that the user has changed. */
  radar: plain.nullable(),
});
export type ProjectScene = z.output<typeof projectScene>;

const projectLayer = z.object({
  table,
  name: z.string(),
  crs: crsName,
  /** In the project's CRS. */
  extent: box.nullable(),
  features: z.int(),
  classes: z.array(layerClass),
  /** Scene, prompts, pack, settings, date, program. */
  provenance: plain,
  runId: id.nullable(),
  /** Changes with every edit, for addresses of tiles and columns. */
  version: z.string(),
});
export type ProjectLayer = z.output<typeof projectLayer>;

/** A raster of a run: class map, confidence, difference. */
const projectRaster = z.object({
  id,
  runId: id,
  kind: z.enum(['class-map', 'confidence', 'difference']),
  name: z.string(),
  path,
  crs: crsName,
  extent: box.nullable(),
  style: rasterStyle,
  classes: z.array(layerClass),
  missing: z.boolean(),
  version: z.string(),
  /** Of a difference: what each class covers, and pixels that the second map does not reach. */
  areas: z
    .object({
      unit: z.enum(['m²', 'pixels']),
      rows: z.array(z.object({ id: z.int(), name: z.string(), area: z.number() })),
      outside: z.int(),
    })
    .nullable(),
});
export type ProjectRaster = z.output<typeof projectRaster>;

/** The layer tree, topmost first. */
export type TreeNode =
  | { kind: 'group'; id: string; name: string; open: boolean; visible: boolean; children: TreeNode[] }
  | {
      kind: 'scene' | 'raster' | 'layer';
      /** `scene:1`, `raster:4`, `layer:TABLE`. */
      id: string;
      visible: boolean;
      /** 0-1. */
      opacity: number;
      open: boolean;
      /** Layers only. */
      filter?: z.output<typeof layerFilter> | undefined;
      /** Class ids that are switched off in the legend. */
      hidden?: number[] | undefined;
    };
export const treeNode: z.ZodType<TreeNode> = z.lazy(() =>
  z.union([
    z.object({
      kind: z.literal('group'),
      id: z.string(),
      name: z.string(),
      open: z.boolean(),
      visible: z.boolean(),
      children: z.array(treeNode),
    }),
    z.object({
      kind: z.enum(['scene', 'raster', 'layer']),
      id: z.string(),
      visible: z.boolean(),
      opacity: z.number().min(0).max(1),
      open: z.boolean(),
      filter: layerFilter.optional(),
      hidden: z.array(z.int()).optional(),
    }),
  ]),
);

const projectView = z.object({
  id,
  name: z.string(),
  kind: z.enum(['map', 'bookmark']),
  state: plain,
});
export type ProjectView = z.output<typeof projectView>;

const missingFile = z.object({
  kind: z.enum(['scene', 'raster']),
  id,
  name: z.string(),
  path,
  /** Where it was found by its name, if it was. */
  found: path.nullable(),
});
export type MissingFile = z.output<typeof missingFile>;

/** All of a project that a window shows, but for polygons and pixels. */
const projectState = z.object({
  path,
  name: z.string(),
  /** Not yet given a place by the user; lies among the program's own files until then. */
  untitled: z.boolean(),
  access: z.enum(['write', 'read']),
  /** Why it may only be read, what was migrated or repaired. */
  notes: z.array(z.string()),
  system,
  scenes: z.array(projectScene),
  layers: z.array(projectLayer),
  rasters: z.array(projectRaster),
  tree: z.array(treeNode),
  prompts: z.array(prompt),
  views: z.array(projectView),
  missing: z.array(missingFile),
  /** Labels for the menu. */
  undo: z.string().nullable(),
  redo: z.string().nullable(),
  /** Kept for the screen: background class, run settings, … */
  settings: plain,
  revision: z.int(),
});
export type ProjectState = z.output<typeof projectState>;

export const project = {
  /** Null: no project is open. */
  state: call.output(projectState.nullable()),
  create: call.input(z.object({ path, overwrite: z.boolean() })).output(z.void()),
  open: call.input(z.object({ path })).output(z.void()),
  saveAs: call.input(z.object({ path, overwrite: z.boolean() })).output(z.void()),
  close: call.output(z.void()),
  recent: call.output(z.array(z.object({ path, name: z.string(), opened: z.string(), exists: z.boolean() }))),
  undo: call.output(z.string().nullable()),
  redo: call.output(z.string().nullable()),
  saveTree: call.input(z.object({ tree: z.array(treeNode), label })).output(z.void()),
  saveCrs: call.input(z.object({ crs: crsName })).output(z.void()),
  saveSetting: call
    .input(z.object({ key: z.string().min(1).max(200), value: z.json(), label }))
    .output(z.void()),
  saveView: call.input(projectView.partial({ id: true })).output(z.object({ id })),
  removeView: call.input(z.object({ id })).output(z.void()),
  relink: call.input(z.object({ kind: z.enum(['scene', 'raster']), id, path })).output(z.void()),
};
