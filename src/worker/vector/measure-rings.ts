import type { Crs } from '../raster/crs.ts';
import { isWebMercator, type Measurement, measureOn } from './measure.ts';
import { signedArea } from './planar-rings.ts';

/**
 * How polygons that were edited are measured, from their closed rings in the coordinates of the system: as those of a
 * class map are. Holes count negative in the area.
 */
export function measureRings(crs: Crs | null): (rings: readonly Float64Array[]) => Measurement {
  if (crs !== null && (crs.kind === 'geographic' || isWebMercator(crs))) {
    const onSpheroid = measureOn({ width: 1, height: 1, transform: [0, 1, 0, 0, 0, -1], crs });
    return (rings) => onSpheroid([], rings);
  }
  const metres = crs?.metresPerUnit ?? 1;
  return (rings) => {
    let doubleArea = 0;
    let perimeter = 0;
    for (const ring of rings) {
      doubleArea += signedArea(ring);
      for (let i = 2; i < ring.length; i += 2)
        perimeter += Math.hypot(ring[i]! - ring[i - 2]!, ring[i + 1]! - ring[i - 1]!);
    }
    return { area: (Math.abs(doubleArea) / 2) * metres * metres, perimeter: perimeter * metres };
  };
}
