import type { ClassEntry } from '../classmap/class-entry.ts';
import { classEntries } from '../classmap/classes.ts';

/** The land cover of a synthetic scene; ids as in its true map. */
export const syntheticClasses: readonly ClassEntry[] = classEntries([
  ['building', 'house', 'roof'],
  ['road', 'street'],
  ['tree', 'forest'],
  ['grass', 'meadow'],
  ['water', 'river', 'lake'],
  ['cropland', 'field'],
  ['bare soil', 'sand'],
  ['pavement', 'parking lot'],
]);

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
