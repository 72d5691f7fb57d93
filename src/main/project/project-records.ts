import * as z from 'zod';

export const json = z.record(z.string(), z.json());
export type Json = z.infer<typeof json>;

export interface ProjectScene {
  id: number;
  name: string;
  /** Absolute. */
  path: string;
  fingerprint: string;
  bytes: number;
  /** Bands, stretch, opacity, …: whatever the screen keeps. */
  display: Json;
}

/** A row of the prompts: a class to look for. */
export interface Prompt {
  name: string;
  words: string[];
  /** `#rrggbb`. */
  colour: string;
  /** Own threshold; null: the run's. */
  threshold: number | null;
}

export interface ProjectView {
  id: number;
  name: string;
  kind: 'map' | 'bookmark';
  state: Json;
}

/** A finished run with what it left. */
export interface ProjectRun {
  id: number;
  sceneId: number | null;
  /** Table of its polygons. */
  layer: string | null;
  request: Json;
  summary: Json;
  created: string;
  rasters: { id: number; kind: RasterKind; path: string; bytes: number }[];
}

export type RasterKind = 'class-map' | 'confidence' | 'overviews' | 'difference';

export interface ProjectLayer {
  table: string;
  identifier: string;
  srsId: number | null;
  /** Null where the file does not say. */
  features: number | null;
  /** min x, min y, max x, max y; null for an empty layer. */
  extent: [number, number, number, number] | null;
  /** Of its polygons, ISO 8601; changes with every edit. */
  lastChange: string;
}

const key = z.int();
const jsonText = z.string().transform((text) => json.parse(JSON.parse(text)));
export const settingRow = z.object({ key: z.string(), value: jsonText });
export const sceneRow = z.object({
  id: key,
  name: z.string(),
  path: z.string(),
  fingerprint: z.string(),
  bytes: z.number(),
  display: jsonText,
});
export const promptRow = z.object({
  name: z.string(),
  words: z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text))),
  colour: z.string(),
  threshold: z.number().nullable(),
});
export const viewRow = z.object({
  id: key,
  name: z.string(),
  kind: z.enum(['map', 'bookmark']),
  state: jsonText,
});
export const runRow = z.object({
  id: key,
  scene_id: key.nullable(),
  table_name: z.string().nullable(),
  request: jsonText,
  summary: jsonText,
  created: z.string(),
});
export const rasterRow = z.object({
  id: key,
  run_id: key.nullable(),
  kind: z.enum(['class-map', 'confidence', 'overviews', 'difference']),
  path: z.string(),
  bytes: z.number(),
});
export const layerRow = z.object({
  table_name: z.string(),
  identifier: z.string().nullable(),
  srs_id: z.number().nullable(),
  feature_count: z.number().nullable(),
  min_x: z.number().nullable(),
  min_y: z.number().nullable(),
  max_x: z.number().nullable(),
  max_y: z.number().nullable(),
  last_change: z.string(),
});
