import type OlMap from 'ol/Map.js';
import type { LayerStack } from './layer-stack.ts';
import type { MapSystem } from './projection.ts';

/** A map of the window, while it is mounted. */
export interface OpenMap {
  map: OlMap;
  stack: LayerStack;
  /** The view's own system. */
  system(): MapSystem;
  /** Places seen before and after, for zoom last and zoom next. */
  past: { centre: [number, number]; resolution: number }[];
  future: { centre: [number, number]; resolution: number }[];
  /** Where the last of these steps went: no new place to keep. */
  stepped: { centre: [number, number]; resolution: number } | null;
  cancelTool(): void;
}

/** The maps of this window by view. */
export const openMaps = new Map<number, OpenMap>();
