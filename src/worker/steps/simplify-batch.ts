import { simplifyPolygons } from '../vector/simplify-polygons.ts';
import { type FeatureBatch, packFeatures, unpackFeatures } from './feature-batch.ts';
import type { TaskContext } from './task-context.ts';

export interface SimplifyRequest {
  /** A whole layer: borders are shared. */
  batch: FeatureBatch;
  /** Units of the coordinates. */
  tolerance: number;
}

/** The polygons simplified together, in their order; areas and perimeters stay as they were given. */
export function simplifyBatch({ batch, tolerance }: SimplifyRequest, { signal }: TaskContext): FeatureBatch {
  const features = unpackFeatures(batch);
  const simplified = simplifyPolygons(
    features.map(({ rings }) => rings),
    tolerance,
    signal,
  );
  return packFeatures(features.map((feature, index) => ({ ...feature, rings: simplified[index]! })));
}
