import type { ClassEntry } from '../classmap/class-entry.ts';

/** The land cover of a synthetic scene; ids as in its true map. Colours: Okabe-Ito and Tol, told apart by colour-blind eyes. */
export const syntheticClasses: readonly ClassEntry[] = [
  { id: 1, name: 'building', words: ['building', 'house', 'roof'], colour: '#d55e00' },
  { id: 2, name: 'road', words: ['road', 'street'], colour: '#404040' },
  { id: 3, name: 'tree', words: ['tree', 'forest'], colour: '#00734f' },
  { id: 4, name: 'grass', words: ['grass', 'meadow'], colour: '#8fce4a' },
  { id: 5, name: 'water', words: ['water', 'river', 'lake'], colour: '#0072b2' },
  { id: 6, name: 'cropland', words: ['cropland', 'field'], colour: '#f0e442' },
  { id: 7, name: 'bare soil', words: ['bare soil', 'sand'], colour: '#c49a6c' },
  { id: 8, name: 'pavement', words: ['pavement', 'parking lot'], colour: '#cc79a7' },
];

/** What a pixel shows, finer than its class. */
export interface Kind {
  id: number;
  name: string;
  classId: number;
}

/** Ids of the kinds; 0 does not occur in a finished scene. */
export const kind = {
  house: 1,
  hall: 2,
  block: 3,
  asphalt: 4,
  track: 5,
  pavement: 6,
  forest: 7,
  tree: 8,
  hedge: 9,
  meadow: 10,
  lawn: 11,
  river: 12,
  lake: 13,
  pool: 14,
  greenCrop: 15,
  ripeCrop: 16,
  ploughed: 17,
  soil: 18,
  sand: 19,
  sea: 20,
} as const;

export const syntheticKinds: readonly Kind[] = [
  { id: kind.house, name: 'house', classId: 1 },
  { id: kind.hall, name: 'warehouse', classId: 1 },
  { id: kind.block, name: 'apartment block', classId: 1 },
  { id: kind.asphalt, name: 'asphalt road', classId: 2 },
  { id: kind.track, name: 'dirt track', classId: 2 },
  { id: kind.pavement, name: 'pavement', classId: 8 },
  { id: kind.forest, name: 'forest', classId: 3 },
  { id: kind.tree, name: 'tree', classId: 3 },
  { id: kind.hedge, name: 'shrub', classId: 3 },
  { id: kind.meadow, name: 'meadow', classId: 4 },
  { id: kind.lawn, name: 'lawn', classId: 4 },
  { id: kind.river, name: 'river', classId: 5 },
  { id: kind.lake, name: 'lake', classId: 5 },
  { id: kind.pool, name: 'swimming pool', classId: 5 },
  { id: kind.greenCrop, name: 'green crop', classId: 6 },
  { id: kind.ripeCrop, name: 'ripe crop', classId: 6 },
  { id: kind.ploughed, name: 'ploughed field', classId: 6 },
  { id: kind.soil, name: 'bare soil', classId: 7 },
  { id: kind.sand, name: 'sand', classId: 7 },
  { id: kind.sea, name: 'sea', classId: 5 },
];

/** Class id of every kind id, for mapping a whole plane. */
export const classOfKind: Uint8Array = Uint8Array.from({ length: 256 }, (_, id) => {
  return syntheticKinds.find((entry) => entry.id === id)?.classId ?? 0;
});
