import type { PolygonFeature } from '../vector/feature.ts';

/**
 * A batch of polygons as five flat arrays, so that it moves between threads without a copy: thousands of small
 * buffers in a transfer list cost more than the polygons.
 */
export interface FeatureBatch {
  /** [features × 4]: class id, confidence, area, perimeter. */
  attributes: Float64Array<ArrayBuffer>;
  /** [features]: number of rings up to and including this feature's. */
  ringEnds: Uint32Array<ArrayBuffer>;
  /** [rings]: number of coordinates up to and including this ring's. */
  coordinateEnds: Uint32Array<ArrayBuffer>;
  /** x, y, x, y, … of all rings. */
  coordinates: Float64Array<ArrayBuffer>;
}

export function packFeatures(features: readonly PolygonFeature[]): FeatureBatch {
  let rings = 0;
  let length = 0;
  for (const feature of features) {
    rings += feature.rings.length;
    for (const ring of feature.rings) length += ring.length;
  }
  const attributes = new Float64Array(features.length * 4);
  const ringEnds = new Uint32Array(features.length);
  const coordinateEnds = new Uint32Array(rings);
  const coordinates = new Float64Array(length);
  let ringCount = 0;
  let end = 0;
  features.forEach((feature, index) => {
    attributes[index * 4] = feature.classId;
    attributes[index * 4 + 1] = feature.confidence;
    attributes[index * 4 + 2] = feature.area;
    attributes[index * 4 + 3] = feature.perimeter;
    for (const ring of feature.rings) {
      coordinates.set(ring, end);
      end += ring.length;
      coordinateEnds[ringCount++] = end;
    }
    ringEnds[index] = ringCount;
  });
  return { attributes, ringEnds, coordinateEnds, coordinates };
}

/** The buffers to move with `postMessage`. */
export function batchBuffers(batch: FeatureBatch): ArrayBuffer[] {
  return [
    batch.attributes.buffer,
    batch.ringEnds.buffer,
    batch.coordinateEnds.buffer,
    batch.coordinates.buffer,
  ];
}

/** The polygons again; their rings are views of the batch. */
export function unpackFeatures(batch: FeatureBatch): PolygonFeature[] {
  const { attributes, ringEnds, coordinateEnds, coordinates } = batch;
  const features: PolygonFeature[] = [];
  let ring = 0;
  let start = 0;
  for (let index = 0; index < ringEnds.length; index++) {
    const rings: Float64Array[] = [];
    for (; ring < ringEnds[index]!; ring++) {
      rings.push(coordinates.subarray(start, coordinateEnds[ring]!));
      start = coordinateEnds[ring]!;
    }
    features.push({
      classId: attributes[index * 4]!,
      confidence: attributes[index * 4 + 1]!,
      area: attributes[index * 4 + 2]!,
      perimeter: attributes[index * 4 + 3]!,
      rings,
    });
  }
  return features;
}
