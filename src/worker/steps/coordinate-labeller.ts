import type { CoordinateHeader } from '../features/coordinate-store.ts';

/** What coordinates depend on besides features: a store's coordinates are used where it is the same. */
export function coordinateLabeller(upsample: boolean): CoordinateHeader['labeller'] {
  return { upsample };
}
