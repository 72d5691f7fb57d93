import type { Box } from '../../main/rpc/base.ts';
import type { LivePicture } from '../../main/rpc/runs.ts';
import type { System } from '../../main/rpc/systems.ts';
import { createStore } from './store.ts';

/** What a click on the map does. */
export type Tool =
  | 'pan'
  | 'identify'
  | 'measure-line'
  | 'measure-area'
  | 'select'
  | 'extent'
  | 'split'
  | 'reshape';

/** A map view of the window. Centre and resolution are in `crs`, rotation in radians clockwise. */
export interface MapView {
  id: number;
  /** Null: the project's. */
  crs: string | null;
  centre: readonly [number, number];
  /** CRS units per screen pixel; 0 until the first layer sets it. */
  resolution: number;
  rotation: number;
  /** Ids of tree nodes that this view hides besides those hidden in the tree. */
  hidden: readonly string[];
  /** Scenes that this view moves, by their tree nodes: metres east and north, or pixels without a system. */
  shifts?: Readonly<Record<string, { east: number; north: number }>>;
}

/** What one window shows and does; not part of the project. */
export const session = createStore({
  tool: 'pan' as Tool,
  views: [{ id: 1, crs: null, centre: [0, 0], resolution: 0, rotation: 0, hidden: [] }] as readonly MapView[],
  activeView: 1,
  /** Views move together. */
  linked: true,
  /** Where the pointer is, in the project's CRS. */
  pointer: null as readonly [number, number] | null,
  /** Layers above the dragged line are cut away there: share of the width, null: off. */
  swipe: null as number | null,
  /** The tree node that is selected in the panel: `scene:1`, `layer:TABLE`, … */
  node: null as string | null,
  /** Selected polygons of one layer. */
  selection: { layer: null as string | null, fids: new Set<number>() as ReadonlySet<number> },
  /** Filter of a layer while its slider moves, before the project keeps it. */
  filtering: null as { node: string; confidence: number; area: number } | null,
  /** Where a run or a preview works: whole scene, the active view, or a box of a system. */
  extent: { kind: 'scene' } as
    | { kind: 'scene' }
    | { kind: 'view' }
    | { kind: 'box'; box: Box; system: System },
  /** The last preview, drawn above its scene. */
  preview: null as LivePicture | null,
  previewing: false,
  /** Share of the preview's view that is encoded, 0-1. */
  previewShare: 0,
  /** The encoded view, which answers other words at once; null: none is at hand. */
  live: null as string | null,
  /** Whether the preview follows every change of classes and thresholds. */
  livePreview: true,
  /** What is being typed, before it becomes words of the class in that row; row null: a new class. */
  draft: null as { row: number | null; words: string[] } | null,
  /** The word whose similarity is drawn in place of the preview. */
  heat: null as { word: string; picture: LivePicture; low: number; high: number } | null,
  /** Points of the map that were drawn as an example, and the class that they became. */
  example: null as { name: string; crs: string; points: readonly (readonly [number, number])[] } | null,
  /** A point that is to become an example, or to join the one before. */
  exampleWanted: null as { crs: string; point: readonly [number, number]; join: boolean } | null,
  /** Least confidence that the preview shows, 0-1. */
  previewConfidence: 0,
});
