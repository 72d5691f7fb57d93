import MVT from 'ol/format/MVT.js';
import type RenderFeature from 'ol/render/Feature.js';

export interface ReadFeature {
  fid: number;
  classId: number;
  confidence: number;
  area: number;
  /** Tile units, y downwards; rings as flat x, y, …, closed. */
  rings: number[][];
}

/** A vector tile as OpenLayers, which draws it, reads it. */
export function readVectorTile(tile: Uint8Array | null): ReadFeature[] {
  if (tile === null) return [];
  const source = new Uint8Array(tile).buffer;
  const features = new MVT({ layers: ['polygons'] }).readFeatures(source) as RenderFeature[];
  return features.map((feature) => {
    const flat = feature.getFlatCoordinates();
    // Of several polygons there would be a list of lists.
    const ends = (feature.getEnds() ?? []).flat() as number[];
    const properties = feature.getProperties();
    return {
      fid: feature.getId() as number,
      classId: properties.class,
      confidence: properties.confidence,
      area: properties.area,
      rings: ends.map((end, index) => flat.slice(index === 0 ? 0 : ends[index - 1], end)),
    };
  });
}
